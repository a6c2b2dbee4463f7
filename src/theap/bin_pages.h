/* SPDX-License-Identifier: MIT */
/* bin_pages.h -- the list of pages of one class, and what becomes of a page: for the files that move
 * pages between a theap, the abandoned lists and the page cache. */
#ifndef MIA_THEAP_BIN_PAGES_H
#define MIA_THEAP_BIN_PAGES_H

#include "arena/tier.h"
#include "theap/abandoned.h"
#include "theap/bin.h"

enum {
  /* A full page is claimed by the free after which a sixteenth of its blocks are free.  Claimed by
   * the first free, batches of aligned blocks take 1.5 of the time. */
  MIA_THEAP_FULL_DUE_SHIFT = 4,
  /* A theap with so many pages of a class reclaims no more: other threads may need them, and they
   * are not trimmed while the thread is busy.  Unbounded, the ladder of 64 KiB has 1.8 of the
   * memory. */
  MIA_THEAP_PAGES_MAX = 32
};

/* ---- the list of pages ---- */

/* Returns the link to the page behind `page', or to the first page for NULL. */
mia_inline mia_page **mia_theap_link_to_next(mia_bin *bin, mia_page *page) {
  return page != NULL ? &page->next : &bin->pages;
}

/* Returns the link to the page before `page', or to the last page for NULL. */
mia_inline mia_page **mia_theap_link_to_prev(mia_bin *bin, mia_page *page) {
  return page != NULL ? &page->prev : &bin->last_page;
}

mia_inline void mia_theap_add_page_between(mia_bin *bin, mia_page *prev, mia_page *page,
                                           mia_page *next) {
  page->prev = prev;
  page->next = next;
  *mia_theap_link_to_next(bin, prev) = page;
  *mia_theap_link_to_prev(bin, next) = page;
  bin->page_count++;
}

mia_inline void mia_theap_add_page_first(mia_bin *bin, mia_page *page) {
  mia_theap_add_page_between(bin, NULL, page, bin->pages);
}
mia_inline void mia_theap_add_page_last(mia_bin *bin, mia_page *page) {
  mia_theap_add_page_between(bin, bin->last_page, page, NULL);
}

mia_inline void mia_theap_remove_page(mia_bin *bin, mia_page *page) {
  *mia_theap_link_to_next(bin, page->prev) = page->next;
  *mia_theap_link_to_prev(bin, page->next) = page->prev;
  bin->page_count--;
}

mia_inline void mia_theap_set_owner(mia_theap *self, mia_page *page) {
  mia_aword_set(&page->owner, (uintptr_t)self | (mia_tier_is_checked() ? MIA_OWNER_CHECKED : 0));
}

mia_inline void mia_theap_clear_owner(mia_page *page) { mia_aword_set(&page->owner, 0); }

/* ---- what becomes of a page ---- */

/* Returns true if the thread allocates from the class of a bin. */
mia_inline bool mia_theap_is_in_use(const mia_bin *bin) {
  return (mia_tier_is_checked() ? bin->pages : bin->page) != NULL;
}

/* Returns true if `self' may own the page and allocates from its class. */
mia_inline bool mia_theap_can_use(const mia_theap *self, const mia_page *page) {
  const mia_bin *bin = &self->bins[page->size_class];
  return mia_theap_heap_of(page) == mia_theap_heap(self->heap) && mia_theap_is_in_use(bin) &&
         bin->page_count < MIA_THEAP_PAGES_MAX && mia_theap_can_allocate_from(page);
}

mia_inline bool mia_theap_is_full(const mia_page *page) { return page->used >= page->total; }

/* Returns the number of frees after which a full page is claimed. */
mia_inline uint32_t mia_theap_full_due(const mia_page *page) {
  uint32_t due = page->total >> MIA_THEAP_FULL_DUE_SHIFT;
  return due > 0 ? due : 1;
}

/* Caches a page that is empty, not in use and owned by `self'. */
void mia_theap_cache_empty(mia_theap *self, mia_page *page);

/* If the thread should own a page without an owner from its first free into it on, and the page can be
 * claimed, makes it the owner.  In remote.c. */
bool mia_theap_reclaim_early(mia_theap *self, mia_page *page);

/* Returns the page that comes into use next, owned by `self' and in none of its lists, or NULL if memory
 * is short.  In refill.c. */
mia_page *mia_theap_next_page(mia_theap *self, unsigned size_class);

/* Makes `self' the owner of a page that the caller has claimed.  The page comes into use next if
 * `add' is mia_theap_add_page_first, and after all others if it is mia_theap_add_page_last. */
mia_inline void mia_theap_reclaim(mia_theap *self, mia_page *page,
                                  void (*add)(mia_bin *, mia_page *)) {
  mia_theap_unlist_abandoned(page);
  mia_theap_set_owner(self, page);
  add(&self->bins[page->size_class], page);
  mia_theap_count(self, MIA_EVENT_RECLAIMED_ON_FREE);
}

#endif
