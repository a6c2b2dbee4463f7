/* pagemap.h -- from an address to the page that it lies in.
 *
 * A word for each slice of the address space: with 32-bit pointers one table,
 * with 64-bit pointers a root of leaves, each leaf the slices of 4 GiB.  The
 * word is the address of the page's descriptor, or 0: not ours.
 *
 * An address has 48 bits.  Those above are address bits that Linux hands out on
 * request only: what has one of them is not ours.  configure knows of two others: a tag
 * in the top byte (MIA_ADDRESS_TAGGED: aarch64), which is cut off where a pointer comes
 * from the program, and signs (MIA_ADDRESS_SIGNED: sparc64 maps at the top of its
 * address space): there addresses are taken modulo 2^48.
 *
 * Any valid block reached its holder through some synchronisation after its
 * page was set here; so plain relaxed loads suffice to find it. */
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

/* `first' serves whichever 4 GiB come first, so that a small process needs no
 * mapping for its page map. */
typedef struct mia_map_table {
  mia_aword root[MIA_MAP_ROOT_ENTRIES];  /* [any] address of a leaf or 0; set once */
  mia_aword first_taken;                 /* [any] 1 when `first' is in the root */
  mia_aword first[MIA_MAP_LEAF_ENTRIES]; /* [any] addresses of descriptors or 0 */
} mia_map_table;

mia_assert_placed(mia_map_table, root);
mia_assert_placed(mia_map_table, first_taken);
mia_assert_placed(mia_map_table, first);

extern mia_map_table mia_map_pages __attribute__((visibility("hidden")));
mia_assert_holds(mia_map_pages, mia_aword);

/* The bits that say where a block cannot begin, as it lies at a multiple of 2 to that. */
#define MIA_MAP_BLOCK_SHIFT 3
mia_static_assert(MIA_BLOCK_MIN == (size_t)1 << MIA_MAP_BLOCK_SHIFT, "of the smallest block");

/* An address without its tag: the byte that loads and stores do not look at. */
mia_inline void *mia_map_untagged(const void *p) {
#if MIA_ADDRESS_TAGGED && MIA_POINTER_64
  return (void *)((uintptr_t)p & (UINTPTR_MAX >> CHAR_BIT));
#else
  return (void *)(uintptr_t)p;
#endif
}

/* Where the leaf of an address is noted, which must have an entry. */
mia_inline mia_aword *mia_map_entry(const void *p) {
#if MIA_POINTER_64
  size_t index = (uintptr_t)p >> (MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT);
  return &mia_map_pages.root[index & (MIA_MAP_ROOT_ENTRIES - 1)];
#else
  (void)p;
  return NULL;
#endif
}

/* Whether the map has a place for an address, which has no tag. */
mia_inline bool mia_map_has(const void *p) {
#if MIA_POINTER_64
  return MIA_ADDRESS_SIGNED || (uintptr_t)p >> MIA_MAP_ADDRESS_BITS == 0;
#else
  (void)p;
  return true;
#endif
}

/* Of an address that the map has. */
mia_inline mia_aword *mia_map_leaf(const void *p) {
#if MIA_POINTER_64
  return (mia_aword *)mia_aword_get(mia_map_entry(p));
#else
  (void)p;
  return mia_map_pages.first;
#endif
}

/* The leaf of an address at which a block may begin; NULL also for any other.  The
 * lowest bits, which must be 0, go above the highest, which must be 0 too: so one
 * comparison does for both, and for the bounds of the root. */
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

/* What was set for the slice that `p' lies in, or NULL.  `p' may be anything. */
mia_inline void *mia_map_page_at(const void *p) {
  p = mia_map_untagged(p);
  return mia_map_has(p) ? mia_map_page_in(mia_map_leaf(p), p) : NULL;
}

/* Of a slice that is covered. */
mia_inline void *mia_map_page_set_at(const void *p) {
  const mia_aword *leaf = mia_map_leaf(p);
  size_t index = ((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1);
  return (void *)mia_aword_get_acq(&leaf[index]);
}

/* The same as mia_map_page_at, and NULL where a block of a class cannot begin: the fast
 * way. */
mia_inline void *mia_map_page_of_block(const void *p) {
  p = mia_map_untagged(p);
  return mia_map_page_in(mia_map_leaf_of_block(p), p);
}

/* Sets the page of a covered slice, which belongs to the caller; NULL clears.  Who holds
 * no block of the page sees what was written to it before by mia_map_page_set_at. */
mia_inline void mia_map_set_slice(const void *p, const void *page) {
  mia_aword *leaf = mia_map_leaf(p);
  mia_assert(mia_map_has(p) && leaf != NULL);
  mia_aword *entry = &leaf[((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1)];
  mia_assert(page == NULL || mia_aword_get(entry) == 0);
  mia_aword_set_rel(entry, (uintptr_t)page);
}

/* Makes sure that the slices of [start, start + size) can be set.  False: out of
 * memory, or of what the map has. */
bool mia_map_cover(const void *start, size_t size);

/* The same for the slice at `p', with what that may need in hand before; NULL: out
 * of memory. */
void *mia_map_prepare(void);
void mia_map_cover_prepared(const void *p, void *prepared);

/* The same of `slices' from the one of `start' on. */
void mia_map_set_page(const void *start, size_t slices, const void *page);

#endif
