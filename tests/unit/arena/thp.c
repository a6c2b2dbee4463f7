/* SPDX-License-Identifier: MIT */
/* Where large OS pages are requested. */
#include "fake/world.h"

#include "arena/budget.h"
#include "arena/huge.h"
#include "arena/purge.h"
#include "arena/reserve.h"
#include "arena/thp.h"
#include "map/bitmap.h"

enum { FRAME = (int)(MIA_OS_LARGE_PAGE / MIA_SLICE_SIZE) };

static void begin(const mia_span *span) {
  mia_arena_note_filled(span->slices);
  if (mia_arena_may_begin_thp(span->arena))
    mia_arena_begin_thp(span->arena, span->start, span->slices);
}

/* Takes a span that will be filled. */
static mia_span filled(size_t slices) {
  mia_span span = {0};
  ck_assert(mia_arena_take(slices, 1, &span));
  begin(&span);
  return span;
}

static void give(const mia_span *span, size_t slices) {
  mia_arena_give(span->arena, span->start, slices, slices * SLICE);
}

static size_t of_frame(const mia_span *span) {
  return ((uintptr_t)span->start >> MIA_SLICE_SHIFT) % FRAME;
}

/* Returns a span of one slice, the first of a frame of which nothing was used; as much is in
 * use as large OS pages want. */
static mia_span first_of_frame(void) {
  size_t slices = MIA_ARENA_THP_MIN / SLICE;
  while (slices > 0) {
    size_t some = slices < MIA_SPAN_MAX_SLICES ? slices : MIA_SPAN_MAX_SLICES;
    mia_span span = {0};
    ck_assert(mia_arena_take(some, 1, &span));
    slices -= some;
  }
  mia_arena_note_filled(2 * FRAME);
  fake_count_anew();
  for (;;) {
    mia_span span = filled(1);
    if (of_frame(&span) == 0) return span;
    ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
  }
}

static bool has_thp(const mia_span *span, size_t slices) {
  size_t first = mia_arena_slice_of(span->arena, span->start);
  return mia_map_all(span->arena->thp, first, slices);
}
static bool has_any_thp(const mia_span *span, size_t slices) {
  size_t first = mia_arena_slice_of(span->arena, span->start);
  return mia_map_any(span->arena->thp, first, slices);
}

START_TEST(small_processes_have_no_large_os_pages) {
  for (size_t used = 0; used + SLICE < MIA_ARENA_THP_MIN; used += SLICE) (void)filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
}
END_TEST

START_TEST(large_os_pages_can_be_switched_off) {
  mia_aword_set(&mia_arena_all.frames.off, 1);
  mia_span first = {0};
  for (size_t used = 0; used < MIA_ARENA_THP_MIN + 2 * MIA_OS_LARGE_PAGE; used += SLICE)
    first = filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
  mia_aword_set(&mia_arena_all.frames.off, 0);
  do {
    first = filled(1);
  } while (of_frame(&first) != 0);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
}
END_TEST

START_TEST(growth_begins_new_frames_with_large_os_pages) {
  mia_span first = first_of_frame();
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  ck_assert(has_thp(&first, FRAME));
  for (int i = 1; i < FRAME; i++) (void)filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  mia_span next = filled(1);
  ck_assert_uint_eq(of_frame(&next), 0);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 2);
}
END_TEST

START_TEST(a_span_of_several_frames_begins_them_all) {
  mia_span first = first_of_frame();
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  mia_span span = filled(2 * FRAME);
  ck_assert_ptr_eq(span.start, first.start + SLICE);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 3);
  ck_assert(has_thp(&span, 2 * FRAME));
}
END_TEST

START_TEST(frames_that_are_in_use_stay_as_they_are) {
  mia_span plain, first = first_of_frame();
  give(&first, 1);
  (void)mia_arena_purge_now();
  ck_assert(mia_arena_take(1, 1, &plain)); /* not to be filled: small OS pages */
  ck_assert_ptr_eq(plain.start, first.start);
  fake_count_anew();
  (void)filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
}
END_TEST

START_TEST(dirty_frames_stay_as_they_are) {
  mia_span first = first_of_frame();
  mia_arena_end_thp(first.arena, first.start, SLICE, false);
  give(&first, 1);
  fake_count_anew();
  mia_span again = filled(1);
  ck_assert_ptr_eq(again.start, first.start);
  ck_assert(!again.zero);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
}
END_TEST

/* A large block of a slice costs as much as eight slices that are filled. */
START_TEST(frames_among_large_blocks_have_small_os_pages) {
  mia_span first = first_of_frame();
  for (int i = 0; i < FRAME; i++) mia_arena_note_filled(2);
  mia_arena_note_sparse(FRAME / 8);
  ck_assert(mia_arena_may_begin_thp(first.arena));
  mia_arena_note_sparse(1);
  ck_assert(!mia_arena_may_begin_thp(first.arena));
  mia_arena_note_filled(7);
  ck_assert(!mia_arena_may_begin_thp(first.arena));
  mia_arena_note_filled(1);
  ck_assert(mia_arena_may_begin_thp(first.arena));
  mia_arena_note_sparse(1000);
  mia_arena_note_filled(FRAME - 1);
  ck_assert(!mia_arena_may_begin_thp(first.arena));
}
END_TEST

START_TEST(there_is_a_bound_of_frames) {
  (void)first_of_frame();
  mia_aword_set(&mia_arena_all.frames.count, 16384);
  fake_count_anew();
  for (int i = 0; i < 2 * FRAME; i++) (void)filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
  mia_aword_set(&mia_arena_all.frames.count, 16383);
  for (int i = 0; i < 2 * FRAME; i++) (void)filled(1);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
}
END_TEST

START_TEST(what_is_purged_has_small_os_pages_again) {
  mia_span first = first_of_frame(), rest = filled(FRAME - 1);
  mia_span next = filled(1);
  fake_count_anew();
  give(&rest, 1);
  ck_assert(has_thp(&first, FRAME) && has_thp(&next, FRAME));
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES | FAKE_SPLIT), 0);
  ck_assert_uint_eq(mia_arena_purge_now(), SLICE);
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 1);
  ck_assert_uint_eq(fake_calls(FAKE_SPLIT), 1);
  ck_assert(!has_any_thp(&first, FRAME) && has_thp(&next, FRAME));
  ck_assert(mia_arena_purge_part(rest.arena, rest.start + SLICE, fake.page_size));
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES | FAKE_SPLIT), 2);
  ck_assert(mia_arena_purge_part(next.arena, next.start, fake.page_size));
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 2);
  ck_assert_uint_eq(fake_calls(FAKE_SPLIT), 2);
  ck_assert(!has_any_thp(&next, FRAME));
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.frames.count), 0);
}
END_TEST

/* A range that begins within the last slice of a frame and ends within the first of the next. */
START_TEST(both_frames_of_a_range_have_small_os_pages_again) {
  mia_span first = first_of_frame(), rest = filled(FRAME - 1), next = filled(1);
  char *start = next.start - fake.page_size;
  fake_count_anew();
  ck_assert_ptr_eq(rest.start, first.start + SLICE);
  ck_assert_uint_eq(mia_arena_cost_to_end_thp(next.arena, start, 2 * fake.page_size),
                    2 * MIA_BUDGET_SPLIT);
  ck_assert(mia_arena_purge_part(next.arena, start, 2 * fake.page_size));
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 2);
  ck_assert_uint_eq(fake_calls(FAKE_SPLIT), 2);
  ck_assert(!has_any_thp(&first, FRAME) && !has_any_thp(&next, FRAME));
  ck_assert_uint_eq(mia_arena_cost_to_end_thp(next.arena, start, 2 * fake.page_size), 0);
}
END_TEST

/* While too much is idle, a thread purges what it gives back itself. */
START_TEST(what_a_thread_purges_itself_has_small_os_pages_again) {
  mia_span first = first_of_frame();
  mia_aword_set(&mia_arena_all.excess.unfinished, 1);
  fake_count_anew();
  give(&first, 1);
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 1);
  ck_assert_uint_eq(fake_calls(FAKE_SPLIT), 1);
  ck_assert(!has_any_thp(&first, FRAME));
}
END_TEST

START_TEST(what_moves_to_a_mapping_has_small_os_pages_before) {
  mia_span first = first_of_frame(), rest = filled(FRAME - 1), next = filled(FRAME);
  memset(rest.start, 7, (FRAME - 1) * SLICE);
  fake_count_anew();
  char *moved = mia_arena_huge_detach(rest.arena, rest.start, FRAME * SLICE, 0);
  ck_assert_ptr_nonnull(moved);
  ck_assert(moved[0] == 7 && moved[(FRAME - 1) * SLICE - 1] == 7);
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 2);
  ck_assert_uint_eq(fake_calls(FAKE_SPLIT), 0);
  ck_assert(!has_any_thp(&first, FRAME) && !has_any_thp(&next, FRAME));
}
END_TEST

START_TEST(a_frame_that_was_purged_as_a_whole_is_new) {
  mia_span first = first_of_frame(), rest = filled(FRAME - 1);
  give(&first, 1);
  give(&rest, FRAME - 1);
  ck_assert_uint_eq(mia_arena_purge_now(), MIA_OS_LARGE_PAGE);
  fake_count_anew();
  mia_span again = filled(1);
  ck_assert_ptr_eq(again.start, first.start);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
}
END_TEST

START_TEST(locked_memory_has_small_os_pages) {
  mia_span first = first_of_frame();
  fake.locks = true;
  fake_count_anew();
  mia_span next = filled(2 * FRAME);
  ck_assert_ptr_eq(next.start, first.start + SLICE);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
}
END_TEST

/* Returns how many frames a range has as a whole. */
static size_t frames_in(const char *start, const char *end) {
  uintptr_t size = MIA_OS_LARGE_PAGE, first = ((uintptr_t)start + size - 1) / size * size;
  return first < (uintptr_t)end ? ((uintptr_t)end - first) / size : 0;
}

/* Loop index: slices of the arena beyond two frames.  Arenas begin at any slice.  The fake OS checks
 * that no request goes beyond what is mapped. */
START_TEST(parts_of_frames_at_both_ends_are_left_alone) {
  (void)first_of_frame();
  fake_count_anew();
  mia_arena *arena = mia_arena_reserve_os(&(mia_arena_request){.size = (2 * FRAME + _i) * SLICE});
  ck_assert_ptr_nonnull(arena);
  const char *first = NULL; /* behind the arena's head */
  mia_span span;
  while (mia_arena_take_in(arena, 1, 1, &span)) {
    if (first == NULL) first = span.start;
    begin(&span);
    if (has_any_thp(&span, 1)) {
      ck_assert_uint_eq(of_frame(&span), 0);
      ck_assert(mia_arena_purge_part(arena, span.start, SLICE));
    }
  }
  const char *end = arena->start + arena->slices * SLICE;
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), frames_in(first, end));
}
END_TEST

/* Loop index: why the arena gets no large OS pages. */
START_TEST(other_arenas_are_left_alone) {
  mia_span first = first_of_frame();
  mia_arena *arena = first.arena;
  ck_assert(mia_arena_may_begin_thp(arena));
  bool *const why[] = {&arena->external, &arena->pinned, &arena->large, &arena->exclusive};
  *why[_i] = true;
  ck_assert(!mia_arena_may_begin_thp(arena));
  *why[_i] = false;
  arena->live = false;
  ck_assert(!mia_arena_may_begin_thp(arena));
  arena->live = true;
}
END_TEST

START_TEST(memory_of_the_program_is_left_alone) {
  (void)first_of_frame();
  char *memory = mia_os_reserve_aligned(4 * MIA_OS_LARGE_PAGE, MIA_OS_LARGE_PAGE);
  ck_assert_ptr_nonnull(memory);
  mia_arena *arena = mia_arena_manage(&(mia_arena_external){.start = memory,
                                                            .size = 4 * MIA_OS_LARGE_PAGE,
                                                            .committed = true,
                                                            .zero = true,
                                                            .exclusive = true});
  ck_assert_ptr_nonnull(arena);
  fake_count_anew();
  mia_span span;
  ck_assert(mia_arena_take_in(arena, 2 * FRAME, MIA_OS_LARGE_PAGE, &span));
  begin(&span);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
}
END_TEST

SUITE("arena/thp") {
  CASE(world_of_arenas, world_end);
  TEST(small_processes_have_no_large_os_pages);
  TEST(large_os_pages_can_be_switched_off);
  TEST(growth_begins_new_frames_with_large_os_pages);
  TEST(a_span_of_several_frames_begins_them_all);
  TEST(frames_that_are_in_use_stay_as_they_are);
  TEST(dirty_frames_stay_as_they_are);
  TEST(what_is_purged_has_small_os_pages_again);
  TEST(both_frames_of_a_range_have_small_os_pages_again);
  TEST(what_a_thread_purges_itself_has_small_os_pages_again);
  TEST(what_moves_to_a_mapping_has_small_os_pages_before);
  TEST(frames_among_large_blocks_have_small_os_pages);
  TEST(there_is_a_bound_of_frames);
  TEST(locked_memory_has_small_os_pages);
  TEST(a_frame_that_was_purged_as_a_whole_is_new);
  LOOP(other_arenas_are_left_alone, 0, 4);
  LOOP(parts_of_frames_at_both_ends_are_left_alone, 0, FRAME);
  TEST(memory_of_the_program_is_left_alone);
}
