/* page_cache.h -- the page cache: the empty pages that a theap keeps, because pages that were
 * needed are often needed again.
 *
 * A theap has a slot for each size class, and a slot for each number of slices that a cached
 * large page may have.  A slot holds a list of pages, the newest first.  It is a word that any
 * thread may swap for 0 to take the whole list, so other threads can empty the cache of a
 * sleeping thread.  A page that was not used between two visits of the purger is retired.
 *
 * A theap keeps one page of each class and, all classes together, up to MIA_THEAP_CACHED_MORE
 * further pages: a program that allocates and frees a number of blocks again and again finds
 * the pages as it left them.
 *
 * The large pages of a theap have together at most MIA_THEAP_CACHED_LARGE slices.  If they have
 * more, pages are retired of the number of slices of which most slices are cached: otherwise a
 * program that uses many sizes would keep pages of each.
 *
 * Invariant:
 *   a slot is 0, or the address of an empty page, with the lowest bit set if the list was there
 *   at the last visit of the purger.  All pages of the list are empty, have no owner, are not in
 *   the page map, and count as claimed by the slot: only the thread that took the list may touch
 *   them.  Only the theap's thread stores an address into an empty slot; other threads store 0
 *   or, as the purger, set the bit */
#ifndef MIA_THEAP_PAGE_CACHE_H
#define MIA_THEAP_PAGE_CACHE_H

#include "arena/budget.h"
#include "theap/theap.h"

/* Caches an empty page that the caller has claimed, or retires it.  May retire another page to
 * make room. */
void mia_theap_cache_page(mia_theap *self, mia_page *page);

/* Takes the newest cached page of a class; the caller has then claimed it.  Returns NULL if
 * there is none. */
mia_page *mia_theap_cached_page(mia_theap *self, unsigned size_class);

/* Takes a cached large page with as many slices as `size' bytes need, padding included: of these
 * pages the one whose written part fits best (page/tail.h).  The caller must make its block live
 * (mia_page_reuse_singleton).  Returns NULL if there is none. */
mia_page *mia_theap_cached_large(mia_theap *self, size_t size);

/* Retires the cached pages of a theap, `recent' included. */
void mia_theap_flush_cache(mia_theap *self);

/* For the page caches of all theaps: retires all pages; retires the pages that are aged and
 * marks the others as aged.  If the budget is spent before the last theap, the next call
 * continues there. */
void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget);
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget);

/* Moves the page `recent' to the page cache (recent.h). */
void mia_theap_cache_recent(mia_theap *self);

/* Corrects the counts of cached pages for slots that other threads have emptied.  Only the
 * owner calls this, from time to time. */
void mia_theap_recount_cache(mia_theap *self);

/* Returns true if any theap has a cached page. */
bool mia_theap_has_cached_page(void);

#endif
