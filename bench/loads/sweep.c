/* sweep.c -- a runtime with garbage collection over malloc, as Go-like ones: some threads
 * allocate, another frees nine objects in ten in the order of their addresses.
 *
 *   sweep THREADS OBJECTS TOP CYCLES    OBJECTS of each thread between two collections
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { THREADS_MOST = 64, LIVE_ONE_IN = 10 };

typedef struct mutator {
  void **objects; /* what it allocated since the last collection, then what lives */
  size_t live;
} mutator;

static mutator mutators[THREADS_MOST];
static size_t objects, top, cycles;
static pthread_barrier_t stopped, resumed;

static void *work(void *arg) {
  const load_thread *self = arg;
  mutator *mine = &mutators[self->number];
  uint64_t random = load_seed(self->number);
  for (size_t n = 0; n < cycles; n++) {
    while (mine->live < objects) mine->objects[mine->live++] = load_take(load_size(&random, top));
    (void)pthread_barrier_wait(&stopped);
    (void)pthread_barrier_wait(&resumed);
  }
  return NULL;
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
  return (x > y) - (x < y);
}

static void sweep(mutator *m, uint64_t *random) {
  qsort(m->objects, m->live, sizeof *m->objects, by_address);
  size_t live = 0;
  for (size_t i = 0; i < m->live; i++) {
    if ((load_random(random) >> 20) % LIVE_ONE_IN == 0)
      m->objects[live++] = m->objects[i];
    else
      free(m->objects[i]);
  }
  m->live = live;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 2);
  objects = load_argument(argc, argv, 2, 20000);
  top = load_argument(argc, argv, 3, 512);
  cycles = load_argument(argc, argv, 4, 50);
  if (count > THREADS_MOST || objects == 0) load_fail("what arguments?");
  uint64_t random = load_seed(THREADS_MOST);
  if (pthread_barrier_init(&stopped, NULL, (unsigned)count + 1) != 0 ||
      pthread_barrier_init(&resumed, NULL, (unsigned)count + 1) != 0)
    load_fail("no barrier");
  for (size_t i = 0; i < count; i++)
    mutators[i].objects = load_checked(calloc(objects, sizeof(void *)));
  load_start(threads, count, work);
  for (size_t n = 0; n < cycles; n++) {
    (void)pthread_barrier_wait(&stopped);
    for (size_t i = 0; i < count; i++) sweep(&mutators[i], &random);
    (void)pthread_barrier_wait(&resumed);
  }
  load_join(threads, count);
  return EXIT_SUCCESS;
}
