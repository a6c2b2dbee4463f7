/* SPDX-License-Identifier: MIT */
/* class.c -- the tables of size classes, computed and checked at compile time. */
#include "base/prelude.h"

#include "page/class.h"

/* The size of class `n', counted from the first above 128: doubling n / 8, step n % 8. */
#define ABOVE(n) (((size_t)128 << (n) / 8) + ((size_t)16 << (n) / 8) * ((n) % 8 + 1))
#define EIGHT(d)                                                                        \
  ABOVE(d * 8), ABOVE(d * 8 + 1), ABOVE(d * 8 + 2), ABOVE(d * 8 + 3), ABOVE(d * 8 + 4), \
      ABOVE(d * 8 + 5), ABOVE(d * 8 + 6), ABOVE(d * 8 + 7)

mia_start_data const uint32_t mia_page_class_sizes[MIA_CLASS_COUNT] = {
    8,        16,       32,       48,       64,       80,       96,       112,     128,
    EIGHT(0), EIGHT(1), EIGHT(2), EIGHT(3), EIGHT(4), EIGHT(5), EIGHT(6), EIGHT(7)};

/* Rounded up.  An offset is index * size + rest; multiplying it by the inverse yields the index
 * for every offset in a page, since 2^33 (a page times the largest size) bounds the error. */
#define INVERSE(size) (uint32_t)((((uint64_t)1 << MIA_CLASS_INVERSE_SHIFT) + (size)-1) / (size))
#define INVERSES8(d)                                                                   \
  INVERSE(ABOVE(d * 8)), INVERSE(ABOVE(d * 8 + 1)), INVERSE(ABOVE(d * 8 + 2)),         \
      INVERSE(ABOVE(d * 8 + 3)), INVERSE(ABOVE(d * 8 + 4)), INVERSE(ABOVE(d * 8 + 5)), \
      INVERSE(ABOVE(d * 8 + 6)), INVERSE(ABOVE(d * 8 + 7))

const uint32_t mia_page_class_inverses[MIA_CLASS_COUNT] = {
    INVERSE(8),   INVERSE(16),  INVERSE(32),  INVERSE(48),  INVERSE(64),  INVERSE(80),
    INVERSE(96),  INVERSE(112), INVERSE(128), INVERSES8(0), INVERSES8(1), INVERSES8(2),
    INVERSES8(3), INVERSES8(4), INVERSES8(5), INVERSES8(6), INVERSES8(7)};

/* The class of n * 8 bytes, as a constant expression. */
#define HIGH(s) ((s) <= 256 ? 7 : (s) <= 512 ? 8 : 9)
#define CLASS(n)               \
  ((n) <= 1    ? 0             \
   : (n) <= 16 ? ((n) + 1) / 2 \
               : 9 + (HIGH((n)*8) - 7) * 8 + ((((n)*8 - 1) >> (HIGH((n)*8) - 3)) & 7))
#define CLASSES8(n)                                                                             \
  CLASS(n), CLASS(n + 1), CLASS(n + 2), CLASS(n + 3), CLASS(n + 4), CLASS(n + 5), CLASS(n + 6), \
      CLASS(n + 7)
#define CLASSES64(n)                                                                  \
  CLASSES8(n), CLASSES8(n + 8), CLASSES8(n + 16), CLASSES8(n + 24), CLASSES8(n + 32), \
      CLASSES8(n + 40), CLASSES8(n + 48), CLASSES8(n + 56)

mia_start_data const uint8_t mia_page_class_table[MIA_CLASS_TABLE_MAX / MIA_BLOCK_MIN + 1] = {
    CLASSES64(0), CLASSES64(64), CLASS(128)};

mia_static_assert(MIA_CLASS_SLICES_MAX *MIA_SLICE_SIZE *MIA_CLASS_SIZE_MAX <
                      (uint64_t)1 << MIA_CLASS_INVERSE_SHIFT,
                  "an inverse errs by less than a block anywhere in a page");
mia_static_assert(((uint64_t)1 << MIA_CLASS_INVERSE_SHIFT) / MIA_BLOCK_MIN <= UINT32_MAX,
                  "an inverse has 32 bits");
mia_static_assert(ABOVE(0) == 144 && ABOVE(7) == 256, "the first doubling ends at 256");
mia_static_assert(ABOVE(63) == MIA_CLASS_SIZE_MAX, "the last class is the largest");
mia_static_assert(MIA_CLASS_LINEAR + 64 == MIA_CLASS_COUNT, "eight doublings of eight");
mia_static_assert(CLASS(16) == 8 && CLASS(17) == 9 && CLASS(32) == 16 && CLASS(33) == 17 &&
                      CLASS(128) == MIA_CLASS_TABLED - 1,
                  "the table meets the arithmetic");
