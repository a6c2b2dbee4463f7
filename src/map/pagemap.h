/* pagemap.h -- from an address to the page that it lies in.
 *
 * A word for each slice of the address space: with 32-bit pointers one table,
 * with 64-bit pointers a root of leaves, each leaf the slices of 4 GiB.  The
 * word is the address of the page's descriptor, or 0: not ours.
 *
 * Addresses are taken modulo 2^48: what lies above are tag bits (aarch64's top
 * byte), sign bits (sparc64 maps at the top of its address space), or address
 * bits that Linux hands out on request only.
 *
 * Any valid block reached its holder through some synchronisation after its
 * page was set here; so plain relaxed loads suffice to find it. */
#ifndef MIA_MAP_PAGEMAP_H
#define MIA_MAP_PAGEMAP_H

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

mia_inline mia_aword *mia_map_leaf(const void *p) {
#if MIA_POINTER_64
  size_t index = (uintptr_t)p >> (MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT);
  return (mia_aword *)mia_aword_get(&mia_map_pages.root[index & (MIA_MAP_ROOT_ENTRIES - 1)]);
#else
  (void)p;
  return mia_map_pages.first;
#endif
}

/* What was set for the slice that `p' lies in, or NULL.  `p' may be anything. */
mia_inline void *mia_map_page_at(const void *p) {
  mia_aword *leaf = mia_map_leaf(p);
  if (MIA_POINTER_64 && mia_unlikely(leaf == NULL)) return NULL;
  size_t index = ((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1);
  return (void *)mia_aword_get(&leaf[index]);
}

/* Sets the page of a covered slice, which belongs to the caller; NULL clears. */
mia_inline void mia_map_set_slice(const void *p, const void *page) {
  mia_aword *leaf = mia_map_leaf(p);
  mia_assert(leaf != NULL);
  mia_aword *entry = &leaf[((uintptr_t)p >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1)];
  mia_assert(page == NULL || mia_aword_get(entry) == 0);
  mia_aword_set(entry, (uintptr_t)page);
}

/* Makes sure that the slices of [start, start + size) can be set.  False: out
 * of memory. */
bool mia_map_cover(const void *start, size_t size);

/* The same for the slice at `p', with what that may need in hand before; NULL: out
 * of memory. */
void *mia_map_prepare(void);
void mia_map_cover_prepared(const void *p, void *prepared);

/* The same of `slices' from the one of `start' on. */
void mia_map_set_page(const void *start, size_t slices, const void *page);

#endif
