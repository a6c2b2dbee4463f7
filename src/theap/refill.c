/* SPDX-License-Identifier: MIT */
/* refill.c -- where the blocks of an empty free list come from. */
#include "base/prelude.h"

#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/clock.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/remote_cache.h"

enum {
  /* If a page has fewer free blocks than EARLY_MIN when it comes into use, it was reclaimed too
   * early: during the next EARLY_BACKOFF changes of the page in use, none is.  Without this, batches
   * of aligned blocks of 4 KiB take twice as long. */
  EARLY_MIN = 4,
  EARLY_BACKOFF = 255
};

/* Refills the free list from a page, which comes into use.  Returns false if the page is full. */
static bool refill_from(mia_theap *self, unsigned size_class, mia_page *page) {
  mia_bin *bin = &self->bins[size_class];
  uint32_t count;
  mia_block *list = mia_page_pop_counted(page, &bin->zeroed, &count);
  if (list == NULL) return false;
  mia_count_add(&self->counts.refilled[size_class], count);
  if (MIA_DEBUG) mia_page_check(page);
  self->free_list[size_class] = list;
  mia_clock_note_list(self, size_class);
  bin->page = page;
  bin->refilled = true;
  return true;
}

/* Abandons the page in use, which is full.  Returns true if blocks of it were freed in the
 * meantime: the page stays in use, and the free list is refilled. */
static bool abandon_full(mia_theap *self, unsigned size_class) {
  mia_page *page = self->bins[size_class].page;
  self->bins[size_class].page = NULL;
  mia_theap_clear_owner(page);
  while (!mia_owner_abandon(page, mia_theap_full_due(page))) {
    mia_page_collect(page);
    if (mia_theap_is_full(page)) continue;
    mia_theap_set_owner(self, page);
    return refill_from(self, size_class, page);
  }
  return false;
}

/* Called when a page comes into use; it may have been reclaimed early. */
static void update_backoff(mia_bin *bin, const mia_page *page) {
  if (page->total - page->used < EARLY_MIN && !mia_owner_has_remote(page))
    bin->reclaim_backoff = EARLY_BACKOFF;
  else if (bin->reclaim_backoff > 0)
    bin->reclaim_backoff--;
}

mia_page *mia_theap_next_page(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->pages;
  if (page != NULL) {
    mia_theap_remove_page(bin, page);
    update_backoff(bin, page);
    return page;
  }
  page = mia_theap_take_abandoned(mia_theap_heap(self->heap), size_class, mia_theap_node(self));
  if (page != NULL) mia_theap_count(self, MIA_EVENT_RECLAIMED_ON_ALLOC);
  if (page == NULL) page = mia_theap_cache_take(self, size_class);
  if (page == NULL) page = mia_theap_make_page(self, size_class);
  if (page != NULL) mia_theap_set_owner(self, page);
  return page;
}

/* Takes blocks from the first of these that has some:
 *   1. The list that the clock holds: it was the free list a moment ago.
 *   2. The magazine: its blocks are in this processor's cache, and no page is needed.
 *   3. The page in use: what the thread or others freed of it, or an extension.
 *   4. Another page of the theap: no other thread can use its free blocks.
 *   5. An abandoned page of the heap: its memory is in use anyway.
 *   6. A cached page: it is empty, and so could be given back.
 *   7. A new page.
 * Sends the batches first: other threads may wait for these blocks, and while one of this class
 * waits there is no magazine. */
bool mia_theap_refill(mia_theap *self, unsigned size_class) {
  mia_theap_flush_batches(self);
  if (mia_theap_give_out_list(self, size_class)) return true;
  mia_block *magazine = mia_remote_become_list(self, size_class);
  if (magazine != NULL) {
    self->free_list[size_class] = magazine;
    self->bins[size_class].refilled = true;
    mia_clock_note_list(self, size_class);
    return true;
  }
  mia_assert(self->free_list[size_class] == NULL && !mia_theap_is_none(self));
  if (MIA_DEBUG) mia_theap_check(self, size_class);
  mia_theap_count(self, MIA_EVENT_REFILL);
  self->clock.refilled = true;
  mia_page *page = self->bins[size_class].page;
  if (page != NULL && (refill_from(self, size_class, page) || abandon_full(self, size_class)))
    return true;
  do {
    page = mia_theap_next_page(self, size_class);
    if (page == NULL) return false;
  } while (!refill_from(self, size_class, page));
  return true;
}
