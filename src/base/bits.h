/* SPDX-License-Identifier: MIT */
/* bits.h -- arithmetic on sizes, powers of two and bits. */
#ifndef MIA_BASE_BITS_H
#define MIA_BASE_BITS_H

#include "base/prelude.h"

mia_inline bool mia_is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

/* Round to a multiple of `align', a power of two.  Rounding up may wrap to 0. */
mia_inline size_t mia_align_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }
mia_inline size_t mia_align_down(size_t n, size_t align) { return n & ~(align - 1); }
mia_inline bool mia_is_aligned(const void *p, size_t align) {
  return ((uintptr_t)p & (align - 1)) == 0;
}

/* Returns the index of the highest set bit of n > 0. */
mia_inline unsigned mia_high_bit(size_t n) {
  return (unsigned)(sizeof(unsigned long long) * CHAR_BIT - 1) - (unsigned)__builtin_clzll(n);
}

/* Returns the number of bits that are set.  Not the compiler's built-in function: for a processor
 * without such an instruction, that calls a function of the compiler's library. */
mia_inline size_t mia_count_bits(uint64_t n) {
  const uint64_t pairs = 0x5555555555555555, fours = 0x3333333333333333;
  const uint64_t eights = 0x0f0f0f0f0f0f0f0f, ones = 0x0101010101010101;
  n -= n >> 1 & pairs;
  n = (n & fours) + (n >> 2 & fours);
  n = (n + (n >> 4)) & eights;
  return (size_t)(n * ones >> 56);
}

/* Returns the smallest power of two >= n, or 0 if that does not fit. */
mia_inline size_t mia_power_above(size_t n) {
  if (n <= 1) return 1;
  unsigned shift = mia_high_bit(n - 1) + 1;
  return shift < sizeof(size_t) * CHAR_BIT ? (size_t)1 << shift : 0;
}

/* Rotates n right by `bits', up to 63: the lowest bits become the highest. */
mia_inline uint64_t mia_rotated_right(uint64_t n, unsigned bits) {
  return n >> bits | n << ((sizeof n * CHAR_BIT - bits) % (sizeof n * CHAR_BIT));
}

/* Stores count * size in *total.  Returns false if the product overflows. */
mia_inline bool mia_product(size_t count, size_t size, size_t *total) {
  return !__builtin_mul_overflow(count, size, total);
}

#endif
