/* exchange.c -- every thread frees what any thread has allocated: all threads replace entries
 * of one table, as in a shared cache or object store.
 *
 *   exchange THREADS ENTRIES TOP THOUSANDS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <stdatomic.h>

enum { THREADS_MOST = 64, ENTRIES_MOST = 1 << 20 };

static _Atomic(void *) table[ENTRIES_MOST];
static size_t entries, top, steps;

static void *work(void *arg) {
  const load_thread *self = arg;
  uint64_t random = load_seed(self->number);
  for (size_t n = 0; n < steps; n++) {
    size_t i = (size_t)(load_random(&random) >> 20) % entries;
    free(atomic_exchange(&table[i], load_take(load_size(&random, top))));
  }
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 2);
  entries = load_argument(argc, argv, 2, 50000);
  top = load_argument(argc, argv, 3, 1024);
  steps = load_argument(argc, argv, 4, 8000) * 1000 / count;
  if (count > THREADS_MOST || entries > ENTRIES_MOST || entries == 0) load_fail("what arguments?");
  load_start(threads, count, work);
  load_join(threads, count);
  for (size_t i = 0; i < entries; i++) free(atomic_load(&table[i]));
  return EXIT_SUCCESS;
}
