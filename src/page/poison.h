/* SPDX-License-Identifier: MIT */
/* poison.h -- debug builds: the content of a free block behind its link, which detects
 * a second free, and a write after the first.
 *
 * The second word of the block is the poison word: the block's address combined with a
 * key, a value that no program writes there by accident.  The rest of the block is
 * filled, except for the redzone at its end, which belongs to the next block (canary.h).
 * The smallest blocks have no room for poison, but with its canary no request is served
 * from one of these.
 * Invariant:
 *   K1  debug builds only: blocks on a page's own list, on the word `remote' and in
 *       remote batches are poisoned; so are those in a free list that is not zeroed */
#ifndef MIA_PAGE_POISON_H
#define MIA_PAGE_POISON_H

#include "page/page.h"

/* Poisons a block of a class that the program frees.  Aborts if it is free already, or if
 * the program wrote beyond either end.  `own': the caller has claimed the page. */
void mia_page_poison_freed(const mia_page *page, mia_block *block, bool own);

/* Poisons a block that the program never had since the page was made, or that comes back
 * unused from a free list. */
void mia_page_poison(const mia_page *page, mia_block *block);

/* Returns true if a block of a class is free, even if its poison was partly overwritten. */
bool mia_page_is_poisoned(const mia_page *page, const mia_block *block);

/* Aborts if the block is free. */
void mia_page_require_live(const mia_page *page, const mia_block *block);

/* Aborts if a block that is about to be allocated was written to since it was poisoned
 * or, if `zeroed', since its page was made.  Removes the poison. */
void mia_page_require_free(const mia_page *page, mia_block *block, bool zeroed);

#endif
