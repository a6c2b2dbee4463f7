/* Which pages are trimmed, and when. */
#include "unit/theap/theaps.h"

#include "page/trim.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/trim_pages.h"

enum { VISITS = 64 };

/* Allocates all blocks of a page, which is then full. */
static mia_block *blocks[1024];
static mia_page *full_page(mia_theap *self) {
  blocks[0] = alloc(self, CLASS_2K);
  mia_page *page = page_of(blocks[0]);
  for (uint32_t i = 1; i < page->total; i++) {
    blocks[i] = alloc(self, CLASS_2K);
    ck_assert_ptr_eq(page_of(blocks[i]), page);
  }
  return page;
}

/* Returns an abandoned page with one live block. */
static mia_page *abandoned_page(void) {
  mia_page *page = full_page(alice);
  mia_theap_abandon(alice); /* so that no page is reclaimed */
  for (uint32_t i = 1; i < page->total; i++) release(alice, blocks[i]);
  mia_theap_flush_batches(alice);
  ck_assert(mia_aword_get(&page->listed) != 0);
  return page;
}

static void visit(mia_trim which) {
  (void)mia_theap_trim_abandoned(alice, mia_theap_main_heap(), which, &(mia_budget)MIA_BUDGET_ALL);
}

static size_t untrimmed(void) { return mia_aword_get(&mia_theap_all.untrimmed); }

START_TEST(an_abandoned_page_is_trimmed_at_the_second_visit) {
  mia_page *page = abandoned_page();
  ck_assert_uint_eq(untrimmed(), page->slices);
  visit(MIA_TRIM_DUE);
  ck_assert(page->trimmed_pages == 0 && untrimmed() == page->slices);
  visit(MIA_TRIM_DUE);
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0);
  ck_assert(mia_aword_get(&page->listed) != 0);
}
END_TEST

START_TEST(a_page_is_due_again_after_twice_as_many_visits) {
  mia_page *page = abandoned_page();
  size_t trims = 0;
  for (size_t i = 1; i <= VISITS; i++) {
    bool more;
    mia_page *taken = mia_theap_take_abandoned_for_trim(
        mia_theap_main_heap(), CLASS_2K, MIA_TRIM_DUE, &(mia_budget)MIA_BUDGET_ALL, &more);
    need_at((taken == page) == (i > 1 && (i & (i - 1)) == 0) && page->age == i, i);
    if (taken == NULL) continue;
    trims++;
    mia_theap_dispose_page(alice, page, false);
  }
  ck_assert_uint_eq(trims, 6);
}
END_TEST

START_TEST(allocating_from_a_page_resets_its_age) {
  mia_page *page = abandoned_page();
  visit(MIA_TRIM_DUE);
  visit(MIA_TRIM_DUE);
  ck_assert(page->age >= 2);
  mia_block *b = alloc(alice, CLASS_2K);
  ck_assert_ptr_eq(page_of(b), page);
  ck_assert_uint_eq(page->age, 0);
  ck_assert_uint_eq(untrimmed(), 0);
}
END_TEST

START_TEST(all_pages_can_be_trimmed_at_once) {
  mia_page *page = abandoned_page();
  visit(MIA_TRIM_ALL);
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0 && mia_aword_get(&page->listed) != 0);
  fake_count_anew();
  visit(MIA_TRIM_ALL);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

START_TEST(an_untrimmed_page_is_trimmed_if_half_is_free) {
  mia_page *page = abandoned_page();
  visit(MIA_TRIM_UNTRIMMED);
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0 && mia_aword_get(&page->listed) != 0);
}
END_TEST

START_TEST(an_untrimmed_page_that_is_fuller_is_not_trimmed) {
  mia_page *page = full_page(alice);
  mia_theap_abandon(alice);
  for (uint32_t i = 0; i < page->total / 4u; i++) release(alice, blocks[i]);
  mia_theap_flush_batches(alice);
  ck_assert_uint_eq(untrimmed(), page->slices);
  visit(MIA_TRIM_UNTRIMMED);
  ck_assert(page->trimmed_pages == 0 && untrimmed() == 0 && mia_aword_get(&page->listed) != 0);
}
END_TEST

START_TEST(an_empty_page_is_not_trimmed_but_cached) {
  mia_page *page = abandoned_page();
  ck_assert(mia_owner_push(page, blocks[0], blocks[0], 1));
  mia_theap_dispose_page(alice, page, false);
  ck_assert_ptr_null(mia_theap_all.main.abandoned[CLASS_2K]);
  ck_assert_uint_eq(untrimmed(), 0);
}
END_TEST

START_TEST(own_pages_of_an_unused_class_are_trimmed) {
  mia_page *page = full_page(alice);
  mia_page *in_use = page_of(alloc(alice, CLASS_2K)); /* the full page has no owner now */
  for (uint32_t i = 1; i < page->total; i++) release(alice, blocks[i]);
  mia_theap_flush_batches(alice);
  ck_assert(in_use != page && mia_theap_owns(alice, page));
  mia_page_collect(page);
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL); /* the class was used */
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page->trimmed_pages == 0);
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page->trimmed_pages != 0);
  while (page->trimmed_pages != 0) (void)alloc(alice, CLASS_2K);
  ck_assert(alice->bins[CLASS_2K].refilled && page->age == 0);
}
END_TEST

START_TEST(all_own_pages_can_be_trimmed_at_once) {
  mia_page *page = full_page(alice);
  (void)alloc(alice, CLASS_2K);
  for (uint32_t i = 1; i < page->total; i++) release(alice, blocks[i]);
  mia_theap_flush_batches(alice);
  mia_page_collect(page);
  mia_theap_trim_own(alice, true, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page->trimmed_pages != 0);
}
END_TEST

/* Otherwise a free would take a millisecond and more, to read thousands of blocks. */
START_TEST(trimming_of_own_pages_stops_where_the_budget_ends) {
  enum { PAGES = 4 };
  mia_page *pages_of_one[PAGES];
  for (int i = 0; i < PAGES; i++) pages_of_one[i] = full_page(alice);
  (void)alloc(alice, CLASS_2K);
  for (int i = 0; i < PAGES; i++) {
    mia_page *page = pages_of_one[i];
    for (uint32_t k = 1; k < page->total; k++) release(alice, page->start + k * page->size);
    mia_theap_flush_batches(alice);
    ck_assert(mia_theap_owns(alice, page));
    mia_page_collect(page);
  }
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL); /* the class was used */
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL);
  for (int calls = 1; calls <= PAGES; calls++) {
    mia_theap_trim_own(alice, false, &(mia_budget){.left = 1});
    int trimmed = 0;
    for (int i = 0; i < PAGES; i++) trimmed += pages_of_one[i]->trimmed_pages != 0;
    ck_assert_int_eq(trimmed, calls);
  }
}
END_TEST

START_TEST(abandoned_pages_are_charged_by_their_blocks) {
  const size_t all = (size_t)16 << 20;
  mia_page *page = abandoned_page();
  mia_budget budget = {.left = all};
  (void)mia_theap_trim_abandoned(alice, mia_theap_main_heap(), MIA_TRIM_ALL, &budget);
  ck_assert(page->trimmed_pages != 0);
  ck_assert_uint_ge(all - budget.left, page->capacity * MIA_BUDGET_BLOCK);
}
END_TEST

START_TEST(pages_of_other_heaps_do_not_count_as_untrimmed) {
  mia_heap *heap = mia_theap_heap_new(NULL);
  alice->heap = mia_theap_heap_field(heap);
  mia_page *page = abandoned_page();
  ck_assert_uint_eq(untrimmed(), 0);
  (void)mia_theap_trim_abandoned(alice, heap, MIA_TRIM_ALL, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0);
}
END_TEST

SUITE("theap/trim_pages") {
  CASE(theaps_begin, world_end);
  TEST(an_abandoned_page_is_trimmed_at_the_second_visit);
  TEST(a_page_is_due_again_after_twice_as_many_visits);
  TEST(allocating_from_a_page_resets_its_age);
  TEST(all_pages_can_be_trimmed_at_once);
  TEST(an_untrimmed_page_is_trimmed_if_half_is_free);
  TEST(an_untrimmed_page_that_is_fuller_is_not_trimmed);
  TEST(an_empty_page_is_not_trimmed_but_cached);
  TEST(own_pages_of_an_unused_class_are_trimmed);
  TEST(all_own_pages_can_be_trimmed_at_once);
  TEST(trimming_of_own_pages_stops_where_the_budget_ends);
  TEST(abandoned_pages_are_charged_by_their_blocks);
  TEST(pages_of_other_heaps_do_not_count_as_untrimmed);
  TIMEOUT(60);
}
