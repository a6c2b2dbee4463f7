/* relay.c -- a server whose threads end: each replaces blocks of its table at random, then starts
 * a thread, which goes on with the table, and ends.  Some blocks are large.
 *
 *   relay THREADS ENTRIES TOP STEPS GENERATIONS LARGE    STEPS replacements in each generation;
 *         one block in LARGE has 32 to 512 KiB; 0: none
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { THREADS_MOST = 64, LARGE_LEAST = 32 * 1024 };

typedef struct runner {
  void **table;
  uint64_t random;
  size_t generations; /* that follow */
} runner;

static size_t entries, top, steps, large;

/* The number of runners that have not finished. */
static size_t running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;

static void *entry(uint64_t *random) {
  if (large != 0 && (load_random(random) >> 20) % large == 0) {
    size_t least = (size_t)LARGE_LEAST << (load_random(random) >> 20) % 4;
    return load_take(least + (load_random(random) >> 20) % least);
  }
  return load_take(load_size(random, top));
}

static void finish(void) {
  pthread_mutex_lock(&lock);
  running--;
  pthread_cond_signal(&finished);
  pthread_mutex_unlock(&lock);
}

static void *work(void *arg);

static void pass_on(runner *self) {
  pthread_t next;
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&next, &detached, work, self) != 0) load_fail("no thread");
  pthread_attr_destroy(&detached);
}

static void *work(void *arg) {
  runner *self = arg;
  for (size_t n = 0; n < steps; n++) {
    size_t i = (load_random(&self->random) >> 20) % entries;
    free(self->table[i]);
    self->table[i] = entry(&self->random);
  }
  if (self->generations-- > 0)
    pass_on(self);
  else
    finish();
  return NULL;
}

int main(int argc, char **argv) {
  static runner runners[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 8);
  entries = load_argument(argc, argv, 2, 5000);
  top = load_argument(argc, argv, 3, 1024);
  steps = load_argument(argc, argv, 4, 40000);
  size_t generations = load_argument(argc, argv, 5, 20);
  large = load_argument(argc, argv, 6, 0);
  if (count > THREADS_MOST || entries == 0) load_fail("what arguments?");
  running = count;
  for (size_t i = 0; i < count; i++) {
    runners[i] = (runner){.random = load_seed(i), .generations = generations};
    runners[i].table = load_checked(calloc(entries, sizeof(void *)));
    pass_on(&runners[i]);
  }
  pthread_mutex_lock(&lock);
  while (running > 0) pthread_cond_wait(&finished, &lock);
  pthread_mutex_unlock(&lock);
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < entries; k++) free(runners[i].table[k]);
    free(runners[i].table);
  }
  return EXIT_SUCCESS;
}
