/* load.h -- what the workloads share: random numbers, sizes, blocks that are used.
 *
 * A workload is a program that uses malloc as one kind of program does, and knows
 * nothing of which malloc it has: bench/run measures it from outside, under each
 * allocator in turns.  Its arguments are numbers, each with a standard value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOADS_LOAD_H
#define BENCH_LOADS_LOAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_KIB ((size_t)1024)
#define LOAD_MIB (LOAD_KIB * 1024)

_Noreturn static inline void load_fail(const char *what) {
  fprintf(stderr, "workload: %s\n", what);
  exit(EXIT_FAILURE);
}

/* The n-th argument, or what it is without one. */
static inline size_t load_argument(int argc, char **argv, int n, size_t standard) {
  return n < argc ? (size_t)strtoull(argv[n], NULL, 10) : standard;
}

/* Marsaglia's xorshift: the same numbers in each run; *state is not 0. */
static inline uint64_t load_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  *state = x;
  return x;
}

static inline uint64_t load_seed(size_t n) { return 0x9e3779b97f4a7c15u * (n + 1); }

/* Sizes as programs ask for them: of any two doublings from 8 to `top' the
 * smaller is asked for twice as often. */
static inline size_t load_size(uint64_t *state, size_t top) {
  uint64_t r = load_random(state);
  unsigned doubling = (unsigned)__builtin_ctzll(r | (uint64_t)1 << 40);
  size_t low = (size_t)8 << doubling;
  if (low >= top) low = 8;
  return low + (size_t)(r >> 44) % low;
}

static inline void *load_had(void *block) {
  if (block == NULL) load_fail("out of memory");
  return block;
}

/* A new block is written at both ends: nobody allocates what he doesn't use. */
static inline void *load_use(void *block, size_t size) {
  unsigned char *p = load_had(block);
  p[0] = 1;
  p[size - 1] = 2;
  return block;
}

static inline void *load_take(size_t size) { return load_use(malloc(size), size); }

/* What a thread does is told apart by its number. */
typedef struct load_thread {
  pthread_t thread;
  size_t number;
} load_thread;

static inline void load_start(load_thread *threads, size_t count, void *(*work)(void *)) {
  for (size_t i = 0; i < count; i++) {
    threads[i].number = i;
    if (pthread_create(&threads[i].thread, NULL, work, &threads[i]) != 0) load_fail("no thread");
  }
}

static inline void load_join(load_thread *threads, size_t count) {
  for (size_t i = 0; i < count; i++) (void)pthread_join(threads[i].thread, NULL);
}

#endif
