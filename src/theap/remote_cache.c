/* SPDX-License-Identifier: MIT */
/* remote_cache.c -- sends what waits in remote caches to its pages. */
#include "base/prelude.h"

#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/remote_cache.h"

/* Disposes of the page if sending claimed it. */
void mia_theap_send(mia_theap *self, mia_page *page, mia_block *head, mia_block *tail,
                    uint32_t count) {
  if (!mia_owner_push(page, head, tail, count)) return;
  mia_theap_dispose_page(self, page, !mia_theap_is_none(self));
}

/* Sends blocks one by one, because they may be of any pages. */
static void send_each(mia_theap *self, mia_block *list) {
  while (list != NULL) {
    mia_block *block = list;
    list = block->next;
    mia_page *page = mia_page_require_of(block);
    if (mia_theap_owns(self, page))
      mia_theap_free_own(self, page, block);
    else
      mia_theap_send(self, page, block, block, 1);
  }
}

void mia_theap_begin_batch(mia_theap *self, mia_page *page, mia_block *block) {
  mia_remote_cache *cache = &self->remote[page->size_class];
  mia_assert(cache->most == 0 && cache->count == 0);
  uint32_t part = page->total >> MIA_BATCH_PART_SHIFT, most = part > 0 ? part : 1;
  block->next = NULL;
  cache->blocks = cache->last = block;
  cache->page = page;
  cache->count = 1;
  cache->most = (uint8_t)(most < MIA_BATCH_BLOCKS ? most : MIA_BATCH_BLOCKS);
  self->batches_waiting |= (uint64_t)1 << page->size_class;
}

void mia_theap_send_remote(mia_theap *self, unsigned size_class) {
  mia_remote_cache was = self->remote[size_class];
  if (was.most == 0) return;
  mia_remote_empty(self, size_class);
  if (was.page == NULL) {
    send_each(self, was.blocks);
    return;
  }
  mia_theap_count(self, MIA_EVENT_REMOTE_BATCH);
  mia_theap_send(self, was.page, was.blocks, was.last, was.count);
}

void mia_theap_flush_batches(mia_theap *self) {
  while (self->batches_waiting != 0)
    mia_theap_send_remote(self, (unsigned)__builtin_ctzll(self->batches_waiting));
}

/* Sends the rest of a free list that was a magazine. */
static void send_magazine_list(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (!bin->from_magazine) return;
  mia_block *list = mia_theap_free_list(self, size_class);
  uintptr_t count = 0;
  for (const mia_block *block = list; block != NULL; block = block->next) count++;
  mia_count_add(&self->counts.refilled[size_class], -count);
  self->free_list[size_class] = bin->held = NULL;
  bin->from_magazine = false;
  send_each(self, list);
}

void mia_theap_flush_remote_of(mia_theap *self, unsigned size_class) {
  mia_theap_send_remote(self, size_class);
  send_magazine_list(self, size_class);
}

void mia_theap_flush_remote(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    mia_theap_flush_remote_of(self, size_class);
}
