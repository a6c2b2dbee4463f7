/* replace.c -- a table whose entries are replaced at random, of mixed sizes and
 * lives: caches, the objects of a long-running program.  Each thread has its own.
 *
 *   replace THREADS ENTRIES TOP THOUSANDS    sizes up to about TOP bytes
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { THREADS_MOST = 64 };

static size_t entries, top, steps;

static void *work(void *arg) {
  const load_thread *self = arg;
  uint64_t random = load_seed(self->number);
  void **table = load_take(entries * sizeof *table);
  for (size_t i = 0; i < entries; i++) table[i] = load_take(load_size(&random, top));
  for (size_t n = 0; n < steps; n++) {
    size_t i = (size_t)(load_random(&random) >> 20) % entries;
    free(table[i]);
    table[i] = load_take(load_size(&random, top));
  }
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
  if (count > THREADS_MOST || entries == 0) load_fail("what arguments?");
  load_start(threads, count, work);
  load_join(threads, count);
  return EXIT_SUCCESS;
}
