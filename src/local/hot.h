/* hot.h -- the large page that was freed last.
 *
 * A large block that is freed is often needed again at once: the buffer of a loop.
 * So a local has the page of the last one at hand, for itself alone, and no word has
 * to be swapped as for other spares (spare.h).  It becomes one of those when another
 * is freed, and when the thread looks at the clock for the first time in a tick: only
 * a thread that sleeps keeps it longer, and it is small.
 * Invariant:
 *   H1  `hot' is NULL or an empty large page that could be a spare of the local
 *       (spare.h), of at most MIA_HOT_SLICES slices */
#ifndef MIA_LOCAL_HOT_H
#define MIA_LOCAL_HOT_H

#include "local/local.h"
#include "page/guard.h"
#include "page/owner.h"

enum { MIA_HOT_SLICES = 2 };

mia_inline bool mia_hot_fits(const mia_page *page) {
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_HOT_SLICES &&
         page->lead == MIA_GUARD_LEAD && !page->exclusive;
}

/* Frees the one block of a page, which the calling thread then has at hand.  False:
 * nothing was done, as the page is another's affair or one is at hand already. */
mia_inline bool mia_hot_free(mia_local *self, mia_page *page) {
  if (self->hot != NULL || !mia_hot_fits(page)) return false;
  if (!mia_local_is_main_for_good(page) || mia_local_is_none(self)) return false;
  if (!mia_owner_free_alone(page)) return false;
  mia_page_hide_single(page);
  self->hot = page;
  return true;
}

/* A live block of `room' bytes, not counted yet, or NULL: there is none of that size. */
mia_inline mia_page *mia_hot_take(mia_local *self, size_t room) {
  mia_page *page = self->hot;
  if (page == NULL || room > page->size || page->size - room >= MIA_OS_PAGE_MIN) return NULL;
  self->hot = NULL;
  mia_owner_begin_single(page);
  return page;
}

#endif
