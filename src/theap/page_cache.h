/* SPDX-License-Identifier: MIT */
/* page_cache.h -- the page cache: the empty pages that a theap keeps, because pages that were
 * needed are often needed again.
 *
 * A slot holds a list of pages, the newest first.  It is a word that any thread may swap for 0 to
 * take the whole list, so other threads can empty the cache of a sleeping thread.  A page that was
 * not used between two visits of the purger is retired.
 *
 * A theap keeps the first page of each class of one slice, up to 16 more pages of all classes
 * together, and large pages of up to 16 slices together.  To make room, the oldest page is retired
 * of the list that is charged most: otherwise a program that uses many sizes would keep pages of
 * each.
 *
 * A large block is often needed again as soon as it is freed: the buffer of a loop.  So the large
 * page that was freed last is in no slot but in `last_freed', which no other thread reads.  That
 * saves the atomic swap that a slot needs.  The page moves to its slot when another one is freed,
 * and in ticks while memory waits to be given back.  A thread that runs none keeps it. */
#ifndef MIA_THEAP_PAGE_CACHE_H
#define MIA_THEAP_PAGE_CACHE_H

#include "arena/budget.h"
#include "page/canary.h"
#include "page/owner.h"
#include "theap/theap.h"

enum {
  /* With 32 nothing is faster. */
  MIA_CACHE_CHARGE_MAX = 16,
  /* Pairs of blocks of these sizes take 2.7 of the time without `last_freed'. */
  MIA_CACHE_LAST_FREED_SLICES = 2
};
mia_static_assert((int)MIA_CACHE_LARGE_SLICES <= (int)MIA_CACHE_CHARGE_MAX, "one page has room");

/* Caches an empty page that the caller has claimed, or retires it.  May retire another page to
 * make room. */
void mia_theap_cache_put(mia_theap *self, mia_page *page);

/* Takes the newest cached page of a class; the caller has then claimed it.  Returns NULL if
 * there is none. */
mia_page *mia_theap_cache_take(mia_theap *self, unsigned size_class);

/* Takes a cached large page with as many slices as `size' bytes need, padding included: of these
 * pages the one whose written part fits best (page/tail.h).  The caller must make its block live
 * (mia_page_reuse_singleton).  Returns NULL if there is none. */
mia_page *mia_theap_cache_take_large(mia_theap *self, size_t size);

/* Retires the cached pages of a theap. */
void mia_theap_flush_cache(mia_theap *self);

/* For the page caches of all theaps: retires all pages; retires the pages that are aged and
 * marks the others as aged.  If the budget is spent before the last theap, the next call
 * continues there. */
void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget);
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget);

/* Returns true if the budget ended an aging before the last theap. */
mia_inline bool mia_theap_is_aging_caches(void) {
  return mia_aword_get(&mia_theap_all.aging_caches) != 0;
}

/* Moves `last_freed' to its slot, and corrects the counts of slots that other threads have emptied.
 * Only the owner calls this, from time to time. */
void mia_theap_settle_cache(mia_theap *self);

/* Returns true if any theap has a cached page. */
bool mia_theap_has_cached_page(void);

/* ---- the large page that was freed last ---- */

/* Returns true if the page may become `last_freed' when it is empty. */
mia_inline bool mia_cache_is_last_freed_kind(const mia_page *page) {
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_CACHE_LAST_FREED_SLICES &&
         page->padding == MIA_SINGLETON_PADDING && !page->exclusive;
}

/* Frees the block of a singleton page, which becomes `last_freed'.  Returns false, with nothing done,
 * if there is one, or if the page is of another kind, is not in the main heap or has been
 * claimed. */
mia_inline bool mia_cache_free_last(mia_theap *self, mia_page *page) {
  if (self->cache.last_freed != NULL || !mia_cache_is_last_freed_kind(page)) return false;
  if (!mia_theap_is_settled_main_page(page) || mia_theap_is_none(self)) return false;
  if (!mia_owner_free_alone(page)) return false;
  mia_page_hide_singleton(page);
  self->cache.last_freed = page;
  return true;
}

/* Takes `last_freed' for a block of `room' bytes, which is then live but not counted.  Returns
 * NULL if there is no page or it has another size. */
mia_inline mia_page *mia_cache_take_last_freed(mia_theap *self, size_t room) {
  mia_page *page = self->cache.last_freed;
  if (page == NULL || room > page->size || page->size - room >= MIA_OS_PAGE_MIN) return NULL;
  self->cache.last_freed = NULL;
  mia_owner_begin_singleton(page);
  return page;
}

#endif
