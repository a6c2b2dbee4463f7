/* SPDX-License-Identifier: MIT */
/* pagemap.h -- finds the page that an address lies in.
 *
 * The map has a word for each slice of the address space: the address of the page's
 * descriptor, or 0 if the slice is not ours.  With 32-bit pointers it is one table.
 * With 64-bit pointers it is a root and leaves, and each leaf covers 4 GiB.
 *
 * The range of the map is 48 bits.  Linux hands out addresses with higher bits only on
 * request, so an address that has one is not ours.  There are two exceptions, which
 * configure recognizes.  With MIA_ADDRESS_TAGGED (aarch64) the top byte may be a tag; we
 * remove it from pointers that come from the program.  With MIA_ADDRESS_SIGNED (sparc64
 * maps at the top of its address space) we take addresses modulo 2^48.
 *
 * A thread got each valid block that it holds through some synchronisation, after the
 * block's page was set here.  So relaxed loads suffice to find the page. */
#ifndef MIA_MAP_PAGEMAP_H
#define MIA_MAP_PAGEMAP_H

#include "base/bits.h"
#include "base/fail.h"
#include "base/layout.h"

#define MIA_MAP_LEAF_SHIFT 16
#define MIA_MAP_LEAF_ENTRIES ((size_t)1 << MIA_MAP_LEAF_SHIFT)

#if MIA_POINTER_64
#define MIA_MAP_ADDRESS_BITS 48
#define MIA_MAP_ROOT_ENTRIES \
  ((size_t)1 << (MIA_MAP_ADDRESS_BITS - MIA_SLICE_SHIFT - MIA_MAP_LEAF_SHIFT))
#else
#define MIA_MAP_ROOT_ENTRIES ((size_t)1)
#endif

/* `first' becomes the leaf of the first 4 GiB that are used, so that a small process
 * needs no mapping for its page map. */
typedef struct mia_map_table {
  mia_aword root[MIA_MAP_ROOT_ENTRIES];  /* [any] address of a leaf or 0; set once */
  mia_aword first_taken;                 /* [any] 1 when `first' is in the root */
  mia_aword first[MIA_MAP_LEAF_ENTRIES]; /* [any] addresses of descriptors or 0 */
} mia_map_table;

mia_assert_field_aligned(mia_map_table, root);
mia_assert_field_aligned(mia_map_table, first_taken);
mia_assert_field_aligned(mia_map_table, first);

extern mia_map_table mia_map_pages __attribute__((visibility("hidden")));
mia_assert_object_aligned(mia_map_pages, mia_aword);

/* The number of low bits that are 0 in the address of each block. */
#define MIA_MAP_BLOCK_SHIFT 3
mia_static_assert(MIA_BLOCK_MIN == (size_t)1 << MIA_MAP_BLOCK_SHIFT, "of the smallest block");

/* Removes the tag from an address: the byte that loads and stores ignore. */
mia_inline void *mia_map_untagged(const void *p) {
#if MIA_ADDRESS_TAGGED && MIA_POINTER_64
  return (void *)((uintptr_t)p & (UINTPTR_MAX >> CHAR_BIT));
#else
  return (void *)(uintptr_t)p;
#endif
}

/* Returns the entry of the root for an address in the map's range. */
mia_inline mia_aword *mia_map_entry(const void *p) {
#if MIA_POINTER_64
  size_t index = (uintptr_t)p >> (MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT);
  return &mia_map_pages.root[index & (MIA_MAP_ROOT_ENTRIES - 1)];
#else
  (void)p;
  return NULL;
#endif
}

/* Returns true if an address, which must have no tag, is in the map's range. */
mia_inline bool mia_map_in_range(const void *p) {
#if MIA_POINTER_64
  return MIA_ADDRESS_SIGNED || (uintptr_t)p >> MIA_MAP_ADDRESS_BITS == 0;
#else
  (void)p;
  return true;
#endif
}

/* Returns the leaf for an address in the map's range, or NULL if it was not made. */
mia_inline mia_aword *mia_map_leaf(const void *p) {
#if MIA_POINTER_64
  return (mia_aword *)mia_aword_get(mia_map_entry(p));
#else
  (void)p;
  return mia_map_pages.first;
#endif
}

/* Like mia_map_leaf, for an address at which a block may begin; returns NULL for any
 * other address.  The lowest bits, which must be 0, are rotated above the highest ones,
 * which must be 0 too.  So one comparison checks both, and the bounds of the root. */
mia_inline mia_aword *mia_map_leaf_of_block(const void *p) {
#if MIA_POINTER_64
  if (!MIA_ADDRESS_SIGNED) {
    uint64_t index = mia_rotated_right((uintptr_t)p, MIA_MAP_BLOCK_SHIFT) >>
                     (MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT - MIA_MAP_BLOCK_SHIFT);
    if (mia_unlikely(index >= MIA_MAP_ROOT_ENTRIES)) return NULL;
    return (mia_aword *)mia_aword_get(&mia_map_pages.root[index]);
  }
#endif
  return mia_likely(mia_is_aligned(p, MIA_BLOCK_MIN)) ? mia_map_leaf(p) : NULL;
}

mia_inline void *mia_map_page_in(mia_aword *leaf, const void *p) {
  if (mia_unlikely(leaf == NULL)) return NULL;
  size_t index = ((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1);
  return (void *)mia_aword_get(&leaf[index]);
}

/* Returns the page of the slice that `p' lies in, or NULL.  `p' may have any value. */
mia_inline void *mia_map_page_at(const void *p) {
  p = mia_map_untagged(p);
  return mia_map_in_range(p) ? mia_map_page_in(mia_map_leaf(p), p) : NULL;
}

/* Returns the page that was set for a slice whose leaf was made, or NULL.  Unlike
 * mia_map_page_at, it makes visible what was written to the page before it was set. */
mia_inline void *mia_map_page_set_at(const void *p) {
  const mia_aword *leaf = mia_map_leaf(p);
  size_t index = ((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1);
  return (void *)mia_aword_get_acq(&leaf[index]);
}

/* Faster than mia_map_page_at, and returns NULL also if no block of a class can begin
 * at `p'. */
mia_inline void *mia_map_page_of_block(const void *p) {
  p = mia_map_untagged(p);
  return mia_map_page_in(mia_map_leaf_of_block(p), p);
}

/* Sets the page of a slice that belongs to the caller and whose leaf was made; NULL
 * clears it.  mia_map_page_set_at makes what was written to the page before visible. */
mia_inline void mia_map_set_slice(const void *p, const void *page) {
  mia_aword *leaf = mia_map_leaf(p);
  mia_assert(mia_map_in_range(p) && leaf != NULL);
  mia_aword *entry = &leaf[((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1)];
  mia_assert(page == NULL || mia_aword_get(entry) == 0);
  mia_aword_set_rel(entry, (uintptr_t)page);
}

/* Makes the leaves that are needed to set the slices of [start, start + size).  Returns
 * false if memory is exhausted, or if the slices are not in the map's range. */
bool mia_map_cover(const void *start, size_t size);

/* Do the same for the slice at `p' in two steps, of which the second cannot fail.  The
 * first returns a leaf, or NULL if memory is exhausted.  The second uses that leaf or
 * releases it. */
void *mia_map_prepare(void);
void mia_map_cover_prepared(const void *p, void *prepared);

/* Sets the page of `slices' slices from `start' on. */
void mia_map_set_page(const void *start, size_t slices, const void *page);

#endif
