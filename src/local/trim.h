/* trim.h -- giving back OS pages in pages that nobody allocates from. */
#ifndef MIA_LOCAL_TRIM_H
#define MIA_LOCAL_TRIM_H

#include "arena/budget.h"
#include "local/local.h"
#include "local/pool.h"

/* Trims the pages with room that a local has: all, or those of classes that it has
 * not allocated from since the last time; again after twice as many each time.  What
 * the budget leaves is trimmed by the next call. */
void mia_local_trim_own(mia_local *self, bool all, mia_budget *budget);

/* Trims pages of a heap that have room and no owner.  Of loose ones, those that
 * are more than half free.  False: the budget did not suffice, and the next call goes
 * on. */
bool mia_local_trim_pool(mia_local *self, mia_heap *heap, mia_trim which, mia_budget *budget);

/* Bytes of the main heap's pages that are loose. */
mia_inline size_t mia_local_loose(void) {
  return mia_aword_get(&mia_local_all.loose) << MIA_SLICE_SHIFT;
}

#endif
