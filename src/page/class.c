/* class.c -- the tables of size classes, made and proved at compile time. */
#include "base/prelude.h"

#include "page/class.h"

/* Class `n' of those above 128: doubling n / 8, step n % 8. */
#define ABOVE(n) (((size_t)128 << (n) / 8) + ((size_t)16 << (n) / 8) * ((n) % 8 + 1))
#define EIGHT(d)                                                                        \
  ABOVE(d * 8), ABOVE(d * 8 + 1), ABOVE(d * 8 + 2), ABOVE(d * 8 + 3), ABOVE(d * 8 + 4), \
      ABOVE(d * 8 + 5), ABOVE(d * 8 + 6), ABOVE(d * 8 + 7)

const uint32_t mia_page_class_sizes[MIA_CLASS_COUNT] = {
    8,        16,       32,       48,       64,       80,       96,       112,     128,
    EIGHT(0), EIGHT(1), EIGHT(2), EIGHT(3), EIGHT(4), EIGHT(5), EIGHT(6), EIGHT(7)};

/* The class of n * 8 bytes, as a constant. */
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

const uint8_t mia_page_class_table[MIA_CLASS_TABLE_MAX / MIA_BLOCK_MIN + 1] = {
    CLASSES64(0), CLASSES64(64), CLASS(128)};

mia_static_assert(ABOVE(0) == 144 && ABOVE(7) == 256, "the first doubling ends at 256");
mia_static_assert(ABOVE(63) == MIA_CLASS_SIZE_MAX, "the last class is the largest");
mia_static_assert(MIA_CLASS_LINEAR + 64 == MIA_CLASS_COUNT, "eight doublings of eight");
mia_static_assert(CLASS(16) == 8 && CLASS(17) == 9 && CLASS(32) == 16 && CLASS(33) == 17 &&
                      CLASS(128) == 32,
                  "the table meets the arithmetic");
