/* SPDX-License-Identifier: MIT */
/* The cache of mappings of huge blocks that were freed. */
#include "fake/world.h"

#include "arena/huge.h"
#include "arena/purge.h"

static void world(void) {
  world_of_arenas();
  mia_aword_set(&mia_arena_all.mapping_cache.wanted, 1);
}

static char *taken(size_t size, size_t align, bool *zero) {
  char *p = mia_arena_huge_take(&(mia_huge){.size = size, .align = align}, zero);
  ck_assert_ptr_nonnull(p);
  ck_assert(fake_is_live(p, size));
  return p;
}

static char *any(size_t size) {
  bool zero;
  return taken(size, 1, &zero);
}

static void give(char *p, size_t size) { ck_assert(mia_arena_huge_give(p, size, true)); }

/* Checks the bytes in use and in the cache, by all counters and by what is mapped. */
static void counts_are(size_t used, size_t kept) {
  ck_assert_uint_eq(used_bytes(), used);
  ck_assert_uint_eq(mia_arena_idle(), kept);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.mapping_cache.bytes), kept);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.reserved), used + kept);
  ck_assert_uint_eq(fake.mapped - world_of_leaves(), used + kept);
}

START_TEST(a_freed_mapping_is_taken_again_unchanged) {
  char *p = any(HUGE_SIZE);
  memset(p, 7, HUGE_SIZE);
  give(p, HUGE_SIZE);
  counts_are(0, HUGE_SIZE);
  bool zero;
  ck_assert_ptr_eq(taken(HUGE_SIZE, OS_PAGE, &zero), p);
  ck_assert(!zero && p[0] == 7 && p[HUGE_SIZE - 1] == 7);
  counts_are(HUGE_SIZE, 0);
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_ALIGNED), 1);
  ck_assert_uint_eq(fake_calls(FAKE_RELEASE | FAKE_PURGE | FAKE_RESIZE), 0);
}
END_TEST

START_TEST(nothing_is_cached_if_the_cache_is_off) {
  mia_aword_set(&mia_arena_all.mapping_cache.wanted, 0);
  give(any(HUGE_SIZE), HUGE_SIZE);
  counts_are(0, 0);
}
END_TEST

START_TEST(small_mappings_are_not_cached) {
  give(any(MIA_MIB - OS_PAGE), MIA_MIB - OS_PAGE);
  counts_are(0, 0);
  give(any(MIA_MIB), MIA_MIB);
  counts_are(0, MIA_MIB);
}
END_TEST

/* The smallest mapping that is large enough is taken, and cut if the rest is too small to stay. */
START_TEST(the_best_fit_is_taken) {
  const size_t sizes[] = {HUGE_SIZE + 3 * OS_PAGE, HUGE_SIZE + OS_PAGE, HUGE_SIZE + 2 * OS_PAGE,
                          HUGE_SIZE / 2};
  char *p[4];
  for (int i = 0; i < 4; i++) p[i] = any(sizes[i]);
  size_t left = 0;
  for (int i = 0; i < 4; i++) give(p[i], sizes[i]), left += sizes[i];
  bool zero;
  ck_assert_ptr_eq(taken(HUGE_SIZE + 2 * OS_PAGE, 1, &zero), p[2]);
  left -= sizes[2];
  counts_are(sizes[2], left);
  ck_assert_ptr_eq(taken(HUGE_SIZE, 1, &zero), p[1]);
  left -= sizes[1];
  counts_are(sizes[2] + HUGE_SIZE, left);
  ck_assert(!fake_is_live(p[1] + HUGE_SIZE, OS_PAGE));
}
END_TEST

/* A large mapping serves two requests, and then one of its whole size, without a system call. */
START_TEST(the_rest_of_a_mapping_stays) {
  char *p = any(HUGE_SIZE);
  memset(p, 7, HUGE_SIZE);
  give(p, HUGE_SIZE);
  for (int round = 0; round < 2; round++) {
    ck_assert_ptr_eq(any(HUGE_SIZE / 4), p);
    counts_are(HUGE_SIZE / 4, HUGE_SIZE - HUGE_SIZE / 4);
    char *q = any(HUGE_SIZE / 2);
    ck_assert_ptr_eq(q, p + HUGE_SIZE / 4);
    counts_are(3 * (HUGE_SIZE / 4), HUGE_SIZE / 4);
    give(q, HUGE_SIZE / 2);
    give(p, HUGE_SIZE / 4);
    counts_are(0, HUGE_SIZE);
    ck_assert_ptr_eq(any(HUGE_SIZE), p);
    ck_assert(p[0] == 7 && p[HUGE_SIZE - 1] == 7);
    give(p, HUGE_SIZE);
  }
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_ALIGNED), 1);
  ck_assert_uint_eq(fake_calls(FAKE_RELEASE | FAKE_PURGE | FAKE_RESIZE | FAKE_MOVE), 0);
}
END_TEST

/* What is used again does not keep the rest from being unmapped. */
START_TEST(the_rest_of_a_mapping_ages) {
  char *p = any(HUGE_SIZE);
  give(p, HUGE_SIZE);
  for (int visit = 0; visit < 2; visit++) {
    ck_assert_ptr_eq(any(HUGE_SIZE / 4), p);
    mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
    give(p, HUGE_SIZE / 4);
  }
  counts_are(0, HUGE_SIZE / 4);
}
END_TEST

/* Mappings that border on each other grow as one; one that is stuck is not among them. */
START_TEST(neighbours_grow_as_one) {
  char *p = any(2 * HUGE_SIZE);
  give(p, 2 * HUGE_SIZE);
  ck_assert_ptr_eq(any(HUGE_SIZE), p);
  if (_i == 1) {
    fake_refuse(FAKE_RELEASE, 1, 1);
    ck_assert_uint_eq(mia_arena_purge_now(), HUGE_SIZE);
  }
  give(p, HUGE_SIZE);
  bool zero;
  (void)taken(3 * HUGE_SIZE, 1, &zero);
  ck_assert(_i == 0 ? !zero : zero);
  ck_assert_uint_eq(used_bytes(), 3 * HUGE_SIZE);
  ck_assert_uint_eq(mia_arena_idle(), 0);
}
END_TEST

START_TEST(a_smaller_mapping_grows) {
  if (_i == 1) fake_refuse(FAKE_RESIZE, 1, 1);
  char *p = any(HUGE_SIZE / 2);
  memset(p, 7, HUGE_SIZE / 2);
  give(p, HUGE_SIZE / 2);
  bool zero;
  char *q = taken(HUGE_SIZE, 1, &zero);
  ck_assert((_i == 0 || q != p) && !zero);
  ck_assert(q[0] == 7 && q[HUGE_SIZE / 2 - 1] == 7 && q[HUGE_SIZE / 2] == 0 &&
            q[HUGE_SIZE - 1] == 0);
  counts_are(HUGE_SIZE, 0);
}
END_TEST

START_TEST(a_mapping_that_cannot_grow_is_unmapped) {
  give(any(HUGE_SIZE / 2), HUGE_SIZE / 2);
  fake_refuse(FAKE_RESIZE | FAKE_MOVE, 1, FAKE_EVER);
  bool zero;
  (void)taken(HUGE_SIZE, 1, &zero);
  ck_assert(zero);
  counts_are(HUGE_SIZE, 0);
}
END_TEST

START_TEST(only_an_aligned_mapping_is_taken) {
  char *p = any(2 * HUGE_SIZE);
  (void)any(HUGE_SIZE); /* so that there is room */
  give(p, 2 * HUGE_SIZE);
  bool zero;
  char *q = taken(2 * HUGE_SIZE - OS_PAGE, 64 * MIA_MIB, &zero);
  ck_assert(((uintptr_t)q & (64 * MIA_MIB - 1)) == 0);
  give(q, 2 * HUGE_SIZE - OS_PAGE);
  ck_assert_ptr_eq(taken(2 * HUGE_SIZE - OS_PAGE, 64 * MIA_MIB, &zero), q);
  ck_assert(!zero);
}
END_TEST

/* OS pages of a new mapping that are never touched cost nothing. */
START_TEST(a_zeroed_block_gets_a_new_mapping) {
  char *p = any(HUGE_SIZE);
  memset(p, 7, HUGE_SIZE);
  give(p, HUGE_SIZE);
  bool zero = false;
  char *q = mia_arena_huge_take(&(mia_huge){.size = HUGE_SIZE, .align = 1, .zeroed = true}, &zero);
  ck_assert_ptr_nonnull(q);
  ck_assert(zero && q[0] == 0 && q[HUGE_SIZE - 1] == 0);
  counts_are(HUGE_SIZE, 0);
}
END_TEST

/* K3, when a block is made and when one grows. */
START_TEST(used_and_cached_bytes_stay_below_the_peak) {
  char *p = any(HUGE_SIZE), *q = any(HUGE_SIZE);
  give(p, HUGE_SIZE);
  if (_i == 0)
    (void)any(4 * HUGE_SIZE);
  else
    (void)mia_arena_huge_resize(q, HUGE_SIZE, 0, 5 * HUGE_SIZE, true);
  counts_are(5 * HUGE_SIZE, 0);
}
END_TEST

START_TEST(aged_at_one_visit_unmapped_at_the_next) {
  char *p = any(HUGE_SIZE), *q = any(2 * HUGE_SIZE);
  give(p, HUGE_SIZE);
  mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  give(q, 2 * HUGE_SIZE);
  counts_are(0, 3 * HUGE_SIZE);
  mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 2 * HUGE_SIZE);
  (void)any(2 * HUGE_SIZE);
  give(q, 2 * HUGE_SIZE); /* it was used in between */
  mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 2 * HUGE_SIZE);
  mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 0);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.purged), 3 * HUGE_SIZE);
}
END_TEST

START_TEST(a_purge_of_all_unmaps_all) {
  char *p = any(HUGE_SIZE), *q = any(HUGE_SIZE);
  give(p, HUGE_SIZE);
  give(q, HUGE_SIZE);
  if (_i == 0)
    ck_assert_uint_eq(mia_arena_purge_now(), 2 * HUGE_SIZE);
  else
    mia_arena_purge_down_to(0, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 0);
}
END_TEST

START_TEST(the_oldest_is_unmapped_first) {
  char *p = any(2 * HUGE_SIZE), *q = any(HUGE_SIZE);
  give(p, 2 * HUGE_SIZE);
  give(q, HUGE_SIZE);
  mia_arena_purge_down_to(HUGE_SIZE, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, HUGE_SIZE);
  ck_assert_ptr_eq(any(HUGE_SIZE), q);
}
END_TEST

/* Maps a block `need' ms after an excess purge took its mapping, frees it `use' ms later, and returns
 * whether the next excess purge leaves it. */
static bool is_left(mia_time_ms need, mia_time_ms use) {
  fake.now = 1000;
  give(any(HUGE_SIZE), HUGE_SIZE);
  mia_arena_purge_excess(fake.now, HUGE_SIZE / 2, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 0);
  fake.now += need;
  char *p = any(HUGE_SIZE);
  fake.now += use;
  give(p, HUGE_SIZE);
  mia_arena_purge_excess(fake.now, HUGE_SIZE / 2, &(mia_budget)MIA_BUDGET_ALL);
  return mia_arena_idle() == HUGE_SIZE;
}

/* What counts is how soon the mapping was needed; a slow program may then use it for long. */
START_TEST(a_mapping_needed_again_is_left) {
  static const struct {
    mia_time_ms need, use;
    bool left;
  } cases[] = {{0, 0, true},     {0, 5000, true},   {999, 0, true},     {1000, 0, false},
               {0, 31999, true}, {0, 32000, false}, {999, 31000, true}, {5000, 1000, false}};
  ck_assert(is_left(cases[_i].need, cases[_i].use) == cases[_i].left);
}
END_TEST

/* An excess purge unmaps the mapping.  As it is soon needed again, a backoff begins. */
START_TEST(a_mapping_needed_again_starts_a_backoff) {
  fake.now = 1000;
  char *p = any(HUGE_SIZE);
  give(p, HUGE_SIZE);
  mia_arena_purge_excess(fake.now, HUGE_SIZE / 2, &(mia_budget)MIA_BUDGET_ALL);
  counts_are(0, 0);
  for (fake.now = 1010; fake.now < 1900; fake.now += 10) {
    p = any(HUGE_SIZE);
    give(p, HUGE_SIZE);
    mia_arena_purge_excess(fake.now, HUGE_SIZE / 2, &(mia_budget)MIA_BUDGET_ALL);
    counts_are(0, HUGE_SIZE);
  }
}
END_TEST

START_TEST(a_full_cache_takes_no_more) {
  static char *p[MIA_MAPPING_CACHE_MAX + 1];
  for (size_t i = 0; i <= MIA_MAPPING_CACHE_MAX; i++) p[i] = any(MIA_MIB + i % 7 * OS_PAGE);
  for (size_t i = 0; i <= MIA_MAPPING_CACHE_MAX; i++) give(p[i], MIA_MIB + i % 7 * OS_PAGE);
  ck_assert_uint_eq(mia_arena_all.mapping_cache.count, MIA_MAPPING_CACHE_MAX);
  for (size_t i = 1; i < MIA_MAPPING_CACHE_MAX; i++)
    need_at(mia_arena_all.mapping_cache.at[i - 1].start < mia_arena_all.mapping_cache.at[i].start,
            i);
  (void)mia_arena_purge_now();
  counts_are(0, 0);
}
END_TEST

/* It is purged, no request gets it, and it is unmapped once the kernel can. */
START_TEST(a_mapping_that_cannot_be_unmapped_waits) {
  char *p = any(HUGE_SIZE);
  give(p, HUGE_SIZE);
  fake_refuse(FAKE_RELEASE, 1, 1);
  ck_assert_uint_eq(mia_arena_purge_now(), HUGE_SIZE);
  ck_assert_uint_eq(fake.purged, HUGE_SIZE);
  ck_assert_uint_eq(mia_arena_idle(), 0);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.reserved), HUGE_SIZE);
  for (size_t size = HUGE_SIZE / 2; size <= 2 * HUGE_SIZE; size *= 2) {
    char *q = any(size);
    ck_assert_ptr_ne(p, q);
    give(q, size);
  }
  ck_assert(fake_is_live(p, HUGE_SIZE));
  if (_i == 1) mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  if (_i == 1)
    mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  else
    (void)mia_arena_purge_now();
  counts_are(0, 0);
}
END_TEST

START_TEST(a_mapping_that_can_be_neither_unmapped_nor_purged_is_tried_once) {
  give(any(HUGE_SIZE), HUGE_SIZE);
  fake_refuse(FAKE_RELEASE | FAKE_PURGE, 1, FAKE_EVER);
  ck_assert_uint_eq(mia_arena_purge_now(), 0);
  mia_arena_age_cached(true, &(mia_budget)MIA_BUDGET_ALL);
  fake_allow();
  counts_are(0, HUGE_SIZE);
}
END_TEST

/* A request beyond the limit fails even if a mapping is cached, which is then unmapped. */
START_TEST(the_limit_holds) {
  give(any(HUGE_SIZE), HUGE_SIZE);
  mia_aword_set(&mia_arena_all.limit, HUGE_SIZE - OS_PAGE);
  bool zero;
  ck_assert_ptr_null(mia_arena_huge_take(&(mia_huge){.size = HUGE_SIZE, .align = 1}, &zero));
  counts_are(0, 0);
}
END_TEST

SUITE("arena/mapping_cache") {
  CASE(world, world_end);
  TEST(a_freed_mapping_is_taken_again_unchanged);
  TEST(nothing_is_cached_if_the_cache_is_off);
  TEST(small_mappings_are_not_cached);
  TEST(the_best_fit_is_taken);
  TEST(the_rest_of_a_mapping_stays);
  TEST(the_rest_of_a_mapping_ages);
  LOOP(neighbours_grow_as_one, 0, 2);
  LOOP(a_smaller_mapping_grows, 0, 2);
  TEST(a_mapping_that_cannot_grow_is_unmapped);
  TEST(only_an_aligned_mapping_is_taken);
  TEST(a_zeroed_block_gets_a_new_mapping);
  LOOP(used_and_cached_bytes_stay_below_the_peak, 0, 2);
  TEST(aged_at_one_visit_unmapped_at_the_next);
  LOOP(a_purge_of_all_unmaps_all, 0, 2);
  TEST(the_oldest_is_unmapped_first);
  LOOP(a_mapping_needed_again_is_left, 0, 8);
  TEST(a_mapping_needed_again_starts_a_backoff);
  TEST(a_full_cache_takes_no_more);
  LOOP(a_mapping_that_cannot_be_unmapped_waits, 0, 2);
  TEST(a_mapping_that_can_be_neither_unmapped_nor_purged_is_tried_once);
  TEST(the_limit_holds);
}
