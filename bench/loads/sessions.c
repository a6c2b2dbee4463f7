/* sessions.c -- a server with short-lived workers: each takes over the objects of its
 * predecessor, replaces some at random, and leaves them to its successor (after Larson and
 * Krishnan, "Memory allocation for long-running server applications", 1998).
 *
 *   sessions THREADS OBJECTS TOP GENERATIONS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { THREADS_MOST = 64, REPLACED_EACH = 4 };

static size_t objects, top;
static void **shelf[THREADS_MOST];
static uint64_t randoms[THREADS_MOST];

static void *work(void *arg) {
  const load_thread *self = arg;
  void **mine = shelf[self->number];
  uint64_t *random = &randoms[self->number];
  for (size_t n = 0; n < objects * REPLACED_EACH; n++) {
    size_t i = (size_t)(load_random(random) >> 20) % objects;
    free(mine[i]);
    mine[i] = load_take(load_size(random, top));
  }
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 4);
  objects = load_argument(argc, argv, 2, 5000);
  top = load_argument(argc, argv, 3, 1024);
  size_t generations = load_argument(argc, argv, 4, 60);
  if (count > THREADS_MOST || objects == 0) load_fail("what arguments?");
  for (size_t i = 0; i < count; i++) {
    randoms[i] = load_seed(i);
    shelf[i] = load_checked(calloc(objects, sizeof(void *)));
  }
  for (size_t n = 0; n < generations; n++) {
    load_start(threads, count, work);
    load_join(threads, count);
    void **first = shelf[0];
    for (size_t i = 0; i + 1 < count; i++) shelf[i] = shelf[i + 1];
    shelf[count - 1] = first;
  }
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < objects; k++) free(shelf[i][k]);
    free(shelf[i]);
  }
  return EXIT_SUCCESS;
}
