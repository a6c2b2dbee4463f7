/* bin.c -- a local's pages of one class. */
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
  /* A full page is worth having again when a sixteenth of it is free, but no fewer
   * than 16 blocks, unless those are more than an eighth. */
  FULL_DUE_SHIFT = 4,
  FULL_DUE_LEAST = 16,
  FULL_DUE_MOST_SHIFT = 3,
  /* More pages with room than this are of no use to a thread: others may. */
  OTHERS_MAX = 32,
  /* So many blocks of a page may wait in an outbox, or this part of it. */
  OUTBOX_MAX = 32,
  OUTBOX_MOST_SHIFT = 3,
  /* If a page adopted early has fewer blocks to lend when its turn comes, the next
   * so many are not. */
  EARLY_MIN = 4,
  EARLY_WAIT = 255,
  /* A list is withheld so often before it is left alone. */
  WITHHOLD_MOST = 8
};

/* ---- the list of other pages ---- */

/* Where it stands what follows a page; NULL: what is first. */
static mia_page **next_of(mia_bin *bin, mia_page *page) {
  return page != NULL ? &page->next : &bin->pages;
}

/* Where it stands what precedes a page; NULL: what is last. */
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

static void remove_other(mia_bin *bin, mia_page *page) {
  *next_of(bin, page->prev) = page->next;
  *prev_of(bin, page->next) = page->prev;
  bin->page_count--;
}

static void own(mia_theap *self, mia_page *page) { mia_aword_set(&page->owner, (uintptr_t)self); }

static void disown(mia_page *page) { mia_aword_set(&page->owner, 0); }

/* ---- what becomes of a page ---- */

/* Whether `self' can use a page that has come to it. */
static bool wants(const mia_theap *self, const mia_page *page) {
  const mia_bin *bin = &self->bins[page->size_class];
  return mia_theap_heap_of(page) == mia_theap_heap(self->heap) && bin->page != NULL &&
         bin->page_count < OTHERS_MAX && mia_theap_can_allocate_from(page);
}

static bool is_full(const mia_page *page) { return page->used == page->total; }

static uint32_t full_due(const mia_page *page) {
  uint32_t due = page->total >> FULL_DUE_SHIFT;
  uint32_t most = page->total >> FULL_DUE_MOST_SHIFT;
  if (due < FULL_DUE_LEAST) due = most < FULL_DUE_LEAST ? most : FULL_DUE_LEAST;
  return due > 0 ? due : 1;
}

/* Takes a page that the caller has, to be used next or after all the others. */
static void adopt(mia_theap *self, mia_page *page, void (*add)(mia_bin *, mia_page *)) {
  mia_theap_reclaim_abandoned(page);
  own(self, page);
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
    } else if (keep && wants(self, page)) {
      adopt(self, page, add_first);
      return;
    } else if (mia_theap_abandon_page(page)) {
      mia_theap_count(self, MIA_EVENT_ABANDONED);
      if (!mia_theap_is_none(self)) mia_theap_request_tick(self);
      return;
    }
  }
}

/* ---- allocating ---- */

static void expose(mia_theap *self, unsigned size_class, mia_block *list) {
  self->free_list[size_class] = list;
  if (self->bins[size_class].forced < WITHHOLD_MOST) self->can_force = true;
}

static bool lend(mia_theap *self, unsigned size_class, mia_page *page) {
  mia_bin *bin = &self->bins[size_class];
  uint32_t count;
  mia_block *list = mia_page_pop_counted(page, &bin->zeroed, &count);
  if (list == NULL) return false;
  mia_count_add(&self->counts.refilled[size_class], count);
  if (MIA_DEBUG) mia_page_check(page);
  expose(self, size_class, list);
  bin->page = page;
  bin->refilled = true;
  return true;
}

/* The page in use has nothing more.  True: it has after all. */
static bool leave_full(mia_theap *self, unsigned size_class) {
  mia_page *page = self->bins[size_class].page;
  self->bins[size_class].page = NULL;
  disown(page);
  while (!mia_owner_abandon(page, full_due(page))) {
    mia_page_collect(page);
    if (is_full(page)) continue;
    own(self, page);
    return lend(self, size_class, page);
  }
  return false;
}

/* Whether it was good to adopt this page early. */
static void judge_early(mia_bin *bin, const mia_page *page) {
  if (page->total - page->used < EARLY_MIN)
    bin->reclaim_backoff = EARLY_WAIT;
  else if (bin->reclaim_backoff > 0)
    bin->reclaim_backoff--;
}

static mia_page *next_page(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->pages;
  if (page != NULL) {
    remove_other(bin, page);
    judge_early(bin, page);
    return page;
  }
  page = mia_theap_take_abandoned(mia_theap_heap(self->heap), size_class);
  if (page != NULL) mia_theap_count(self, MIA_EVENT_RECLAIMED);
  if (page == NULL) page = mia_theap_cached_page(self, size_class);
  if (page == NULL) page = mia_theap_make_page(self, size_class);
  if (page != NULL) own(self, page);
  return page;
}

void mia_theap_force_slow(mia_theap *self, bool anew) {
  if (!self->can_force && !anew) return;
  self->can_force = false;
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    if (anew) bin->forced = 0;
    if (self->free_list[size_class] == NULL || bin->forced >= WITHHOLD_MOST) continue;
    bin->set_aside = self->free_list[size_class];
    bin->forced++;
    self->free_list[size_class] = NULL;
  }
}

bool mia_theap_end_forced(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (bin->set_aside == NULL) return false;
  expose(self, size_class, bin->set_aside);
  bin->set_aside = NULL;
  self->tick_idle = false;
  return true;
}

bool mia_theap_refill(mia_theap *self, unsigned size_class) {
  if (mia_theap_end_forced(self, size_class)) return true;
  mia_block *stash = mia_magazine_use(self, size_class);
  if (stash != NULL) {
    expose(self, size_class, stash);
    return true;
  }
  mia_assert(self->free_list[size_class] == NULL && !mia_theap_is_none(self));
  if (MIA_DEBUG) mia_theap_check(self, size_class);
  mia_theap_count(self, MIA_EVENT_REFILL);
  mia_page *page = self->bins[size_class].page;
  if (page != NULL && (lend(self, size_class, page) || leave_full(self, size_class))) return true;
  do {
    page = next_page(self, size_class);
    if (page == NULL) return false;
  } while (!lend(self, size_class, page));
  return true;
}

/* ---- freeing ---- */

static void leave_other(mia_theap *self, mia_page *page) {
  remove_other(&self->bins[page->size_class], page);
  disown(page);
  mia_theap_dispose_page(self, page, false);
}

/* A page became empty that no list is lent from. */
static void leave_empty(mia_theap *self, mia_page *page) {
  remove_other(&self->bins[page->size_class], page);
  disown(page);
  mia_theap_cache_page(self, page);
}

void mia_theap_free_own(mia_theap *self, mia_page *page, mia_block *block) {
  if (mia_unlikely(page->used == 0 || block == page->free))
    mia_base_misuse("block freed twice", block);
  block->next = page->free;
  page->free = block;
  page->used--;
  if (page->used == 0 && page != self->bins[page->size_class].page) leave_empty(self, page);
}

static void send(mia_theap *self, mia_page *page, mia_block *head, mia_block *tail,
                 uint32_t count) {
  if (!mia_owner_push(page, head, tail, count)) return;
  mia_theap_dispose_page(self, page, !mia_theap_is_none(self));
}

/* One by one: they are of any pages. */
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

static void send_stash(mia_theap *self, unsigned size_class) {
  send_each(self, mia_magazine_take(&self->bins[size_class]));
}

/* What is left of a stash that is the list in use. */
static void send_mixed(mia_theap *self, unsigned size_class) {
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

static void send_kept(mia_theap *self, unsigned size_class) {
  send_stash(self, size_class);
  send_mixed(self, size_class);
}

void mia_theap_flush_magazines(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    send_kept(self, size_class);
}

static void empty(mia_theap *self, unsigned size_class) {
  mia_remote_batch *box = &self->batches[size_class];
  uint32_t count = box->count;
  box->count = 0;
  self->batches_waiting &= ~((uint64_t)1 << size_class);
  mia_theap_count(self, MIA_EVENT_REMOTE_BATCH);
  send(self, box->page, box->head, box->tail, count);
}

void mia_theap_flush_batches(mia_theap *self) {
  while (self->batches_waiting != 0) empty(self, (unsigned)__builtin_ctzll(self->batches_waiting));
}

void mia_theap_flush_remote(mia_theap *self) {
  mia_theap_flush_batches(self);
  mia_theap_flush_magazines(self);
}

static void begin_box(mia_theap *self, mia_page *page, mia_block *block) {
  mia_remote_batch *box = &self->batches[page->size_class];
  uint32_t most = page->total >> OUTBOX_MOST_SHIFT;
  box->page = page;
  box->head = box->tail = block;
  box->count = 1;
  box->most = (uint16_t)(most < OUTBOX_MAX ? most : OUTBOX_MAX);
  block->next = NULL;
  self->batches_waiting |= (uint64_t)1 << page->size_class;
}

/* Keeps a block of a page that others own, or of a class without an outbox: a page
 * that is nobody's is better adopted, once enough of it is free. */
static bool stash(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_bin *bin = &self->bins[page->size_class];
  if (!bin->magazine_open || !mia_theap_is_main_page(page) || page->exclusive) return false;
  if (mia_aword_get(&page->owner) == 0 && page->size_class < MIA_THEAP_BATCHES) return false;
  if (mia_magazine_is_full(bin, page)) {
    send_stash(self, page->size_class);
    return false;
  }
  mia_magazine_push(bin, block);
  return true;
}

/* Blocks of one page go together.  False: there is no outbox for the page yet. */
static bool put_out(mia_theap *self, mia_page *page, mia_block *block) {
  if (page->size_class >= MIA_THEAP_BATCHES) return false;
  mia_remote_batch *box = &self->batches[page->size_class];
  if (box->count == 0 || box->page != page) return false;
  if (mia_unlikely(block == box->head)) mia_base_misuse("block freed twice", block);
  block->next = box->head;
  box->head = block;
  if (++box->count >= box->most) empty(self, page->size_class);
  return true;
}

/* A thread that frees into a full page of a class that it allocates from has the
 * page at once, if it can: every further free costs no atomic operation.  The page
 * is used after those that it has already, and so has time to gather blocks. */
static bool adopt_early(mia_theap *self, mia_page *page) {
  if (mia_aword_get(&page->owner) != 0) return false;
  if (self->bins[page->size_class].reclaim_backoff > 0 || !wants(self, page)) return false;
  if (mia_aword_get(&page->listed) != 0 || !mia_owner_claim(page)) return false;
  mia_page_collect(page);
  adopt(self, page, add_last);
  return true;
}

/* The one block of a page.  Somebody else may have the page at this moment, to
 * end its heap: he then sees to it. */
static void free_single(mia_theap *self, mia_page *page, const mia_block *block) {
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

void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block) {
  mia_page_require_block(page, block);
  if (put_out(self, page, block)) return;
  if (page->size_class >= MIA_CLASS_COUNT) {
    if (!mia_theap_free_singleton(self, page)) free_single(self, page, block);
    return;
  }
  if (adopt_early(self, page)) {
    mia_theap_free_own(self, page, block);
    return;
  }
  if (stash(self, page, block)) return;
  /* What waits in an outbox must not outlive a heap that is destroyed. */
  if (page->size_class >= MIA_THEAP_BATCHES || mia_theap_is_none(self) ||
      !mia_theap_is_main_page(page)) {
    send(self, page, block, block, 1);
    return;
  }
  if (self->batches[page->size_class].count > 0) empty(self, page->size_class);
  begin_box(self, page, block);
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

/* Takes the list in use back to its page, which is then one of the others. */
static void end_lending(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_magazine_end_exchange(self, size_class);
  send_kept(self, size_class);
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
    end_lending(self, size_class);
}

void mia_theap_collect(mia_theap *self) {
  mia_theap_flush_batches(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *next;
    end_lending(self, size_class);
    for (mia_page *page = bin->pages; page != NULL; page = next) {
      next = page->next;
      mia_page_collect(page);
      if (page->used == 0 || is_full(page)) leave_other(self, page);
    }
  }
  mia_theap_flush_cache(self);
}

void mia_theap_return_pages(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_page *page = self->bins[size_class].page;
    end_lending(self, size_class);
    if (page != NULL) leave_other(self, page);
  }
}

void mia_theap_abandon(mia_theap *self) {
  mia_theap_flush_batches(self);
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    mia_page *page;
    end_lending(self, size_class);
    while ((page = bin->pages) != NULL) leave_other(self, page);
  }
  mia_theap_flush_cache(self);
}
