/* bin.c -- the pages of a theap, by class. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/owner.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/magazine.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/recent.h"

enum {
  /* A full page is claimed by the free after which a sixteenth of its blocks are free, but at
   * least 16 blocks, unless that is more than an eighth. */
  FULL_DUE_SHIFT = 4,
  FULL_DUE_MIN = 16,
  FULL_DUE_MAX_SHIFT = 3,
  /* A theap with so many pages of a class reclaims no more: other threads may need them. */
  PAGES_MAX = 32,
  /* A batch is sent when it has 32 blocks, or an eighth of those of the page. */
  BATCH_MAX = 32,
  BATCH_MAX_SHIFT = 3,
  /* If a page has fewer free blocks than EARLY_MIN when it comes into use, it was reclaimed too
   * early: during the next EARLY_BACKOFF changes of the page in use, none is. */
  EARLY_MIN = 4,
  EARLY_BACKOFF = 255,
  /* A free list is set aside so many times in one tick of the clock. */
  FORCED_MAX = 8
};

/* ---- the list of pages ---- */

/* Returns the link to the page behind `page', or to the first page for NULL. */
static mia_page **next_of(mia_bin *bin, mia_page *page) {
  return page != NULL ? &page->next : &bin->pages;
}

/* Returns the link to the page before `page', or to the last page for NULL. */
static mia_page **prev_of(mia_bin *bin, mia_page *page) {
  return page != NULL ? &page->prev : &bin->last_page;
}

static void add_between(mia_bin *bin, mia_page *prev, mia_page *page, mia_page *next) {
  page->prev = prev;
  page->next = next;
  *next_of(bin, prev) = page;
  *prev_of(bin, next) = page;
  bin->page_count++;
}

static void add_first(mia_bin *bin, mia_page *page) { add_between(bin, NULL, page, bin->pages); }
static void add_last(mia_bin *bin, mia_page *page) { add_between(bin, bin->last_page, page, NULL); }

static void remove_page(mia_bin *bin, mia_page *page) {
  *next_of(bin, page->prev) = page->next;
  *prev_of(bin, page->next) = page->prev;
  bin->page_count--;
}

static void set_owner(mia_theap *self, mia_page *page) {
  mia_aword_set(&page->owner, (uintptr_t)self);
}

static void clear_owner(mia_page *page) { mia_aword_set(&page->owner, 0); }

/* ---- what becomes of a page ---- */

/* Returns true if `self' may own the page and allocates from its class. */
static bool can_use(const mia_theap *self, const mia_page *page) {
  const mia_bin *bin = &self->bins[page->size_class];
  return mia_theap_heap_of(page) == mia_theap_heap(self->heap) && bin->page != NULL &&
         bin->page_count < PAGES_MAX && mia_theap_can_allocate_from(page);
}

static bool is_full(const mia_page *page) { return page->used == page->total; }

/* Returns the number of frees after which a full page is claimed. */
static uint32_t full_due(const mia_page *page) {
  uint32_t due = page->total >> FULL_DUE_SHIFT;
  uint32_t most = page->total >> FULL_DUE_MAX_SHIFT;
  if (due < FULL_DUE_MIN) due = most < FULL_DUE_MIN ? most : FULL_DUE_MIN;
  return due > 0 ? due : 1;
}

/* Makes `self' the owner of a page that the caller has claimed.  `add' is add_first or
 * add_last: the page comes into use next, or after all others. */
static void reclaim(mia_theap *self, mia_page *page, void (*add)(mia_bin *, mia_page *)) {
  mia_theap_reclaim_abandoned(page);
  set_owner(self, page);
  add(&self->bins[page->size_class], page);
  mia_theap_count(self, MIA_EVENT_RECLAIMED_ON_FREE);
}

void mia_theap_dispose_page(mia_theap *self, mia_page *page, bool keep) {
  for (;;) {
    mia_page_collect(page);
    if (page->used == 0) {
      mia_theap_reclaim_abandoned(page);
      mia_theap_cache_page(self, page);
      return;
    }
    if (!mia_theap_can_allocate_from(page)) {
      if (mia_owner_abandon(page, page->used)) return;
    } else if (is_full(page)) {
      if (mia_owner_abandon(page, full_due(page))) return;
    } else if (keep && can_use(self, page)) {
      reclaim(self, page, add_first);
      return;
    } else if (mia_theap_abandon_page(page)) {
      mia_theap_count(self, MIA_EVENT_ABANDONED);
      if (!mia_theap_is_none(self)) mia_theap_request_tick(self);
      return;
    }
  }
}

/* ---- allocating ---- */

static void set_free_list(mia_theap *self, unsigned size_class, mia_block *list) {
  self->free_list[size_class] = list;
  if (self->bins[size_class].forced < FORCED_MAX) self->can_force = true;
}

static bool refill_from(mia_theap *self, unsigned size_class, mia_page *page) {
  mia_bin *bin = &self->bins[size_class];
  uint32_t count;
  mia_block *list = mia_page_pop_counted(page, &bin->zeroed, &count);
  if (list == NULL) return false;
  mia_count_add(&self->counts.refilled[size_class], count);
  if (MIA_DEBUG) mia_page_check(page);
  set_free_list(self, size_class, list);
  bin->page = page;
  bin->refilled = true;
  return true;
}

/* Abandons the page in use, which is full.  Returns true if blocks of it were freed in the
 * meantime: the page stays in use, and the free list is refilled. */
static bool abandon_full(mia_theap *self, unsigned size_class) {
  mia_page *page = self->bins[size_class].page;
  self->bins[size_class].page = NULL;
  clear_owner(page);
  while (!mia_owner_abandon(page, full_due(page))) {
    mia_page_collect(page);
    if (is_full(page)) continue;
    set_owner(self, page);
    return refill_from(self, size_class, page);
  }
  return false;
}

/* Called when a page comes into use; it may have been reclaimed early. */
static void update_backoff(mia_bin *bin, const mia_page *page) {
  if (page->total - page->used < EARLY_MIN)
    bin->reclaim_backoff = EARLY_BACKOFF;
  else if (bin->reclaim_backoff > 0)
    bin->reclaim_backoff--;
}

static mia_page *next_page(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->pages;
  if (page != NULL) {
    remove_page(bin, page);
    update_backoff(bin, page);
    return page;
  }
  page = mia_theap_take_abandoned(mia_theap_heap(self->heap), size_class);
  if (page != NULL) mia_theap_count(self, MIA_EVENT_RECLAIMED);
  if (page == NULL) page = mia_theap_cached_page(self, size_class);
  if (page == NULL) page = mia_theap_make_page(self, size_class);
  if (page != NULL) set_owner(self, page);
  return page;
}

void mia_theap_force_slow(mia_theap *self, bool new_tick) {
  if (!self->can_force && !new_tick) return;
  self->can_force = false;
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    if (new_tick) bin->forced = 0;
    if (self->free_list[size_class] == NULL || bin->forced >= FORCED_MAX) continue;
    bin->set_aside = self->free_list[size_class];
    bin->forced++;
    self->free_list[size_class] = NULL;
  }
}

bool mia_theap_end_forced(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (bin->set_aside == NULL) return false;
  set_free_list(self, size_class, bin->set_aside);
  bin->set_aside = NULL;
  self->tick_idle = false;
  return true;
}

bool mia_theap_refill(mia_theap *self, unsigned size_class) {
  if (mia_theap_end_forced(self, size_class)) return true;
  mia_block *magazine = mia_magazine_use(self, size_class);
  if (magazine != NULL) {
    set_free_list(self, size_class, magazine);
    return true;
  }
  mia_assert(self->free_list[size_class] == NULL && !mia_theap_is_none(self));
  if (MIA_DEBUG) mia_theap_check(self, size_class);
  mia_theap_count(self, MIA_EVENT_REFILL);
  mia_page *page = self->bins[size_class].page;
  if (page != NULL && (refill_from(self, size_class, page) || abandon_full(self, size_class)))
    return true;
  do {
    page = next_page(self, size_class);
    if (page == NULL) return false;
  } while (!refill_from(self, size_class, page));
  return true;
}

/* ---- freeing ---- */

static void dispose_unused(mia_theap *self, mia_page *page) {
  remove_page(&self->bins[page->size_class], page);
  clear_owner(page);
  mia_theap_dispose_page(self, page, false);
}

/* Caches a page that is empty and not in use. */
static void cache_empty(mia_theap *self, mia_page *page) {
  remove_page(&self->bins[page->size_class], page);
  clear_owner(page);
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

static void send_magazines(mia_theap *self, unsigned size_class) {
  send_magazine(self, size_class);
  send_magazine_list(self, size_class);
}

void mia_theap_flush_magazines(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    send_magazines(self, size_class);
}

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
  if (self->bins[page->size_class].reclaim_backoff > 0 || !can_use(self, page)) return false;
  if (mia_aword_get(&page->listed) != 0 || !mia_owner_claim(page)) return false;
  mia_page_collect(page);
  reclaim(self, page, add_last);
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

/* ---- housekeeping ---- */

void mia_theap_check(const mia_theap *self, unsigned size_class) {
  const mia_bin *bin = &self->bins[size_class];
  mia_assert(bin->page != NULL || mia_theap_free_list(self, size_class) == NULL); /* L1 */
  mia_assert(self->free_list[size_class] == NULL || bin->set_aside == NULL);
  uint32_t count = 0;
  for (const mia_page *page = bin->pages; page != NULL; page = page->next, count++) {
    mia_page_check(page);
    mia_assert(mia_theap_owns(self, page) && page->size_class == size_class &&
               page->used < page->total && page != bin->page); /* L2 */
  }
  mia_assert(count == bin->page_count);
  mia_assert(count > 0 ? bin->last_page->next == NULL : bin->last_page == NULL);
}

/* Returns magazine and free list to their pages.  The page in use is then the first of the
 * other pages. */
static void return_list(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_magazine_end_exchange(self, size_class);
  send_magazines(self, size_class);
  mia_page *page = bin->page;
  if (page == NULL) return;
  (void)mia_theap_end_forced(self, size_class);
  uint32_t before = page->used;
  mia_page_push_list(page, self->free_list[size_class]);
  mia_count_add(&self->counts.refilled[size_class], (uintptr_t)page->used - before);
  self->free_list[size_class] = NULL;
  bin->page = NULL;
  add_first(bin, page);
}

void mia_theap_return_lists(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    return_list(self, size_class);
}

void mia_theap_collect(mia_theap *self) {
  mia_theap_flush_batches(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *next;
    return_list(self, size_class);
    for (mia_page *page = bin->pages; page != NULL; page = next) {
      next = page->next;
      mia_page_collect(page);
      if (page->used == 0 || is_full(page)) dispose_unused(self, page);
    }
  }
  mia_theap_flush_cache(self);
}

void mia_theap_return_pages(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_page *page = self->bins[size_class].page;
    return_list(self, size_class);
    if (page != NULL) dispose_unused(self, page);
  }
}

void mia_theap_abandon(mia_theap *self) {
  mia_theap_flush_batches(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *page;
    return_list(self, size_class);
    while ((page = bin->pages) != NULL) dispose_unused(self, page);
  }
  mia_theap_flush_cache(self);
}
