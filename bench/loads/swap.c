/* swap.c -- threads replace blocks of their own tables, and hand some around: every fourth time
 * a thread swaps an entry with one of the next thread's table.
 *
 *   swap THREADS ENTRIES TOP THOUSANDS    sizes from 16 to TOP bytes
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <stdatomic.h>

enum { THREADS_MOST = 64, ONE_IN = 4, SIZE_LEAST = 16 };

typedef _Atomic(void *) slot;

static slot *tables[THREADS_MOST];
static size_t count, entries, top, steps;

static slot *any(size_t thread, uint64_t *random) {
  return &tables[thread][(load_random(random) >> 20) % entries];
}

static void *work(void *arg) {
  const load_thread *self = arg;
  size_t next = (self->number + 1) % count;
  uint64_t random = load_seed(self->number);
  for (size_t n = 0; n < steps; n++) {
    void *block = load_take(SIZE_LEAST + load_size(&random, top - SIZE_LEAST));
    void *old = atomic_exchange(any(self->number, &random), block);
    if (n % ONE_IN == 0) old = atomic_exchange(any(next, &random), old);
    free(old);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  count = load_argument(argc, argv, 1, 2);
  entries = load_argument(argc, argv, 2, 5000);
  top = load_argument(argc, argv, 3, 16384);
  if (count == 0 || count > THREADS_MOST || entries == 0 || top <= SIZE_LEAST)
    load_fail("what arguments?");
  steps = load_argument(argc, argv, 4, 8000) * 1000 / count;
  for (size_t i = 0; i < count; i++) tables[i] = load_checked(calloc(entries, sizeof(slot)));
  load_start(threads, count, work);
  load_join(threads, count);
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < entries; k++) free(atomic_load(&tables[i][k]));
    free(tables[i]);
  }
  return EXIT_SUCCESS;
}
