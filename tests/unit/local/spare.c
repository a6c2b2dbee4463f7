/* Empty pages that threads keep, use again, and lose to others and to age. */
#include "fake/world.h"

#include "local/bin.h"
#include "local/hot.h"
#include "local/spare.h"
#include "local/stock.h"
#include "local/thread.h"
#include "page/guard.h"
#include "page/owner.h"

#include <pthread.h>

enum { SMALL = 20, WIDE = 72, THREADS = 3, TURNS = 20000, MOST = MIA_LOCAL_MORE_SPARES + 1 };

static mia_local alice;
static void begin(void) {
  world_of_locals();
  memset(&alice, 0, sizeof alice);
}

static size_t used(void) { return mia_aword_get(&mia_arena_all.used); }

static mia_page *made(unsigned size_class) {
  mia_page *page = mia_local_make(&alice, size_class);
  ck_assert_ptr_nonnull(page);
  return page;
}

/* A large page of a block in use. */
static mia_page *live(size_t slices) {
  bool zero;
  mia_page *page = mia_local_make_single(
      &alice,
      &(mia_single){
          .size = slices * MIA_SLICE_SIZE - MIA_GUARD_LEAD, .align = 1, .edge = MIA_DEBUG},
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

static mia_page *reused_large(mia_local *local, size_t slices) {
  return mia_local_reuse_large(local, slices * MIA_SLICE_SIZE);
}

START_TEST(a_page_is_kept_for_its_class_and_used_again) {
  mia_page *page = made(SMALL);
  const char *start = page->start;
  mia_local_keep(&alice, page);
  ck_assert_ptr_null(mia_page_of(start)); /* a late free of a block is noticed */
  ck_assert_ptr_null(mia_local_reuse(&alice, SMALL + 1));
  ck_assert_ptr_eq(mia_local_reuse(&alice, SMALL), page);
  ck_assert(mia_page_of(start) == page && !mia_owner_claim(page) && page->used == 0);
  ck_assert_ptr_null(mia_local_reuse(&alice, SMALL));
}
END_TEST

/* The newest first, and where there are too many it is the one before it that goes. */
START_TEST(several_pages_of_a_class_are_kept) {
  mia_page *page[MOST + 1];
  for (int i = 0; i <= MOST; i++) page[i] = made(SMALL);
  mia_page *other[2] = {made(SMALL + 1), made(SMALL + 1)};
  for (int i = 0; i < MOST; i++) mia_local_keep(&alice, page[i]);
  ck_assert_uint_eq(used(), (MOST + 3) * MIA_SLICE_SIZE);
  mia_local_keep(&alice, page[MOST]);
  ck_assert_uint_eq(used(), (MOST + 2) * MIA_SLICE_SIZE);
  mia_local_keep(&alice, other[0]); /* the first of a class always is */
  mia_local_keep(&alice, other[1]);
  ck_assert_uint_eq(used(), (MOST + 1) * MIA_SLICE_SIZE);
  ck_assert_ptr_eq(mia_local_reuse(&alice, SMALL + 1), other[1]);
  ck_assert_ptr_null(mia_local_reuse(&alice, SMALL + 1));
  ck_assert_ptr_eq(mia_local_reuse(&alice, SMALL), page[MOST]);
  for (int i = MOST - 2; i >= 0; i--) ck_assert_ptr_eq(mia_local_reuse(&alice, SMALL), page[i]);
  ck_assert_ptr_null(mia_local_reuse(&alice, SMALL));
}
END_TEST

/* Those that were not used again since the last visit go when another comes. */
START_TEST(old_pages_of_a_class_go_first) {
  mia_local *self = mia_local_attach();
  mia_page *page[4];
  for (int i = 0; i < 4; i++) page[i] = made(SMALL);
  for (int i = 0; i < 3; i++) mia_local_keep(self, page[i]);
  mia_local_age_spares(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_local_reuse(self, SMALL), page[2]);
  ck_assert_uint_eq(used(), 4 * MIA_SLICE_SIZE);
  mia_local_keep(self, page[3]);
  ck_assert_uint_eq(used(), 2 * MIA_SLICE_SIZE);
  mia_local_keep(self, page[2]);
  ck_assert_ptr_eq(mia_local_reuse(self, SMALL), page[2]);
  ck_assert_ptr_eq(mia_local_reuse(self, SMALL), page[3]);
  ck_assert_ptr_null(mia_local_reuse(self, SMALL));
}
END_TEST

START_TEST(pages_of_a_class_that_went_make_room) {
  mia_local *self = mia_local_attach();
  for (unsigned i = 0; i < 10; i++) {
    for (int k = 0; k < MOST; k++) mia_local_keep(self, made(SMALL + i));
    ck_assert_uint_eq(used(), MOST * MIA_SLICE_SIZE);
    mia_local_drop_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
    mia_local_recount_spares(self);
    ck_assert_uint_eq(used(), 0);
  }
}
END_TEST

/* The large page freed last is the owner's, until it is a spare again. */
START_TEST(a_hot_page_becomes_a_spare) {
  mia_local *self = mia_local_attach();
  mia_page *page = live(1), *wide = live(MIA_HOT_SLICES + 1), *other = live(2);
  ck_assert(!mia_hot_free(self, wide) && !mia_hot_free(&mia_local_all.none, page));
  ck_assert(mia_hot_free(self, page) && self->hot == page && !mia_hot_free(self, other));
  ck_assert_ptr_null(mia_page_of(page->start)); /* a late free of a block is noticed */
  ck_assert_ptr_null(mia_hot_take(self, page->size + 1));
  ck_assert_ptr_null(mia_hot_take(self, page->size - MIA_OS_PAGE_MIN));
  ck_assert(mia_hot_take(self, page->size - 1) == page && self->hot == NULL);
  ck_assert(mia_page_of(page->start) == page && page->used == 1);
  ck_assert(mia_hot_free(self, page));
  mia_local_drop_spares(&alice, &(mia_budget)MIA_BUDGET_ALL); /* by another: it is no spare */
  ck_assert(self->hot == page);
  mia_local_cool(self);
  ck_assert(self->hot == NULL && reused_large(self, 1) == page);
  mia_page_renew_single(page, page->size);
  ck_assert(mia_hot_free(self, page) && reused_large(self, 2) == NULL);
  ck_assert(reused_large(self, 1) == page && self->hot == NULL);
  mia_page_renew_single(page, page->size);
  ck_assert(mia_hot_free(self, page));
  mia_local_drop_own_spares(self);
  ck_assert_uint_eq(used(), (2 + MIA_HOT_SLICES + 1) * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(large_pages_are_kept_by_their_slices) {
  ck_assert_ptr_null(reused_large(&alice, MIA_LOCAL_LARGE_SPARES + 1));
  for (size_t slices = 1; slices <= MIA_LOCAL_LARGE_SPARES; slices++) {
    mia_page *page = emptied(slices);
    mia_local_keep(&alice, page);
    ck_assert_ptr_eq(reused_large(&alice, slices), page);
    ck_assert_ptr_null(reused_large(&alice, slices));
    size_t size = slices * MIA_SLICE_SIZE - MIA_GUARD_LEAD - 5000;
    mia_page_renew_single(page, size);
    ck_assert(page->size >= size && page->used == 1 && page->slices == slices);
    ck_assert(mia_page_of(page->start) == page && mia_owner_claim(page));
  }
}
END_TEST

/* However many sizes a program has: the newest, and small ones beside it. */
START_TEST(large_pages_are_not_many_in_all) {
  const size_t most = MIA_LOCAL_LARGE_SPARES;
  mia_page *page[MIA_LOCAL_LARGE_SPARES + 1];
  for (size_t slices = 1; slices <= most; slices++) page[slices] = emptied(slices);
  for (size_t slices = 1; slices <= most; slices++) {
    mia_local_keep(&alice, page[slices]);
    size_t left = most * (most + 1) / 2 - slices * (slices + 1) / 2;
    size_t kept = used() / MIA_SLICE_SIZE - left;
    need_at(kept >= slices && kept <= most, slices);
  }
  ck_assert_ptr_eq(reused_large(&alice, most), page[most]);
  for (size_t slices = 1; slices < most; slices++) ck_assert_ptr_null(reused_large(&alice, slices));
  mia_local_retire(&alice, page[most]);
  mia_local_keep(&alice, emptied(2));
  mia_local_keep(&alice, emptied(most - 5));
  mia_local_keep(&alice, emptied(3));
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  mia_local_keep(&alice, emptied(1)); /* one too many: the largest goes */
  ck_assert_uint_eq(used(), 6 * MIA_SLICE_SIZE);
}
END_TEST

/* As many as there is room for, and what there is most of goes first: the oldest. */
START_TEST(several_large_pages_are_kept) {
  const size_t most = MIA_LOCAL_LARGE_SPARES;
  mia_page *page[MIA_LOCAL_LARGE_SPARES + 1];
  for (size_t i = 0; i <= most; i++) page[i] = emptied(1);
  for (size_t i = 0; i < most; i++) mia_local_keep(&alice, page[i]);
  ck_assert_uint_eq(used(), (most + 1) * MIA_SLICE_SIZE);
  mia_local_keep(&alice, page[most]);
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  mia_local_keep(&alice, emptied(3));
  ck_assert_uint_eq(used(), most * MIA_SLICE_SIZE);
  for (size_t i = most; i > 3; i--) ck_assert_ptr_eq(reused_large(&alice, 1), page[i]);
  ck_assert_ptr_null(reused_large(&alice, 1));
  ck_assert_ptr_nonnull(reused_large(&alice, 3));
  ck_assert_uint_eq(alice.large_spares, 0);
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
    mia_local_keep(&alice, page[i]);
    page[i]->touched = touched[i];
  }
  ck_assert_ptr_eq(mia_local_reuse_large(&alice, 12 * unit), page[0]);
  ck_assert_ptr_eq(mia_local_reuse_large(&alice, 9 * unit + 1), page[3]);
  ck_assert_ptr_eq(mia_local_reuse_large(&alice, 16 * unit), page[2]);
  ck_assert_ptr_eq(mia_local_reuse_large(&alice, 16 * unit), page[1]);
  ck_assert_ptr_null(mia_local_reuse_large(&alice, 1));
}
END_TEST

/* What others took is not held against it. */
START_TEST(large_pages_that_went_make_room) {
  mia_local *self = mia_local_attach();
  for (int i = 0; i < 10; i++) {
    mia_local_keep(self, emptied(MIA_LOCAL_LARGE_SPARES - 1));
    mia_local_keep(self, emptied(1));
    ck_assert_uint_eq(used(), MIA_LOCAL_LARGE_SPARES * MIA_SLICE_SIZE);
    mia_local_drop_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
    ck_assert_uint_eq(used(), 0);
  }
}
END_TEST

START_TEST(what_has_no_slot_is_retired) {
  mia_local_keep(&alice, made(WIDE));
  mia_local_keep(&alice, emptied(MIA_LOCAL_LARGE_SPARES + 1));
  mia_local_keep(&mia_local_all.none, made(SMALL));
  mia_local_keep(&mia_local_all.none, emptied(1));
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(all_spares_of_one_are_dropped) {
  mia_local_keep(&alice, made(SMALL));
  mia_local_keep(&alice, made(0));
  mia_local_keep(&alice, emptied(MIA_LOCAL_LARGE_SPARES));
  ck_assert(used() > 0);
  mia_local_drop_own_spares(&alice);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

/* Two visits and nothing between them: gone.  Used between them: kept. */
START_TEST(spares_age) {
  mia_local *self = mia_local_attach();
  mia_page *cold = made(SMALL), *hot = made(SMALL + 1);
  mia_local_keep(self, cold);
  mia_local_keep(self, hot);
  mia_local_keep(self, emptied(3));
  mia_local_age_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 5 * MIA_SLICE_SIZE);
  ck_assert_ptr_eq(mia_local_reuse(self, SMALL + 1), hot); /* its address, not its age */
  mia_local_keep(self, hot);
  mia_local_age_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), MIA_SLICE_SIZE);
  mia_local_age_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(old_spares_are_as_good) {
  mia_local *self = mia_local_attach();
  mia_page *page = made(SMALL);
  mia_local_keep(self, page);
  mia_local_age_spares(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_ptr_eq(mia_local_reuse(self, SMALL), page);
  mia_local_keep(self, page);
  mia_local_age_spares(self, &(mia_budget)MIA_BUDGET_ALL);
  mia_local_drop_spares(self, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(keeping_what_is_in_use_is_fatal) {
  bool fresh;
  mia_page *page = made(SMALL);
  (void)mia_page_lend(page, &fresh);
  mia_local_keep(&alice, page);
}
END_TEST

/* Each keeps and uses its own, and now and then takes everybody's. */
static void *keep_and_take(void *arg) {
  mia_local *self = mia_local_attach();
  uint64_t random = suite_random(10 + (unsigned)(uintptr_t)arg);
  mia_page *have = NULL;
  for (int i = 0; i < TURNS; i++) {
    if (have == NULL) {
      have = mia_local_reuse(self, SMALL);
      if (have == NULL) have = mia_local_make(self, SMALL);
      note(have != NULL && have->used == 0 && mia_page_of(have->start) == have);
    } else {
      mia_local_keep(self, have);
      have = NULL;
    }
    size_t dice = random_below(&random, 100);
    if (dice == 0) mia_local_drop_spares(self, &(mia_budget)MIA_BUDGET_ALL);
    if (dice == 1) mia_local_age_spares(self, &(mia_budget)MIA_BUDGET_ALL);
  }
  if (have != NULL) mia_local_retire(self, have);
  return NULL;
}

START_TEST(a_spare_is_had_by_one) {
  pthread_t thread[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, keep_and_take, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  mia_local_drop_spares(&alice, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(mia_aword_get(&mia_local_all.pages[SMALL].now), 0);
}
END_TEST

SUITE("local/spare") {
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
