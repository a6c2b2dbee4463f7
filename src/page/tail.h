/* tail.h -- what lies behind a large block, in the slices that its page has.
 *
 * A large page is whole slices, and its block ends at any OS page.  What a longer
 * block wrote behind that end before is of no use to anybody, and still there.  So it
 * is known of a page how far it may have been written, and of all pages how much lies
 * behind their blocks: where that is too much, a page gives back its own.
 *
 * Invariants:
 *   L1  of a large page, its memory from `touched' bytes behind the span's start on was
 *       not written since it was last IDLE
 *   L2  mia_arena_all.tails is the sum of `tail' of all large pages, in bytes; it is 0
 *       of pages of so many slices that the last one is a small part */
#ifndef MIA_PAGE_TAIL_H
#define MIA_PAGE_TAIL_H

#include "page/page.h"

/* Of a page that is new, or has other slices or another size than before: counts its
 * tail, or gives it back.  The first `touched' bytes of its span may have been written. */
void mia_page_renew_tail(mia_page *page, size_t touched);

/* The page goes, and is not counted any more. */
void mia_page_forget_tail(mia_page *page);

#endif
