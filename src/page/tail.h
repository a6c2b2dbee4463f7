/* SPDX-License-Identifier: MIT */
/* tail.h -- the tail of a large page: written memory behind the end of its block.
 *
 * A large page takes whole slices, and its block ends at any OS page.  Where a longer
 * block was before, the memory behind the new end is useless but still resident.  So each
 * large page records how far its span may have been written, and a global counter has the
 * sum of all tails: when the sum is too large, a page gives its own tail back to the OS.
 *
 * Invariants:
 *   W1  the span of a large page was not written from byte `touched' on since that memory
 *       was last IDLE
 *   W2  mia_arena_all.tails is the sum of `tail' of all large pages, in bytes; `tail' is 0
 *       in pages of so many slices that the last slice is a small part */
#ifndef MIA_PAGE_TAIL_H
#define MIA_PAGE_TAIL_H

#include "page/page.h"

/* To be called when a page is new, or its slices or its size have changed.  Counts the tail
 * or gives it back.  The first `touched' bytes of the span may have been written. */
void mia_page_update_tail(mia_page *page, size_t touched);

/* Removes the tail of a page that is retired from the sum. */
void mia_page_uncount_tail(mia_page *page);

/* Tiers from 1 on: makes the block of a large page read as zero from this offset on.  Does nothing for a
 * huge one, which is unmapped. */
void mia_page_wipe_from(const mia_page *page, size_t from);

#endif
