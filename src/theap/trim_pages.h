/* SPDX-License-Identifier: MIT */
/* trim_pages.h -- which pages are trimmed, and when. */
#ifndef MIA_THEAP_TRIM_PAGES_H
#define MIA_THEAP_TRIM_PAGES_H

#include "arena/budget.h"
#include "theap/abandoned.h"
#include "theap/theap.h"

/* Trims the pages with free blocks that a theap owns, other than the pages in use.  Without
 * `all', only pages of classes whose free list was not refilled since the last call, and only
 * when they are due (abandoned.h).  If the budget does not suffice, the next call continues. */
void mia_theap_trim_own(mia_theap *self, bool all, mia_budget *budget);

/* Returns true if trimming of the theap's own pages has begun and not ended. */
mia_inline bool mia_theap_is_trimming(const mia_theap *self) { return self->trimming; }

/* Goes on with a visit of the main heap's abandoned pages that is under way (mia_theap_begin_visit), and
 * trims pages. */
void mia_theap_trim_abandoned(mia_theap *self, mia_trim which, mia_budget *budget);

/* Trims all abandoned pages of a heap. */
void mia_theap_trim_heap(mia_theap *self, mia_heap *heap);

/* Returns the bytes of the main heap's untrimmed pages (abandoned.h). */
mia_inline size_t mia_theap_untrimmed(void) {
  return mia_aword_get(&mia_theap_all.untrimmed) << MIA_SLICE_SHIFT;
}

#endif
