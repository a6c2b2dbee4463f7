/* SPDX-License-Identifier: MIT */
/* checked.c -- tiers from 1 on: how a theap takes and frees blocks. */
#include "base/prelude.h"

#include "theap/bin_pages.h"
#include "theap/checked.h"
#include "theap/page_cache.h"
#include "theap/thread.h"

/* Returns true if the page has a free block afterwards: what others freed, or an extension. */
static bool has_free(mia_page *page) {
  if (page->used >= page->capacity) mia_page_collect(page);
  return page->used < page->capacity || mia_page_extend(page);
}

/* Abandons the page in use, which is full.  Returns true if blocks of it were freed in the meantime:
 * the page stays in use. */
static bool abandon_full(mia_theap *self, mia_page *page) {
  mia_bin *bin = &self->bins[page->size_class];
  mia_theap_remove_page(bin, page);
  mia_theap_clear_owner(page);
  while (!mia_owner_abandon(page, mia_theap_full_due(page))) {
    mia_page_collect(page);
    if (mia_theap_is_full(page)) continue;
    mia_theap_set_owner(self, page);
    mia_theap_add_page_first(bin, page);
    return true;
  }
  return false;
}

mia_page *mia_theap_checked_page(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_theap_count(self, MIA_EVENT_REFILL);
  self->clock.refilled = true;
  mia_page *page = bin->pages;
  while (page == NULL || !(has_free(page) || abandon_full(self, page))) {
    page = mia_theap_next_page(self, size_class);
    if (page == NULL) break;
    mia_theap_add_page_first(bin, page);
  }
  if (page != NULL) {
    page->age = 0;
    page->trimmed_pages = 0;
  }
  return page;
}

static void free_own(mia_theap *self, mia_page *page, uint32_t block) {
  mia_record *record = mia_live_record(page);
  mia_live_free(page, record, block);
  mia_live_let_go(record, block);
  if (page->used == 0 && page != self->bins[page->size_class].pages)
    mia_theap_cache_empty(self, page);
}

void mia_theap_checked_free_slow(mia_theap *self, mia_page *page, uint32_t block) {
  if (mia_theap_owns_checked(self, page) || mia_theap_reclaim_early(self, page))
    free_own(self, page, block);
  else if (mia_page_free_live_remote(page, block))
    mia_theap_dispose_page(self, page, !mia_theap_is_none(self));
}
