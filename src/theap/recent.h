/* recent.h -- the large page that was freed last.
 *
 * A large block is often needed again as soon as it is freed: the buffer of a loop.  So a
 * theap keeps the page of the block freed last in a field that no other thread reads.  That
 * saves the atomic swap that the page cache needs (page_cache.h).  The page moves to the
 * page cache when another large block is freed, and in the first tick of each millisecond.
 * Only a thread that sleeps keeps it longer; the page is small.
 * Invariant:
 *   H1  `recent' is NULL or an empty large page that the theap's page cache could keep
 *       (page_cache.h), of at most MIA_RECENT_SLICES slices */
#ifndef MIA_THEAP_RECENT_H
#define MIA_THEAP_RECENT_H

#include "page/canary.h"
#include "page/owner.h"
#include "theap/theap.h"

enum { MIA_RECENT_SLICES = 2 };

/* Returns true if the page may become `recent' when it is empty. */
mia_inline bool mia_recent_fits(const mia_page *page) {
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_RECENT_SLICES &&
         page->padding == MIA_SINGLETON_PADDING && !page->exclusive;
}

/* Frees the block of a singleton page and makes the page `recent'.  Returns false, with
 * nothing done, if `recent' is in use, or if the page does not fit, is not in the main heap or
 * has been claimed. */
mia_inline bool mia_recent_free(mia_theap *self, mia_page *page) {
  if (self->recent != NULL || !mia_recent_fits(page)) return false;
  if (!mia_theap_is_settled_main_page(page) || mia_theap_is_none(self)) return false;
  if (!mia_owner_free_alone(page)) return false;
  mia_page_hide_singleton(page);
  self->recent = page;
  return true;
}

/* Takes `recent' for a block of `room' bytes, which is then live but not counted.  Returns
 * NULL if there is no page or it has another size. */
mia_inline mia_page *mia_recent_take(mia_theap *self, size_t room) {
  mia_page *page = self->recent;
  if (page == NULL || room > page->size || page->size - room >= MIA_OS_PAGE_MIN) return NULL;
  self->recent = NULL;
  mia_owner_begin_singleton(page);
  return page;
}

#endif
