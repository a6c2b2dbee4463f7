/* SPDX-License-Identifier: MIT */
/* Spans that wait for another request of their kind. */
#include "fake/world.h"

#include "arena/parked.h"
#include "base/bits.h"
#include "map/bitmap.h"

enum { KIND = 5, OTHER = 6, SLICES = 3 };

/* Returns a span that was written to. */
static mia_span written(size_t align) {
  mia_span span = {0};
  ck_assert(mia_arena_take(SLICES, align, &span));
  memset(span.start, 1, SLICES * MIA_SLICE_SIZE);
  return span;
}

START_TEST(lower_tiers_park_nothing) {
  mia_span span = written(1), again;
  mia_aword_set(&mia_arena_all.tier.level, MIA_TIER_HARDENED - 1);
  ck_assert(!mia_arena_park(&span, KIND) && !mia_arena_unpark(KIND, NULL, 1, &again));
  ck_assert(!mia_arena_free_parked(1) && used_bytes() == SLICES * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(a_span_serves_its_kind_again) {
  mia_span span = written(1), other, again;
  ck_assert(mia_arena_park(&span, KIND) && used_bytes() == 0);
  ck_assert(fake.purged == SLICES * MIA_SLICE_SIZE && mia_arena_idle() == 0);
  ck_assert(!mia_arena_unpark(OTHER, NULL, 1, &again));
  ck_assert(mia_arena_take(SLICES, 1, &other) && other.start != span.start);
  ck_assert(mia_arena_unpark(KIND, NULL, 1, &again) && again.start == span.start);
  ck_assert(again.slices == SLICES && again.arena == span.arena && again.zero);
  ck_assert(all_zero(again.start, SLICES * MIA_SLICE_SIZE));
  ck_assert_uint_eq(used_bytes(), 2 * SLICES * MIA_SLICE_SIZE);
  ck_assert(!mia_arena_unpark(KIND, NULL, 1, &again));
}
END_TEST

START_TEST(each_number_of_slices_is_a_kind) {
  ck_assert_uint_eq(mia_kind_large(1), MIA_KIND_LARGE);
  const size_t last = sizeof mia_arena_all.parked.kinds / sizeof mia_arena_all.parked.kinds[0] - 1;
  ck_assert_uint_eq(mia_kind_large(MIA_SPAN_MAX_SLICES), last);
}
END_TEST

START_TEST(a_span_that_is_not_aligned_so_stays) {
  enum { ALIGN = 16 * MIA_SLICE_SIZE };
  mia_span span = written(ALIGN), again;
  span.start += MIA_SLICE_SIZE; /* a part of it */
  span.slices--;
  ck_assert(mia_arena_park(&span, KIND));
  ck_assert(!mia_arena_unpark(KIND, NULL, ALIGN, &again) &&
            mia_arena_unpark(KIND, NULL, MIA_SLICE_SIZE, &again));
}
END_TEST

START_TEST(an_aligned_span_is_found_behind_others) {
  enum { ALIGN = 16 * MIA_SLICE_SIZE };
  mia_span aligned = written(ALIGN), other = written(1), again;
  if (mia_is_aligned(other.start, ALIGN)) other = written(1);
  ck_assert(mia_arena_park(&aligned, KIND) && mia_arena_park(&other, KIND));
  ck_assert(mia_arena_unpark(KIND, NULL, ALIGN, &again) && again.start == aligned.start);
  ck_assert(mia_arena_unpark(KIND, NULL, 1, &again) && again.start == other.start);
}
END_TEST

START_TEST(a_request_for_an_arena_gets_its_spans_only) {
  const mia_arena *arena = &mia_arena_all.none;
  mia_span span = written(1), again;
  ck_assert(mia_arena_park(&span, KIND) && !mia_arena_unpark(KIND, arena, 1, &again));
  ck_assert(mia_arena_unpark(KIND, span.arena, 1, &again) && again.start == span.start);
}
END_TEST

START_TEST(the_limit_frees_no_parked_spans) {
  mia_span span = written(1), again;
  ck_assert(mia_arena_park(&span, KIND));
  mia_aword_set(&mia_arena_all.limit, MIA_SLICE_SIZE);
  ck_assert(!mia_arena_free_parked(MIA_SLICE_SIZE + 1) && mia_arena_free_parked(MIA_SLICE_SIZE));
  ck_assert(!mia_arena_unpark(KIND, NULL, 1, &again) && used_bytes() == 0);
}
END_TEST

START_TEST(a_span_beyond_the_limit_stays) {
  mia_span span = written(1), again;
  ck_assert(mia_arena_park(&span, KIND));
  mia_aword_set(&mia_arena_all.limit, (SLICES - 1) * MIA_SLICE_SIZE);
  ck_assert(!mia_arena_unpark(KIND, NULL, 1, &again) && used_bytes() == 0);
  mia_aword_set(&mia_arena_all.limit, SLICES * MIA_SLICE_SIZE);
  ck_assert(mia_arena_unpark(KIND, NULL, 1, &again) && used_bytes() == SLICES * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(a_span_whose_memory_cannot_be_purged_is_not_parked) {
  mia_span span = written(1), again;
  fake_refuse(FAKE_PURGE, 1, 1);
  ck_assert(!mia_arena_park(&span, KIND) && used_bytes() == SLICES * MIA_SLICE_SIZE);
  ck_assert(!mia_arena_unpark(KIND, NULL, 1, &again));
}
END_TEST

START_TEST(all_parked_spans_become_free_slices) {
  mia_span spans[4], again;
  for (unsigned i = 0; i < 4; i++) spans[i] = written(1);
  const size_t free_before = mia_map_count(mia_arena_all.first.free, 0, mia_arena_all.first.slices);
  for (unsigned i = 0; i < 4; i++)
    ck_assert(mia_arena_park(&spans[i], i < 2 ? KIND : mia_kind_large(SLICES)));
  ck_assert(mia_arena_free_parked(1) && !mia_arena_free_parked(1));
  ck_assert(!mia_arena_unpark(KIND, NULL, 1, &again) && used_bytes() == 0);
  ck_assert_uint_eq(mia_map_count(mia_arena_all.first.free, 0, mia_arena_all.first.slices),
                    free_before + 4 * SLICES);
  ck_assert(mia_arena_take(4 * SLICES, 1, &again) && again.start == spans[0].start && again.zero);
}
END_TEST

START_TEST(spans_of_arenas_of_the_program_are_not_parked) {
  mia_arena arena = {.exclusive = true};
  mia_span span = written(1);
  span.arena = &arena;
  ck_assert(!mia_arena_park(&span, KIND));
}
END_TEST

SUITE("arena/parked") {
  CASE(world_of_arenas, world_end_hardened);
  TEST(lower_tiers_park_nothing);
  TEST(each_number_of_slices_is_a_kind);
  CASE(world_of_hardened_arenas, world_end_hardened);
  TEST(a_span_serves_its_kind_again);
  TEST(a_span_that_is_not_aligned_so_stays);
  TEST(an_aligned_span_is_found_behind_others);
  TEST(a_request_for_an_arena_gets_its_spans_only);
  TEST(the_limit_frees_no_parked_spans);
  TEST(a_span_beyond_the_limit_stays);
  TEST(a_span_whose_memory_cannot_be_purged_is_not_parked);
  TEST(all_parked_spans_become_free_slices);
  TEST(spans_of_arenas_of_the_program_are_not_parked);
}
