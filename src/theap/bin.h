/* bin.h -- the pages of a theap, by class: where blocks come from when a free list is empty,
 * and where pages go when they are full, empty or no longer needed.  Implemented by refill.c,
 * remote.c, bin_pages.c (disposing of a page, checking) and bin.c (giving up pages). */
#ifndef MIA_THEAP_BIN_H
#define MIA_THEAP_BIN_H

#include "theap/theap.h"

/* Refills the empty free list of a class.  Returns false if memory is short. */
bool mia_theap_refill(mia_theap *self, unsigned size_class);

/* Frees a block of a page that `self' owns.  Caches the page if it is then empty and not the
 * page in use. */
void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block);

/* Frees the block of a singleton page without a compare-and-swap.  Returns false, with the
 * block not freed, where another thread may claim the page, and for a thread without a
 * theap. */
bool mia_theap_free_singleton(mia_theap *self, mia_page *page);

/* Frees a block of a page that `self' does not own. */
void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block);

/* Disposes of a page that the caller has claimed and no theap owns.  An empty page is cached
 * or retired; a page with free blocks goes to `self' if `keep' and if the thread can use it,
 * else to the abandoned list; a full page is in no list until enough blocks are freed. */
void mia_theap_dispose_page(mia_theap *self, mia_page *page, bool keep);

/* Makes the next allocation of each class take the slow path, which runs a tick.  This is the
 * timer of a thread that is rarely on a slow path: the fast path tests nothing but whether the
 * free list is empty, so the lists are set aside and look empty.  The slow path puts a list
 * back (mia_theap_end_forced) and runs the tick, which calls this function again if more ticks
 * are needed.  A list is set aside a few times in each millisecond of the clock and then left
 * in place; `new_tick': the millisecond is another than at the last call.  Returns true if a list
 * was set aside. */
bool mia_theap_force_slow(mia_theap *self, bool new_tick);

/* Puts the free list of a class back and makes the slow path run a tick.  Returns false if the
 * list is not set aside. */
bool mia_theap_end_forced(mia_theap *self, unsigned size_class);

/* Sends all remote batches to their pages. */
void mia_theap_flush_batches(mia_theap *self);

/* Sends the blocks of all magazines to their pages, and the rest of free lists that were
 * magazines. */
void mia_theap_flush_magazines(mia_theap *self);

/* Sends batches and magazines: no block that the thread has freed then counts as live. */
void mia_theap_flush_remote(mia_theap *self);

/* Returns free lists, magazines and batches to their pages, collects the pages, and retires
 * those that are empty, cached ones included. */
void mia_theap_collect(mia_theap *self);

/* Asserts L1 and L2 of a bin (debug builds). */
void mia_theap_check(const mia_theap *self, unsigned size_class);

/* Returns the free lists and magazines to their pages, which the thread keeps. */
void mia_theap_return_lists(mia_theap *self);

/* Returns the free lists and magazines, and gives up the pages in use, so that every further
 * allocation takes the slow path. */
void mia_theap_return_pages(mia_theap *self);

/* Gives up all pages, batches, magazines and cached pages: the theap is then empty. */
void mia_theap_abandon(mia_theap *self);

#endif
