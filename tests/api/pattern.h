/* pattern.h -- random numbers and recognisable block contents, for tests.
 *
 * The header needs no test framework.  All numbers derive from a seed, which the program
 * prints and MIA_TEST_SEED sets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_PATTERN_H
#define MIA_TEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../hide.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* 2^64 divided by the golden ratio: odd, and no byte of it is zero. */
#define PATTERN_STEP UINT64_C(0x9e3779b97f4a7c15)

/* One step of splitmix64 (Steele, Lea, Flood: Fast splittable generators). */
static inline uint64_t random_next(uint64_t *state) {
  uint64_t z = *state += PATTERN_STEP;
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Returns 0 to limit - 1; the bias of the remainder does not matter here. */
static inline size_t random_below(uint64_t *state, size_t limit) {
  return (size_t)(random_next(state) % limit);
}

/* Returns a size below 2^bits; each power of two is equally likely. */
static inline size_t random_size(uint64_t *state, unsigned bits) {
  size_t top = (size_t)1 << random_below(state, bits);
  return top + random_below(state, top);
}

/* Returns MIA_TEST_SEED, or a different seed in each run. */
static inline uint64_t random_seed(void) {
  const char *text = getenv("MIA_TEST_SEED");
  if (text != NULL && *text != '\0') return strtoull(text, NULL, 0);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t state = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
  return random_next(&state) >> 32; /* short enough to be typed */
}

/* Fills bytes from..to of the block `p' with the pattern of `key'.  A byte depends on the key
 * and its position only, so the pattern can be continued when a block has grown.  Writes whole words
 * where they are aligned, because other accesses may trap (tests/matrix). */
static inline void pattern_fill_from(void *p, size_t from, size_t to, uint64_t key) {
  unsigned char *bytes = p;
  size_t i = from;
  while (i < to) {
    uint64_t word = key + (uint64_t)(i / sizeof word) * PATTERN_STEP;
    size_t skip = i % sizeof word;
    size_t n = sizeof word - skip;
    if (n > to - i) n = to - i;
    if (n == sizeof word && (uintptr_t)(bytes + i) % sizeof word == 0)
      memcpy(__builtin_assume_aligned(bytes + i, sizeof word), &word, sizeof word);
    else
      for (size_t k = 0; k < n; k++) bytes[i + k] = ((const unsigned char *)&word)[skip + k];
    i += n;
  }
}

static inline void pattern_fill(void *p, size_t size, uint64_t key) {
  pattern_fill_from(p, 0, size, key);
}

/* Returns nonzero if the first `size' bytes at `p' hold the pattern of `key'.  `p' may be NULL
 * if `size' is 0. */
static inline int pattern_holds(const void *p, size_t size, uint64_t key) {
  const unsigned char *bytes = p;
  size_t i = 0;
  uint64_t word = key;
  uint64_t difference = 0;
  for (; i + sizeof word <= size; i += sizeof word, word += PATTERN_STEP) {
    uint64_t found;
    memcpy(&found, bytes + i, sizeof found);
    difference |= found ^ word;
  }
  return difference == 0 && (i == size || memcmp(bytes + i, &word, size - i) == 0);
}

/* Reads whole words where they are aligned, because memcmp of some libcs compares single
 * bytes. */
static inline int all_zero(const void *p, size_t size) {
  const unsigned char *bytes = p;
  uint64_t found = 0;
  size_t i = 0;
  for (; i < size && (uintptr_t)(bytes + i) % sizeof found != 0; i++) found |= bytes[i];
  for (; i + sizeof found <= size; i += sizeof found) {
    uint64_t word;
    memcpy(&word, __builtin_assume_aligned(bytes + i, sizeof word), sizeof word);
    found |= word;
  }
  for (; i < size; i++) found |= bytes[i];
  return found == 0;
}

static inline int is_aligned(const void *p, size_t alignment) {
  return ((uintptr_t)p & (alignment - 1)) == 0;
}

/* Compares pointers by address, for qsort. */
static inline int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (void *const *)a;
  uintptr_t y = (uintptr_t) * (void *const *)b;
  return (x > y) - (x < y);
}

#endif
