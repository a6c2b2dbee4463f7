/* SPDX-License-Identifier: MIT */
/* The page cache: empty pages are used again, taken by other threads, and retired when old. */
#include "unit/theap/theaps.h"
#include "unit/threads.h"

#include "page/canary.h"
#include "theap/pages.h"
#include "theap/thread.h"

enum { THREADS = 3, TURNS = 20000, CACHED_MAX = MIA_CACHE_CHARGE_MAX + 1 };

static mia_page *make(unsigned size_class) {
  mia_page *page = mia_theap_make_page(alice, size_class);
  ck_assert_ptr_nonnull(page);
  return page;
}

/* Returns a large page whose block is live. */
static mia_page *make_live(size_t slices) {
  bool zero;
  mia_page *page = mia_theap_make_singleton(
      alice,
      &(mia_singleton_request){.size = slices * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING,
                               .align = 1,
                               .redzone = MIA_DEBUG},
      &zero);
  ck_assert_ptr_nonnull(page);
  return page;
}

/* Returns a large page as the free of its block leaves it. */
static mia_page *make_emptied(size_t slices) {
  mia_page *page = make_live(slices);
  ck_assert(mia_owner_claim(page));
  page->used = 0;
  return page;
}

static mia_page *reused_large(mia_theap *theap, size_t slices) {
  return mia_theap_cache_take_large(theap, slices * MIA_SLICE_SIZE);
}

START_TEST(a_page_is_cached_for_its_class) {
  mia_page *page = make(CLASS_384);
  const char *start = page->start;
  mia_theap_cache_put(alice, page);
  ck_assert_ptr_null(mia_page_of(start)); /* a late free of a block is detected */
  ck_assert_ptr_null(mia_theap_cache_take(alice, CLASS_384 + 1));
  ck_assert_ptr_eq(mia_theap_cache_take(alice, CLASS_384), page);
  ck_assert(mia_page_of(start) == page && !mia_owner_claim(page) && page->used == 0);
  ck_assert_ptr_null(mia_theap_cache_take(alice, CLASS_384));
}
END_TEST

/* Caches a page, and moves it to its slot if it is a large one. */
static void cache(mia_theap *self, mia_page *page) {
  mia_theap_cache_put(self, page);
  mia_theap_settle_cache(self);
}

/* The newest page comes first.  If there are too many, the oldest of the class with most pages is
 * retired. */
START_TEST(several_pages_of_a_class_are_cached) {
  mia_page *page[CACHED_MAX + 1];
  for (int i = 0; i <= CACHED_MAX; i++) page[i] = make(CLASS_384);
  mia_page *other[2] = {make(CLASS_384 + 1), make(CLASS_384 + 1)};
  for (int i = 0; i < CACHED_MAX; i++) mia_theap_cache_put(alice, page[i]);
  ck_assert_uint_eq(used_bytes(), (CACHED_MAX + 3) * MIA_SLICE_SIZE);
  mia_theap_cache_put(alice, page[CACHED_MAX]);
  ck_assert_uint_eq(used_bytes(), (CACHED_MAX + 2) * MIA_SLICE_SIZE);
  mia_theap_cache_put(alice, other[0]); /* the first page of a class is always cached */
  mia_theap_cache_put(alice, other[1]);
  ck_assert_uint_eq(used_bytes(), (CACHED_MAX + 1) * MIA_SLICE_SIZE);
  for (int i = 1; i >= 0; i--)
    ck_assert_ptr_eq(mia_theap_cache_take(alice, CLASS_384 + 1), other[i]);
  ck_assert_ptr_null(mia_theap_cache_take(alice, CLASS_384 + 1));
  for (int i = CACHED_MAX; i >= 2; i--)
    ck_assert_ptr_eq(mia_theap_cache_take(alice, CLASS_384), page[i]);
  ck_assert_ptr_null(mia_theap_cache_take(alice, CLASS_384));
}
END_TEST

/* Aged pages are retired when a new one is cached. */
START_TEST(aged_pages_of_a_class_are_retired_first) {
  mia_theap *self = mia_theap_attach();
  mia_page *page[4];
  for (int i = 0; i < 4; i++) page[i] = make(CLASS_384);
  for (int i = 0; i < 3; i++) mia_theap_cache_put(self, page[i]);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_theap_cache_take(self, CLASS_384), page[2]);
  ck_assert_uint_eq(used_bytes(), 4 * MIA_SLICE_SIZE);
  mia_theap_cache_put(self, page[3]);
  ck_assert_uint_eq(used_bytes(), 2 * MIA_SLICE_SIZE);
  mia_theap_cache_put(self, page[2]);
  ck_assert_ptr_eq(mia_theap_cache_take(self, CLASS_384), page[2]);
  ck_assert_ptr_eq(mia_theap_cache_take(self, CLASS_384), page[3]);
  ck_assert_ptr_null(mia_theap_cache_take(self, CLASS_384));
}
END_TEST

START_TEST(pages_of_a_class_that_others_took_make_room) {
  mia_theap *self = mia_theap_attach();
  for (unsigned i = 0; i < 10; i++) {
    for (int k = 0; k < CACHED_MAX; k++) mia_theap_cache_put(self, make(CLASS_384 + i));
    ck_assert_uint_eq(used_bytes(), CACHED_MAX * MIA_SLICE_SIZE);
    mia_theap_flush_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
    mia_theap_settle_cache(self);
    ck_assert_uint_eq(used_bytes(), 0);
  }
}
END_TEST

/* The large page freed last is for its thread alone until it moves to the page cache. */
START_TEST(the_large_page_freed_last_moves_to_its_slot) {
  mia_theap *self = mia_theap_attach();
  mia_page *page = make_live(1), *wide = make_live(MIA_CACHE_LAST_FREED_SLICES + 1),
           *other = make_live(2);
  ck_assert(!mia_cache_free_last(self, wide) && !mia_cache_free_last(&mia_theap_all.none, page));
  ck_assert(mia_cache_free_last(self, page) && self->cache.last_freed == page &&
            !mia_cache_free_last(self, other));
  ck_assert_ptr_null(mia_page_of(page->start)); /* a late free of a block is detected */
  ck_assert_ptr_null(mia_cache_take_last_freed(self, page->size + 1));
  ck_assert_ptr_null(mia_cache_take_last_freed(self, page->size - MIA_OS_PAGE_MIN));
  ck_assert(mia_cache_take_last_freed(self, page->size - 1) == page &&
            self->cache.last_freed == NULL);
  ck_assert(mia_page_of(page->start) == page && page->used == 1);
  ck_assert(mia_cache_free_last(self, page));
  mia_theap_flush_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL); /* does not see it */
  ck_assert(self->cache.last_freed == page);
  mia_theap_settle_cache(self);
  ck_assert(self->cache.last_freed == NULL && reused_large(self, 1) == page);
  mia_page_reuse_singleton(page, page->size);
  ck_assert(mia_cache_free_last(self, page) && reused_large(self, 2) == NULL);
  ck_assert(reused_large(self, 1) == page && self->cache.last_freed == NULL);
  mia_page_reuse_singleton(page, page->size);
  ck_assert(mia_cache_free_last(self, page));
  mia_theap_flush_cache(self);
  ck_assert_uint_eq(used_bytes(), (2 + MIA_CACHE_LAST_FREED_SLICES + 1) * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(large_pages_are_cached_by_their_slices) {
  ck_assert_ptr_null(reused_large(alice, MIA_CACHE_LARGE_SLICES + 1));
  for (size_t slices = 1; slices <= MIA_CACHE_LARGE_SLICES; slices++) {
    mia_page *page = make_emptied(slices);
    mia_theap_cache_put(alice, page);
    ck_assert_ptr_eq(reused_large(alice, slices), page);
    ck_assert_ptr_null(reused_large(alice, slices));
    size_t size = slices * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING - 5000;
    mia_page_reuse_singleton(page, size);
    ck_assert(page->size >= size && page->used == 1 && page->slices == slices);
    ck_assert(mia_page_of(page->start) == page && mia_owner_claim(page));
  }
}
END_TEST

/* With many sizes, the newest page stays, and small ones beside it. */
START_TEST(large_pages_have_a_common_limit) {
  const size_t most = MIA_CACHE_LARGE_SLICES;
  mia_page *page[MIA_CACHE_LARGE_SLICES + 1];
  for (size_t slices = 1; slices <= most; slices++) page[slices] = make_emptied(slices);
  for (size_t slices = 1; slices <= most; slices++) {
    cache(alice, page[slices]);
    size_t left = most * (most + 1) / 2 - slices * (slices + 1) / 2;
    size_t kept = used_bytes() / MIA_SLICE_SIZE - left;
    need_at(kept >= slices && kept <= most, slices);
  }
  ck_assert_ptr_eq(reused_large(alice, most), page[most]);
  for (size_t slices = 1; slices < most; slices++) ck_assert_ptr_null(reused_large(alice, slices));
  mia_theap_retire_page(alice, page[most]);
  cache(alice, make_emptied(2));
  cache(alice, make_emptied(most - 5));
  cache(alice, make_emptied(3));
  ck_assert_uint_eq(used_bytes(), most * MIA_SLICE_SIZE);
  cache(alice, make_emptied(1)); /* one slice too many: the largest page is retired */
  ck_assert_uint_eq(used_bytes(), 6 * MIA_SLICE_SIZE);
}
END_TEST

/* Pages of one size fill the cache.  Then the oldest page of the size with most slices goes. */
START_TEST(several_large_pages_are_cached) {
  const size_t most = MIA_CACHE_LARGE_SLICES;
  mia_page *page[MIA_CACHE_LARGE_SLICES + 1];
  for (size_t i = 0; i <= most; i++) page[i] = make_emptied(1);
  for (size_t i = 0; i < most; i++) cache(alice, page[i]);
  ck_assert_uint_eq(used_bytes(), (most + 1) * MIA_SLICE_SIZE);
  cache(alice, page[most]);
  ck_assert_uint_eq(used_bytes(), most * MIA_SLICE_SIZE);
  cache(alice, make_emptied(3));
  ck_assert_uint_eq(used_bytes(), most * MIA_SLICE_SIZE);
  for (size_t i = most; i > 3; i--) ck_assert_ptr_eq(reused_large(alice, 1), page[i]);
  ck_assert_ptr_null(reused_large(alice, 1));
  ck_assert_ptr_nonnull(reused_large(alice, 3));
  ck_assert_uint_eq(alice->cache.large_charge, 0);
}
END_TEST

/* The best page was written as far as is needed or little farther; else it is the page that
 * was written farthest. */
START_TEST(the_best_large_page_is_taken) {
  enum { PAGES = 4 };
  const uint32_t unit = MIA_OS_PAGE_MIN,
                 touched[PAGES] = {12 * unit, 9 * unit, 15 * unit, 10 * unit};
  mia_page *page[PAGES];
  for (int i = 0; i < PAGES; i++) page[i] = make_emptied(1);
  for (int i = 0; i < PAGES; i++) {
    cache(alice, page[i]);
    page[i]->touched = touched[i];
  }
  ck_assert_ptr_eq(mia_theap_cache_take_large(alice, 12 * unit), page[0]);
  ck_assert_ptr_eq(mia_theap_cache_take_large(alice, 9 * unit + 1), page[3]);
  ck_assert_ptr_eq(mia_theap_cache_take_large(alice, 16 * unit), page[2]);
  ck_assert_ptr_eq(mia_theap_cache_take_large(alice, 16 * unit), page[1]);
  ck_assert_ptr_null(mia_theap_cache_take_large(alice, 1));
}
END_TEST

/* Pages that other threads took do not count. */
START_TEST(large_pages_that_others_took_make_room) {
  mia_theap *self = mia_theap_attach();
  for (int i = 0; i < 10; i++) {
    cache(self, make_emptied(MIA_CACHE_LARGE_SLICES - 1));
    cache(self, make_emptied(1));
    ck_assert_uint_eq(used_bytes(), MIA_CACHE_LARGE_SLICES * MIA_SLICE_SIZE);
    mia_theap_flush_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
    ck_assert_uint_eq(used_bytes(), 0);
  }
}
END_TEST

START_TEST(a_page_without_a_slot_is_retired) {
  mia_theap_cache_put(alice, make(CLASS_32K));
  mia_theap_cache_put(alice, make_emptied(MIA_CACHE_LARGE_SLICES + 1));
  mia_theap_cache_put(&mia_theap_all.none, make(CLASS_384));
  mia_theap_cache_put(&mia_theap_all.none, make_emptied(1));
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(flushing_retires_all_cached_pages) {
  mia_theap_cache_put(alice, make(CLASS_384));
  mia_theap_cache_put(alice, make(0));
  mia_theap_cache_put(alice, make_emptied(MIA_CACHE_LARGE_SLICES));
  ck_assert(used_bytes() > 0);
  mia_theap_flush_cache(alice);
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

/* A page is retired at the second visit, unless it was used since the first. */
START_TEST(cached_pages_age) {
  mia_theap *self = mia_theap_attach();
  mia_page *cold = make(CLASS_384), *warm = make(CLASS_384 + 1);
  mia_theap_cache_put(self, cold);
  mia_theap_cache_put(self, warm);
  mia_theap_cache_put(self, make_emptied(3));
  mia_theap_age_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used_bytes(), 5 * MIA_SLICE_SIZE);
  ck_assert_ptr_eq(mia_theap_cache_take(self, CLASS_384 + 1), warm); /* without the bit */
  mia_theap_cache_put(self, warm);
  mia_theap_age_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used_bytes(), MIA_SLICE_SIZE);
  mia_theap_age_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(aged_pages_can_be_used) {
  mia_theap *self = mia_theap_attach();
  mia_page *page = make(CLASS_384);
  mia_theap_cache_put(self, page);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_theap_cache_take(self, CLASS_384), page);
  mia_theap_cache_put(self, page);
  mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(caching_a_page_in_use_is_fatal) {
  bool zeroed;
  mia_page *page = make(CLASS_384);
  (void)mia_page_pop_blocks(page, &zeroed);
  mia_theap_cache_put(alice, page);
}
END_TEST

/* Each thread caches pages and uses them again.  Now and then it takes those of all threads. */
static void *cache_and_take(void *arg) {
  mia_theap *self = mia_theap_attach();
  uint64_t random = suite_random(10 + (unsigned)(uintptr_t)arg);
  mia_page *have = NULL;
  for (int i = 0; i < TURNS; i++) {
    if (have == NULL) {
      have = mia_theap_cache_take(self, CLASS_384);
      if (have == NULL) have = mia_theap_make_page(self, CLASS_384);
      note(have != NULL && have->used == 0 && mia_page_of(have->start) == have);
    } else {
      mia_theap_cache_put(self, have);
      have = NULL;
    }
    size_t dice = random_below(&random, 100);
    if (dice == 0) mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (dice == 1) mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  }
  if (have != NULL) mia_theap_retire_page(self, have);
  return NULL;
}

START_TEST(a_cached_page_is_taken_by_one_thread) {
  run_threads(THREADS, cache_and_take);
  mia_theap_flush_all_caches(alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(pages(CLASS_384), 0);
}
END_TEST

SUITE("theap/page_cache") {
  CASE(theaps_begin, world_end);
  TEST(a_page_is_cached_for_its_class);
  TEST(several_pages_of_a_class_are_cached);
  TEST(aged_pages_of_a_class_are_retired_first);
  TEST(pages_of_a_class_that_others_took_make_room);
  TEST(the_large_page_freed_last_moves_to_its_slot);
  TEST(large_pages_are_cached_by_their_slices);
  TEST(large_pages_have_a_common_limit);
  TEST(several_large_pages_are_cached);
  TEST(the_best_large_page_is_taken);
  TEST(large_pages_that_others_took_make_room);
  TEST(a_page_without_a_slot_is_retired);
  TEST(flushing_retires_all_cached_pages);
  TEST(cached_pages_age);
  TEST(aged_pages_can_be_used);
  TEST(a_cached_page_is_taken_by_one_thread);
  DIES_IN_DEBUG(caching_a_page_in_use_is_fatal, SIGABRT);
}
