/* What is hot stays, what is cold goes, at its time. */
#include "fake/world.h"

#include "arena/huge.h"
#include "arena/purge.h"
#include "arena/reserve.h"
#include "map/bitmap.h"

#include <pthread.h>

enum { DELAY = 100 };
#define SLICE MIA_SLICE_SIZE

static mia_span taken(size_t slices) {
  mia_span span = {0};
  ck_assert(mia_arena_take(slices, 1, &span));
  return span;
}

static void give(const mia_span *span) {
  mia_arena_give(span->arena, span->start, span->slices, span->slices * SLICE);
}

/* A span that was written and is free. */
static mia_span dirty(size_t slices) {
  mia_span span = taken(slices);
  memset(span.start, 1, slices * SLICE);
  give(&span);
  return span;
}

static bool is_zero(const char *p, size_t size) {
  for (size_t i = 0; i < size; i += 512)
    if (p[i] != 0) return false;
  return true;
}

static void due_at(mia_tick now) { mia_arena_purge_due(now, DELAY, &(mia_budget)MIA_BUDGET_ALL); }
static size_t counted(void) { return mia_aword_get(&mia_arena_all.purged); }
static bool stale(void) { return mia_aword_get(&mia_arena_all.first.stale) != 0; }

START_TEST(nothing_is_nothing) {
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  due_at(1);
  mia_span s = taken(3);
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  mia_arena_give(s.arena, s.start, 3, 0); /* untouched */
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

START_TEST(now_takes_all_that_is_free_and_dirty) {
  mia_span kept = taken(2);
  memset(kept.start, 7, 2 * SLICE);
  mia_span cold = dirty(5);
  ck_assert_uint_eq(mia_arena_idle(), 5 * SLICE);
  ck_assert_uint_eq(mia_arena_purge_now(), 5 * SLICE);
  ck_assert_uint_eq(fake.purged, 5 * SLICE);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 1);
  ck_assert_uint_eq(counted(), 5 * SLICE);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  ck_assert(kept.start[0] == 7 && kept.start[2 * SLICE - 1] == 7);
  ck_assert(!stale());
  mia_span again = taken(5);
  ck_assert_ptr_eq(again.start, cold.start);
  ck_assert(again.zero && is_zero(again.start, 5 * SLICE));
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
}
END_TEST

START_TEST(runs_are_purged_in_one_call_a_cell) {
  mia_span all = taken(MIA_CELL_BITS);
  (void)taken(MIA_CELL_BITS);
  (void)taken(MIA_CELL_BITS);
  mia_arena_give(all.arena, all.start, 3, 3 * SLICE);
  mia_arena_give(all.arena, all.start + 5 * SLICE, 1, SLICE);
  mia_arena_give(all.arena, all.start + (MIA_CELL_BITS - 2) * SLICE, MIA_CELL_BITS + 4,
                 (MIA_CELL_BITS + 4) * SLICE);
  ck_assert_uint_eq(mia_arena_purge_now(), (MIA_CELL_BITS + 8) * SLICE);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 5);
}
END_TEST

START_TEST(cold_goes_on_the_second_visit) {
  (void)dirty(4);
  due_at(1000); /* sets the time */
  due_at(1000 + DELAY - 1);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  ck_assert(!mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(1000 + DELAY); /* ages */
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  ck_assert(mia_map_all(mia_arena_all.first.aged, 0, 4) && stale());
  due_at(1000 + 2 * DELAY - 1);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  due_at(1000 + 2 * DELAY);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
  ck_assert(!stale() && !mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(1000 + 9 * DELAY);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 1);
}
END_TEST

START_TEST(hot_stays) {
  mia_span cold = taken(2), hot = taken(3);
  give(&cold);
  mia_tick now = 1000;
  for (int i = 0; i < 20; i++, now += DELAY) {
    give(&hot);
    due_at(now);
    hot = taken(3);
  }
  ck_assert_uint_eq(fake.purged, 2 * SLICE);
  ck_assert(!hot.zero);
}
END_TEST

START_TEST(no_delay_is_at_once) {
  (void)dirty(4);
  mia_arena_purge_due(1000, 0, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
  (void)dirty(2);
  mia_arena_purge_due(1000, 0, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(fake.purged, 6 * SLICE);
}
END_TEST

/* Ticks of 32 bits wrap; a deadline is never 0, which says that none is set. */
START_TEST(deadlines_wrap) {
  mia_tick start = (mia_tick)1 - (mia_tick)(_i * DELAY / 2); /* no tick is 0 */
  (void)dirty(4);
  due_at(start);
  ck_assert(mia_acell_get(&mia_arena_all.first.purge_expire) != 0);
  due_at(start + DELAY - 1);
  ck_assert(!mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(start + DELAY + 1);
  ck_assert(mia_map_all(mia_arena_all.first.aged, 0, 4));
  due_at(start + 2 * DELAY);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  due_at(start + 2 * DELAY + 2);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

START_TEST(once_in_a_tick_unless_it_goes_at_once) {
  due_at(5); /* nothing is idle: that does not count */
  (void)dirty(4);
  mia_aword_set(&mia_arena_all.first.stale, 1);
  due_at(5);
  mia_acell_set(&mia_arena_all.first.purge_expire, 4);
  due_at(5);
  ck_assert(!mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(6);
  ck_assert(mia_map_all(mia_arena_all.first.aged, 0, 4));
  mia_acell_set(&mia_arena_all.first.purge_expire, 0);
  mia_arena_purge_due(6, 0, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

START_TEST(a_refused_purge_changes_nothing) {
  (void)dirty(4);
  fake_refuse(FAKE_PURGE, 1, 1);
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  ck_assert_uint_eq(counted(), 0);
  ck_assert_uint_eq(mia_arena_idle(), 4 * SLICE);
  mia_span s = taken(4);
  ck_assert(!s.zero);
  give(&s);
  ck_assert_uint_eq(mia_arena_purge_now(), 4 * SLICE);
}
END_TEST

/* Also when nobody gives anything in the meantime. */
START_TEST(a_refused_purge_is_tried_again) {
  (void)dirty(4);
  fake_refuse(FAKE_PURGE, 1, 1);
  mia_tick now = 1000;
  for (int i = 0; i < 6; i++, now += DELAY) due_at(now);
  ck_assert_uint_eq(fake_refused(), 1);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

/* No look gives back more than its budget; the rest is due at once. */
START_TEST(a_visit_has_a_budget) {
  (void)dirty(40);
  due_at(1000);
  due_at(1000 + DELAY);
  size_t looks = 0, before;
  do {
    mia_budget budget = {.left = 8 * SLICE};
    before = fake.purged;
    mia_arena_purge_due(1000 + 2 * DELAY + (mia_tick)looks++, DELAY, &budget);
    need_at(fake.purged - before <= 8 * SLICE, looks);
  } while (fake.purged > before);
  ck_assert_uint_eq(fake.purged, 40 * SLICE);
  ck_assert_uint_ge(looks, 5);
}
END_TEST

/* However many arenas there are, each has its turn. */
START_TEST(every_arena_is_visited) {
  for (size_t i = 0; i < 100; i++)
    ck_assert_ptr_nonnull(mia_arena_reserve_os(&(mia_arena_wish){.size = 4 * SLICE}));
  for (size_t i = 0; i < 100; i++) {
    mia_span span;
    ck_assert(mia_arena_take_in(mia_arena_nth(i), 2, 1, &span));
    give(&span);
  }
  mia_tick now = 1000;
  for (int i = 0; i < 10; i++) due_at(now += DELAY);
  ck_assert_uint_eq(fake.purged, 200 * SLICE);
}
END_TEST

/* ---- more than some bound ---- */

enum { BOUND = 2 * 64, MUCH = 5 * 64, SOON = 1000 };

static void excess_at(mia_tick now) {
  mia_arena_purge_excess(now, BOUND * SLICE, &(mia_budget)MIA_BUDGET_ALL);
}

/* As dirty(), of as many spans as this host needs. */
static void dirty_much(void) {
  mia_span spans[MUCH / 64];
  size_t n = 0;
  for (size_t left = MUCH; left > 0; left -= spans[n++].slices) {
    spans[n] = taken(left < MIA_SPAN_MAX_SLICES ? left : MIA_SPAN_MAX_SLICES);
    memset(spans[n].start, 1, spans[n].slices * SLICE);
  }
  while (n > 0) give(&spans[--n]);
}

START_TEST(what_is_too_much_goes_at_once) {
  (void)dirty(BOUND);
  excess_at(1000);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  dirty_much();
  excess_at(1000);
  ck_assert_uint_le(mia_arena_idle(), BOUND / 2 * SLICE);
  ck_assert_uint_eq(fake.purged, MUCH * SLICE - mia_arena_idle());
  ck_assert_uint_eq(counted(), fake.purged);
  mia_span low = taken(1); /* what is taken next is still there */
  ck_assert(!low.zero);
}
END_TEST

/* However many looks it takes, half of the bound is left, and no more. */
START_TEST(what_is_too_much_goes_bit_by_bit) {
  dirty_much();
  for (mia_tick look = 0; look < 100; look++) {
    mia_budget budget = {.left = 16 * SLICE};
    size_t before = fake.purged;
    mia_arena_purge_excess(1000 + look, BOUND * SLICE, &budget);
    need_at(fake.purged - before <= 16 * SLICE, look);
  }
  ck_assert_uint_le(mia_arena_idle(), BOUND / 2 * SLICE);
  ck_assert_uint_ge(mia_arena_idle(), (BOUND / 2 - 16) * SLICE);
}
END_TEST

/* What others took or purged ends it as well: then slices given are idle again. */
START_TEST(what_is_not_too_much_any_more_is_kept) {
  dirty_much();
  mia_aword_set(&mia_arena_all.excess.unfinished, 1);
  (void)mia_arena_purge_now();
  mia_span span = taken(4);
  give(&span); /* by whom it is purged, as there seems to be too much */
  ck_assert_uint_eq(mia_arena_idle(), 0);
  excess_at(1000);
  (void)dirty(4);
  ck_assert_uint_eq(mia_arena_idle(), 4 * SLICE);
}
END_TEST

/* Where the OS refuses it is not asked again at each tick. */
START_TEST(a_refusal_of_much_is_no_reason_to_hurry) {
  mia_tick now = 1000;
  dirty_much();
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  excess_at(now);
  size_t calls = fake_calls(FAKE_PURGE);
  ck_assert_uint_gt(calls, 0);
  for (mia_tick i = 1; i < SOON; i++) excess_at(now + i);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), calls);
  fake_allow();
  excess_at(now + 2 * SOON);
  ck_assert_uint_le(mia_arena_idle(), BOUND / 2 * SLICE);
}
END_TEST

/* Who needs again what was purged is left alone, longer each time. */
START_TEST(a_purge_that_is_regretted_is_not_repeated) {
  mia_tick now = 1000;
  dirty_much();
  excess_at(now);
  size_t purged = fake.purged, pause = SOON;
  ck_assert_uint_gt(purged, 0);
  for (int i = 0; i < 4; i++, pause *= 2) {
    dirty_much(); /* its page faults, and in vain */
    excess_at(now += 10);
    ck_assert_uint_eq(fake.purged, purged);
    excess_at(now += (mia_tick)pause - 1);
    ck_assert_uint_eq(fake.purged, purged);
    excess_at(now += 1);
    ck_assert_uint_gt(fake.purged, purged);
    purged = fake.purged;
  }
}
END_TEST

START_TEST(what_is_needed_much_later_is_no_regret) {
  mia_tick now = 1000;
  for (int i = 1; i < 5; i++, now += 2 * SOON) {
    dirty_much();
    excess_at(now);
    ck_assert_uint_le(mia_arena_idle(), BOUND / 2 * SLICE);
  }
}
END_TEST

/* They come from elsewhere. */
START_TEST(huge_blocks_are_no_regret) {
  mia_span live = taken(BOUND);
  dirty_much();
  excess_at(1000);
  size_t purged = fake.purged;
  bool zero;
  ck_assert_ptr_nonnull(mia_arena_huge_take(&(mia_huge){.size = MUCH * SLICE, .align = 1}, &zero));
  give(&live); /* as much as before is in use or idle, and too much of it idle */
  excess_at(1010);
  ck_assert_uint_gt(fake.purged, purged);
}
END_TEST

/* ---- while somebody else is at work ---- */

static mia_span meanwhile;
static void take_one(fake_call call) {
  (void)call;
  meanwhile = taken(1);
}

START_TEST(what_is_being_purged_is_not_taken) {
  mia_span cold = dirty(4);
  fake.during = take_one;
  fake.during_calls = FAKE_PURGE;
  ck_assert_uint_eq(mia_arena_purge_now(), 4 * SLICE);
  ck_assert_ptr_eq(meanwhile.start, cold.start + 4 * SLICE);
  mia_span again = taken(1);
  ck_assert_ptr_eq(again.start, cold.start); /* and is found afterwards */
}
END_TEST

static void take_and_mark(fake_call call) {
  (void)call;
  meanwhile = taken(1);
  memset(meanwhile.start, 9, SLICE);
}

START_TEST(what_was_taken_meanwhile_is_not_purged) {
  mia_span all = taken(9);
  mia_arena_give(all.arena, all.start, 3, 3 * SLICE);
  mia_arena_give(all.arena, all.start + 5 * SLICE, 2, 2 * SLICE);
  fake.during = take_and_mark; /* while the first run is purged, of the second */
  fake.during_calls = FAKE_PURGE;
  (void)mia_arena_purge_now();
  ck_assert_ptr_eq(meanwhile.start, all.start + 5 * SLICE);
  ck_assert(meanwhile.start[0] == 9 && meanwhile.start[SLICE - 1] == 9);
  ck_assert(!mia_map_any(all.arena->free, 5, 1) && stale());
}
END_TEST

static void *come_too(void *unused) {
  size_t calls = fake_calls(FAKE_PURGE);
  mia_arena_purge_due(5000, 0, &(mia_budget)MIA_BUDGET_ALL);
  note(fake_calls(FAKE_PURGE) == calls);
  return unused;
}
static void another_comes(fake_call call) {
  (void)call;
  pthread_t thread;
  pthread_create(&thread, NULL, come_too, NULL);
  pthread_join(thread, NULL);
}

/* While the first run is purged, what is in the second goes elsewhere. */
static void take_two_and_detach(fake_call call) {
  (void)call;
  meanwhile = taken(2);
  ck_assert_ptr_nonnull(mia_arena_huge_detach(meanwhile.arena, meanwhile.start, 2 * SLICE, 0));
  mia_arena_give(meanwhile.arena, meanwhile.start, 2, 0);
}

START_TEST(what_became_clean_meanwhile_is_not_idle) {
  mia_span first = taken(2);
  (void)taken(1);
  mia_span second = taken(2);
  give(&first);
  give(&second);
  ck_assert_uint_eq(mia_arena_idle(), 4 * SLICE);
  fake.during = take_two_and_detach;
  fake.during_calls = FAKE_PURGE;
  (void)mia_arena_purge_now();
  ck_assert_ptr_eq(meanwhile.start, second.start);
  ck_assert_uint_eq(mia_arena_idle(), 0);
}
END_TEST

START_TEST(one_thread_purges_at_a_time) {
  (void)dirty(4);
  fake.during = another_comes;
  fake.during_calls = FAKE_PURGE;
  mia_arena_purge_due(5000, 0, &(mia_budget)MIA_BUDGET_ALL);
  need_nothing_noted();
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

static mia_aword over;
static void *purge_all_the_time(void *unused) {
  while (mia_aword_get_acq(&over) == 0) (void)mia_arena_purge_now();
  return unused;
}

/* A1, A2: a purge never touches what somebody holds, and zero is zero. */
START_TEST(purging_beside_users) {
  uint64_t random = suite_random(1);
  pthread_t thread;
  mia_span spans[20] = {{0}};
  mia_aword_set(&over, 0);
  pthread_create(&thread, NULL, purge_all_the_time, NULL);
  for (int i = 0; i < 8000; i++) {
    mia_span *s = &spans[random_below(&random, 20)];
    if (s->arena != NULL) {
      for (size_t b = 0; b < s->slices; b++) note(s->start[b * SLICE] == (char)s->slices);
      mia_arena_give(s->arena, s->start, s->slices, s->slices * SLICE);
      s->arena = NULL;
    } else if (mia_arena_take(1 + random_below(&random, 9), 1, s)) {
      for (size_t b = 0; b < s->slices; b++) {
        note(!s->zero || s->start[b * SLICE] == 0);
        s->start[b * SLICE] = (char)s->slices;
      }
    }
  }
  mia_aword_set_rel(&over, 1);
  pthread_join(thread, NULL);
  need_nothing_noted();
}
END_TEST

/* Locking what is mapped backs all of it, of which nobody wrote the most. */
START_TEST(what_was_locked_meanwhile_is_purged_once) {
  const size_t all = MIA_ARENA_FIRST_SLICES * SLICE;
  mia_span kept = taken(3);
  (void)dirty(2);
  fake.locks = true;
  for (mia_tick i = 0; i < 3; i++) due_at(1 + i * DELAY);
  ck_assert_uint_eq(fake.purged, all - 3 * SLICE);
  ck_assert_uint_eq(counted(), fake.purged);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  (void)dirty(2);
  for (mia_tick i = 3; i < 6; i++) due_at(1 + i * DELAY);
  ck_assert_uint_eq(fake.purged, all - SLICE);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  give(&kept);
  ck_assert_uint_eq(mia_arena_purge_now(), 3 * SLICE);
  ck_assert_uint_eq(fake.purged, 2 * all - SLICE); /* asked for: it may have been again */
}
END_TEST

/* Where not all of it is LIVE the rest is left alone. */
START_TEST(what_is_locked_and_reserved_is_not_purged) {
  fake.live_max = SLICE;
  (void)dirty(2);
  mia_span s = taken(5);
  mia_arena_give(s.arena, s.start, 5, 0);
  fake.locks = true;
  ck_assert_uint_eq(mia_arena_purge_now(), 2 * SLICE);
  ck_assert_uint_eq(fake.purged, 5 * SLICE);
}
END_TEST

/* Only what programs commit. */
START_TEST(what_is_brought_can_be_purged_alone) {
  (void)dirty(2);
  ck_assert_uint_eq(mia_arena_purge_external(), 0);
  ck_assert_uint_eq(fake.purged, 0);
  ck_assert_uint_eq(mia_arena_idle(), 2 * SLICE);
}
END_TEST

SUITE("arena/purge") {
  CASE(world_of_arenas, world_end);
  TEST(nothing_is_nothing);
  TEST(now_takes_all_that_is_free_and_dirty);
  TEST(runs_are_purged_in_one_call_a_cell);
  TEST(cold_goes_on_the_second_visit);
  TEST(hot_stays);
  TEST(no_delay_is_at_once);
  LOOP(deadlines_wrap, 0, 5);
  TEST(once_in_a_tick_unless_it_goes_at_once);
  TEST(a_refused_purge_changes_nothing);
  TEST(a_refused_purge_is_tried_again);
  TEST(a_visit_has_a_budget);
  TEST(every_arena_is_visited);
  TEST(what_is_too_much_goes_bit_by_bit);
  TEST(what_is_too_much_goes_at_once);
  TEST(what_is_not_too_much_any_more_is_kept);
  TEST(a_refusal_of_much_is_no_reason_to_hurry);
  TEST(a_purge_that_is_regretted_is_not_repeated);
  TEST(what_is_needed_much_later_is_no_regret);
  TEST(huge_blocks_are_no_regret);
  TEST(what_is_being_purged_is_not_taken);
  TEST(what_was_taken_meanwhile_is_not_purged);
  TEST(what_became_clean_meanwhile_is_not_idle);
  TEST(one_thread_purges_at_a_time);
  TEST(purging_beside_users);
  TEST(what_was_locked_meanwhile_is_purged_once);
  TEST(what_is_locked_and_reserved_is_not_purged);
  TEST(what_is_brought_can_be_purged_alone);
  TIMEOUT(60);
}
