/* SPDX-License-Identifier: MIT */
/* class.h -- size classes: what a request is rounded up to.
 *
 * The classes are 8; multiples of 16 up to 128; then eight steps a doubling, up to
 * 32 KiB.  Rounding loses at most an eighth.  Larger blocks have slices of their own:
 * with classes for them a thread would keep more memory than it uses (doc/design.md).
 *
 * Alignment needs nothing but a rounded size: blocks lie at multiples of their size
 * from the start of their page, which is a slice boundary.  For a power of two A and
 * a size that is a multiple of A, the class of that size is a multiple of A as well:
 * either the step of the classes there is a multiple of A, or the size is itself a
 * class.  So rounding the size up to a multiple of the alignment serves any alignment
 * up to a slice. */
#ifndef MIA_PAGE_CLASS_H
#define MIA_PAGE_CLASS_H

#include "base/bits.h"
#include "base/layout.h"

/* Overlays the start of a free block.  The rest of the block keeps its old content. */
typedef struct mia_block {
  struct mia_block *next;
} mia_block;

#define MIA_CLASS_LINEAR_MAX ((size_t)128)     /* up to here: multiples of 16 */
#define MIA_CLASS_TABLE_MAX ((size_t)1024)     /* up to here: by table */
#define MIA_CLASS_SIZE_MAX ((size_t)32 * 1024) /* the largest class */
#define MIA_CLASS_COUNT 73
#define MIA_CLASS_LARGE MIA_CLASS_COUNT      /* a singleton page in whole slices */
#define MIA_CLASS_HUGE (MIA_CLASS_COUNT + 1) /* a singleton page in a mapping of its own */
#define MIA_CLASS_KINDS (MIA_CLASS_COUNT + 2)

enum {
  MIA_CLASS_LINEAR = 9,  /* classes up to 128 */
  MIA_CLASS_TABLED = 33, /* classes up to MIA_CLASS_TABLE_MAX */
  MIA_CLASS_STEP_SHIFT = 3,
  MIA_CLASS_LINEAR_SHIFT = 7 /* log2 of MIA_CLASS_LINEAR_MAX */
};

extern const uint8_t mia_page_class_table[MIA_CLASS_TABLE_MAX / MIA_BLOCK_MIN + 1]
    __attribute__((visibility("hidden")));
extern const uint32_t mia_page_class_sizes[MIA_CLASS_COUNT] __attribute__((visibility("hidden")));

/* 2^MIA_CLASS_INVERSE_SHIFT divided by the size: the index of the block at an offset is
 * then a multiplication, many times cheaper than a division. */
extern const uint32_t mia_page_class_inverses[MIA_CLASS_COUNT]
    __attribute__((visibility("hidden")));
enum { MIA_CLASS_INVERSE_SHIFT = 34 };

/* The class of a size above MIA_CLASS_LINEAR_MAX, computed without the table. */
mia_inline unsigned mia_class_above(size_t size) {
  unsigned high = mia_high_bit(size - 1);
  unsigned doublings = high - MIA_CLASS_LINEAR_SHIFT;
  unsigned step = (unsigned)((size - 1) >> (high - MIA_CLASS_STEP_SHIFT)) & 7;
  return MIA_CLASS_LINEAR + (doublings << MIA_CLASS_STEP_SHIFT) + step;
}

/* The class of a size up to MIA_CLASS_SIZE_MAX. */
mia_inline unsigned mia_class_of(size_t size) {
  if (mia_likely(size <= MIA_CLASS_TABLE_MAX))
    return mia_page_class_table[(size + MIA_BLOCK_MIN - 1) / MIA_BLOCK_MIN];
  return mia_class_above(size);
}

mia_inline size_t mia_class_size(unsigned size_class) { return mia_page_class_sizes[size_class]; }

/* The index of the block that contains an offset from the page's start. */
mia_inline uint32_t mia_class_index(unsigned size_class, uint32_t offset) {
  return (uint32_t)((uint64_t)offset * mia_page_class_inverses[size_class] >>
                    MIA_CLASS_INVERSE_SHIFT);
}

/* The slices of a page of a class: as many as at least eight blocks need. */
enum { MIA_CLASS_SLICES_MAX = 4 };

mia_inline size_t mia_class_slices(unsigned size_class) {
  return mia_class_size(size_class) <= MIA_SLICE_SIZE / 8 ? 1 : MIA_CLASS_SLICES_MAX;
}

#endif
