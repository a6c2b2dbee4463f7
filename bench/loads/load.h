/* load.h -- helpers for the workloads: random numbers, sizes, and blocks that are touched.
 *
 * A workload is a program that uses malloc in the way of one kind of program.  It does not
 * know which malloc it has: bench/run measures it from outside, under each allocator in
 * turns.  Its arguments are numbers, each with a default.
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

/* Returns the n-th argument, or `standard' if there is none. */
static inline size_t load_argument(int argc, char **argv, int n, size_t standard) {
  return n < argc ? (size_t)strtoull(argv[n], NULL, 10) : standard;
}

/* Marsaglia's xorshift.  Gives the same numbers in each run; *state must not be 0. */
static inline uint64_t load_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  *state = x;
  return x;
}

static inline uint64_t load_seed(size_t n) { return 0x9e3779b97f4a7c15u * (n + 1); }

/* Returns a size with the distribution of typical programs: from 8 to `top', each doubling of
 * the size is half as likely as the one below it. */
static inline size_t load_size(uint64_t *state, size_t top) {
  uint64_t r = load_random(state);
  unsigned doubling = (unsigned)__builtin_ctzll(r | (uint64_t)1 << 40);
  size_t low = (size_t)8 << doubling;
  if (low >= top) low = 8;
  return low + (size_t)(r >> 44) % low;
}

static inline void *load_checked(void *block) {
  if (block == NULL) load_fail("out of memory");
  return block;
}

/* Writes to both ends of a new block, because programs use what they allocate. */
static inline void *load_use(void *block, size_t size) {
  unsigned char *p = load_checked(block);
  p[0] = 1;
  p[size - 1] = 2;
  return block;
}

static inline void *load_take(size_t size) { return load_use(malloc(size), size); }

/* Each thread gets a number, which selects its work. */
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
