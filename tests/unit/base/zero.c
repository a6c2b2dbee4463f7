/* SPDX-License-Identifier: MIT */
/* Tests the check for zeroes: of a small range it reads all, of a large one samples. */
#include "unit/suite.h"

#include "base/zero.h"

#define LARGE_RANGE (2 * MIA_ZERO_END + 64 * MIA_ZERO_STEP + 1000)
#define VERY_LARGE_RANGE (2 * MIA_ZERO_END + 3 * MIA_ZERO_STEPS * MIA_ZERO_STEP)

static char *zeroes(size_t size) {
  char *p = calloc(1, size);
  ck_assert_ptr_nonnull(p);
  return p;
}

static bool sees(char *p, size_t size, size_t at) {
  p[at] = 1;
  bool seen = !mia_base_is_zero(p, size);
  p[at] = 0;
  return seen;
}

START_TEST(every_byte_of_a_small_range_is_read) {
  char *volatile block = malloc(302); /* volatile hides its size from the compiler */
  char *p = block;
  ck_assert_ptr_nonnull(p);
  memset(p, 1, 302);
  for (size_t size = 0; size <= 300; size++) {
    memset(p + 1, 0, size);
    need_at(mia_base_is_zero(p + 1, size), size);
    for (size_t at = 1; at <= size; at++) need_at(sees(p + 1, size, at - 1), at);
  }
  free(p);
}
END_TEST

START_TEST(both_ends_of_a_large_range_are_read) {
  char *p = zeroes(LARGE_RANGE);
  ck_assert(mia_base_is_zero(p, LARGE_RANGE));
  for (size_t at = 0; at < MIA_ZERO_END; at += 4093) {
    need_at(sees(p, LARGE_RANGE, at), at);
    need_at(sees(p, LARGE_RANGE, LARGE_RANGE - 1 - at), at);
  }
  for (size_t i = 0; i <= 64; i++)
    need_at(sees(p, LARGE_RANGE, MIA_ZERO_END + i * MIA_ZERO_STEP), i);
  free(p);
}
END_TEST

START_TEST(of_a_very_large_range_some_bytes_are_read) {
  char *p = zeroes(VERY_LARGE_RANGE);
  ck_assert(mia_base_is_zero(p, VERY_LARGE_RANGE));
  size_t seen = 0;
  for (size_t i = 0; i < 30; i++)
    seen += sees(p, VERY_LARGE_RANGE, MIA_ZERO_END + i * MIA_ZERO_STEP);
  ck_assert_uint_eq(seen, 10);
  free(p);
}
END_TEST

SUITE("base/zero") {
  CASE(NULL, NULL);
  TEST(every_byte_of_a_small_range_is_read);
  TEST(both_ends_of_a_large_range_are_read);
  TEST(of_a_very_large_range_some_bytes_are_read);
}
