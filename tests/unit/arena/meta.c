/* SPDX-License-Identifier: MIT */
/* Memory for mialloc's own structures. */
#include "fake/world.h"
#include "unit/threads.h"

#include "arena/arena.h"
#include "arena/meta.h"

enum { PIECES = 300, THREADS = 3 };

START_TEST(pieces_are_zero_aligned_and_apart) {
  static char *piece[PIECES];
  static size_t size[PIECES];
  uint64_t random = suite_random(1);
  for (int i = 0; i < PIECES; i++) {
    size[i] = 1 + random_below(&random, i % 10 == 0 ? MIA_SLICE_SIZE : 1000);
    piece[i] = mia_arena_meta(size[i]);
    need_at(piece[i] != NULL && (uintptr_t)piece[i] % MIA_DESCRIPTOR_SIZE == 0, i);
    need_at(all_zero(piece[i], size[i]), i);
    memset(piece[i], i | 1, size[i]);
  }
  for (int i = 0; i < PIECES; i++)
    need_at(piece[i][0] == (char)(i | 1) && piece[i][size[i] - 1] == (char)(i | 1), i);
}
END_TEST

START_TEST(small_pieces_share_a_slice) {
  for (int i = 0; i < 100; i++) (void)mia_arena_meta(100);
  ck_assert_uint_eq(used_bytes(), MIA_SLICE_SIZE);
  ck_assert_ptr_nonnull(mia_arena_meta(MIA_SLICE_SIZE));
  ck_assert_uint_eq(used_bytes(), 2 * MIA_SLICE_SIZE);
}
END_TEST

/* The table of many heaps needs so much. */
START_TEST(a_piece_may_be_as_large_as_a_span) {
  const size_t most = SPAN_MAX;
  char *p = mia_arena_meta(MIA_SLICE_SIZE + 1), *next = mia_arena_meta(100);
  ck_assert(p != NULL && all_zero(p, MIA_SLICE_SIZE + 1));
  ck_assert(next + 100 <= p || next >= p + MIA_SLICE_SIZE + 1);
  ck_assert_ptr_nonnull(mia_arena_meta(most));
  ck_assert_ptr_null(mia_arena_meta(most + 1));
  ck_assert_ptr_null(mia_arena_meta(SIZE_MAX));
}
END_TEST

START_TEST(a_used_slice_is_zeroed) {
  mia_span s;
  ck_assert(mia_arena_take(1, 1, &s));
  memset(s.start, 1, MIA_SLICE_SIZE);
  mia_arena_give(s.arena, s.start, 1, MIA_SLICE_SIZE);
  for (size_t i = 0; i < MIA_SLICE_SIZE / 4096; i++) {
    char *p = mia_arena_meta(4096);
    ck_assert(p >= s.start && p < s.start + MIA_SLICE_SIZE);
    need_at(all_zero(p, 4096), i);
  }
}
END_TEST

START_TEST(running_out_of_memory_is_not_permanent) {
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  ck_assert_ptr_null(mia_arena_meta(64));
  ck_assert_ptr_null(mia_arena_meta(64));
  fake_allow();
  ck_assert_ptr_nonnull(mia_arena_meta(64));
}
END_TEST

static void *take_pieces(void *arg) {
  uintptr_t me = (uintptr_t)arg + 1;
  uintptr_t *last[100];
  for (int i = 0; i < 100; i++) {
    last[i] = mia_arena_meta(2000);
    note(last[i] != NULL && last[i][0] == 0 && last[i][200] == 0);
    last[i][0] = last[i][200] = me;
  }
  for (int i = 0; i < 100; i++) note(last[i][0] == me && last[i][200] == me);
  return NULL;
}

START_TEST(threads_get_pieces_of_their_own) { run_threads(THREADS, take_pieces); }
END_TEST

SUITE("arena/meta") {
  CASE(world_of_arenas, world_end);
  TEST(pieces_are_zero_aligned_and_apart);
  TEST(small_pieces_share_a_slice);
  TEST(a_piece_may_be_as_large_as_a_span);
  TEST(a_used_slice_is_zeroed);
  TEST(running_out_of_memory_is_not_permanent);
  TEST(threads_get_pieces_of_their_own);
}
