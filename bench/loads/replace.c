/* replace.c -- entries of mixed sizes in a table are replaced at random: caches, the objects
 * of a long-running program.  Each thread has its own table.
 *
 *   replace THREADS ENTRIES TOP THOUSANDS [MORE]    sizes from MORE to about MORE + TOP bytes
 *
 * Prints the wall-clock time of the replacements: "work SECONDS".
 *
 * SPDX-License-Identifier: MIT
 */
#include "../clock.h"
#include "load.h"

enum { THREADS_MOST = 64 };

static size_t entries, top, steps, more;
/* Passed when all threads have filled their tables, and when all have done their
 * replacements. */
static pthread_barrier_t filled, replaced;

static void *entry(uint64_t *random) { return load_take(more + load_size(random, top)); }

static void *work(void *arg) {
  const load_thread *self = arg;
  uint64_t random = load_seed(self->number);
  void **table = load_take(entries * sizeof *table);
  for (size_t i = 0; i < entries; i++) table[i] = entry(&random);
  (void)pthread_barrier_wait(&filled);
  for (size_t n = 0; n < steps; n++) {
    size_t i = (size_t)(load_random(&random) >> 20) % entries;
    free(table[i]);
    table[i] = entry(&random);
  }
  (void)pthread_barrier_wait(&replaced);
  for (size_t i = 0; i < entries; i++) free(table[i]);
  free(table);
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 1);
  entries = load_argument(argc, argv, 2, 100000);
  top = load_argument(argc, argv, 3, 4096);
  steps = load_argument(argc, argv, 4, 5000) * 1000;
  more = load_argument(argc, argv, 5, 0);
  if (count > THREADS_MOST || entries == 0) load_fail("what arguments?");
  if (pthread_barrier_init(&filled, NULL, (unsigned)count + 1) != 0 ||
      pthread_barrier_init(&replaced, NULL, (unsigned)count + 1) != 0)
    load_fail("no barrier");
  load_start(threads, count, work);
  (void)pthread_barrier_wait(&filled);
  double start = clock_seconds();
  (void)pthread_barrier_wait(&replaced);
  printf("work %.6f\n", clock_seconds() - start);
  load_join(threads, count);
  return EXIT_SUCCESS;
}
