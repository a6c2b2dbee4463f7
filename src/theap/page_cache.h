/* spare.h -- empty pages that threads keep, since what was needed is often
 * needed again.
 *
 * A local has a slot for each size class, and one for each number of slices
 * that a large page may have to be kept.  A slot is a word that anybody may swap
 * out; so what a sleeping thread keeps can be used up by others.  A spare that
 * was not used between two visits of the purger goes back to its arena.
 * The slot of a class has a list of pages, the newest first: a batch of blocks that
 * comes again and again finds its pages as it left them.  Beside the first ones no
 * more than MIA_THEAP_CACHED_MORE are kept in all.
 * So has that of a number of slices.  The large ones have no more slices together than
 * one may have, and what there is most of goes first: who asks for many sizes would
 * keep much of what would do for any.
 *
 * A word is 0 or the address of a page with used = 0 that has no owner, is
 * claimed by its slot, and is not in the page map; the lowest bit is set by the
 * purger.  So are those that follow it (`next'), which are as old as it is.  Only
 * the owner puts a word where none is; all others put 0. */
#ifndef MIA_THEAP_PAGE_CACHE_H
#define MIA_THEAP_PAGE_CACHE_H

#include "arena/budget.h"
#include "theap/theap.h"

/* Keeps an empty page that the caller has, or retires it; another may have to
 * make room for it. */
void mia_theap_cache_page(mia_theap *self, mia_page *page);

/* The spare page for a class, claimed by the caller; or NULL. */
mia_page *mia_theap_cached_page(mia_theap *self, unsigned size_class);

/* A large one with as many slices as `size' bytes need, lead included, and the best
 * for that of those (page/tail.h); to be renewed (mia_page_reuse_singleton). */
mia_page *mia_theap_cached_large(mia_theap *self, size_t size);

/* Retires the spares of the thread's local. */
void mia_theap_flush_cache(mia_theap *self);

/* Retires the spares of all locals: all, or those that are old; the others age.  A
 * budget that is not MIA_BUDGET_ALL is for some of the locals: the next call goes on. */
void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget);
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget);

/* Makes the page that is hot a spare. */
void mia_theap_cache_recent(mia_theap *self);

/* Others may have taken spares: from time to time the owner looks how many are left. */
void mia_theap_recount_cache(mia_theap *self);

/* Whether any local has a spare. */
bool mia_theap_has_cached_page(void);

#endif
