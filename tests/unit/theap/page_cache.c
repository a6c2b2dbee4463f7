/* Empty pages that threads keep, use again, and lose to others and to age. */
#include "fake/world.h"

#include "page/canary.h"
#include "page/owner.h"
#include "theap/bin.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/recent.h"
#include "theap/thread.h"

#include <pthread.h>

enum { SMALL = 20, WIDE = 72, THREADS = 3, TURNS = 20000, MOST = MIA_THEAP_CACHED_MORE + 1 };

static mia_theap alice;
static void begin(void) {
  world_of_locals();
  memset(&alice, 0, sizeof alice);
}

static size_t used(void) { return mia_aword_get(&mia_arena_all.used); }

static mia_page *made(unsigned size_class) {
  mia_page *page = mia_theap_make_page(&alice, size_class);
  ck_assert_ptr_nonnull(page);
  return page;
}

/* A large page of a block in use. */
static mia_page *live(size_t slices) {
  bool zero;
  mia_page *page = mia_theap_make_singleton(
      &alice,
      &(mia_singleton_request){.size = slices * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING,
                               .align = 1,
                               .redzone = MIA_DEBUG},
      &zero);
  ck_assert_ptr_nonnull(page);
  return page;
}

/* An empty one, as its last free leaves it. */
static mia_page *emptied(size_t slices) {
  mia_page *page = live(slices);
  ck_assert(mia_owner_claim(page));
  page->used = 0;
  return page;
}

static mia_page *reused_large(mia_theap *local, size_t slices) {
  return mia_theap_cached_large(local, slices * MIA_SLICE_SIZE);
}

START_TEST(a_page_is_kept_for_its_class_and_used_again) {
  mia_page *page = made(SMALL);
  const char *start = page->start;
  mia_theap_cache_page(&alice, page);
  ck_assert_ptr_null(mia_page_of(start)); /* a late free of a block is noticed */
  ck_assert_ptr_null(mia_theap_cached_page(&alice, SMALL + 1));
  ck_assert_ptr_eq(mia_theap_cached_page(&alice, SMALL), page);
  ck_assert(mia_page_of(start) == page && !mia_owner_claim(page) && page->used == 0);
  ck_assert_ptr_null(mia_theap_cached_page(&alice, SMALL));
}
END_TEST

/* The newest first, and where there are too many it is the one before it that goes. */
START_TEST(several_pages_of_a_class_are_kept) {
  mia_page *page[MOST + 1];
  for (int i = 0; i <= MOST; i++) page[i] = made(SMALL);
  mia_page *other[2] = {made(SMALL + 1), made(SMALL + 1)};
  for (int i = 0; i < MOST; i++) mia_theap_cache_page(&alice, page[i]);
  ck_assert_uint_eq(used(), (MOST + 3) * MIA_SLICE_SIZE);
  mia_theap_cache_page(&alice, page[MOST]);
  ck_assert_uint_eq(used(), (MOST + 2) * MIA_SLICE_SIZE);
  mia_theap_cache_page(&alice, other[0]); /* the first of a class always is */
  mia_theap_cache_page(&alice, other[1]);
  ck_assert_uint_eq(used(), (MOST + 1) * MIA_SLICE_SIZE);
  ck_assert_ptr_eq(mia_theap_cached_page(&alice, SMALL + 1), other[1]);
  ck_assert_ptr_null(mia_theap_cached_page(&alice, SMALL + 1));
  ck_assert_ptr_eq(mia_theap_cached_page(&alice, SMALL), page[MOST]);
  for (int i = MOST - 2; i >= 0; i--)
    ck_assert_ptr_eq(mia_theap_cached_page(&alice, SMALL), page[i]);
  ck_assert_ptr_null(mia_theap_cached_page(&alice, SMALL));
}
END_TEST

/* Those that were not used again since the last visit go when another comes. */
START_TEST(old_pages_of_a_class_go_first) {
  mia_theap *self = mia_theap_attach();
  mia_page *page[4];
  for (int i = 0; i < 4; i++) page[i] = made(SMALL);
  for (int i = 0; i < 3; i++) mia_theap_cache_page(self, page[i]);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_theap_cached_page(self, SMALL), page[2]);
  ck_assert_uint_eq(used(), 4 * MIA_SLICE_SIZE);
  mia_theap_cache_page(self, page[3]);
  ck_assert_uint_eq(used(), 2 * MIA_SLICE_SIZE);
  mia_theap_cache_page(self, page[2]);
  ck_assert_ptr_eq(mia_theap_cached_page(self, SMALL), page[2]);
  ck_assert_ptr_eq(mia_theap_cached_page(self, SMALL), page[3]);
  ck_assert_ptr_null(mia_theap_cached_page(self, SMALL));
}
END_TEST

START_TEST(pages_of_a_class_that_went_make_room) {
  mia_theap *self = mia_theap_attach();
  for (unsigned i = 0; i < 10; i++) {
    for (int k = 0; k < MOST; k++) mia_theap_cache_page(self, made(SMALL + i));
    ck_assert_uint_eq(used(), MOST * MIA_SLICE_SIZE);
    mia_theap_flush_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
    mia_theap_recount_cache(self);
    ck_assert_uint_eq(used(), 0);
  }
}
END_TEST

/* The large page freed last is the owner's, until it is a spare again. */
START_TEST(a_hot_page_becomes_a_spare) {
  mia_theap *self = mia_theap_attach();
  mia_page *page = live(1), *wide = live(MIA_RECENT_SLICES + 1), *other = live(2);
  ck_assert(!mia_recent_free(self, wide) && !mia_recent_free(&mia_theap_all.none, page));
  ck_assert(mia_recent_free(self, page) && self->recent == page && !mia_recent_free(self, other));
  ck_assert_ptr_null(mia_page_of(page->start)); /* a late free of a block is noticed */
  ck_assert_ptr_null(mia_recent_take(self, page->size + 1));
  ck_assert_ptr_null(mia_recent_take(self, page->size - MIA_OS_PAGE_MIN));
  ck_assert(mia_recent_take(self, page->size - 1) == page && self->recent == NULL);
  ck_assert(mia_page_of(page->start) == page && page->used == 1);
  ck_assert(mia_recent_free(self, page));
  mia_theap_flush_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL); /* by another: it is no spare */
  ck_assert(self->recent == page);
  mia_theap_cache_recent(self);
  ck_assert(self->recent == NULL && reused_large(self, 1) == page);
  mia_page_reuse_singleton(page, page->size);
  ck_assert(mia_recent_free(self, page) && reused_large(self, 2) == NULL);
  ck_assert(reused_large(self, 1) == page && self->recent == NULL);
  mia_page_reuse_singleton(page, page->size);
  ck_assert(mia_recent_free(self, page));
  mia_theap_flush_cache(self);
  ck_assert_uint_eq(used(), (2 + MIA_RECENT_SLICES + 1) * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(large_pages_are_kept_by_their_slices) {
  ck_assert_ptr_null(reused_large(&alice, MIA_THEAP_CACHED_LARGE + 1));
  for (size_t slices = 1; slices <= MIA_THEAP_CACHED_LARGE; slices++) {
    mia_page *page = emptied(slices);
    mia_theap_cache_page(&alice, page);
    ck_assert_ptr_eq(reused_large(&alice, slices), page);
    ck_assert_ptr_null(reused_large(&alice, slices));
    size_t size = slices * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING - 5000;
    mia_page_reuse_singleton(page, size);
    ck_assert(page->size >= size && page->used == 1 && page->slices == slices);
    ck_assert(mia_page_of(page->start) == page && mia_owner_claim(page));
  }
}
END_TEST

/* However many sizes a program has: the newest, and small ones beside it. */
START_TEST(large_pages_are_not_many_in_all) {
  const size_t most = MIA_THEAP_CACHED_LARGE;
  mia_page *page[MIA_THEAP_CACHED_LARGE + 1];
  for (size_t slices = 1; slices <= most; slices++) page[slices] = emptied(slices);
  for (size_t slices = 1; slices <= most; slices++) {
    mia_theap_cache_page(&alice, page[slices]);
    size_t left = most * (most + 1) / 2 - slices * (slices + 1) / 2;
    size_t kept = used() / MIA_SLICE_SIZE - left;
    need_at(kept >= slices && kept <= most, slices);
  }
  ck_assert_ptr_eq(reused_large(&alice, most), page[most]);
  for (size_t slices = 1; slices < most; slices++) ck_assert_ptr_null(reused_large(&alice, slices));
  mia_theap_retire_page(&alice, page[most]);
  mia_theap_cache_page(&alice, emptied(2));
  mia_theap_cache_page(&alice, emptied(most - 5));
  mia_theap_cache_page(&alice, emptied(3));
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  mia_theap_cache_page(&alice, emptied(1)); /* one too many: the largest goes */
  ck_assert_uint_eq(used(), 6 * MIA_SLICE_SIZE);
}
END_TEST

/* As many as there is room for, and what there is most of goes first: the oldest. */
START_TEST(several_large_pages_are_kept) {
  const size_t most = MIA_THEAP_CACHED_LARGE;
  mia_page *page[MIA_THEAP_CACHED_LARGE + 1];
  for (size_t i = 0; i <= most; i++) page[i] = emptied(1);
  for (size_t i = 0; i < most; i++) mia_theap_cache_page(&alice, page[i]);
  ck_assert_uint_eq(used(), (most + 1) * MIA_SLICE_SIZE);
  mia_theap_cache_page(&alice, page[most]);
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  mia_theap_cache_page(&alice, emptied(3));
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  for (size_t i = most; i > 3; i--) ck_assert_ptr_eq(reused_large(&alice, 1), page[i]);
  ck_assert_ptr_null(reused_large(&alice, 1));
  ck_assert_ptr_nonnull(reused_large(&alice, 3));
  ck_assert_uint_eq(alice.cached_large_slices, 0);
}
END_TEST

/* Which was written as far as is needed, or a little farther; else the one that was
 * written farthest. */
START_TEST(the_best_large_page_is_taken) {
  enum { PAGES = 4 };
  const uint32_t unit = MIA_OS_PAGE_MIN,
                 touched[PAGES] = {12 * unit, 9 * unit, 15 * unit, 10 * unit};
  mia_page *page[PAGES];
  for (int i = 0; i < PAGES; i++) page[i] = emptied(1);
  for (int i = 0; i < PAGES; i++) {
    mia_theap_cache_page(&alice, page[i]);
    page[i]->touched = touched[i];
  }
  ck_assert_ptr_eq(mia_theap_cached_large(&alice, 12 * unit), page[0]);
  ck_assert_ptr_eq(mia_theap_cached_large(&alice, 9 * unit + 1), page[3]);
  ck_assert_ptr_eq(mia_theap_cached_large(&alice, 16 * unit), page[2]);
  ck_assert_ptr_eq(mia_theap_cached_large(&alice, 16 * unit), page[1]);
  ck_assert_ptr_null(mia_theap_cached_large(&alice, 1));
}
END_TEST

/* What others took is not held against it. */
START_TEST(large_pages_that_went_make_room) {
  mia_theap *self = mia_theap_attach();
  for (int i = 0; i < 10; i++) {
    mia_theap_cache_page(self, emptied(MIA_THEAP_CACHED_LARGE - 1));
    mia_theap_cache_page(self, emptied(1));
    ck_assert_uint_eq(used(), MIA_THEAP_CACHED_LARGE * MIA_SLICE_SIZE);
    mia_theap_flush_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
    ck_assert_uint_eq(used(), 0);
  }
}
END_TEST

START_TEST(what_has_no_slot_is_retired) {
  mia_theap_cache_page(&alice, made(WIDE));
  mia_theap_cache_page(&alice, emptied(MIA_THEAP_CACHED_LARGE + 1));
  mia_theap_cache_page(&mia_theap_all.none, made(SMALL));
  mia_theap_cache_page(&mia_theap_all.none, emptied(1));
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(all_spares_of_one_are_dropped) {
  mia_theap_cache_page(&alice, made(SMALL));
  mia_theap_cache_page(&alice, made(0));
  mia_theap_cache_page(&alice, emptied(MIA_THEAP_CACHED_LARGE));
  ck_assert(used() > 0);
  mia_theap_flush_cache(&alice);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

/* Two visits and nothing between them: gone.  Used between them: kept. */
START_TEST(spares_age) {
  mia_theap *self = mia_theap_attach();
  mia_page *cold = made(SMALL), *hot = made(SMALL + 1);
  mia_theap_cache_page(self, cold);
  mia_theap_cache_page(self, hot);
  mia_theap_cache_page(self, emptied(3));
  mia_theap_age_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 5 * MIA_SLICE_SIZE);
  ck_assert_ptr_eq(mia_theap_cached_page(self, SMALL + 1), hot); /* its address, not its age */
  mia_theap_cache_page(self, hot);
  mia_theap_age_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), MIA_SLICE_SIZE);
  mia_theap_age_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(old_spares_are_as_good) {
  mia_theap *self = mia_theap_attach();
  mia_page *page = made(SMALL);
  mia_theap_cache_page(self, page);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_theap_cached_page(self, SMALL), page);
  mia_theap_cache_page(self, page);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(keeping_what_is_in_use_is_fatal) {
  bool fresh;
  mia_page *page = made(SMALL);
  (void)mia_page_pop_blocks(page, &fresh);
  mia_theap_cache_page(&alice, page);
}
END_TEST

/* Each keeps and uses its own, and now and then takes everybody's. */
static void *keep_and_take(void *arg) {
  mia_theap *self = mia_theap_attach();
  uint64_t random = suite_random(10 + (unsigned)(uintptr_t)arg);
  mia_page *have = NULL;
  for (int i = 0; i < TURNS; i++) {
    if (have == NULL) {
      have = mia_theap_cached_page(self, SMALL);
      if (have == NULL) have = mia_theap_make_page(self, SMALL);
      note(have != NULL && have->used == 0 && mia_page_of(have->start) == have);
    } else {
      mia_theap_cache_page(self, have);
      have = NULL;
    }
    size_t dice = random_below(&random, 100);
    if (dice == 0) mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (dice == 1) mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  }
  if (have != NULL) mia_theap_retire_page(self, have);
  return NULL;
}

START_TEST(a_spare_is_had_by_one) {
  pthread_t thread[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, keep_and_take, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  mia_theap_flush_all_caches(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.pages[SMALL].now), 0);
}
END_TEST

SUITE("theap/page_cache") {
  CASE(begin, world_end);
  TEST(a_page_is_kept_for_its_class_and_used_again);
  TEST(several_pages_of_a_class_are_kept);
  TEST(old_pages_of_a_class_go_first);
  TEST(pages_of_a_class_that_went_make_room);
  TEST(a_hot_page_becomes_a_spare);
  TEST(large_pages_are_kept_by_their_slices);
  TEST(large_pages_are_not_many_in_all);
  TEST(several_large_pages_are_kept);
  TEST(the_best_large_page_is_taken);
  TEST(large_pages_that_went_make_room);
  TEST(what_has_no_slot_is_retired);
  TEST(all_spares_of_one_are_dropped);
  TEST(spares_age);
  TEST(old_spares_are_as_good);
  TEST(a_spare_is_had_by_one);
  DIES_IN_DEBUG(keeping_what_is_in_use_is_fatal, SIGABRT);
}
