/* trim.h -- giving back OS pages in pages that nobody allocates from. */
#ifndef MIA_THEAP_TRIM_PAGES_H
#define MIA_THEAP_TRIM_PAGES_H

#include "arena/budget.h"
#include "theap/abandoned.h"
#include "theap/theap.h"

/* Trims the pages with room that a local has: all, or those of classes that it has
 * not allocated from since the last time; again after twice as many each time.  What
 * the budget leaves is trimmed by the next call. */
void mia_theap_trim_own(mia_theap *self, bool all, mia_budget *budget);

/* Trims pages of a heap that have room and no owner.  Of loose ones, those that
 * are more than half free.  False: the budget did not suffice, and the next call goes
 * on. */
bool mia_theap_trim_abandoned(mia_theap *self, mia_heap *heap, mia_trim which, mia_budget *budget);

/* Bytes of the main heap's pages that are loose. */
mia_inline size_t mia_theap_untrimmed(void) {
  return mia_aword_get(&mia_theap_all.untrimmed) << MIA_SLICE_SHIFT;
}

#endif
