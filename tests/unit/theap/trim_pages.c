/* SPDX-License-Identifier: MIT */
/* Which pages are trimmed, and when. */
#include "unit/theap/theaps.h"

#include "page/trim.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/trim_pages.h"

enum { VISITS = 256, OFTEN = 64 };

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
  mia_theap_begin_visit(which);
  mia_theap_trim_abandoned(alice, which, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(!mia_theap_is_visiting(which));
}

static void trim_all(void) { mia_theap_trim_heap(alice, mia_theap_main_heap()); }

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
  for (size_t i = 1; i <= VISITS; i++) {
    bool due = i <= OFTEN ? i > 1 && (i & (i - 1)) == 0 : i % OFTEN == 0;
    mia_theap_begin_visit(MIA_TRIM_DUE);
    mia_page *taken = mia_theap_visit_abandoned(MIA_TRIM_DUE, &(mia_budget)MIA_BUDGET_ALL);
    need_at((taken == page) == due && !mia_theap_is_visiting(MIA_TRIM_DUE), i);
    if (taken != NULL) mia_theap_dispose_page(alice, page, false);
  }
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
  trim_all();
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0 && mia_aword_get(&page->listed) != 0);
  fake_count_anew();
  trim_all();
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

/* Lists PAGES pages with one live block each, which the next visit trims. */
enum { PAGES = 4, NEARLY_DUE = 63 };
static mia_page *old_pages[PAGES];
static void abandon_old_pages(void) {
  for (int i = 0; i < PAGES; i++) old_pages[i] = full_page(alice);
  mia_theap_abandon(alice);
  for (int i = PAGES; i-- > 0;) { /* trimming lists them in the reverse order */
    for (uint32_t k = 1; k < old_pages[i]->total; k++)
      release(alice, old_pages[i]->start + k * old_pages[i]->size);
    mia_theap_flush_batches(alice);
  }
  trim_all();
  for (int i = 0; i < PAGES; i++) old_pages[i]->age = NEARLY_DUE;
  mia_theap_begin_visit(MIA_TRIM_DUE);
}

/* Goes on with a visit as far as one page. */
static mia_page *next_visited(void) {
  return mia_theap_visit_abandoned(MIA_TRIM_DUE, &(mia_budget){.left = 1});
}

/* Its pages are listed again while it goes on. */
START_TEST(a_visit_in_several_steps_meets_each_page_once) {
  abandon_old_pages();
  int met = 0;
  while (mia_theap_is_visiting(MIA_TRIM_DUE)) {
    mia_page *page = next_visited();
    if (page == NULL) continue;
    ck_assert(met < PAGES && page == old_pages[met++] && page->next == NULL);
    page->age = NEARLY_DUE; /* it would be due again */
    mia_theap_dispose_page(alice, page, false);
  }
  ck_assert_int_eq(met, PAGES);
}
END_TEST

START_TEST(a_visit_goes_on_where_pages_have_left_the_list) {
  abandon_old_pages();
  ck_assert(next_visited() == old_pages[0]);
  mia_theap_dispose_page(alice, old_pages[0], false);
  for (int i = 1; i < PAGES; i += 2) { /* the next page and the last */
    (void)mia_owner_claim(old_pages[i]);
    mia_theap_unlist_abandoned(old_pages[i]);
    old_pages[i]->prev = old_pages[i]->next = NULL;
  }
  mia_page *page = mia_theap_visit_abandoned(MIA_TRIM_DUE, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page == old_pages[2] && page->next == NULL && !mia_theap_is_visiting(MIA_TRIM_DUE));
}
END_TEST

START_TEST(the_visits_are_independent) {
  abandon_old_pages();
  ck_assert(next_visited() == old_pages[0]);
  mia_theap_dispose_page(alice, old_pages[0], false);
  visit(MIA_TRIM_UNTRIMMED);
  ck_assert(mia_theap_is_visiting(MIA_TRIM_DUE));
  mia_page *page = mia_theap_visit_abandoned(MIA_TRIM_DUE, &(mia_budget)MIA_BUDGET_ALL);
  int met = 1;
  for (; page != NULL; page = page->next) met++;
  ck_assert_int_eq(met, PAGES);
}
END_TEST

START_TEST(a_visit_that_is_under_way_does_not_begin_again) {
  abandon_old_pages();
  ck_assert(next_visited() == old_pages[0]);
  mia_theap_dispose_page(alice, old_pages[0], false);
  mia_theap_begin_visit(MIA_TRIM_DUE);
  ck_assert(next_visited() == old_pages[1]);
}
END_TEST

/* Their memory was given back, so the pages of others are allocated from first. */
START_TEST(trimmed_pages_are_listed_last) {
  abandon_old_pages();
  mia_page **first = &mia_theap_all.main.abandoned[CLASS_2K];
  mia_page **last = &mia_theap_all.main.abandoned_last[CLASS_2K];
  ck_assert(*first == old_pages[PAGES - 1] && *last == old_pages[0]);
  mia_theap_trim_abandoned(alice, MIA_TRIM_DUE, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(*first == old_pages[0] && *last == old_pages[PAGES - 1]);
}
END_TEST

/* Otherwise one page with live blocks would keep the thread running ticks for ever. */
START_TEST(a_trimmed_page_that_is_listed_again_requests_no_tick) {
  mia_page *page = abandoned_page();
  alice->clock.requested = false;
  visit(MIA_TRIM_DUE);
  visit(MIA_TRIM_DUE);
  ck_assert(page->trimmed_pages != 0 && mia_aword_get(&page->listed) != 0);
  ck_assert(!alice->clock.requested);
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

START_TEST(own_pages_whose_blocks_others_freed_are_trimmed) {
  mia_page *page = full_page(alice);
  (void)alloc(alice, CLASS_2K);
  for (uint32_t i = 2; i < page->total; i++) release(alice, blocks[i]);
  mia_theap_flush_batches(alice);
  ck_assert(mia_theap_owns(alice, page));
  mia_page_collect(page);
  mia_block *list = page->free; /* bob frees what alice allocated again */
  uint32_t count = page->used;
  page->free = NULL;
  page->used = page->total;
  for (mia_block *next; list != NULL; list = next) {
    next = list->next;
    release(bob, list);
  }
  mia_theap_flush_batches(bob);
  ck_assert(page->used == page->total && mia_owner_has_remote(page));
  mia_theap_trim_own(alice, true, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(page->used == count && page->trimmed_pages != 0);
  size_t before = pages(CLASS_2K);
  for (uint32_t i = 0; i < count; i++) release(bob, blocks[i]);
  mia_theap_flush_batches(bob);
  mia_theap_trim_own(alice, true, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(pages(CLASS_2K) == before - 1 && alice->bins[CLASS_2K].pages == NULL);
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

START_TEST(trimming_goes_on_where_pages_were_empty) {
  for (int i = 0; i < PAGES; i++) old_pages[i] = full_page(alice);
  (void)alloc(alice, CLASS_2K);
  for (int i = 0; i < PAGES; i++)
    for (uint32_t k = 1; k < old_pages[i]->total; k++)
      release(alice, old_pages[i]->start + k * old_pages[i]->size);
  mia_theap_flush_batches(alice);
  for (int i = 0; i < PAGES; i++) release(bob, old_pages[i]->start);
  mia_theap_flush_batches(bob);
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL); /* the class was used */
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL);
  size_t before = pages(CLASS_2K);
  for (size_t calls = 1; calls <= PAGES; calls++) {
    mia_theap_trim_own(alice, false, &(mia_budget){.left = 1});
    ck_assert_uint_eq(pages(CLASS_2K), before - calls);
    ck_assert(calls == PAGES || mia_theap_is_trimming(alice));
  }
  mia_theap_trim_own(alice, false, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert(!mia_theap_is_trimming(alice));
}
END_TEST

START_TEST(abandoned_pages_are_charged_by_their_blocks) {
  const size_t all = (size_t)16 << 20;
  mia_page *page = abandoned_page();
  mia_budget budget = {.left = all};
  mia_theap_begin_visit(MIA_TRIM_UNTRIMMED);
  ck_assert(mia_theap_visit_abandoned(MIA_TRIM_UNTRIMMED, &budget) == page);
  ck_assert_uint_eq(all - budget.left, MIA_BUDGET_PAGE + (page->capacity - 1u) * MIA_BUDGET_BLOCK);
}
END_TEST

START_TEST(pages_of_other_heaps_do_not_count_as_untrimmed) {
  mia_heap *heap = mia_theap_heap_new(NULL);
  alice->heap = mia_theap_heap_field(heap);
  mia_page *page = abandoned_page();
  ck_assert_uint_eq(untrimmed(), 0);
  mia_theap_trim_heap(alice, heap);
  ck_assert(page->trimmed_pages != 0 && untrimmed() == 0);
}
END_TEST

SUITE("theap/trim_pages") {
  CASE(theaps_begin, world_end);
  TEST(an_abandoned_page_is_trimmed_at_the_second_visit);
  TEST(a_page_is_due_again_after_twice_as_many_visits);
  TEST(allocating_from_a_page_resets_its_age);
  TEST(all_pages_can_be_trimmed_at_once);
  TEST(a_visit_in_several_steps_meets_each_page_once);
  TEST(a_visit_goes_on_where_pages_have_left_the_list);
  TEST(the_visits_are_independent);
  TEST(a_visit_that_is_under_way_does_not_begin_again);
  TEST(trimmed_pages_are_listed_last);
  TEST(a_trimmed_page_that_is_listed_again_requests_no_tick);
  TEST(an_untrimmed_page_is_trimmed_if_half_is_free);
  TEST(an_untrimmed_page_that_is_fuller_is_not_trimmed);
  TEST(an_empty_page_is_not_trimmed_but_cached);
  TEST(own_pages_of_an_unused_class_are_trimmed);
  TEST(own_pages_whose_blocks_others_freed_are_trimmed);
  TEST(all_own_pages_can_be_trimmed_at_once);
  TEST(trimming_of_own_pages_stops_where_the_budget_ends);
  TEST(trimming_goes_on_where_pages_were_empty);
  TEST(abandoned_pages_are_charged_by_their_blocks);
  TEST(pages_of_other_heaps_do_not_count_as_untrimmed);
}
