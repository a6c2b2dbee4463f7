/* SPDX-License-Identifier: MIT */
/* Where mappings lie, in tier 0 and in tiers from 2 on. */
#include "fake/world.h"

#include "arena/place.h"
#include "base/bits.h"

enum { SIZE = 3 * MIA_SLICE_SIZE };

START_TEST(tier_0_reserves_once_and_has_no_guards) {
  fake_count_anew();
  char *p = mia_arena_reserve_range(SIZE, true), *q = mia_arena_reserve_huge(SIZE, 1);
  ck_assert(p != NULL && q != NULL && fake.live == 2 * SIZE && fake.mapped == 2 * SIZE);
  ck_assert_uint_eq(fake_calls(FAKE_ANY), 2);
  ck_assert(mia_os_release(p, SIZE) && mia_arena_release_huge(q, SIZE) && fake.mapped == 0);
}
END_TEST

/* Of the two places, the one that the kernel chose is released. */
START_TEST(a_range_is_reserved_at_one_place) {
  for (int live = 0; live <= 1; live++) {
    char *p = mia_arena_reserve_range(SIZE, live != 0);
    need_at(p != NULL && fake.mapped == SIZE && fake.live == (live != 0 ? SIZE : 0), live);
    need(mia_os_release(p, SIZE) && fake.mapped == 0);
  }
}
END_TEST

START_TEST(a_range_is_where_the_kernel_chose_if_it_cannot_be_elsewhere) {
  fake_refuse(FAKE_RESERVE_SPACE, 2, 1);
  char *p = mia_arena_reserve_range(SIZE, false);
  ck_assert(p != NULL && fake.mapped == SIZE);
  ck_assert(mia_os_release(p, SIZE));
  fake_refuse(FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  ck_assert(mia_arena_reserve_range(SIZE, false) == NULL && fake.mapped == 0);
}
END_TEST

START_TEST(a_huge_mapping_is_aligned_and_between_guards) {
  for (size_t align = 1; align <= 4 * MIA_MIB; align *= 4) {
    char *p = mia_arena_reserve_huge(SIZE, align);
    need_at(p != NULL && mia_is_aligned(p, align), align);
    need_at(fake.live == SIZE && fake.mapped == SIZE + 2 * MIA_ARENA_GUARD, align);
    memset(p, 1, SIZE);
    need_at(mia_arena_release_huge(p, SIZE) && fake.mapped == 0, align);
  }
}
END_TEST

START_TEST(where_access_rights_cannot_be_changed_the_guards_are_none) {
  fake_refuse(FAKE_COMMIT, 1, FAKE_EVER);
  char *p = mia_arena_reserve_huge(SIZE, 1);
  ck_assert(p != NULL && fake.live == SIZE + 2 * MIA_ARENA_GUARD && fake.mapped == fake.live);
  ck_assert(mia_arena_release_huge(p, SIZE) && fake.mapped == 0);
}
END_TEST

START_TEST(nothing_is_left_of_a_huge_mapping_that_is_refused) {
  fake_refuse(FAKE_RESERVE_SPACE | FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  ck_assert(mia_arena_reserve_huge(SIZE, 1) == NULL && fake.mapped == 0);
  fake_allow();
  ck_assert(mia_arena_reserve_huge(SIZE_MAX - SIZE + 1, 1) == NULL && fake.mapped == 0);
}
END_TEST

SUITE("arena/place") {
  CASE(world_of_arenas, world_end);
  TEST(tier_0_reserves_once_and_has_no_guards);
  CASE(world_of_hardened_arenas, world_end_hardened);
  TEST(a_range_is_reserved_at_one_place);
  TEST(a_range_is_where_the_kernel_chose_if_it_cannot_be_elsewhere);
  TEST(a_huge_mapping_is_aligned_and_between_guards);
  TEST(where_access_rights_cannot_be_changed_the_guards_are_none);
  TEST(nothing_is_left_of_a_huge_mapping_that_is_refused);
}
