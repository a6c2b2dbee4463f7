/* SPDX-License-Identifier: MIT */
/* bin.h -- the pages of a theap, by class: where blocks come from when a free list is empty,
 * and where pages go when they are full, empty or no longer needed.  Implemented by refill.c,
 * remote.c, remote_cache.c, bin_pages.c (disposing of a page, checking) and bin.c (giving up pages). */
#ifndef MIA_THEAP_BIN_H
#define MIA_THEAP_BIN_H

#include "theap/theap.h"

/* Refills the empty free list of a class.  Returns false if memory is short. */
bool mia_theap_refill(mia_theap *self, unsigned size_class);

/* Frees a block of a page that `self' owns.  Caches the page if it is then empty and not the
 * page in use. */
void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block);

/* Frees the block of a singleton page.  Caches or retires the page. */
void mia_theap_free_singleton(mia_theap *self, mia_page *page);

/* Frees a block of a page that `self' does not own, where mia_remote_try_free (remote_cache.h) cannot.
 * The caller knows that it is the start of a block. */
void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block);

/* Disposes of a page that the caller has claimed and no theap owns.  An empty page is cached
 * or retired; a page with free blocks goes to `self' if `keep' and if the thread can use it,
 * else to the abandoned list; a full page is in no list until enough blocks are freed. */
void mia_theap_dispose_page(mia_theap *self, mia_page *page, bool keep);

/* Sends all remote batches to their pages. */
void mia_theap_flush_batches(mia_theap *self);

/* Sends batches, magazines and the rest of free lists that were magazines: no block that the
 * thread has freed then counts as live. */
void mia_theap_flush_remote(mia_theap *self);

/* Returns free lists and remote caches to their pages, collects the pages, and retires
 * those that are empty, cached ones included. */
void mia_theap_collect(mia_theap *self);

/* Asserts L1, L2, R1 and R2 (theap_parts.h) for a class (debug builds). */
void mia_theap_check(const mia_theap *self, unsigned size_class);

/* Returns free lists and remote caches to their pages, which the thread keeps. */
void mia_theap_return_lists(mia_theap *self);

/* Returns free lists and remote caches, and gives up the pages in use, so that every further
 * allocation takes the slow path. */
void mia_theap_return_pages(mia_theap *self);

/* Gives up all pages, remote caches and cached pages: the theap is then empty. */
void mia_theap_abandon(mia_theap *self);

#endif
