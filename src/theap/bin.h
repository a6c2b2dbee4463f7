/* bin.h -- a local's pages of one class: where blocks come from when the list
 * in use is at its end, and where pages go when something is due with them. */
#ifndef MIA_THEAP_BIN_H
#define MIA_THEAP_BIN_H

#include "theap/theap.h"

/* Gives the empty head of `size_class' a new list.  False: out of memory. */
bool mia_theap_refill(mia_theap *self, unsigned size_class);

/* Frees a block of a page that `self' owns, whatever that leads to. */
void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block);

/* Frees the one block of a large page, if that is nobody else's affair: false, and
 * nothing was done. */
bool mia_theap_free_singleton(mia_theap *self, mia_page *page);

/* Frees a block of a page that `self' does not own. */
void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block);

/* Finds a place for a page that the caller has and no local owns: back to the
 * arena, to `self' where `keep' lets it, to the pool; full ones go nowhere. */
void mia_theap_dispose_page(mia_theap *self, mia_page *page, bool keep);

/* Withholds the lists in use, so that the next allocation of each class comes to
 * a slow path, which sees the time.  A list that comes back again and again is, after
 * a few times, left alone until it is called with `anew'. */
void mia_theap_force_slow(mia_theap *self, bool anew);

/* Gives one back.  False: it is not withheld. */
bool mia_theap_end_forced(mia_theap *self, unsigned size_class);

/* Sends what is in the outbox. */
void mia_theap_flush_batches(mia_theap *self);

/* Sends what is in stashes, and what is left of those that are lists in use. */
void mia_theap_flush_magazines(mia_theap *self);

/* Sends both: of what the thread has freed, nothing is then seen as in use. */
void mia_theap_flush_remote(mia_theap *self);

/* Gathers, and retires the pages that are empty. */
void mia_theap_collect(mia_theap *self);

/* Asserts L1 and L2 of a bin (debug builds). */
void mia_theap_check(const mia_theap *self, unsigned size_class);

/* Takes the lists in use back to their pages, which the thread keeps. */
void mia_theap_return_lists(mia_theap *self);

/* Takes back what was lent, so that nothing is left to allocate from without
 * asking. */
void mia_theap_return_pages(mia_theap *self);

/* Lets go of all pages and blocks that are free. */
void mia_theap_abandon(mia_theap *self);

#endif
