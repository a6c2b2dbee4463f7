/* hot.h -- the large page that was freed last.
 *
 * A large block that is freed is often needed again at once: the buffer of a loop.
 * So a local has the page of the last one at hand, for itself alone, and no word has
 * to be swapped as for other spares (spare.h).  It becomes one of those when another
 * is freed, and when the thread looks at the clock for the first time in a tick: only
 * a thread that sleeps keeps it longer, and it is small.
 * Invariant:
 *   H1  `hot' is NULL or an empty large page that could be a spare of the local
 *       (spare.h), of at most MIA_RECENT_SLICES slices */
#ifndef MIA_THEAP_RECENT_H
#define MIA_THEAP_RECENT_H

#include "page/canary.h"
#include "page/owner.h"
#include "theap/theap.h"

enum { MIA_RECENT_SLICES = 2 };

mia_inline bool mia_recent_fits(const mia_page *page) {
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_RECENT_SLICES &&
         page->padding == MIA_SINGLETON_PADDING && !page->exclusive;
}

/* Frees the one block of a page, which the calling thread then has at hand.  False:
 * nothing was done, as the page is another's affair or one is at hand already. */
mia_inline bool mia_recent_free(mia_theap *self, mia_page *page) {
  if (self->recent != NULL || !mia_recent_fits(page)) return false;
  if (!mia_theap_is_settled_main_page(page) || mia_theap_is_none(self)) return false;
  if (!mia_owner_free_alone(page)) return false;
  mia_page_hide_singleton(page);
  self->recent = page;
  return true;
}

/* A live block of `room' bytes, not counted yet, or NULL: there is none of that size. */
mia_inline mia_page *mia_recent_take(mia_theap *self, size_t room) {
  mia_page *page = self->recent;
  if (page == NULL || room > page->size || page->size - room >= MIA_OS_PAGE_MIN) return NULL;
  self->recent = NULL;
  mia_owner_begin_singleton(page);
  return page;
}

#endif
