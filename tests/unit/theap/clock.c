/* The clock of a theap: free lists that are held lead the thread to its slow paths. */
#include "unit/theap/theaps.h"

#include "theap/clock.h"

enum { WATCH_MS = 30, HOLDS_TRIED = 100 };

/* Makes the clock IDLE, with a free list of a class. */
static void begin_idle(unsigned size_class) {
  ck_assert(mia_theap_refill(alice, size_class) && alice->free_list[size_class] != NULL);
  (void)mia_theap_end_tick(alice, 0, 0, true);
  ck_assert(!mia_clock_is_due(alice));
}

START_TEST(a_page_that_comes_or_goes_makes_the_clock_due) {
  begin_idle(CLASS_16);
  ck_assert(mia_theap_refill(alice, CLASS_384));
  ck_assert(mia_clock_is_due(alice) && alice->clock.requested);
  ck_assert(mia_theap_end_tick(alice, 100, WATCH_MS, true) && !mia_clock_is_due(alice));
  mia_theap_collect(alice);
  ck_assert(mia_clock_is_due(alice));
}
END_TEST

START_TEST(a_request_is_watched_for_a_while) {
  begin_idle(CLASS_16);
  mia_clock_request(alice);
  ck_assert(mia_theap_end_tick(alice, 100, WATCH_MS, true));
  ck_assert(mia_theap_end_tick(alice, 100 + WATCH_MS - 1, WATCH_MS, true));
  ck_assert(!mia_theap_end_tick(alice, 100 + WATCH_MS, WATCH_MS, true));
  mia_clock_request(alice);
  ck_assert(mia_theap_end_tick(alice, 200, WATCH_MS, true));
}
END_TEST

START_TEST(a_tick_that_has_not_finished_is_followed_by_another) {
  begin_idle(CLASS_16);
  (void)mia_theap_end_tick(alice, 100, WATCH_MS, false);
  ck_assert(mia_clock_is_due(alice));
}
END_TEST

START_TEST(a_list_that_is_held_is_given_out_by_the_slow_path) {
  begin_idle(CLASS_16);
  mia_block *first = alice->free_list[CLASS_16];
  mia_theap_hold_lists(alice, 1);
  mia_theap_hold_lists(alice, 2); /* changes nothing */
  ck_assert(alice->free_list[CLASS_16] == NULL && !mia_clock_is_due(alice));
  ck_assert_ptr_eq(mia_theap_free_list(alice, CLASS_16), first);
  mia_theap_check(alice, CLASS_16);
  ck_assert(mia_theap_refill(alice, CLASS_16) && alice->free_list[CLASS_16] == first);
  ck_assert(mia_clock_is_due(alice));
  mia_theap_hold_lists(alice, 3);
  ck_assert(mia_theap_give_out_list(alice, CLASS_16) && !mia_theap_give_out_list(alice, CLASS_16));
  mia_theap_hold_lists(alice, 4);
  mia_theap_collect(alice);
  ck_assert_uint_eq(pages(CLASS_16), 0);
}
END_TEST

START_TEST(a_list_is_held_a_few_times_in_a_millisecond) {
  begin_idle(CLASS_16);
  begin_idle(CLASS_384);
  mia_theap_hold_lists(alice, 1);
  int times = 1;
  for (; times < HOLDS_TRIED && mia_theap_give_out_list(alice, CLASS_16); times++)
    mia_theap_hold_lists(alice, 1);
  ck_assert(times == MIA_CLOCK_HOLDS + 1 && alice->free_list[CLASS_16] != NULL);
  ck_assert(mia_theap_give_out_list(alice, CLASS_384)); /* each class by itself */
  mia_theap_hold_lists(alice, 1);
  ck_assert(alice->free_list[CLASS_16] != NULL && alice->free_list[CLASS_384] == NULL);
  mia_theap_hold_lists(alice, 2);
  ck_assert(alice->free_list[CLASS_16] == NULL);
}
END_TEST

START_TEST(the_request_of_another_heaps_theap_is_passed_on) {
  static mia_theap other;
  memset(&other, 0, sizeof other);
  begin_idle(CLASS_16);
  mia_clock_pass_on(&other, alice);
  ck_assert(!mia_clock_is_due(alice));
  mia_clock_request(&other);
  mia_clock_pass_on(&other, alice);
  ck_assert(mia_clock_is_due(alice) && !other.clock.requested);
  mia_clock_request_if_any(&mia_theap_all.none); /* which is never written */
  ck_assert(!mia_theap_all.none.clock.requested);
}
END_TEST

SUITE("theap/clock") {
  CASE(theaps_begin, world_end);
  TEST(a_page_that_comes_or_goes_makes_the_clock_due);
  TEST(a_request_is_watched_for_a_while);
  TEST(a_tick_that_has_not_finished_is_followed_by_another);
  TEST(a_list_that_is_held_is_given_out_by_the_slow_path);
  TEST(a_list_is_held_a_few_times_in_a_millisecond);
  TEST(the_request_of_another_heaps_theap_is_passed_on);
}
