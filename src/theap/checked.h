/* SPDX-License-Identifier: MIT */
/* checked.h -- tiers from 1 on: how a theap takes and frees blocks.
 *
 * There are no free lists.  A block is taken from the first page of its class, and a free clears the
 * block's bit (page/live.h).  The theap's pages, page cache and abandoned pages are as in tier 0, except
 * that the page in use is the first one in the list of its bin: bin->page is NULL, free lists and
 * remote caches are empty, and nothing is held. */
#ifndef MIA_THEAP_CHECKED_H
#define MIA_THEAP_CHECKED_H

#include "page/canary.h"
#include "page/live.h"
#include "theap/hardened.h"
#include "theap/thread.h"

/* Returns a page with a free block, the first of its bin, or NULL if memory is short. */
mia_noinline mia_page *mia_theap_checked_page(mia_theap *self, unsigned size_class);

/* Takes a block of a class; *from is its page.  Returns NULL if the page in use has none. */
mia_inline void *mia_theap_checked_take(mia_theap *self, unsigned size_class, mia_page **from) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->pages;
  if (mia_unlikely(page == NULL || page->used >= page->capacity)) return NULL;
  bin->refilled = true;
  mia_count_add(&self->counts.refilled[size_class], 1);
  *from = page;
  return mia_tier_is_hardened() ? mia_theap_hardened_take(self, page) : mia_live_take(page);
}

/* Frees a live block of a class, whose page the thread may own or not.  `self' may be none. */
mia_noinline void mia_theap_checked_free_slow(mia_theap *self, mia_page *page, uint32_t block);

/* Frees a block of a class.  Aborts if it was written to beyond its end.  If it is none, or free already,
 * reports that, and returns if the user wants the process to go on. */
mia_inline void mia_theap_checked_free(mia_theap *self, mia_page *page, const void *p) {
  uint32_t block;
  mia_record *record = mia_live_record(page);
  bool begins = mia_page_find_block(page, p, &block);
  if (mia_unlikely(!begins || !mia_live_is(record, block))) {
    mia_page_misuse_in_call(page, "free", begins ? MIA_MISUSE_TWICE : MIA_MISUSE_INSIDE, p);
    return;
  }
  (void)mia_canary_require_checked(page, p);
  if (mia_tier_is_hardened())
    mia_theap_hardened_free(mia_theap_attach_to_free_fast(), page, block);
  else if (mia_likely(mia_theap_owns_checked(self, page) &&
                      (page->used > 1 || page == self->bins[page->size_class].pages)))
    mia_live_free(page, record, block);
  else
    mia_theap_checked_free_slow(mia_theap_attach_to_free_fast(), page, block);
}

#endif
