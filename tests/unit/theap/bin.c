/* Refilling free lists and freeing blocks: L1 and L2 of theap_parts.h.  The tests use several theaps
 * in one thread, so that they decide the order in which `threads' take their steps. */
#include "fake/world.h"

#include "map/bitmap.h"
#include "page/owner.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/clock.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"

#include <pthread.h>

enum {
  BIG = 56,            /* 8 KiB, a page of one slice */
  SMALL = 1,           /* 16 bytes */
  WIDE = 72,           /* 32 KiB, a page of four slices */
  FINE = 32,           /* 1 KiB, the largest class with remote batches */
  PADDING = MIA_DEBUG, /* blocks that a page's padding takes (canary.h) */
  BIGS = 8 - PADDING,  /* blocks of a page */
  SMALLS = 4096 - PADDING,
  WIDES = 8 - PADDING,
  FINES = 64 - PADDING,
  BATCH = 32,
  PAGES_MAX = 32,
  THEAPS = 3,
  BLOCKS = 3000,
  TURNS = 20000,
  THREADS = 3,
  SLOTS = 512,
  THREAD_TURNS = 30000
};

static mia_theap theaps[THEAPS];
static mia_theap *const alice = &theaps[0], *const bob = &theaps[1];

static void begin(void) {
  world_of_theaps();
  memset(theaps, 0, sizeof theaps);
  for (int i = 0; i < THEAPS; i++) theaps[i].fast_owner = (uintptr_t)&theaps[i];
  ck_assert_uint_eq(mia_class_size(BIG), 8192);
}

static mia_block *alloc(mia_theap *self, unsigned size_class) {
  if (self->free_list[size_class] == NULL && !mia_theap_refill(self, size_class)) return NULL;
  mia_block *b = self->free_list[size_class];
  self->free_list[size_class] = b->next;
  return b;
}

static void release(mia_theap *self, void *p) {
  mia_page *page = page_of(p);
  if (mia_theap_owns(self, page))
    mia_theap_free_own(self, page, p);
  else
    mia_theap_free_remote(self, page, p);
}

static void fill(mia_theap *self, mia_block **blocks, size_t n, unsigned size_class) {
  for (size_t i = 0; i < n; i++) {
    blocks[i] = alloc(self, size_class);
    need_at(blocks[i] != NULL, i);
  }
}

static mia_theap *owner(const mia_page *page) { return (void *)mia_aword_get(&page->owner); }
static bool claimed(const mia_page *page) {
  return (mia_aword_get(&page->remote) & MIA_OWNER_CLAIMED) != 0;
}
static size_t pages(unsigned size_class) {
  return mia_aword_get(&mia_theap_all.pages[size_class].now);
}
static size_t used(void) { return mia_aword_get(&mia_arena_all.used); }
static mia_page *cached(const mia_theap *self, unsigned size_class) {
  return (void *)(mia_aword_get(&self->cache.slots[size_class]) & ~(uintptr_t)1);
}

/* Checks L1 and L2, and that cached pages are empty and have no owner. */
static bool bin_holds(const mia_theap *self, unsigned c) {
  const mia_bin *bin = &self->bins[c];
  uint32_t n = 0;
  for (const mia_block *b = self->free_list[c]; b != NULL; b = b->next)
    if (bin->page == NULL || (page_of(b) != bin->page && !bin->from_magazine)) return false;
  if (bin->page != NULL && owner(bin->page) != self) return false;
  for (const mia_page *p = bin->pages; p != NULL; p = p->next, n++) {
    mia_page_check(p);
    if (owner(p) != self || p->used >= p->total || p->used == 0 || p == bin->page) return false;
    if (p->next != NULL && p->next->prev != p) return false;
    if (mia_aword_get(&p->listed) != 0 || !claimed(p)) return false;
  }
  for (const mia_page *s = cached(self, c); s != NULL; s = s->next)
    if (s->used != 0 || owner(s) != NULL || !claimed(s)) return false;
  return n == bin->page_count;
}

static bool holds(const mia_theap *self) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++)
    if (!bin_holds(self, c)) return false;
  return true;
}

static void nothing_is_left(void) {
  for (unsigned c = 0; c < MIA_CLASS_KINDS; c++) need_at(pages(c) == 0, c);
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++)
    need_at(mia_theap_all.main.abandoned[c] == NULL, c);
}

/* ---- allocating ---- */

START_TEST(L1_a_free_list_is_of_the_page_in_use) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++) {
    mia_block *b = alloc(alice, c);
    need_at(b != NULL && page_of(b) == alice->bins[c].page, c);
    need_at(alice->bins[c].zeroed && pages(c) == 1, c);
  }
  ck_assert(holds(alice));
}
END_TEST

START_TEST(a_full_page_has_no_owner) {
  mia_block *b[BIGS + 1];
  fill(alice, b, BIGS + 1, BIG);
  mia_page *full = page_of(b[0]);
  ck_assert(full != page_of(b[BIGS]) && full->used == full->total && full->total == BIGS);
  ck_assert(owner(full) == NULL && !claimed(full));
  ck_assert(owner(page_of(b[BIGS])) == alice && holds(alice));
}
END_TEST

/* In this order: the page in use, other pages, abandoned pages, cached pages, the arena. */
START_TEST(refill_uses_the_nearest_source) {
  mia_block *b[3 * BIGS + 2], *left = alloc(bob, BIG);
  fill(alice, b, 3 * BIGS + 2, BIG); /* three full pages, the fourth in use */
  mia_page *in_use = page_of(b[3 * BIGS]), *other = page_of(b[0]), *abandoned = page_of(left);
  mia_page *kept = page_of(b[BIGS]);
  release(alice, b[BIGS]);
  mia_theap_flush_batches(alice);
  for (int i = BIGS + 1; i < 2 * BIGS; i++) release(alice, b[i]);
  release(alice, b[0]);
  mia_theap_flush_batches(alice);
  mia_theap_abandon(bob);
  ck_assert(holds(alice) && alice->bins[BIG].pages == other && cached(alice, BIG) == kept);
  ck_assert_ptr_eq(mia_theap_all.main.abandoned[BIG], abandoned);
  for (int i = 2; i < BIGS; i++) ck_assert_ptr_eq(page_of(alloc(alice, BIG)), in_use);
  ck_assert_ptr_eq(page_of(alloc(alice, BIG)), other);
  for (int i = 1; i < BIGS; i++) ck_assert_ptr_eq(page_of(alloc(alice, BIG)), abandoned);
  ck_assert_uint_eq(pages(BIG), 5);
  for (int i = 0; i < BIGS; i++) ck_assert_ptr_eq(page_of(alloc(alice, BIG)), kept);
  ck_assert_uint_eq(pages(BIG), 5);
  ck_assert(alloc(alice, BIG) != NULL && pages(BIG) == 6);
  ck_assert(owner(in_use) == NULL && owner(other) == NULL && owner(abandoned) == NULL);
}
END_TEST

START_TEST(blocks_that_the_owner_freed_are_allocated_again) {
  mia_block *b[2];
  fill(alice, b, 2, BIG);
  release(alice, b[0]);
  release(alice, b[1]);
  ck_assert(alloc(alice, BIG) == b[1] && alloc(alice, BIG) == b[0]);
  ck_assert(!alice->bins[BIG].zeroed);
  ck_assert(alloc(alice, BIG) != NULL && alice->bins[BIG].zeroed);
}
END_TEST

START_TEST(refill_works_again_after_memory_was_short) {
  mia_block *b[BIGS];
  fill(alice, b, BIGS, BIG);
  for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++) {
    mia_span s;
    if (mia_aword_get(&mia_arena_all.count) == 1 && used() < MIA_ARENA_FIRST_SLICES << 16)
      (void)mia_arena_take(1, 1, &s);
  }
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  for (int i = 0; i < 3; i++) ck_assert(!mia_theap_refill(alice, BIG));
  ck_assert(alice->bins[BIG].page == NULL && alice->free_list[BIG] == NULL && holds(alice));
  release(alice, b[3]);
  mia_theap_flush_batches(alice);
  ck_assert_ptr_eq(alloc(alice, BIG), b[3]); /* the block that was freed is used again */
  ck_assert(!mia_theap_refill(alice, BIG));
  fake_allow();
  ck_assert_ptr_nonnull(alloc(alice, BIG));
}
END_TEST

/* ---- freeing ---- */

START_TEST(empty_pages_are_cached) {
  mia_block *b[3 * BIGS + 1];
  fill(alice, b, 3 * BIGS + 1, BIG);
  for (int p = 0; p < 3; p++) { /* a free block in each: alice reclaims them */
    release(alice, b[BIGS * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert(alice->bins[BIG].page_count == 3 && holds(alice));
  mia_page *first = page_of(b[0]), *second = page_of(b[BIGS]);
  for (int i = 1; i < BIGS; i++) release(alice, b[i]);
  ck_assert(cached(alice, BIG) == first && pages(BIG) == 4 && holds(alice));
  for (int i = BIGS + 1; i < 2 * BIGS; i++) release(alice, b[i]);
  ck_assert(cached(alice, BIG) == second && second->next == first && pages(BIG) == 4);
  ck_assert(holds(alice));
  for (int i = 2 * BIGS + 1; i < 3 * BIGS; i++) release(alice, b[i]);
  ck_assert(pages(BIG) == 4 && alice->bins[BIG].pages == NULL && holds(alice));
}
END_TEST

START_TEST(empty_pages_of_several_slices_are_not_cached) {
  mia_block *b[WIDES + 1];
  fill(alice, b, WIDES + 1, WIDE);
  release(alice, b[0]);
  mia_theap_flush_batches(alice);
  for (int i = 1; i < WIDES; i++) release(alice, b[i]);
  ck_assert(cached(alice, WIDE) == NULL && pages(WIDE) == 1 && holds(alice));
}
END_TEST

START_TEST(the_page_in_use_stays_when_it_is_empty) {
  mia_block *b[2];
  fill(alice, b, 2, BIG);
  const mia_page *page = page_of(b[0]);
  release(alice, b[0]);
  release(alice, b[1]);
  ck_assert(page->used == 0 && alice->bins[BIG].page == page && holds(alice));
  ck_assert_ptr_eq(alloc(alice, BIG), b[1]);
}
END_TEST

/* Without early reclaiming, a thread owns a full page once a sixteenth of it is free. */
START_TEST(a_thread_that_frees_enough_of_a_full_page_owns_it) {
  static mia_block *b[SMALLS + 1];
  fill(alice, b, SMALLS + 1, SMALL);
  (void)alloc(bob, SMALL);              /* bob allocates from the class, so he can use such pages */
  bob->bins[SMALL].reclaim_backoff = 1; /* but he reclaims none early */
  mia_page *full = page_of(b[0]);
  const uint32_t due = SMALLS / 16;
  for (size_t i = 0; i < due - 1; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert(!claimed(full) && owner(full) == NULL && bob->bins[SMALL].page_count == 0);
  release(bob, b[due - 1]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(full) == bob && bob->bins[SMALL].pages == full);
  ck_assert_uint_eq(full->used, SMALLS - due);
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

START_TEST(a_thread_that_uses_the_class_reclaims_a_full_page_early) {
  static mia_block *b[3 * SMALLS + 1];
  fill(alice, b, 3 * SMALLS + 1, SMALL);
  (void)alloc(bob, SMALL);
  for (size_t i = 0; i < 3; i++) release(bob, b[i * SMALLS]);
  mia_bin *bin = &bob->bins[SMALL];
  ck_assert(bob->batches_waiting == 0 && bin->page_count == 3);
  ck_assert(bin->pages == page_of(b[0]) && bin->last_page == page_of(b[2 * SMALLS]));
  for (size_t i = 0; i < 3; i++) need_at(owner(page_of(b[i * SMALLS])) == bob, i);
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

/* A page that was reclaimed early has few blocks when it comes into use: backoff. */
START_TEST(early_reclaiming_has_a_backoff) {
  static mia_block *b[SMALLS + 1];
  fill(alice, b, SMALLS + 1, SMALL);
  mia_block *mine = alloc(bob, SMALL);
  mia_page *first = page_of(mine);
  release(bob, b[0]);
  mia_bin *bin = &bob->bins[SMALL];
  ck_assert(bin->page_count == 1 && bin->reclaim_backoff == 0);
  while (bin->page == first) (void)alloc(bob, SMALL);
  ck_assert(page_of(b[0]) == bin->page && bin->reclaim_backoff > 0);
  while (owner(page_of(b[0])) == bob) (void)alloc(bob, SMALL);
  release(bob, b[1]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(page_of(b[0])) == NULL && bin->page_count == 0);
  ck_assert(holds(bob));
}
END_TEST

START_TEST(a_thread_that_cannot_use_a_page_abandons_it) {
  mia_block *b[BIGS + 1];
  fill(alice, b, BIGS + 1, BIG);
  mia_page *full = page_of(b[0]);
  release(bob, b[0]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(full) == NULL && !claimed(full) && mia_theap_all.main.abandoned[BIG] == full);
  /* It stays abandoned until all of it is free, or a thread allocates from it. */
  for (int i = 1; i < BIGS - 1; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert(mia_theap_all.main.abandoned[BIG] == full && pages(BIG) == 2);
  release(bob, b[BIGS - 1]);
  mia_theap_flush_batches(bob);
  ck_assert(mia_theap_all.main.abandoned[BIG] == NULL && cached(bob, BIG) == full);
}
END_TEST

START_TEST(a_thread_owns_a_limited_number_of_pages) {
  static mia_block *b[BIGS * 40 + 1];
  fill(alice, b, BIGS * 40 + 1, BIG);
  for (int p = 0; p < 40; p++) {
    release(alice, b[BIGS * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert_uint_eq(alice->bins[BIG].page_count, PAGES_MAX);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.main.abandoned_count[BIG]), 40 - PAGES_MAX);
  ck_assert(holds(alice));
}
END_TEST

static uint32_t batch_count(const mia_theap *self, unsigned size_class) {
  const mia_remote_cache *cache = &self->remote[size_class];
  uint32_t count = cache->state == MIA_REMOTE_BATCH ? cache->count : 0;
  ck_assert((self->batches_waiting >> size_class & 1) == (count > 0));
  ck_assert((cache->page != NULL) == (count > 0));
  return count;
}

static uint32_t magazine_count(const mia_theap *self, unsigned size_class) {
  const mia_remote_cache *cache = &self->remote[size_class];
  ck_assert(cache->state == MIA_REMOTE_BATCH || (cache->blocks != NULL) == (cache->count > 0));
  return cache->state != MIA_REMOTE_BATCH ? cache->count : 0;
}

START_TEST(remote_frees_are_sent_in_batches) {
  static mia_block *b[5000];
  fill(alice, b, 5000, SMALL);
  mia_page *page = page_of(b[0]);
  for (int i = 0; i < BATCH - 1; i++) release(bob, b[i]);
  ck_assert(batch_count(bob, SMALL) == BATCH - 1 && !mia_owner_has_remote(page));
  release(bob, b[BATCH - 1]);
  ck_assert(batch_count(bob, SMALL) == 0 && mia_owner_has_remote(page));
  release(bob, b[BATCH]);
  release(bob, b[BATCH + 1]);
  release(bob, b[4999]); /* of another page: sends the batch */
  ck_assert(page_of(b[4999]) != page && bob->remote[SMALL].page == page_of(b[4999]));
  ck_assert_uint_eq(batch_count(bob, SMALL), 1);
  mia_theap_flush_batches(bob);
  ck_assert_uint_eq(batch_count(bob, SMALL), 0);
  mia_theap_flush_batches(bob);
  ck_assert(mia_owner_claim(page)); /* it is full, so it has no owner */
  mia_page_collect(page);
  ck_assert_uint_eq(page->capacity - page->used, BATCH + 2);
  /* A thread without a theap sends each block at once. */
  release(&mia_theap_all.none, b[100]);
  ck_assert(mia_owner_has_remote(page));
  mia_theap_flush_batches(&mia_theap_all.none);
}
END_TEST

START_TEST(each_class_of_small_blocks_has_a_batch) {
  const int eighth = FINES / 8;
  mia_block *small[4], *kib[FINES];
  fill(alice, small, 4, SMALL);
  fill(alice, kib, FINES, FINE);
  for (int i = 0; i < 4; i++) {
    release(bob, small[i]);
    release(bob, kib[i]);
  }
  ck_assert(batch_count(bob, SMALL) == 4 && batch_count(bob, FINE) == 4);
  /* A batch has at most an eighth of the page's blocks. */
  for (int i = 4; i < eighth - 1; i++) release(bob, kib[i]);
  ck_assert(batch_count(bob, FINE) == (uint32_t)eighth - 1 &&
            !mia_owner_has_remote(page_of(kib[0])));
  release(bob, kib[eighth - 1]);
  ck_assert(batch_count(bob, FINE) == 0 && mia_owner_has_remote(page_of(kib[0])));
  mia_block *big = alloc(alice, BIG);
  release(bob, big);
  ck_assert(mia_owner_has_remote(page_of(big)));
  mia_theap_flush_batches(bob);
  ck_assert(bob->batches_waiting == 0 && mia_owner_has_remote(page_of(small[0])));
}
END_TEST

/* Bob allocates from the class SMALL and frees `n' blocks of this class in a page of alice. */
static void free_as_bob(mia_block **b, size_t n) {
  (void)alloc(bob, SMALL);
  fill(alice, b, n, SMALL);
  for (size_t i = 0; i < n; i++) release(bob, b[i]);
}

START_TEST(remote_frees_of_a_class_in_use_go_into_the_magazine) {
  mia_block *b[3];
  free_as_bob(b, 3);
  mia_bin *bin = &bob->bins[SMALL];
  ck_assert(magazine_count(bob, SMALL) == 3 && bob->remote[SMALL].blocks == b[2]);
  ck_assert(batch_count(bob, SMALL) == 0);
  ck_assert(!mia_owner_has_remote(page_of(b[0])));
  uintptr_t refilled = mia_aword_get(&bob->counts.refilled[SMALL]);
  while (bob->free_list[SMALL] != NULL) (void)alloc(bob, SMALL);
  for (int i = 2; i >= 0; i--) ck_assert_ptr_eq(alloc(bob, SMALL), b[i]);
  ck_assert(bin->from_magazine && !bin->zeroed && magazine_count(bob, SMALL) == 0);
  ck_assert_uint_eq(mia_aword_get(&bob->counts.refilled[SMALL]), refilled + 3);
  ck_assert(alloc(bob, SMALL) != NULL && !bin->from_magazine && holds(bob) && holds(alice));
}
END_TEST

/* Lets bob allocate from `lists' magazines of `count' blocks each. */
static void use_magazines(unsigned lists, unsigned count) {
  mia_block *b[MIA_EXCHANGE_LEAST];
  for (unsigned n = 0; n < lists; n++) {
    free_as_bob(b, count);
    while (bob->free_list[SMALL] != NULL) (void)alloc(bob, SMALL);
    for (unsigned i = 0; i < count; i++) (void)alloc(bob, SMALL);
  }
}

START_TEST(an_exchange_puts_all_blocks_into_the_magazine) {
  use_magazines(MIA_EXCHANGE_BEGIN, MIA_EXCHANGE_LEAST - 1);
  use_magazines(MIA_EXCHANGE_BEGIN - 1, MIA_EXCHANGE_LEAST);
  ck_assert(!mia_remote_is_exchanged(bob, SMALL) && bob->exchanging == 0);
  mia_block *mine = alloc(bob, SMALL);
  mia_page *page = page_of(mine);
  ck_assert(!mia_remote_exchange(bob, page, mine) && mia_theap_owns_on_fast_path(bob, page));
  use_magazines(1, MIA_EXCHANGE_LEAST);
  ck_assert(mia_remote_is_exchanged(bob, SMALL) && bob->exchanging == 1);
  uint32_t used = page->used;
  ck_assert(mia_theap_owns(bob, page) && !mia_theap_owns_on_fast_path(bob, page));
  ck_assert(mia_remote_exchange(bob, page, mine) && page->used == used);
  mia_block *others = alloc(alice, SMALL);
  ck_assert(mia_remote_exchange(bob, page_of(others), others));
  mia_block *big = alloc(bob, BIG);
  ck_assert(!mia_remote_exchange(bob, page_of(big), big));
  for (int left = MIA_EXCHANGE_LISTS - bob->remote[SMALL].lists; left > 0; left--) {
    ck_assert(mia_remote_is_exchanged(bob, SMALL));
    while (bob->free_list[SMALL] != NULL) mine = alloc(bob, SMALL);
    if (magazine_count(bob, SMALL) == 0) ck_assert(mia_remote_exchange(bob, page_of(mine), mine));
    mine = alloc(bob, SMALL);
  }
  ck_assert(!mia_remote_is_exchanged(bob, SMALL) && bob->exchanging == 0);
  ck_assert(mia_theap_owns_on_fast_path(bob, page) && holds(bob) && holds(alice));
}
END_TEST

START_TEST(an_exchange_leaves_room_for_remote_frees) {
  static mia_block *b[MIA_MAGAZINE_BLOCKS];
  use_magazines(MIA_EXCHANGE_BEGIN, MIA_EXCHANGE_LEAST);
  fill(bob, b, MIA_MAGAZINE_BLOCKS, SMALL);
  unsigned kept = 0;
  while (mia_remote_exchange(bob, page_of(b[kept]), b[kept])) kept++;
  ck_assert(kept == MIA_EXCHANGE_BLOCKS && magazine_count(bob, SMALL) == kept);
  mia_theap_return_lists(bob); /* ends the exchange; all blocks return to their pages */
  ck_assert(bob->exchanging == 0 && magazine_count(bob, SMALL) == 0 && holds(bob));
  ck_assert(!mia_remote_is_exchanged(bob, SMALL));
}
END_TEST

START_TEST(frees_of_other_classes_end_an_exchange) {
  use_magazines(MIA_EXCHANGE_BEGIN, MIA_EXCHANGE_LEAST);
  mia_block *big = alloc(bob, BIG);
  for (int i = 1; i < MIA_EXCHANGE_MISSES; i++)
    ck_assert(!mia_remote_exchange(bob, page_of(big), big));
  ck_assert(mia_remote_is_exchanged(bob, SMALL));
  ck_assert(!mia_remote_exchange(bob, page_of(big), big));
  ck_assert(!mia_remote_is_exchanged(bob, SMALL) && bob->exchanging == 0);
}
END_TEST

START_TEST(a_thread_that_only_frees_has_no_magazine) {
  mia_block *b[2];
  fill(alice, b, 2, SMALL);
  release(bob, b[0]);
  ck_assert(magazine_count(bob, SMALL) == 0 && batch_count(bob, SMALL) == 1);
}
END_TEST

START_TEST(a_magazine_that_is_too_long_is_sent) {
  static mia_block *b[MIA_MAGAZINE_BLOCKS + 1];
  free_as_bob(b, MIA_MAGAZINE_BLOCKS);
  ck_assert_uint_eq(magazine_count(bob, SMALL), MIA_MAGAZINE_BLOCKS);
  b[MIA_MAGAZINE_BLOCKS] = alloc(alice, SMALL);
  release(bob, b[MIA_MAGAZINE_BLOCKS]);
  ck_assert(batch_count(bob, SMALL) == 1);
  mia_page *page = page_of(b[0]);
  uint32_t used = page->used;
  mia_page_collect(page);
  ck_assert_uint_eq(page->used, used - MIA_MAGAZINE_BLOCKS);
  release(bob, alloc(alice, SMALL)); /* no new magazine before bob refills his free list */
  ck_assert(batch_count(bob, SMALL) == 2);
  mia_theap_flush_batches(bob);
  while (bob->free_list[SMALL] != NULL) (void)alloc(bob, SMALL);
  (void)alloc(bob, SMALL);
  ck_assert(bob->remote[SMALL].state == MIA_REMOTE_MAGAZINE);
}
END_TEST

START_TEST(a_magazine_has_a_limited_number_of_bytes) {
  enum { FIT = MIA_MAGAZINE_BYTES / 8192 };
  mia_block *b[FIT + 1];
  (void)alloc(bob, BIG);
  fill(alice, b, FIT + 1, BIG);
  for (int i = 0; i < FIT; i++) release(bob, b[i]);
  ck_assert_uint_eq(magazine_count(bob, BIG), FIT);
  release(bob, b[FIT]);
  ck_assert(bob->remote[BIG].blocks == NULL && mia_owner_has_remote(page_of(b[0])));
}
END_TEST

/* Also the rest of a free list that was a magazine, whether or not it is held. */
START_TEST(flushing_sends_magazines) {
  for (int held = 0; held < 2; held++) {
    mia_block *b[4];
    free_as_bob(b, 3);
    while (!bob->bins[SMALL].from_magazine) (void)alloc(bob, SMALL);
    if (held != 0) mia_theap_hold_lists(bob, (mia_time_ms)held);
    b[3] = alloc(alice, SMALL);
    release(bob, b[3]);
    ck_assert_uint_eq(magazine_count(bob, SMALL), 1);
    uintptr_t refilled = mia_aword_get(&bob->counts.refilled[SMALL]);
    mia_theap_flush_remote(bob);
    ck_assert(bob->free_list[SMALL] == NULL && bob->bins[SMALL].held == NULL &&
              !bob->bins[SMALL].from_magazine);
    ck_assert_uint_eq(mia_aword_get(&bob->counts.refilled[SMALL]), refilled - 2);
    mia_page *page = page_of(b[0]);
    uint32_t used = page->used;
    mia_page_collect(page);
    ck_assert_uint_eq(page->used, used - 3);
  }
  mia_block *b[2];
  free_as_bob(b, 2);
  mia_theap_abandon(bob);
  ck_assert(bob->remote[SMALL].blocks == NULL && mia_owner_has_remote(page_of(b[0])));
}
END_TEST

/* Pages without an owner are reclaimed once enough of them is free, so their blocks do not wait in
 * a magazine. */
START_TEST(blocks_of_pages_without_an_owner_go_into_no_magazine) {
  static mia_block *b[SMALLS + 1];
  fill(alice, b, SMALLS + 1, SMALL);
  (void)alloc(bob, SMALL);
  bob->bins[SMALL].reclaim_backoff = 1;
  const mia_page *full = page_of(b[0]);
  release(bob, b[SMALLS]); /* of the page that alice owns */
  ck_assert(owner(full) == NULL && magazine_count(bob, SMALL) == 1);
  release(bob, b[0]); /* sent at once */
  ck_assert(mia_owner_has_remote(full) && magazine_count(bob, SMALL) == 1);
  while (magazine_count(bob, SMALL) > 0) (void)alloc(bob, SMALL);
  release(bob, b[1]); /* an empty magazine gives way to a batch */
  ck_assert(bob->remote[SMALL].page == full && batch_count(bob, SMALL) == 1);
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

/* All of an exchange is sent when a block finds no room, and the exchange ends. */
START_TEST(an_exchange_that_is_too_long_is_sent) {
  static mia_block *b[MIA_MAGAZINE_BLOCKS + 1];
  use_magazines(MIA_EXCHANGE_BEGIN, MIA_EXCHANGE_LEAST);
  fill(alice, b, MIA_MAGAZINE_BLOCKS + 1, SMALL);
  for (unsigned i = 0; i < MIA_MAGAZINE_BLOCKS; i++) release(bob, b[i]);
  ck_assert(mia_remote_is_exchanged(bob, SMALL));
  ck_assert_uint_eq(magazine_count(bob, SMALL), MIA_MAGAZINE_BLOCKS);
  release(bob, b[MIA_MAGAZINE_BLOCKS]);
  ck_assert(batch_count(bob, SMALL) == 1 && bob->exchanging == 0);
  ck_assert(bob->fast_owner == (uintptr_t)bob && holds(bob) && holds(alice));
}
END_TEST

START_TEST(blocks_of_other_heaps_go_into_no_magazine) {
  mia_block *b = alloc(alice, BIG);
  (void)alloc(bob, BIG);
  static mia_heap other;
  mia_theap_set_heap(page_of(b), &other);
  release(bob, b);
  mia_theap_set_heap(page_of(b), mia_theap_main_heap());
  ck_assert(bob->remote[BIG].blocks == NULL && mia_owner_has_remote(page_of(b)));
}
END_TEST

START_TEST(freeing_the_last_block_of_a_magazine_again_is_fatal) {
  mia_block *b[2];
  free_as_bob(b, 2);
  release(bob, b[1]);
}
END_TEST

START_TEST(singleton_pages_are_retired_by_any_thread) {
  bool zero;
  for (int i = 0; i < 4; i++) {
    mia_theap *self = i % 2 == 0 ? bob : &mia_theap_all.none;
    mia_page *page = mia_theap_make_singleton(
        alice, &(mia_singleton_request){.size = 2 * MIA_MIB, .align = 1, .huge = i >= 2}, &zero);
    release(self, page->start);
    nothing_is_left();
  }
}
END_TEST

START_TEST(freeing_a_singleton_block_twice_is_fatal) {
  bool zero;
  mia_page *page = mia_theap_make_singleton(
      alice, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  mia_theap_free_remote(bob, page, (void *)page->start);
  mia_theap_free_remote(bob, page, (void *)page->start);
}
END_TEST

START_TEST(freeing_the_inside_of_a_remote_block_is_fatal) {
  release(bob, (char *)alloc(alice, BIG) + 16);
}
END_TEST

/* ---- housekeeping ---- */

START_TEST(collect_retires_empty_pages) {
  mia_block *b[2 * BIGS + 1];
  fill(alice, b, 2 * BIGS + 1, BIG);
  for (int p = 0; p < 2; p++) {
    release(alice, b[BIGS * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert_uint_eq(alice->bins[BIG].page_count, 2);
  for (int i = 1; i < BIGS; i++) release(bob, b[i]); /* alice owns the page and collects later */
  mia_theap_flush_batches(bob);
  ck_assert_uint_eq(pages(BIG), 3);
  mia_theap_collect(alice);
  ck_assert(pages(BIG) == 2 && cached(alice, BIG) == NULL && holds(alice));
  for (int i = BIGS + 1; i < 2 * BIGS; i++) release(alice, b[i]);
  ck_assert_ptr_nonnull(cached(alice, BIG));
  mia_theap_collect(alice);
  ck_assert(pages(BIG) == 1 && cached(alice, BIG) == NULL && holds(alice));
}
END_TEST

/* The page in use is retired if all of it is free, and else used further. */
START_TEST(collect_gives_up_the_page_in_use) {
  mia_block *kept = alloc(alice, SMALL);
  release(alice, alloc(alice, BIG));
  ck_assert(pages(BIG) == 1 && pages(SMALL) == 1);
  mia_theap_collect(alice);
  ck_assert(pages(BIG) == 0 && pages(SMALL) == 1 && holds(alice));
  ck_assert(alice->free_list[BIG] == NULL && alice->bins[BIG].page == NULL);
  mia_block *next = alloc(alice, SMALL);
  ck_assert_ptr_eq(page_of(next), page_of(kept));
  release(alice, kept);
  release(alice, next);
  mia_theap_collect(alice);
  ck_assert(pages(SMALL) == 0 && used() == 0 && holds(alice));
}
END_TEST

START_TEST(abandoned_pages_are_reclaimed) {
  mia_block *b[3], *kept[2];
  fill(alice, b, 3, BIG);
  fill(alice, kept, 2, WIDE);
  release(alice, alloc(alice, 20)); /* a class without a live block */
  mia_page *page = page_of(b[0]);
  mia_theap_abandon(alice);
  ck_assert(holds(alice) && alice->bins[BIG].page == NULL && alice->free_list[BIG] == NULL);
  ck_assert(pages(20) == 0 && pages(BIG) == 1 && pages(WIDE) == 1);
  ck_assert(owner(page) == NULL && mia_theap_all.main.abandoned[BIG] == page && page->used == 3);
  release(bob, b[1]);
  mia_block *next = alloc(bob, BIG);
  ck_assert(page_of(next) == page && owner(page) == bob && pages(BIG) == 1);
  release(bob, next);
  release(bob, b[0]);
  release(bob, b[2]);
  release(bob, kept[0]);
  release(bob, kept[1]);
  mia_theap_abandon(bob);
  nothing_is_left();
}
END_TEST

/* A full page is in no list of abandoned pages: a free claims it. */
START_TEST(an_abandoned_full_page_is_claimed_by_a_free) {
  mia_block *b[BIGS];
  fill(alice, b, BIGS, BIG);
  mia_page *page = page_of(b[0]);
  mia_theap_abandon(alice);
  ck_assert(mia_theap_all.main.abandoned[BIG] == NULL && owner(page) == NULL && !claimed(page));
  (void)alloc(bob, BIG);
  ck_assert_uint_eq(pages(BIG), 2);
  release(bob, b[0]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(page) == bob && bob->bins[BIG].pages == page);
}
END_TEST

START_TEST(an_abandoned_page_is_retired_with_its_last_block) {
  mia_block *b[BIGS];
  fill(alice, b, BIGS, BIG);
  mia_theap_abandon(alice);
  for (int i = 0; i < BIGS; i++) {
    ck_assert_uint_eq(pages(BIG), 1);
    release(&mia_theap_all.none, b[i]);
  }
  nothing_is_left();
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(batches_are_sent_when_the_thread_ends) {
  mia_block *b = alloc(alice, SMALL);
  release(bob, b);
  ck_assert(batch_count(bob, SMALL) == 1 && !mia_owner_has_remote(page_of(b)));
  mia_theap_abandon(bob);
  ck_assert(mia_owner_has_remote(page_of(b)));
  mia_theap_abandon(alice);
  nothing_is_left();
}
END_TEST

static void *leave_cached_page(void *arg) {
  mia_theap *self = mia_theap_attach();
  mia_block *b[BIGS + 1];
  fill(self, b, BIGS + 1, BIG);
  release(self, b[0]);
  mia_theap_flush_batches(self);
  for (int i = 1; i < BIGS; i++) release(self, b[i]);
  note(cached(self, BIG) != NULL);
  pthread_barrier_wait(arg);
  pthread_barrier_wait(arg);
  note(cached(self, BIG) == NULL);
  release(self, b[BIGS]);
  return NULL;
}

START_TEST(cached_pages_of_sleeping_threads_are_retired) {
  pthread_barrier_t barrier;
  pthread_t thread[2];
  pthread_barrier_init(&barrier, NULL, 3);
  for (int i = 0; i < 2; i++) pthread_create(&thread[i], NULL, leave_cached_page, &barrier);
  pthread_barrier_wait(&barrier);
  ck_assert_uint_eq(pages(BIG), 4);
  mia_theap_flush_all_caches(bob, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(pages(BIG), 2);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
  pthread_barrier_destroy(&barrier);
  need_nothing_noted();
  nothing_is_left();
}
END_TEST

/* ---- at random ---- */

static void stamp(void *p, size_t size, unsigned char with) {
  ((unsigned char *)p)[sizeof(mia_block)] = with;
  ((unsigned char *)p)[size - 1] = with;
}
static bool stamped(const void *p, size_t size, unsigned char with) {
  const unsigned char *bytes = p;
  return bytes[sizeof(mia_block)] == with && bytes[size - 1] == with;
}

START_TEST(three_theaps_lose_no_block) {
  const unsigned classes[] = {SMALL, 20, BIG, WIDE};
  static mia_block *live[BLOCKS];
  uint64_t random = suite_random(1);
  size_t n = 0;
  for (int i = 0; i < TURNS; i++) {
    mia_theap *self = &theaps[random_below(&random, THEAPS)];
    size_t most = i / 2000 % 2 == 0 ? 8 : 4; /* grow, then shrink */
    if (n < BLOCKS && random_below(&random, 12) < most) {
      live[n] = alloc(self, classes[random_below(&random, 4)]);
      need_at(live[n] != NULL, i);
      stamp(live[n], page_of(live[n])->size, (unsigned char)((uintptr_t)live[n] >> 4));
      n++;
    } else if (n > 0) {
      size_t k = random_below(&random, n);
      mia_block *b = live[k];
      need_at(stamped(b, page_of(b)->size, (unsigned char)((uintptr_t)b >> 4)), i);
      live[k] = live[--n];
      release(self, b);
    }
    if (i % 997 == 0) mia_theap_collect(self);
    if (i % 3989 == 0) mia_theap_abandon(self);
    if (i % 61 == 0) need_at(holds(&theaps[0]) && holds(&theaps[1]) && holds(&theaps[2]), i);
  }
  while (n > 0) release(bob, live[--n]);
  for (int i = 0; i < THEAPS; i++) mia_theap_abandon(&theaps[i]);
  nothing_is_left();
  ck_assert_uint_eq(used(), 0);
}
END_TEST

static mia_aword slots[SLOTS];

static void *exchange(void *arg) {
  const unsigned classes[] = {SMALL, 20, BIG, BIG, WIDE};
  unsigned me = (unsigned)(uintptr_t)arg;
  uint64_t random = suite_random(100 + me);
  mia_theap *self = mia_theap_attach();
  for (int i = 0; i < THREAD_TURNS; i++) {
    size_t k = random_below(&random, SLOTS);
    unsigned c = classes[k % 5];
    mia_block *b = NULL;
    if (random_below(&random, 2) == 0) {
      b = alloc(self, c);
      note(b != NULL && (owner(page_of(b)) == self || self->bins[c].from_magazine));
      stamp(b, mia_class_size(c), (unsigned char)k);
    }
    b = (void *)mia_aword_swap_acq_rel(&slots[k], (uintptr_t)b);
    if (b != NULL) {
      note(stamped(b, mia_class_size(c), (unsigned char)k));
      release(self, b);
    }
    if (i % 6000 == 0) mia_theap_collect(self);
    if (i % 7000 == 0) mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (i % 500 == 0) mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (i % 9000 == 0) {
      mia_theap_detach();
      self = mia_theap_attach();
    }
  }
  return NULL;
}

START_TEST(three_threads_lose_no_block) {
  pthread_t thread[THREADS];
  memset(slots, 0, sizeof slots);
  for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, exchange, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  for (size_t k = 0; k < SLOTS; k++) {
    void *b = (void *)mia_aword_get(&slots[k]);
    if (b != NULL) release(alice, b);
  }
  mia_theap_abandon(alice);
  nothing_is_left();
}
END_TEST

SUITE("theap/bin") {
  CASE(begin, world_end);
  TEST(L1_a_free_list_is_of_the_page_in_use);
  TEST(a_full_page_has_no_owner);
  TEST(refill_uses_the_nearest_source);
  TEST(blocks_that_the_owner_freed_are_allocated_again);
  TEST(refill_works_again_after_memory_was_short);
  TEST(empty_pages_are_cached);
  TEST(empty_pages_of_several_slices_are_not_cached);
  TEST(the_page_in_use_stays_when_it_is_empty);
  TEST(a_thread_that_frees_enough_of_a_full_page_owns_it);
  TEST(a_thread_that_uses_the_class_reclaims_a_full_page_early);
  TEST(early_reclaiming_has_a_backoff);
  TEST(a_thread_that_cannot_use_a_page_abandons_it);
  TEST(a_thread_owns_a_limited_number_of_pages);
  TEST(remote_frees_are_sent_in_batches);
  TEST(each_class_of_small_blocks_has_a_batch);
  TEST(remote_frees_of_a_class_in_use_go_into_the_magazine);
  TEST(an_exchange_puts_all_blocks_into_the_magazine);
  TEST(an_exchange_leaves_room_for_remote_frees);
  TEST(frees_of_other_classes_end_an_exchange);
  TEST(a_thread_that_only_frees_has_no_magazine);
  TEST(a_magazine_that_is_too_long_is_sent);
  TEST(a_magazine_has_a_limited_number_of_bytes);
  TEST(flushing_sends_magazines);
  TEST(blocks_of_pages_without_an_owner_go_into_no_magazine);
  TEST(an_exchange_that_is_too_long_is_sent);
  TEST(blocks_of_other_heaps_go_into_no_magazine);
  TEST(singleton_pages_are_retired_by_any_thread);
  TEST(collect_retires_empty_pages);
  TEST(collect_gives_up_the_page_in_use);
  TEST(abandoned_pages_are_reclaimed);
  TEST(an_abandoned_full_page_is_claimed_by_a_free);
  TEST(an_abandoned_page_is_retired_with_its_last_block);
  TEST(batches_are_sent_when_the_thread_ends);
  TEST(cached_pages_of_sleeping_threads_are_retired);
  TEST(three_theaps_lose_no_block);
  TEST(three_threads_lose_no_block);
  DIES(freeing_a_singleton_block_twice_is_fatal, SIGABRT);
  DIES(freeing_the_last_block_of_a_magazine_again_is_fatal, SIGABRT);
  DIES(freeing_the_inside_of_a_remote_block_is_fatal, SIGABRT);
  TIMEOUT(60);
}
