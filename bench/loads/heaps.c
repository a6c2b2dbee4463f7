/* heaps.c -- many heaps at a time: a server with a heap for each connection.
 *
 *   heaps COUNT THOUSANDS [ARENA]    COUNT live heaps, each in its own arena of ARENA MiB;
 *                                    0: without arenas
 *
 * Prints the wall-clock time of all steps: "work SECONDS".  A step destroys a heap, makes
 * another with a block in it, and allocates a block in a random live heap.  With an allocator
 * that has no heaps, or not so many arenas, it prints "none".
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "../clock.h"
#include "load.h"

#include <dlfcn.h>
#include <stdbool.h>

enum { SIZE = 100 };

/* mialloc's functions, or mimalloc's. */
static void *(*heap_new)(void);
static void *(*heap_new_in)(void *arena);
static void *(*heap_malloc)(void *heap, size_t size);
static void (*heap_destroy)(void *heap);
static int (*reserve)(size_t size, bool commit, bool large, bool exclusive, void **arena);

static bool find(void *function, const char *name, const char *other) {
  void *found = dlsym(RTLD_DEFAULT, name);
  if (found == NULL) found = dlsym(RTLD_DEFAULT, other);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

static bool find_all(void) {
  return find(&heap_new, "mia_heap_new", "mi_heap_new") &&
         find(&heap_new_in, "mia_heap_new_in_arena", "mi_heap_new_in_arena") &&
         find(&heap_malloc, "mia_heap_malloc", "mi_heap_malloc") &&
         find(&heap_destroy, "mia_heap_destroy", "mi_heap_destroy") &&
         find(&reserve, "mia_reserve_memory", "mi_reserve_os_memory_ex");
}

/* Returns NULL if no arena is available. */
static void *make(size_t arena_size) {
  void *arena = NULL;
  if (arena_size == 0) return load_checked(heap_new());
  if (reserve(arena_size, false, false, true, &arena) != 0) return NULL;
  return load_checked(heap_new_in(arena));
}

int main(int argc, char **argv) {
  size_t count = load_argument(argc, argv, 1, 100);
  size_t steps = load_argument(argc, argv, 2, 20) * 1000;
  size_t arena_size = load_argument(argc, argv, 3, 0) * LOAD_MIB;
  bool can = find_all();
  void **heaps = load_take(count * sizeof *heaps);
  for (size_t i = 0; can && i < count; i++) {
    heaps[i] = make(arena_size);
    can = heaps[i] != NULL;
    if (can) (void)load_use(heap_malloc(heaps[i], SIZE), SIZE);
  }
  if (!can) {
    puts("none");
    return EXIT_SUCCESS;
  }
  uint64_t random = load_seed(0);
  void *passing = heap_new();
  double start = clock_seconds();
  for (size_t i = 0; i < steps; i++) {
    heap_destroy(passing);
    passing = load_checked(heap_new());
    (void)load_use(heap_malloc(passing, SIZE), SIZE);
    (void)load_use(heap_malloc(heaps[(size_t)(load_random(&random) >> 20) % count], SIZE), SIZE);
  }
  printf("work %.6f\n", clock_seconds() - start);
  free(heaps);
  return EXIT_SUCCESS;
}
