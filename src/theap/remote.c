/* remote.c -- frees: of blocks of own pages, of others, and how these get to their pages. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/magazine.h"
#include "theap/page_cache.h"
#include "theap/recent.h"

/* A batch is sent when it has 32 blocks, or an eighth of those of the page. */
enum { BATCH_MAX = 32, BATCH_MAX_SHIFT = 3 };

/* ---- blocks of own pages ---- */

/* Caches a page that is empty and not in use. */
static void cache_empty(mia_theap *self, mia_page *page) {
  mia_theap_remove_page(&self->bins[page->size_class], page);
  mia_theap_clear_owner(page);
  mia_theap_cache_page(self, page);
}

void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block) {
  if (mia_unlikely(page->used == 0 || block == page->free))
    mia_base_misuse("block freed twice", block);
  block->next = page->free;
  page->free = block;
  page->used--;
  if (page->used == 0 && page != self->bins[page->size_class].page) cache_empty(self, page);
}

/* ---- sending ---- */

/* Sends a chain of blocks to their page.  Disposes of the page if that claimed it. */
static void send(mia_theap *self, mia_page *page, mia_block *head, mia_block *tail,
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
      send(self, page, block, block, 1);
  }
}

/* ---- magazines ---- */

void mia_theap_end_exchanges(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    mia_magazine_end_exchange(self, size_class);
}

static void send_magazine(mia_theap *self, unsigned size_class) {
  send_each(self, mia_magazine_take(&self->bins[size_class]));
}

/* Sends the rest of a free list that was a magazine. */
static void send_magazine_list(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (!bin->from_magazine) return;
  mia_block *list = mia_theap_free_list(self, size_class);
  uintptr_t count = 0;
  for (const mia_block *block = list; block != NULL; block = block->next) count++;
  mia_count_add(&self->counts.refilled[size_class], -count);
  self->free_list[size_class] = bin->set_aside = NULL;
  bin->from_magazine = false;
  send_each(self, list);
}

void mia_theap_send_magazines(mia_theap *self, unsigned size_class) {
  send_magazine(self, size_class);
  send_magazine_list(self, size_class);
}

void mia_theap_flush_magazines(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    mia_theap_send_magazines(self, size_class);
}

/* ---- remote batches ---- */

static void send_batch(mia_theap *self, unsigned size_class) {
  mia_remote_batch *batch = &self->batches[size_class];
  uint32_t count = batch->count;
  batch->count = 0;
  self->batches_waiting &= ~((uint64_t)1 << size_class);
  mia_theap_count(self, MIA_EVENT_REMOTE_BATCH);
  send(self, batch->page, batch->head, batch->tail, count);
}

void mia_theap_flush_batches(mia_theap *self) {
  while (self->batches_waiting != 0)
    send_batch(self, (unsigned)__builtin_ctzll(self->batches_waiting));
}

void mia_theap_flush_remote(mia_theap *self) {
  mia_theap_flush_batches(self);
  mia_theap_flush_magazines(self);
}

static void begin_batch(mia_theap *self, mia_page *page, mia_block *block) {
  mia_remote_batch *batch = &self->batches[page->size_class];
  uint32_t most = page->total >> BATCH_MAX_SHIFT;
  batch->page = page;
  batch->head = batch->tail = block;
  batch->count = 1;
  batch->most = (uint16_t)(most < BATCH_MAX ? most : BATCH_MAX);
  block->next = NULL;
  self->batches_waiting |= (uint64_t)1 << page->size_class;
}

/* ---- the outcomes of a remote free ---- */

/* Puts a block into the magazine, if that is open.  In classes with batches, a block of a page
 * without an owner does not go there: such a page is reclaimed once enough of it is free, and
 * then all further frees are cheap.  Returns false if the block was not taken. */
static bool add_to_magazine(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_bin *bin = &self->bins[page->size_class];
  if (!bin->magazine_open || !mia_theap_is_main_page(page) || page->exclusive) return false;
  if (mia_aword_get(&page->owner) == 0 && page->size_class < MIA_THEAP_BATCHES) return false;
  if (mia_magazine_is_full(bin, page)) {
    send_magazine(self, page->size_class);
    return false;
  }
  mia_magazine_push(bin, block);
  return true;
}

/* Adds a block to the batch of its class.  Returns false if that is empty or of another page. */
static bool add_to_batch(mia_theap *self, mia_page *page, mia_block *block) {
  if (page->size_class >= MIA_THEAP_BATCHES) return false;
  mia_remote_batch *batch = &self->batches[page->size_class];
  if (batch->count == 0 || batch->page != page) return false;
  if (mia_unlikely(block == batch->head)) mia_base_misuse("block freed twice", block);
  block->next = batch->head;
  batch->head = block;
  if (++batch->count >= batch->most) send_batch(self, page->size_class);
  return true;
}

/* Reclaims a full page at the thread's first free into it, if nobody owns the page and the
 * thread allocates from its class: no further free needs an atomic operation.  The page is used
 * after all others, so that it has collected blocks by then.  Returns false if the page was not
 * reclaimed. */
static bool reclaim_early(mia_theap *self, mia_page *page) {
  if (mia_aword_get(&page->owner) != 0) return false;
  if (self->bins[page->size_class].reclaim_backoff > 0 || !mia_theap_can_use(self, page))
    return false;
  if (mia_aword_get(&page->listed) != 0 || !mia_owner_claim(page)) return false;
  mia_page_collect(page);
  mia_theap_reclaim(self, page, mia_theap_add_page_last);
  return true;
}

/* Frees the block of a singleton page.  If another thread has claimed the page to end its heap,
 * that thread disposes of the page. */
static void free_singleton(mia_theap *self, mia_page *page, const mia_block *block) {
  mia_singleton_freed freed = mia_owner_free_singleton(page);
  if (freed == MIA_SINGLETON_TWICE) mia_base_misuse("block freed twice", block);
  if (freed == MIA_SINGLETON_LEFT) return;
  page->used = 0;
  mia_theap_cache_page(self, page);
}

bool mia_theap_free_singleton(mia_theap *self, mia_page *page) {
  if (mia_theap_is_none(self) || !mia_theap_is_settled_main_page(page)) return false;
  if (mia_recent_fits(page)) {
    mia_theap_cache_recent(self);
    return mia_recent_free(self, page);
  }
  if (!mia_owner_free_alone(page)) return false;
  mia_theap_cache_page(self, page);
  return true;
}

/* The order matters.  The block goes to the first of these that takes it:
 *   1. The batch that is open for its page.  This is the cheapest: no atomic operation, and the
 *      page's owner is not read.
 *   2. A singleton page, whose block is all of it.  Batches, bins and magazines exist for classes
 *      only, so this comes before all steps that use the class as an index.
 *   3. The page's own list, after the page was reclaimed early.  Before the magazine, because
 *      reclaiming makes all further frees into the page cheap, and a magazine only this one.
 *   4. The magazine.  Before a batch, because the thread then allocates the block itself, and no
 *      atomic operation is needed in either direction.
 *   5. The page, at once, where no batch is possible: in larger classes, without a theap, and in
 *      heaps other than the main heap, since a batch must not outlive a heap that is destroyed.
 *   6. A new batch, after the batch of another page was sent.
 * Steps 1, 3 and 4 never take the block of a thread without a theap, because the empty theap
 * has no batches, no pages in use and no open magazines. */
void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block) {
  mia_page_require_block(page, block);
  if (add_to_batch(self, page, block)) return;
  if (page->size_class >= MIA_CLASS_COUNT) {
    if (!mia_theap_free_singleton(self, page)) free_singleton(self, page, block);
    return;
  }
  if (reclaim_early(self, page)) {
    mia_theap_free_own(self, page, block);
    return;
  }
  if (add_to_magazine(self, page, block)) return;
  if (page->size_class >= MIA_THEAP_BATCHES || mia_theap_is_none(self) ||
      !mia_theap_is_main_page(page)) {
    send(self, page, block, block, 1);
    return;
  }
  if (self->batches[page->size_class].count > 0) send_batch(self, page->size_class);
  begin_batch(self, page, block);
}
