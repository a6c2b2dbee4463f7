/* The clock of a theap: free lists that are held lead the thread to its slow paths. */
#include "fake/world.h"

#include "theap/bin.h"
#include "theap/clock.h"

enum { SMALL = 1, OTHER = 20, MANY = 100, WATCH = 30 };

static mia_theap alice;
static void begin(void) {
  world_of_theaps();
  memset(&alice, 0, sizeof alice);
  alice.fast_owner = (uintptr_t)&alice;
}

/* Makes the clock IDLE, with a free list of a class. */
static void begin_idle(unsigned size_class) {
  ck_assert(mia_theap_refill(&alice, size_class) && alice.free_list[size_class] != NULL);
  (void)mia_theap_end_tick(&alice, 0, 0, true);
  ck_assert(!mia_clock_is_due(&alice));
}

START_TEST(a_page_that_comes_or_goes_makes_the_clock_due) {
  begin_idle(SMALL);
  ck_assert(mia_theap_refill(&alice, OTHER));
  ck_assert(mia_clock_is_due(&alice) && alice.clock.requested);
  ck_assert(mia_theap_end_tick(&alice, 100, WATCH, true) && !mia_clock_is_due(&alice));
  mia_theap_collect(&alice);
  ck_assert(mia_clock_is_due(&alice));
}
END_TEST

START_TEST(a_request_is_watched_for_a_while) {
  begin_idle(SMALL);
  mia_clock_request(&alice);
  ck_assert(mia_theap_end_tick(&alice, 100, WATCH, true));
  ck_assert(mia_theap_end_tick(&alice, 100 + WATCH - 1, WATCH, true));
  ck_assert(!mia_theap_end_tick(&alice, 100 + WATCH, WATCH, true));
  mia_clock_request(&alice);
  ck_assert(mia_theap_end_tick(&alice, 200, WATCH, true));
}
END_TEST

START_TEST(a_tick_that_has_not_finished_is_followed_by_another) {
  begin_idle(SMALL);
  (void)mia_theap_end_tick(&alice, 100, WATCH, false);
  ck_assert(mia_clock_is_due(&alice));
}
END_TEST

START_TEST(a_list_that_is_held_is_given_out_by_the_slow_path) {
  begin_idle(SMALL);
  mia_block *first = alice.free_list[SMALL];
  mia_theap_hold_lists(&alice, 1);
  mia_theap_hold_lists(&alice, 2); /* changes nothing */
  ck_assert(alice.free_list[SMALL] == NULL && !mia_clock_is_due(&alice));
  ck_assert_ptr_eq(mia_theap_free_list(&alice, SMALL), first);
  mia_theap_check(&alice, SMALL);
  ck_assert(mia_theap_refill(&alice, SMALL) && alice.free_list[SMALL] == first);
  ck_assert(mia_clock_is_due(&alice));
  mia_theap_hold_lists(&alice, 3);
  ck_assert(mia_theap_give_out_list(&alice, SMALL) && !mia_theap_give_out_list(&alice, SMALL));
  mia_theap_hold_lists(&alice, 4);
  mia_theap_collect(&alice);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.pages[SMALL].now), 0);
}
END_TEST

START_TEST(a_list_is_held_a_few_times_in_a_millisecond) {
  begin_idle(SMALL);
  begin_idle(OTHER);
  mia_theap_hold_lists(&alice, 1);
  int times = 1;
  for (; times < MANY && mia_theap_give_out_list(&alice, SMALL); times++)
    mia_theap_hold_lists(&alice, 1);
  ck_assert(times == MIA_CLOCK_HOLDS + 1 && alice.free_list[SMALL] != NULL);
  ck_assert(mia_theap_give_out_list(&alice, OTHER)); /* each class by itself */
  mia_theap_hold_lists(&alice, 1);
  ck_assert(alice.free_list[SMALL] != NULL && alice.free_list[OTHER] == NULL);
  mia_theap_hold_lists(&alice, 2);
  ck_assert(alice.free_list[SMALL] == NULL);
}
END_TEST

START_TEST(the_request_of_another_heaps_theap_is_passed_on) {
  static mia_theap other;
  memset(&other, 0, sizeof other);
  begin_idle(SMALL);
  mia_clock_pass_on(&other, &alice);
  ck_assert(!mia_clock_is_due(&alice));
  mia_clock_request(&other);
  mia_clock_pass_on(&other, &alice);
  ck_assert(mia_clock_is_due(&alice) && !other.clock.requested);
  mia_clock_request_if_any(&mia_theap_all.none); /* which is never written */
  ck_assert(!mia_theap_all.none.clock.requested);
}
END_TEST

SUITE("theap/clock") {
  CASE(begin, world_end);
  TEST(a_page_that_comes_or_goes_makes_the_clock_due);
  TEST(a_request_is_watched_for_a_while);
  TEST(a_tick_that_has_not_finished_is_followed_by_another);
  TEST(a_list_that_is_held_is_given_out_by_the_slow_path);
  TEST(a_list_is_held_a_few_times_in_a_millisecond);
  TEST(the_request_of_another_heaps_theap_is_passed_on);
}
