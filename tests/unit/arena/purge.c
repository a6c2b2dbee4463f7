/* SPDX-License-Identifier: MIT */
/* Which memory goes back to the OS, and when. */
#include "fake/world.h"

#include "arena/huge.h"
#include "arena/purge.h"
#include "arena/reserve.h"
#include "map/bitmap.h"

#include <pthread.h>

enum { DELAY_MS = 100 };

static mia_span taken(size_t slices) {
  mia_span span = {0};
  ck_assert(mia_arena_take(slices, 1, &span));
  return span;
}

static void give(const mia_span *span) {
  mia_arena_give(span->arena, span->start, span->slices, span->slices * SLICE);
}

/* Returns a span that was written and is free. */
static mia_span dirty(size_t slices) {
  mia_span span = taken(slices);
  memset(span.start, 1, slices * SLICE);
  give(&span);
  return span;
}

static void due_at(mia_time_ms now) {
  mia_arena_purge_due(now, DELAY_MS, &(mia_budget)MIA_BUDGET_ALL);
}
static size_t counted(void) { return mia_aword_get(&mia_arena_all.purged); }
static bool stale(void) { return mia_aword_get(&mia_arena_all.first.stale) != 0; }

START_TEST(clean_slices_are_not_purged) {
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  due_at(1);
  mia_span s = taken(3);
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  mia_arena_give(s.arena, s.start, 3, 0); /* untouched */
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

START_TEST(purge_now_takes_all_that_is_free_and_dirty) {
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
  ck_assert(again.zero && all_zero(again.start, 5 * SLICE));
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

START_TEST(unused_slices_are_purged_at_the_second_visit) {
  (void)dirty(4);
  due_at(1000); /* sets the deadline */
  due_at(1000 + DELAY_MS - 1);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  ck_assert(!mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(1000 + DELAY_MS); /* ages the slices */
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  ck_assert(mia_map_all(mia_arena_all.first.aged, 0, 4) && stale());
  due_at(1000 + 2 * DELAY_MS - 1);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  due_at(1000 + 2 * DELAY_MS);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
  ck_assert(!stale() && !mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(1000 + 9 * DELAY_MS);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 1);
}
END_TEST

START_TEST(slices_in_frequent_use_stay) {
  mia_span cold = taken(2), hot = taken(3);
  give(&cold);
  mia_time_ms now = 1000;
  for (int i = 0; i < 20; i++, now += DELAY_MS) {
    give(&hot);
    due_at(now);
    hot = taken(3);
  }
  ck_assert_uint_eq(fake.purged, 2 * SLICE);
  ck_assert(!hot.zero);
}
END_TEST

START_TEST(a_delay_of_0_purges_at_once) {
  (void)dirty(4);
  mia_arena_purge_due(1000, 0, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
  (void)dirty(2);
  mia_arena_purge_due(1000, 0, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(fake.purged, 6 * SLICE);
}
END_TEST

/* Ticks of 32 bits wrap; a deadline is never 0, which means that none is set. */
START_TEST(deadlines_wrap) {
  mia_time_ms start = (mia_time_ms)1 - (mia_time_ms)(_i * DELAY_MS / 2); /* no tick is 0 */
  (void)dirty(4);
  due_at(start);
  ck_assert(mia_acell_get(&mia_arena_all.first.purge_expire) != 0);
  due_at(start + DELAY_MS - 1);
  ck_assert(!mia_map_any(mia_arena_all.first.aged, 0, 4));
  due_at(start + DELAY_MS + 1);
  ck_assert(mia_map_all(mia_arena_all.first.aged, 0, 4));
  due_at(start + 2 * DELAY_MS);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  due_at(start + 2 * DELAY_MS + 2);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

START_TEST(visits_are_once_in_a_tick_unless_the_delay_is_0) {
  due_at(5); /* nothing is idle: this call does not count */
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

/* This holds even if no slice is given in between. */
START_TEST(a_refused_purge_is_tried_again) {
  (void)dirty(4);
  fake_refuse(FAKE_PURGE, 1, 1);
  mia_time_ms now = 1000;
  for (int i = 0; i < 6; i++, now += DELAY_MS) due_at(now);
  ck_assert_uint_eq(fake_refused(), 1);
  ck_assert_uint_eq(fake.purged, 4 * SLICE);
}
END_TEST

/* No call gives back more than its budget; the rest is due at once. */
START_TEST(a_visit_has_a_budget) {
  (void)dirty(40);
  due_at(1000);
  due_at(1000 + DELAY_MS);
  size_t looks = 0, before;
  do {
    mia_budget budget = {.left = 8 * SLICE};
    before = fake.purged;
    mia_arena_purge_due(1000 + 2 * DELAY_MS + (mia_time_ms)looks++, DELAY_MS, &budget);
    need_at(fake.purged - before <= 8 * SLICE, looks);
  } while (fake.purged > before);
  ck_assert_uint_eq(fake.purged, 40 * SLICE);
  ck_assert_uint_ge(looks, 5);
}
END_TEST

/* There are more arenas than one call checks, but each has its turn. */
START_TEST(every_arena_is_visited) {
  for (size_t i = 0; i < 100; i++)
    ck_assert_ptr_nonnull(mia_arena_reserve_os(&(mia_arena_request){.size = 4 * SLICE}));
  for (size_t i = 0; i < 100; i++) {
    mia_span span;
    ck_assert(mia_arena_take_in(mia_arena_nth(i), 2, 1, &span));
    give(&span);
  }
  mia_time_ms now = 1000;
  for (int i = 0; i < 10; i++) due_at(now += DELAY_MS);
  ck_assert_uint_eq(fake.purged, 200 * SLICE);
}
END_TEST

/* ---- excess purges and backoff ---- */

/* The first two are slices. */
enum { IDLE_BOUND = 2 * 64, MUCH_IDLE = 5 * 64, SOON_MS = 1000 };

static void excess_at(mia_time_ms now) {
  mia_arena_purge_excess(now, IDLE_BOUND * SLICE, &(mia_budget)MIA_BUDGET_ALL);
}

/* Like dirty(), with as many spans as this host needs. */
static void dirty_much(void) {
  mia_span spans[MUCH_IDLE / 64];
  size_t n = 0;
  for (size_t left = MUCH_IDLE; left > 0; left -= spans[n++].slices) {
    spans[n] = taken(left < MIA_SPAN_MAX_SLICES ? left : MIA_SPAN_MAX_SLICES);
    memset(spans[n].start, 1, spans[n].slices * SLICE);
  }
  while (n > 0) give(&spans[--n]);
}

START_TEST(excess_is_purged_at_once) {
  (void)dirty(IDLE_BOUND);
  excess_at(1000);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
  dirty_much();
  excess_at(1000);
  ck_assert_uint_le(mia_arena_idle(), IDLE_BOUND / 2 * SLICE);
  ck_assert_uint_eq(fake.purged, MUCH_IDLE * SLICE - mia_arena_idle());
  ck_assert_uint_eq(counted(), fake.purged);
  mia_span low = taken(1); /* the lowest slices were not purged */
  ck_assert(!low.zero);
}
END_TEST

/* However many calls it takes, half of the bound is left, and no more. */
START_TEST(excess_is_purged_within_the_budget) {
  dirty_much();
  for (mia_time_ms look = 0; look < 100; look++) {
    mia_budget budget = {.left = 16 * SLICE};
    size_t before = fake.purged;
    mia_arena_purge_excess(1000 + look, IDLE_BOUND * SLICE, &budget);
    need_at(fake.purged - before <= 16 * SLICE, look);
  }
  ck_assert_uint_le(mia_arena_idle(), IDLE_BOUND / 2 * SLICE);
  ck_assert_uint_ge(mia_arena_idle(), (IDLE_BOUND / 2 - 16) * SLICE);
}
END_TEST

/* An excess purge also ends if other threads took or purged the memory.  From then on slices
 * that are given stay idle. */
START_TEST(an_excess_purge_ends_when_little_is_idle) {
  dirty_much();
  mia_aword_set(&mia_arena_all.excess.unfinished, 1);
  (void)mia_arena_purge_now();
  mia_span span = taken(4);
  give(&span); /* purges it at once, as `unfinished' is set */
  ck_assert_uint_eq(mia_arena_idle(), 0);
  excess_at(1000);
  (void)dirty(4);
  ck_assert_uint_eq(mia_arena_idle(), 4 * SLICE);
}
END_TEST

/* If the OS refuses, it is not asked again at each tick. */
START_TEST(a_refused_excess_purge_starts_a_backoff) {
  mia_time_ms now = 1000;
  dirty_much();
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  excess_at(now);
  size_t calls = fake_calls(FAKE_PURGE);
  ck_assert_uint_gt(calls, 0);
  for (mia_time_ms i = 1; i < SOON_MS; i++) excess_at(now + i);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), calls);
  fake_allow();
  excess_at(now + 2 * SOON_MS);
  ck_assert_uint_le(mia_arena_idle(), IDLE_BOUND / 2 * SLICE);
}
END_TEST

/* Each backoff is twice as long as the one before. */
START_TEST(memory_soon_needed_again_starts_a_backoff) {
  mia_time_ms now = 1000;
  dirty_much();
  excess_at(now);
  size_t purged = fake.purged, pause = SOON_MS;
  ck_assert_uint_gt(purged, 0);
  for (int i = 0; i < 4; i++, pause *= 2) {
    dirty_much(); /* needs the purged memory again */
    excess_at(now += 10);
    ck_assert_uint_eq(fake.purged, purged);
    excess_at(now += (mia_time_ms)pause - 1);
    ck_assert_uint_eq(fake.purged, purged);
    excess_at(now += 1);
    ck_assert_uint_gt(fake.purged, purged);
    purged = fake.purged;
  }
}
END_TEST

START_TEST(memory_needed_much_later_starts_no_backoff) {
  mia_time_ms now = 1000;
  for (int i = 1; i < 5; i++, now += 2 * SOON_MS) {
    dirty_much();
    excess_at(now);
    ck_assert_uint_le(mia_arena_idle(), IDLE_BOUND / 2 * SLICE);
  }
}
END_TEST

/* Huge blocks do not use memory of arenas. */
START_TEST(new_huge_blocks_start_no_backoff) {
  mia_span live = taken(IDLE_BOUND);
  dirty_much();
  excess_at(1000);
  size_t purged = fake.purged;
  bool zero;
  ck_assert_ptr_nonnull(
      mia_arena_huge_take(&(mia_huge){.size = MUCH_IDLE * SLICE, .align = 1}, &zero));
  give(&live); /* arenas have as much as before, but too much of it is idle */
  excess_at(1010);
  ck_assert_uint_gt(fake.purged, purged);
}
END_TEST

/* ---- other threads ---- */

static mia_span meanwhile;
static void take_one(fake_call call) {
  (void)call;
  meanwhile = taken(1);
}

START_TEST(slices_being_purged_are_not_taken) {
  mia_span cold = dirty(4);
  fake.during = take_one;
  fake.during_calls = FAKE_PURGE;
  ck_assert_uint_eq(mia_arena_purge_now(), 4 * SLICE);
  ck_assert_ptr_eq(meanwhile.start, cold.start + 4 * SLICE);
  mia_span again = taken(1);
  ck_assert_ptr_eq(again.start, cold.start); /* it can be taken afterwards */
}
END_TEST

static void take_and_write(fake_call call) {
  (void)call;
  meanwhile = taken(1);
  memset(meanwhile.start, 9, SLICE);
}

START_TEST(slices_taken_meanwhile_are_not_purged) {
  mia_span all = taken(9);
  mia_arena_give(all.arena, all.start, 3, 3 * SLICE);
  mia_arena_give(all.arena, all.start + 5 * SLICE, 2, 2 * SLICE);
  fake.during = take_and_write; /* takes a slice of the second run while the first is purged */
  fake.during_calls = FAKE_PURGE;
  (void)mia_arena_purge_now();
  ck_assert_ptr_eq(meanwhile.start, all.start + 5 * SLICE);
  ck_assert(meanwhile.start[0] == 9 && meanwhile.start[SLICE - 1] == 9);
  ck_assert(!mia_map_any(all.arena->free, 5, 1) && stale());
}
END_TEST

static void *purge_too(void *unused) {
  size_t calls = fake_calls(FAKE_PURGE);
  mia_arena_purge_due(5000, 0, &(mia_budget)MIA_BUDGET_ALL);
  note(fake_calls(FAKE_PURGE) == calls);
  return unused;
}
static void another_thread_purges(fake_call call) {
  (void)call;
  pthread_t thread;
  pthread_create(&thread, NULL, purge_too, NULL);
  pthread_join(thread, NULL);
}

/* Moves the content of the second run elsewhere while the first is purged. */
static void take_two_and_detach(fake_call call) {
  (void)call;
  meanwhile = taken(2);
  ck_assert_ptr_nonnull(mia_arena_huge_detach(meanwhile.arena, meanwhile.start, 2 * SLICE, 0));
  mia_arena_give(meanwhile.arena, meanwhile.start, 2, 0);
}

START_TEST(slices_that_became_clean_meanwhile_are_not_idle) {
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
  fake.during = another_thread_purges;
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

/* A1, A2: a purge never touches slices in use, and a span reported as zero is zero. */
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

/* Locking mapped memory backs all of it, though most of it was never written to. */
START_TEST(locked_slices_are_purged_once) {
  const size_t all = MIA_ARENA_FIRST_SLICES * SLICE;
  mia_span kept = taken(3);
  (void)dirty(2);
  fake.locks = true;
  for (mia_time_ms i = 0; i < 3; i++) due_at(1 + i * DELAY_MS);
  ck_assert_uint_eq(fake.purged, all - 3 * SLICE);
  ck_assert_uint_eq(counted(), fake.purged);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  (void)dirty(2);
  for (mia_time_ms i = 3; i < 6; i++) due_at(1 + i * DELAY_MS);
  ck_assert_uint_eq(fake.purged, all - SLICE);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  give(&kept);
  ck_assert_uint_eq(mia_arena_purge_now(), 3 * SLICE);
  ck_assert_uint_eq(fake.purged, 2 * all - SLICE); /* on request, since they may be backed again */
}
END_TEST

/* If only a part of the arena is LIVE, the rest is left alone. */
START_TEST(reserved_slices_are_not_purged_when_locked) {
  fake.live_max = SLICE;
  (void)dirty(2);
  mia_span s = taken(5);
  mia_arena_give(s.arena, s.start, 5, 0);
  fake.locks = true;
  ck_assert_uint_eq(mia_arena_purge_now(), 2 * SLICE);
  ck_assert_uint_eq(fake.purged, 5 * SLICE);
}
END_TEST

/* mia_arena_purge_external leaves arenas alone whose memory the OS commits. */
START_TEST(purge_external_leaves_other_arenas_alone) {
  (void)dirty(2);
  ck_assert_uint_eq(mia_arena_purge_external(), 0);
  ck_assert_uint_eq(fake.purged, 0);
  ck_assert_uint_eq(mia_arena_idle(), 2 * SLICE);
}
END_TEST

SUITE("arena/purge") {
  CASE(world_of_arenas, world_end);
  TEST(clean_slices_are_not_purged);
  TEST(purge_now_takes_all_that_is_free_and_dirty);
  TEST(runs_are_purged_in_one_call_a_cell);
  TEST(unused_slices_are_purged_at_the_second_visit);
  TEST(slices_in_frequent_use_stay);
  TEST(a_delay_of_0_purges_at_once);
  LOOP(deadlines_wrap, 0, 5);
  TEST(visits_are_once_in_a_tick_unless_the_delay_is_0);
  TEST(a_refused_purge_changes_nothing);
  TEST(a_refused_purge_is_tried_again);
  TEST(a_visit_has_a_budget);
  TEST(every_arena_is_visited);
  TEST(excess_is_purged_within_the_budget);
  TEST(excess_is_purged_at_once);
  TEST(an_excess_purge_ends_when_little_is_idle);
  TEST(a_refused_excess_purge_starts_a_backoff);
  TEST(memory_soon_needed_again_starts_a_backoff);
  TEST(memory_needed_much_later_starts_no_backoff);
  TEST(new_huge_blocks_start_no_backoff);
  TEST(slices_being_purged_are_not_taken);
  TEST(slices_taken_meanwhile_are_not_purged);
  TEST(slices_that_became_clean_meanwhile_are_not_idle);
  TEST(one_thread_purges_at_a_time);
  TEST(purging_beside_users);
  TEST(locked_slices_are_purged_once);
  TEST(reserved_slices_are_not_purged_when_locked);
  TEST(purge_external_leaves_other_arenas_alone);
}
