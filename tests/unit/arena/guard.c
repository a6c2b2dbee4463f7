/* SPDX-License-Identifier: MIT */
/* Guards behind spans. */
#include "fake/world.h"

#include "arena/guard.h"
#include "arena/purge.h"

enum { SIZE = 3 * MIA_SLICE_SIZE };

START_TEST(tier_0_has_no_guards_behind_spans) {
  for (unsigned i = 0; i < 100; i++) need_at(!mia_arena_draw_guard(), i);
}
END_TEST

/* One in eight, and no more than are allowed. */
START_TEST(few_spans_have_a_guard_behind_them) {
  enum { DRAWS = 2000 };
  unsigned guards = 0;
  for (unsigned i = 0; i < DRAWS; i++) guards += mia_arena_draw_guard();
  ck_assert(guards > DRAWS / 16 && guards < DRAWS / 4);
  mia_aword_set(&mia_arena_all.tier.guards, MIA_ARENA_SPAN_GUARDS);
  for (unsigned i = 0; i < DRAWS; i++) need_at(!mia_arena_draw_guard(), i);
}
END_TEST

START_TEST(a_guard_is_the_last_slice_of_a_span) {
  mia_span span, next;
  ck_assert(mia_arena_take(4, 1, &span));
  mia_arena_guard_end(&span);
  ck_assert(span.slices == 3 && used_bytes() == SIZE && fake_is_live(span.start, SIZE));
  ck_assert(!fake_is_live(span.start + SIZE, 1));
  ck_assert(mia_arena_take(1, 1, &next) && next.start != span.start + SIZE);
  mia_arena_give(span.arena, span.start, span.slices, SIZE);
  ck_assert(mia_arena_purge_now() == SIZE && !fake_is_live(span.start + SIZE, 1));
}
END_TEST

/* Where the system refuses a call that a guard needs, its slice is given back. */
static void is_given_back_without(unsigned call) {
  mia_span span, next;
  ck_assert(mia_arena_take(4, 1, &span));
  fake_refuse(call, 1, 1);
  mia_arena_guard_end(&span);
  ck_assert(span.slices == 3 && used_bytes() == SIZE);
  ck_assert(mia_arena_take(1, 1, &next) && next.start == span.start + SIZE && next.zero);
}

START_TEST(where_access_rights_cannot_be_changed_the_slice_is_given_back) {
  is_given_back_without(FAKE_COMMIT);
}
END_TEST

/* Else a process that may not purge would have a slice more with each. */
START_TEST(a_guard_keeps_no_memory) { is_given_back_without(FAKE_PURGE); }
END_TEST

SUITE("arena/guard") {
  CASE(world_of_arenas, world_end);
  TEST(tier_0_has_no_guards_behind_spans);
  CASE(world_of_hardened_arenas, world_end_hardened);
  TEST(few_spans_have_a_guard_behind_them);
  TEST(a_guard_is_the_last_slice_of_a_span);
  TEST(where_access_rights_cannot_be_changed_the_slice_is_given_back);
  TEST(a_guard_keeps_no_memory);
}
