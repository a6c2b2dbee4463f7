/* SPDX-License-Identifier: MIT */
/* The index of free runs: R1 of runs.h at every level, and which words a search lowers. */
#include "fake/world.h"

#include "arena/runs.h"
#include "map/bitmap.h"

enum {
  REGION = MIA_REGION_SLICES,
  SLICES = 64 * 64 * REGION + 5 * REGION + 100, /* three levels of words */
  REGIONS = (SLICES + REGION - 1) / REGION,
  CELLS = SLICES / MIA_CELL_BITS + 1
};

/* An arena without memory: the index needs the bits only. */
static mia_acell bits[CELLS];
static mia_aword words[REGIONS + REGIONS / 64 + 16];
static mia_arena arena;

static void begin(void) {
  memset(bits, 0, sizeof bits);
  memset(words, 0, sizeof words);
  arena = (mia_arena){.slices = SLICES, .free = bits, .root = &arena.own_root};
  mia_arena_begin_runs(&arena, words);
}

static void give(size_t first, size_t count) {
  mia_map_give(bits, first, count);
  mia_arena_raise_runs(&arena, first, count);
}

static void take(size_t first, size_t count) { ck_assert(mia_map_claim(bits, first, count)); }

static size_t length_of(size_t region) {
  return mia_run_length(mia_arena_run_word(&arena, region));
}
static size_t root(void) { return mia_run_length(mia_aword_get(arena.root)); }

/* Returns the longest run that begins in a region, found slice by slice. */
static size_t longest(size_t region) {
  size_t most = 0, length = 0;
  for (size_t i = region * REGION; i < SLICES; i++) {
    bool is_free = mia_map_all(bits, i, 1);
    length = is_free ? length + 1 : 0;
    if (length > most) most = length;
    if (most >= MIA_RUN_MAX) return MIA_RUN_MAX;
    if (i + 1 >= (region + 1) * REGION && (!is_free || i + 1 - length >= (region + 1) * REGION))
      break;
  }
  return most;
}

START_TEST(words_fit_where_they_lie) {
  ck_assert_uint_le(mia_arena_run_words(SLICES), sizeof words / sizeof words[0]);
  ck_assert_uint_eq(arena.runs_top, 2);
  ck_assert_uint_eq(mia_arena_run_words(1), 1);
  ck_assert_uint_eq(mia_arena_run_words(64 * REGION), 64);
  ck_assert_uint_eq(mia_arena_run_words(64 * REGION + 1), 65 + 2);
}
END_TEST

START_TEST(a_run_counts_in_each_region_that_it_is_in) {
  give(REGION - 3, 5);
  ck_assert_uint_eq(length_of(0), 5);
  ck_assert_uint_eq(length_of(1), 2);
  ck_assert_uint_eq(length_of(2), 0);
  ck_assert_uint_eq(root(), 5);
  give(REGION + 2, 2 * REGION); /* joins the run that is there */
  ck_assert_uint_eq(length_of(0), MIA_RUN_MAX);
  ck_assert_uint_eq(length_of(1), MIA_RUN_MAX);
  ck_assert_uint_eq(length_of(2), REGION + 2);
  ck_assert_uint_eq(length_of(3), 2);
}
END_TEST

START_TEST(neighbours_become_one_run) {
  give(100, 10);
  give(120, 10);
  ck_assert_uint_eq(length_of(0), 10);
  give(110, 10);
  ck_assert_uint_eq(length_of(0), 30);
}
END_TEST

START_TEST(the_first_run_that_is_long_enough_is_found) {
  const size_t places[] = {70, 64 * 64 + 3, 5, 64 * 3, 4000};
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 1), MIA_MAP_NONE);
  for (size_t i = 0; i < 5; i++) give(places[i] * REGION + 7, 10 + i);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 1), 5);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 6, 1), 70);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 13), 64 * 3);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 14), 4000);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 4001, 11), 64 * 64 + 3);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 15), MIA_MAP_NONE);
}
END_TEST

/* A word that is too large is lowered by the first search that fails, at every level. */
START_TEST(a_failed_search_lowers_the_words) {
  give(4000 * REGION, 20);
  take(4000 * REGION, 19);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 20), 4000);
  mia_arena_lower_run(&arena, 4000, mia_arena_run_word(&arena, 4000));
  ck_assert_uint_eq(length_of(4000), 1);
  uintptr_t before = mia_aword_get(arena.root);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 20), MIA_MAP_NONE);
  ck_assert_uint_eq(mia_run_length(mia_aword_get(&arena.runs[1][4000 / 64])), 1);
  ck_assert_uint_eq(mia_arena_next_run(&arena, 0, 20), MIA_MAP_NONE);
  ck_assert_uint_eq(mia_run_length(mia_aword_get(&arena.runs[2][0])), 1);
  mia_arena_lower_root(&arena, before);
  ck_assert_uint_eq(root(), 1);
}
END_TEST

/* Slices given meanwhile prevent the lowering, although they do not change the length. */
START_TEST(a_word_raised_meanwhile_is_not_lowered) {
  give(50, 2);
  uintptr_t before = mia_arena_run_word(&arena, 0), before_root = mia_aword_get(arena.root);
  take(50, 2);
  give(60, 2);
  take(60, 2);
  mia_arena_lower_run(&arena, 0, before);
  ck_assert_uint_eq(length_of(0), 2);
  mia_aword_set(&arena.runs[2][0], 0);
  mia_arena_lower_root(&arena, before_root + (1 << MIA_RUN_BITS));
  ck_assert_uint_eq(root(), 2);
}
END_TEST

static void check(void) {
  for (size_t r = 0; r < REGIONS; r++) {
    size_t length = length_of(r);
    need_at(length >= longest(r), r);
    need_at(mia_run_length(mia_aword_get(&arena.runs[1][r / 64])) >= length, r);
    need_at(mia_run_length(mia_aword_get(&arena.runs[2][r / 64 / 64])) >= length, r);
    need_at(root() >= length, r);
  }
}

START_TEST(R1_no_run_is_longer_than_its_words) {
  uint64_t random = suite_random(3);
  enum { TURNS = 3000 };
  static struct { size_t first, count; } given[TURNS];
  for (size_t i = 0; i < TURNS; i++) {
    size_t first = random_below(&random, 12) * (REGIONS / 12) * REGION +
                   random_below(&random, 3 * REGION);
    size_t count = 1 + random_below(&random, random_below(&random, 20) == 0 ? 900 : 20);
    if (first + count > SLICES || mia_map_any(bits, first, count)) count = 0;
    if (count > 0) give(first, count);
    given[i].first = first, given[i].count = count;
    size_t old = random_below(&random, (unsigned)i + 1);
    if (given[old].count > 0 && random_below(&random, 2) == 0) {
      take(given[old].first, given[old].count);
      given[old].count = 0;
      size_t region = given[old].first / REGION;
      mia_arena_lower_run(&arena, region, mia_arena_run_word(&arena, region));
      ck_assert_uint_eq(length_of(region), longest(region));
    }
  }
  check();
}
END_TEST

SUITE("arena/runs") {
  CASE(begin, NULL);
  TEST(words_fit_where_they_lie);
  TEST(a_run_counts_in_each_region_that_it_is_in);
  TEST(neighbours_become_one_run);
  TEST(the_first_run_that_is_long_enough_is_found);
  TEST(a_failed_search_lowers_the_words);
  TEST(a_word_raised_meanwhile_is_not_lowered);
  TEST(R1_no_run_is_longer_than_its_words);
}
