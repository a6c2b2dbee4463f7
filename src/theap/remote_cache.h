/* SPDX-License-Identifier: MIT */
/* remote_cache.h -- freed blocks that a thread has not sent to their pages yet: a cache for each size
 * class.
 *
 * To their pages these blocks are live until they are sent.  The state of a cache says what the
 * blocks are for:
 *
 *   EMPTY      There are none.
 *   BATCH      They are remote frees of one page, which gets them with one atomic operation once
 *              they are enough.
 *   MAGAZINE   They are remote frees of any pages, and become the thread's next free list, as it
 *              allocates from the class too: no thread needs an atomic operation.  There may be none
 *              yet.
 *
 *              a block is freed                 the free list is refilled
 *     BATCH <-------------------- EMPTY ------------------------------------> MAGAZINE
 *       |                         ^   ^                                          |
 *       |  all are sent: a block  |   |  all are sent: a block finds no room,    |
 *       |  finds no room or is    |   |  or a flush                              |
 *       |  of another page, or a  |   +------------------------------------------+
 *       |  flush                  |
 *       +-------------------------+
 *
 * So a thread that stops allocating from a class keeps at most one magazine of it, and a thread that
 * never did has none.
 *
 * Only blocks of the main heap wait, so the remote caches of other heaps' theaps are always empty: a
 * block must not outlive a heap that is destroyed. */
#ifndef MIA_THEAP_REMOTE_CACHE_H
#define MIA_THEAP_REMOTE_CACHE_H

#include "base/fail.h"
#include "page/owner.h"
#include "theap/theap.h"

enum {
  /* A batch has at most so many blocks, or an eighth of those of the page.  Without batches a
   * pipeline of two threads takes 2.9 of the time. */
  MIA_BATCH_BLOCKS = 32,
  MIA_BATCH_PART_SHIFT = 3,
  /* A magazine has at most so many blocks, and so many bytes.  It waits for its use, so it is
   * memory that the thread has beyond its free list.  With 63 blocks eight threads that exchange all
   * blocks take 1.25 of the time and 1.14 of the memory, without magazines 1.6 and 2.3. */
  MIA_MAGAZINE_BLOCKS = 255,
  MIA_MAGAZINE_BYTES = 32 * 1024
};

/* Returns true if blocks of the class are sent in batches.  Pages of larger blocks have so few that
 * each is sent at once. */
mia_inline bool mia_remote_is_batched(unsigned size_class) {
  return size_class < MIA_BATCHED_CLASSES;
}

/* Returns true if blocks of the page may wait in a remote cache.  Blocks of an exclusive arena may
 * not become the free list of a theap that allocates elsewhere. */
mia_inline bool mia_remote_can_wait(const mia_page *page) {
  return mia_theap_is_main_page(page) && !page->exclusive;
}

mia_inline bool mia_remote_is_magazine(const mia_remote_cache *cache) {
  return cache->page == NULL && cache->most > 0;
}

/* Makes an EMPTY cache a magazine. */
mia_inline void mia_remote_begin_magazine(mia_remote_cache *cache, unsigned size_class) {
  size_t most = MIA_MAGAZINE_BYTES / mia_class_size(size_class);
  cache->most = (uint8_t)(most < MIA_MAGAZINE_BLOCKS ? most : MIA_MAGAZINE_BLOCKS);
}

/* Forgets the blocks of a cache, which is then EMPTY. */
mia_inline void mia_remote_empty(mia_theap *self, unsigned size_class) {
  self->remote[size_class] = (mia_remote_cache){0};
  if (mia_remote_is_batched(size_class)) self->batches_waiting &= ~((uint64_t)1 << size_class);
}

/* ---- sending ---- */

/* Sends a chain of `count' blocks to their page. */
void mia_theap_send(mia_theap *self, mia_page *page, mia_block *head, mia_block *tail,
                    uint32_t count);

/* Makes the EMPTY cache of a class a batch with one block. */
void mia_theap_begin_batch(mia_theap *self, mia_page *page, mia_block *block);

/* Sends what waits in the cache of a class, which is then EMPTY. */
void mia_theap_send_remote(mia_theap *self, unsigned size_class);

/* Likewise, and sends the rest of the class's free list if that was a magazine. */
void mia_theap_flush_remote_of(mia_theap *self, unsigned size_class);

/* ---- frees and refills on the fast paths ---- */

/* Adds a block of the page to a batch or a magazine that has room for it. */
mia_inline void mia_remote_add(mia_remote_cache *cache, const mia_page *page, mia_block *block) {
  if (mia_unlikely(block == cache->blocks)) {
    mia_page_misuse_in_call(page, "free", MIA_MISUSE_TWICE, block);
    return;
  }
  block->next = cache->blocks;
  cache->blocks = block;
  cache->count++;
}

/* Returns true if a block of the page may join the magazine of its class.  Pages without an owner are
 * left to remote.c. */
mia_inline bool mia_remote_may_keep(const mia_remote_cache *cache, const mia_page *page) {
  return cache->page == NULL && mia_aword_get(&page->owner) != 0 && mia_remote_can_wait(page);
}

/* Adds a remote free to what waits for its class, if it has room. */
mia_inline bool mia_remote_try_add(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_remote_cache *cache = &self->remote[page->size_class];
  if (cache->count >= cache->most) return false;
  if (cache->page != page && !mia_remote_may_keep(cache, page)) return false;
  if (mia_unlikely(!mia_page_is_block(page, block))) return false;
  mia_remote_add(cache, page, block);
  return true;
}

/* Sends a remote free to a page without an owner, if it is plain that the thread would not reclaim the
 * page for it.  remote.c finds out where it is not. */
mia_inline bool mia_remote_try_send(const mia_theap *self, mia_page *page, mia_block *block) {
  unsigned size_class = page->size_class;
  if (!mia_remote_is_batched(size_class) || !mia_remote_is_magazine(&self->remote[size_class]))
    return false;
  if (self->bins[size_class].reclaim_backoff == 0 && mia_aword_get(&page->listed) == 0)
    return false;
  if (mia_aword_get(&page->owner) != 0) return false;
  if (mia_unlikely(!mia_page_is_block(page, block))) return false;
  return mia_owner_push_one(page, block);
}

/* Frees a block of a class remotely, if that needs no page to be claimed.  If false, the caller must call
 * mia_theap_free_remote. */
mia_inline bool mia_remote_try_free(mia_theap *self, mia_page *page, mia_block *block) {
  return mia_remote_try_add(self, page, block) || mia_remote_try_send(self, page, block);
}

/* Takes the blocks of the magazine, to become the free list, which is empty and not held.
 * Returns NULL if there are none: the caller then refills the list from a page.  No batch of the
 * class waits. */
mia_inline mia_block *mia_remote_become_list(mia_theap *self, unsigned size_class) {
  mia_remote_cache *cache = &self->remote[size_class];
  mia_bin *bin = &self->bins[size_class];
  uintptr_t count = cache->count;
  mia_assert(cache->page == NULL);
  bin->from_magazine = false;
  if (mia_likely(count == 0)) {
    if (mia_unlikely(cache->most == 0)) mia_remote_begin_magazine(cache, size_class);
    return NULL;
  }
  mia_block *list = cache->blocks;
  cache->blocks = NULL;
  cache->count = 0;
  mia_count_add(&self->counts.refilled[size_class], count);
  bin->from_magazine = true;
  bin->zeroed = false;
  return list;
}

#endif
