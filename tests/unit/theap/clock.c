/* SPDX-License-Identifier: MIT */
/* The clock of a theap: it counts slow paths, and free lists that are held lead the thread to them. */
#include "theaps.h"

#include "theap/clock.h"

enum { OTHER = CLASS_384, WATCH = 30, MANY = 100 };

/* Makes the clock of alice IDLE, with a free list of a class. */
static void begin_idle(unsigned size_class) {
  ck_assert(mia_theap_refill(alice, size_class) && alice->free_list[size_class] != NULL);
  ck_assert(!mia_theap_end_tick(alice, 0, 0, false));
  ck_assert(!mia_clock_count_down(alice));
}

static bool is_due(void) { return alice->clock.countdown == 0; }

START_TEST(a_page_that_comes_or_goes_makes_the_clock_due) {
  begin_idle(CLASS_16);
  ck_assert(mia_theap_refill(alice, OTHER) && is_due() && mia_clock_count_down(alice));
  ck_assert(mia_theap_end_tick(alice, 100, WATCH, false) && !is_due());
  mia_theap_collect(alice);
  ck_assert(is_due());
}
END_TEST

/* It is to age.  A thread that runs ticks anyway is not disturbed. */
START_TEST(a_cached_page_ends_idle) {
  mia_block *b = alloc(alice, OTHER);
  mia_page *page = page_of(b);
  mia_theap_return_pages(alice);
  ck_assert(mia_aword_get(&page->listed) != 0);
  begin_idle(CLASS_16);
  release(alice, b);
  mia_theap_flush_batches(alice);
  ck_assert(cached(alice, OTHER) == page && is_due());
  mia_theap_cache_take(alice, OTHER);
  alice->clock.countdown = 1;
  mia_theap_cache_put(alice, page);
  ck_assert(!is_due());
  ck_assert(mia_theap_end_tick(alice, 200, WATCH, false)); /* but it is watched longer */
  ck_assert(mia_theap_end_tick(alice, 200 + WATCH - 1, WATCH, false));
  ck_assert(!mia_theap_end_tick(alice, 200 + WATCH, WATCH, false));
}
END_TEST

/* It would never be IDLE if there is much to look at in each delay. */
START_TEST(an_unfinished_tick_is_followed_by_another_but_not_watched_longer) {
  begin_idle(CLASS_16);
  mia_clock_request(alice);
  ck_assert(mia_theap_end_tick(alice, 100, WATCH, false));
  mia_clock_set_unfinished(alice, true);
  ck_assert(is_due() && mia_clock_has_work(alice));
  ck_assert(!mia_theap_end_tick(alice, 100 + WATCH, WATCH, false));
  mia_clock_set_unfinished(alice, false);
  ck_assert(!is_due() && !mia_clock_has_work(alice));
}
END_TEST

START_TEST(a_request_is_watched_for_a_while) {
  begin_idle(CLASS_16);
  mia_clock_request(alice);
  ck_assert(mia_theap_end_tick(alice, 100, WATCH, false));
  ck_assert(mia_theap_end_tick(alice, 100 + WATCH - 1, WATCH, false));
  ck_assert(!mia_theap_end_tick(alice, 100 + WATCH, WATCH, false));
  ck_assert(alice->clock.countdown == MIA_CLOCK_IDLE);
  ck_assert(mia_theap_end_tick(alice, 200, WATCH, true)); /* idle memory waits without a request */
  mia_clock_request(alice);
  ck_assert(mia_theap_end_tick(alice, 200, WATCH, false));
}
END_TEST

/* Returns the number of slow paths until the clock is DUE. */
static unsigned slow_paths(void) {
  unsigned n = 0;
  while (!mia_clock_count_down(alice)) n++;
  return n;
}

/* Less and less often within a millisecond, unless a list can be held. */
START_TEST(a_tick_follows_after_some_slow_paths) {
  begin_idle(CLASS_16);
  mia_theap_watch(alice, true);
  ck_assert_uint_eq(slow_paths(), 1);
  for (unsigned n = 2; n <= MIA_CLOCK_INTERVAL_MAX; n *= 2) {
    mia_theap_watch(alice, false);
    ck_assert_uint_eq(slow_paths(), n);
  }
  mia_theap_watch(alice, false);
  ck_assert_uint_eq(slow_paths(), MIA_CLOCK_INTERVAL_MAX);
  ck_assert(mia_theap_give_out_list(alice, CLASS_16) && slow_paths() == 0);
  mia_theap_watch(alice, false);
  ck_assert_uint_eq(slow_paths(), 1);
  mia_theap_watch(alice, true);
  ck_assert_uint_eq(slow_paths(), 1);
}
END_TEST

START_TEST(a_list_that_is_held_is_given_out_by_the_slow_path) {
  begin_idle(CLASS_16);
  mia_block *first = alice->free_list[CLASS_16];
  mia_theap_watch(alice, true);
  mia_theap_watch(alice, true); /* changes nothing */
  ck_assert(alice->free_list[CLASS_16] == NULL && !is_due());
  ck_assert_ptr_eq(mia_theap_free_list(alice, CLASS_16), first);
  mia_theap_check(alice, CLASS_16);
  ck_assert(mia_theap_refill(alice, CLASS_16) && alice->free_list[CLASS_16] == first);
  ck_assert(is_due());
  mia_theap_watch(alice, true);
  ck_assert(mia_theap_give_out_list(alice, CLASS_16) && !mia_theap_give_out_list(alice, CLASS_16));
  mia_theap_watch(alice, true);
  mia_theap_collect(alice);
  ck_assert_uint_eq(pages(CLASS_16), 0);
}
END_TEST

START_TEST(a_list_is_held_a_few_times_in_a_millisecond) {
  begin_idle(CLASS_16);
  begin_idle(OTHER);
  mia_theap_watch(alice, true);
  int times = 1;
  for (; times < MANY && mia_theap_give_out_list(alice, CLASS_16); times++)
    mia_theap_watch(alice, false);
  ck_assert(times == MIA_CLOCK_HOLDS + 1 && alice->free_list[CLASS_16] != NULL);
  ck_assert(mia_theap_give_out_list(alice, OTHER)); /* each class by itself */
  mia_theap_watch(alice, false);
  ck_assert(alice->free_list[CLASS_16] != NULL && alice->free_list[OTHER] == NULL);
  mia_theap_watch(alice, true);
  ck_assert(alice->free_list[CLASS_16] == NULL);
}
END_TEST

START_TEST(the_request_of_another_heaps_theap_is_passed_on) {
  begin_idle(CLASS_16);
  (void)mia_theap_end_tick(bob, 0, 0, false);
  mia_clock_pass_on(bob, alice);
  ck_assert(!is_due());
  mia_clock_request(bob);
  mia_clock_pass_on(bob, alice);
  ck_assert(is_due() && !bob->clock.requested);
  mia_clock_request(bob);
  mia_clock_pass_on(bob, &mia_theap_all.none); /* which is never written */
  ck_assert(!mia_theap_all.none.clock.requested && mia_clock_count_down(&mia_theap_all.none));
}
END_TEST

SUITE("theap/clock") {
  CASE(theaps_begin, world_end);
  TEST(a_page_that_comes_or_goes_makes_the_clock_due);
  TEST(a_cached_page_ends_idle);
  TEST(an_unfinished_tick_is_followed_by_another_but_not_watched_longer);
  TEST(a_request_is_watched_for_a_while);
  TEST(a_tick_follows_after_some_slow_paths);
  TEST(a_list_that_is_held_is_given_out_by_the_slow_path);
  TEST(a_list_is_held_a_few_times_in_a_millisecond);
  TEST(the_request_of_another_heaps_theap_is_passed_on);
}
