/* SPDX-License-Identifier: MIT */
/* bin_pages.c -- what becomes of the pages of a theap, and the invariants of a bin. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/clock.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/remote_cache.h"

void mia_theap_cache_empty(mia_theap *self, mia_page *page) {
  mia_theap_remove_page(&self->bins[page->size_class], page);
  mia_theap_clear_owner(page);
  mia_theap_cache_put(self, page);
}

void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block) {
  if (mia_unlikely(page->used == 0 || block == page->free)) {
    mia_page_misuse_in_call(page, "free", MIA_MISUSE_TWICE, block);
    return;
  }
  block->next = page->free;
  page->free = block;
  page->used--;
  if (page->used == 0 && page != self->bins[page->size_class].page)
    mia_theap_cache_empty(self, page);
}

/* Caches an empty page, which the thread may never have allocated from.  A page that is far from the
 * thread goes back to its arena, for threads that are near. */
static void cache_or_retire(mia_theap *self, mia_page *page) {
  if (mia_arena_is_near(page->arena, mia_theap_node(self)))
    mia_theap_cache_put(self, page);
  else
    mia_theap_retire_page(self, page);
}

void mia_theap_dispose_page(mia_theap *self, mia_page *page, bool keep) {
  for (;;) {
    mia_page_collect(page);
    if (page->used == 0) {
      mia_theap_unlist_abandoned(page);
      cache_or_retire(self, page);
      return;
    }
    if (!mia_theap_can_allocate_from(page)) {
      if (mia_owner_abandon(page, page->used)) return;
    } else if (mia_theap_is_full(page)) {
      if (mia_owner_abandon(page, mia_theap_full_due(page))) return;
    } else if (keep && mia_theap_can_use(self, page)) {
      mia_theap_reclaim(self, page, mia_theap_add_page_first);
      return;
    } else if (mia_theap_abandon_page(page)) {
      mia_theap_count(self, MIA_EVENT_ABANDONED);
      mia_clock_request_if_any(self);
      return;
    }
  }
}

/* Asserts R1 and R2 of a remote cache (theap_parts.h). */
static void check_remote_cache(const mia_theap *self, unsigned size_class) {
  const mia_remote_cache *cache = &self->remote[size_class];
  bool waits = cache->page != NULL;
  mia_assert((cache->blocks != NULL) == (cache->count > 0) && cache->count <= cache->most);
  mia_assert(!waits || cache->count > 0);
  mia_assert(mia_remote_is_batched(size_class)
                 ? (self->batches_waiting >> size_class & 1) == (uint64_t)waits
                 : !waits);
}

void mia_theap_check(const mia_theap *self, unsigned size_class) {
  check_remote_cache(self, size_class);
  const mia_bin *bin = &self->bins[size_class];
  mia_assert(bin->page != NULL || mia_theap_free_list(self, size_class) == NULL); /* L1 */
  mia_assert(self->free_list[size_class] == NULL || bin->held == NULL);
  uint32_t count = 0;
  for (const mia_page *page = bin->pages; page != NULL; page = page->next, count++) {
    mia_page_check(page);
    mia_assert(mia_theap_owner(page) == self && page->size_class == size_class &&
               page->used < page->total && page != bin->page); /* L2 */
  }
  mia_assert(count == bin->page_count);
  mia_assert(count > 0 ? bin->last_page->next == NULL : bin->last_page == NULL);
}
