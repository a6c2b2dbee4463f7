/* remote_cache.h -- freed blocks that a thread has not sent to their pages yet: a cache for each size
 * class.
 *
 * To their pages these blocks are live until they are sent.  The state of a cache says what the
 * blocks are for:
 *
 *   BATCH      They are remote frees of one page, which gets them with one atomic operation once
 *              they are enough.
 *   MAGAZINE   They are remote frees of any pages, and become the thread's next free list, as it
 *              allocates from the class too: no thread needs an atomic operation.
 *   EXCHANGE   Like MAGAZINE, but what the thread frees into its own pages goes there too.  If a
 *              thread frees other threads' blocks about as often as its own, the branch on the
 *              owner of the page is unpredictable, and costs more than the rest of the free.
 *
 *            the free list is refilled            MIA_EXCHANGE_BEGIN long magazines
 *                                                 have become the free list
 *     BATCH ------------------------> MAGAZINE -----------------------------------> EXCHANGE
 *       ^                                |   ^                                         |  |
 *       |   all are sent: a block finds  |   |   MIA_EXCHANGE_LISTS magazines, or       |  |
 *       |   no room, a flush; or there   |   |   MIA_EXCHANGE_MISSES frees elsewhere    |  |
 *       |   are none, and a block comes  |   +-----------------------------------------+  |
 *       |   that may not be kept         |                                                |
 *       +--------------------------------+------------------------------------------------+
 *
 * So a thread that stops allocating from a class keeps at most one magazine of it, and a thread that
 * never did has none.
 *
 * The fast path of free pays nothing for EXCHANGE.  It compares the page's owner with the field
 * fast_owner of the theap.  Normally that is the theap's own address.  While the thread exchanges
 * any class it is MIA_THEAP_EXCHANGING, which equals no page's owner.  So every free leaves the fast
 * path and comes to mia_fast_free_other, which looks at the class first (mia_remote_try_exchange).
 * `exchanging' counts these classes: at 0, fast_owner is the address again.  As frees of all other
 * classes are slower meanwhile, too many of them end it.
 *
 * Only blocks of the main heap wait, so the remote caches of other heaps' theaps are always empty: a
 * block must not outlive a heap that is destroyed. */
#ifndef MIA_THEAP_REMOTE_CACHE_H
#define MIA_THEAP_REMOTE_CACHE_H

#include "base/fail.h"
#include "theap/theap.h"

enum {
  /* A batch is sent when it has so many blocks, or an eighth of those of the page.  Without batches
   * a pipeline of two threads takes 2.9 of the time. */
  MIA_BATCH_BLOCKS = 32,
  MIA_BATCH_PART_SHIFT = 3,
  /* A magazine has at most so many blocks, and so many bytes.  It waits for its use, so it is
   * memory that the thread has beyond its free list.  With 63 blocks eight threads that exchange all
   * blocks take 1.25 of the time and 1.14 of the memory, without magazines 1.6 and 2.3. */
  MIA_MAGAZINE_BLOCKS = 255,
  MIA_MAGAZINE_BYTES = 32 * 1024,
  /* An exchange begins after so many magazines of at least MIA_EXCHANGE_BLOCKS_MIN blocks, and ends
   * after so many magazines, or so many frees of classes that are not exchanged.  The thread's own
   * blocks leave a quarter of the magazine free, for remote frees.  Without exchanges eight threads
   * that exchange all blocks take 1.17 of the time; begun with the first magazine, sessions take
   * 1.2. */
  MIA_EXCHANGE_BEGIN = 8,
  MIA_EXCHANGE_BLOCKS_MIN = 16,
  MIA_EXCHANGE_LISTS = 120,
  MIA_EXCHANGE_MISSES = 4096,
  MIA_EXCHANGE_BLOCKS = MIA_MAGAZINE_BLOCKS - MIA_MAGAZINE_BLOCKS / 4,
  MIA_EXCHANGE_BYTES = MIA_MAGAZINE_BYTES - MIA_MAGAZINE_BYTES / 4
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

/* Adds a block to a cache that is not an empty batch. */
mia_inline void mia_remote_add(mia_remote_cache *cache, mia_block *block) {
  if (mia_unlikely(block == cache->blocks)) mia_base_misuse("block freed twice", block);
  block->next = cache->blocks;
  cache->blocks = block;
  cache->count++;
}

/* Returns true if a magazine has room for a block of the page. */
mia_inline bool mia_remote_has_room(const mia_remote_cache *cache, const mia_page *page) {
  return cache->count < MIA_MAGAZINE_BLOCKS &&
         (cache->count + 1u) * page->size <= MIA_MAGAZINE_BYTES;
}

/* ---- transitions of the state ---- */

mia_inline bool mia_remote_is_exchanged(const mia_theap *self, unsigned size_class) {
  return self->remote[size_class].state == MIA_REMOTE_EXCHANGE;
}

/* Ends the exchange of a class, if it is exchanged: its magazine then takes remote frees only. */
mia_inline void mia_remote_end_exchange(mia_theap *self, unsigned size_class) {
  if (!mia_remote_is_exchanged(self, size_class)) return;
  self->remote[size_class].state = MIA_REMOTE_MAGAZINE;
  self->remote[size_class].used = 0;
  if (--self->exchanging == 0) self->fast_owner = (uintptr_t)self;
}

/* Ends the exchange of all classes. */
mia_cold void mia_theap_end_exchanges(mia_theap *self);

mia_inline void mia_remote_begin_exchange(mia_theap *self, unsigned size_class) {
  self->remote[size_class].state = MIA_REMOTE_EXCHANGE;
  self->remote[size_class].used = 0;
  self->exchanging++;
  self->fast_owner = MIA_THEAP_EXCHANGING;
  self->exchange_misses = 0;
}

/* Called when a magazine of `count' blocks becomes the free list. */
mia_inline void mia_remote_count_list(mia_theap *self, unsigned size_class, uintptr_t count) {
  mia_remote_cache *cache = &self->remote[size_class];
  if (mia_remote_is_exchanged(self, size_class)) {
    if (++cache->used == MIA_EXCHANGE_LISTS) mia_remote_end_exchange(self, size_class);
  } else if (count >= MIA_EXCHANGE_BLOCKS_MIN && ++cache->used == MIA_EXCHANGE_BEGIN) {
    mia_remote_begin_exchange(self, size_class);
  }
}

/* Forgets the blocks of a cache, which is then an empty batch.  An exchange that this interrupts
 * goes on after one more long magazine. */
mia_inline void mia_remote_empty(mia_theap *self, unsigned size_class) {
  uint8_t used = mia_remote_is_exchanged(self, size_class) ? MIA_EXCHANGE_BEGIN - 1 : 0;
  mia_remote_end_exchange(self, size_class);
  self->remote[size_class] = (mia_remote_cache){.state = MIA_REMOTE_BATCH, .used = used};
  if (mia_remote_is_batched(size_class)) self->batches_waiting &= ~((uint64_t)1 << size_class);
}

/* ---- frees and refills on the fast paths ---- */

/* Puts a block into the magazine if its class is exchanged.  Returns false if that is not so, if
 * the magazine has enough blocks, or if the page's blocks may not wait. */
mia_inline bool mia_remote_try_exchange(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_remote_cache *cache = &self->remote[page->size_class];
  if (cache->state != MIA_REMOTE_EXCHANGE) {
    if (self->exchanging != 0 && ++self->exchange_misses == MIA_EXCHANGE_MISSES)
      mia_theap_end_exchanges(self);
    return false;
  }
  if (cache->count >= MIA_EXCHANGE_BLOCKS || cache->count * page->size >= MIA_EXCHANGE_BYTES ||
      !mia_remote_can_wait(page))
    return false;
  mia_page_require_block(page, block);
  mia_remote_add(cache, block);
  return true;
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
    if (mia_unlikely(cache->state == MIA_REMOTE_BATCH)) cache->state = MIA_REMOTE_MAGAZINE;
    return NULL;
  }
  mia_block *list = cache->blocks;
  cache->blocks = NULL;
  cache->count = 0;
  mia_remote_count_list(self, size_class, count);
  mia_count_add(&self->counts.refilled[size_class], count);
  bin->from_magazine = true;
  bin->zeroed = false;
  return list;
}

/* ---- sending ---- */

/* Sends a chain of `count' blocks to their page. */
void mia_theap_send(mia_theap *self, mia_page *page, mia_block *head, mia_block *tail,
                    uint32_t count);

/* Makes the empty cache of a class a batch with one block. */
void mia_theap_begin_batch(mia_theap *self, mia_page *page, mia_block *block);

/* Sends what waits in the cache of a class, which is then an empty batch. */
void mia_theap_send_remote(mia_theap *self, unsigned size_class);

/* Likewise, and sends the rest of the class's free list if that was a magazine. */
void mia_theap_flush_remote_of(mia_theap *self, unsigned size_class);

#endif
