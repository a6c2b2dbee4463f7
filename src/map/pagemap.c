/* pagemap.c -- from an address to the page that it lies in. */
#include "base/prelude.h"

#include "base/fail.h"
#include "map/pagemap.h"
#include "os/os.h"

mia_map_table mia_map_pages;

#if MIA_POINTER_64

enum { LEAF_SIZE = sizeof(mia_aword) << MIA_MAP_LEAF_SHIFT };

static mia_aword *make_leaf(void) {
  if (mia_aword_get(&mia_map_pages.first_taken) == 0) {
    uintptr_t was = 0;
    while (was == 0)
      if (mia_aword_cas(&mia_map_pages.first_taken, &was, 1)) return mia_map_pages.first;
  }
  return mia_os_reserve(LEAF_SIZE, true);
}

/* Two may make the same leaf at once; the one who comes second drops its own.
 * The static leaf is never dropped: it is lost only to a race between the first
 * two arenas of a process, and then unused. */
static bool cover_entry(mia_aword *entry) {
  if (mia_aword_get_acq(entry) != 0) return true;
  mia_aword *leaf = make_leaf();
  if (leaf == NULL) return false;
  uintptr_t was = 0;
  while (was == 0)
    if (mia_aword_cas_rel(entry, &was, (uintptr_t)leaf)) return true;
  if (leaf != mia_map_pages.first) (void)mia_os_release(leaf, LEAF_SIZE);
  return mia_aword_get_acq(entry) != 0;
}

bool mia_map_cover(const void *start, size_t size) {
  const unsigned shift = MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT;
  uintptr_t last = ((uintptr_t)start + size - 1) >> shift;
  for (uintptr_t i = (uintptr_t)start >> shift; i <= last; i++)
    if (!cover_entry(&mia_map_pages.root[i & (MIA_MAP_ROOT_ENTRIES - 1)])) return false;
  return true;
}

#else

bool mia_map_cover(const void *start, size_t size) {
  (void)start;
  (void)size;
  return true;
}

#endif

void mia_map_set_page(const void *start, size_t slices, const void *page) {
  uintptr_t at = (uintptr_t)start;
  for (size_t i = 0; i < slices; i++, at += MIA_SLICE_SIZE) {
    mia_aword *leaf = mia_map_leaf((const void *)at);
    mia_assert(leaf != NULL);
    mia_aword *entry = &leaf[(at >> MIA_SLICE_SHIFT) & (MIA_MAP_LEAF_ENTRIES - 1)];
    mia_assert(page == NULL || mia_aword_get(entry) == 0);
    mia_aword_set(entry, (uintptr_t)page);
  }
}
