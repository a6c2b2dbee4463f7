/* SPDX-License-Identifier: MIT */
/* pagemap.c -- finds the page that an address lies in. */
#include "base/prelude.h"

#include "base/fail.h"
#include "map/pagemap.h"
#include "os/os.h"

mia_map_table mia_map_pages;

#if MIA_POINTER_64

enum {
  LEAF_SIZE = sizeof(mia_aword) << MIA_MAP_LEAF_SHIFT,
  ENTRY_SHIFT = MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT
};

/* Only a little of a leaf is ever written to.  So if the process locks what it maps, and
 * the leaf is backed at once, its memory is given back. */
static mia_aword *map_leaf(void) {
  mia_aword *leaf = mia_os_reserve(LEAF_SIZE, true);
  if (leaf != NULL && mia_os_is_locked(leaf)) (void)mia_os_purge(leaf, LEAF_SIZE);
  return leaf;
}

static mia_aword *make_leaf(void) {
  if (mia_aword_get(&mia_map_pages.first_taken) == 0) {
    uintptr_t was = 0;
    while (was == 0)
      if (mia_aword_cas(&mia_map_pages.first_taken, &was, 1)) return mia_map_pages.first;
  }
  return map_leaf();
}

/* Two threads may make the same leaf at once; the second one releases its own.  The
 * static leaf is never released: it can only lose a race between the first two arenas
 * of a process, and is then unused. */
static void set_entry(mia_aword *entry, mia_aword *leaf) {
  uintptr_t was = mia_aword_get(entry);
  while (was == 0)
    if (mia_aword_cas_rel(entry, &was, (uintptr_t)leaf)) return;
  if (leaf != mia_map_pages.first) (void)mia_os_release(leaf, LEAF_SIZE);
  (void)mia_aword_get_acq(entry); /* see the leaf as the other thread made it */
}

static bool cover_entry(mia_aword *entry) {
  if (mia_aword_get_acq(entry) != 0) return true;
  mia_aword *leaf = make_leaf();
  if (leaf != NULL) set_entry(entry, leaf);
  return leaf != NULL;
}

bool mia_map_cover(const void *start, size_t size) {
  uintptr_t last = ((uintptr_t)start + size - 1) >> ENTRY_SHIFT;
  if (!mia_map_in_range(start) || !mia_map_in_range((const void *)(last << ENTRY_SHIFT)))
    return false;
  for (uintptr_t i = (uintptr_t)start >> ENTRY_SHIFT; i <= last; i++)
    if (!cover_entry(mia_map_entry((const void *)(i << ENTRY_SHIFT)))) return false;
  return true;
}

void *mia_map_prepare(void) { return map_leaf(); }

void mia_map_cover_prepared(const void *p, void *prepared) {
  mia_assert(mia_map_in_range(p));
  set_entry(mia_map_entry(p), prepared);
}

#else

bool mia_map_cover(const void *start, size_t size) {
  (void)start;
  (void)size;
  return true;
}

void *mia_map_prepare(void) { return mia_map_pages.first; }

void mia_map_cover_prepared(const void *p, void *prepared) {
  (void)p;
  (void)prepared;
}

#endif

void mia_map_set_page(const void *start, size_t slices, const void *page) {
  for (size_t i = 0; i < slices; i++)
    mia_map_set_slice((const char *)start + (i << MIA_SLICE_SHIFT), page);
}
