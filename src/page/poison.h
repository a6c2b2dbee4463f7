/* mark.h -- what debug builds write into a free block behind its link, so that a
 * second free and a write after the first are noticed.
 *
 * The second word is the block's address in disguise: no program has it there by
 * accident.  The rest is filled, but for the edge (guard.h), which is the next
 * block's.  The smallest blocks have no room for a mark; with its guard no request
 * is as small.
 * Invariant:
 *   K1  debug builds only: blocks on a page's own list, on the word `remote' and
 *       in outboxes bear their mark; so do those lent that are not fresh */
#ifndef MIA_PAGE_POISON_H
#define MIA_PAGE_POISON_H

#include "page/page.h"

/* Marks a block of a class that becomes free; aborts if it is so already, or was
 * written to beyond its ends.  `own': the caller has the page. */
void mia_page_poison_freed(const mia_page *page, mia_block *block, bool own);

/* Marks a block that was never a program's since its page was made, or was lent
 * and comes back. */
void mia_page_poison(const mia_page *page, mia_block *block);

/* Whether a block of a class is free, also if its mark was written over. */
bool mia_page_is_poisoned(const mia_page *page, const mia_block *block);

/* Aborts if it is. */
void mia_page_require_live(const mia_page *page, const mia_block *block);

/* Aborts if a block that is about to be a program's was written to since it was
 * marked, or, if `fresh', since its page was made.  Takes the mark off. */
void mia_page_require_free(const mia_page *page, mia_block *block, bool fresh);

#endif
