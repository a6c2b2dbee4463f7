/* SPDX-License-Identifier: MIT */
/* bin.c -- returning free lists to their pages, and giving up pages: when a program collects, when
 * a thread ends or changes its default heap, and when a heap ends. */
#include "base/prelude.h"

#include "theap/bin_pages.h"
#include "theap/clock.h"
#include "theap/hardened.h"
#include "theap/page_cache.h"
#include "theap/remote_cache.h"

/* Gives up a page that is not in use. */
static void dispose_unused(mia_theap *self, mia_page *page) {
  mia_theap_remove_page(&self->bins[page->size_class], page);
  mia_theap_clear_owner(page);
  mia_theap_dispose_page(self, page, false);
}

/* Returns remote cache and free list to their pages.  The page in use is then the first of the
 * other pages. */
static void return_list(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_theap_flush_remote_of(self, size_class);
  mia_page *page = bin->page;
  if (page == NULL) return;
  (void)mia_theap_give_out_list(self, size_class);
  uint32_t before = page->used;
  mia_page_push_list(page, self->free_list[size_class]);
  mia_count_add(&self->counts.refilled[size_class], (uintptr_t)page->used - before);
  self->free_list[size_class] = NULL;
  bin->page = NULL;
  mia_theap_add_page_first(bin, page);
}

void mia_theap_return_lists(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    return_list(self, size_class);
}

void mia_theap_collect(mia_theap *self) {
  mia_theap_flush_held(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *next;
    return_list(self, size_class);
    for (mia_page *page = bin->pages; page != NULL; page = next) {
      next = page->next;
      mia_page_collect(page);
      if (page->used == 0 || mia_theap_is_full(page)) dispose_unused(self, page);
    }
  }
  mia_theap_flush_cache(self);
}

void mia_theap_return_pages(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *page = bin->page;
    return_list(self, size_class);
    if (page != NULL) dispose_unused(self, page);
    while (mia_tier_is_checked() && bin->pages != NULL) dispose_unused(self, bin->pages);
  }
}

void mia_theap_abandon(mia_theap *self) {
  mia_theap_flush_held(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *page;
    return_list(self, size_class);
    while ((page = bin->pages) != NULL) dispose_unused(self, page);
  }
  mia_theap_flush_cache(self);
}
