/* SPDX-License-Identifier: MIT */
/* Compares the arithmetic on sizes with its definitions. */
#include "unit/suite.h"

#include "base/bits.h"

START_TEST(powers_of_two_are_recognized) {
  for (size_t n = 0; n < 5000; n++) need_at(mia_is_power_of_two(n) == (mia_count_bits(n) == 1), n);
  for (unsigned i = 0; i < sizeof(size_t) * CHAR_BIT; i++) {
    size_t n = (size_t)1 << i;
    need_at(mia_is_power_of_two(n), n);
    need_at(n < 4 || (!mia_is_power_of_two(n - 1) && !mia_is_power_of_two(n + 1)), n);
  }
}
END_TEST

START_TEST(align_up_is_the_next_multiple_and_down_the_last) {
  for (size_t align = 1; align <= 64; align *= 2)
    for (size_t n = 0; n < 300; n++) {
      size_t up = mia_align_up(n, align), down = mia_align_down(n, align);
      need_at(up % align == 0 && up >= n && up - n < align, n);
      need_at(down % align == 0 && down <= n && n - down < align, n);
      need_at(mia_is_aligned((const void *)(uintptr_t)n, align) == (n % align == 0), n);
    }
}
END_TEST

START_TEST(align_up_wraps_to_zero_at_the_end) {
  ck_assert_uint_eq(mia_align_up(SIZE_MAX, 4096), 0);
  ck_assert_uint_eq(mia_align_up(SIZE_MAX - 4095, 4096), SIZE_MAX - 4095);
}
END_TEST

START_TEST(high_bit_is_the_binary_logarithm) {
  for (unsigned i = 0; i < sizeof(size_t) * CHAR_BIT; i++) {
    size_t n = (size_t)1 << i;
    need_at(mia_high_bit(n) == i, n);
    need_at(mia_high_bit(n | (n - 1)) == i, n);
    need_at(mia_high_bit(n | 1) == i, n);
  }
}
END_TEST

START_TEST(power_above_is_the_least_that_is_not_smaller) {
  const size_t top = (size_t)1 << (sizeof(size_t) * CHAR_BIT - 1);
  ck_assert_uint_eq(mia_power_above(0), 1);
  ck_assert_uint_eq(mia_power_above(1), 1);
  for (size_t n = 2; n < 5000; n++) {
    size_t p = mia_power_above(n);
    need_at(mia_is_power_of_two(p) && p >= n && p / 2 < n, n);
  }
  ck_assert_uint_eq(mia_power_above(top), top);
  ck_assert_uint_eq(mia_power_above(top + 1), 0);
  ck_assert_uint_eq(mia_power_above(SIZE_MAX), 0);
}
END_TEST

START_TEST(product_is_refused_exactly_where_it_overflows) {
  uint64_t random = suite_random(1);
  size_t total;
  ck_assert(mia_product(0, SIZE_MAX, &total) && total == 0);
  ck_assert(mia_product(SIZE_MAX, 1, &total) && total == SIZE_MAX);
  ck_assert(!mia_product(SIZE_MAX / 2 + 1, 2, &total));
  for (int i = 0; i < 10000; i++) {
    size_t a = random_size(&random, sizeof(size_t) * CHAR_BIT);
    size_t b = random_size(&random, sizeof(size_t) * CHAR_BIT);
    bool fits = a <= SIZE_MAX / b;
    need_at(mia_product(a, b, &total) == fits, a);
    need_at(!fits || total == a * b, a);
  }
}
END_TEST

START_TEST(bits_are_counted) {
  ck_assert_uint_eq(mia_count_bits(0), 0);
  ck_assert_uint_eq(mia_count_bits(UINT64_MAX), 64);
  uint64_t random = 1;
  for (int i = 0; i < 10000; i++) {
    uint64_t n = (uint64_t)random_size(&random, 32) << 32 | random_size(&random, 32);
    size_t bits = 0;
    for (uint64_t rest = n; rest != 0; rest &= rest - 1) bits++;
    need_at(mia_count_bits(n) == bits, i);
  }
}
END_TEST

SUITE("base/bits") {
  CASE(NULL, NULL);
  TEST(powers_of_two_are_recognized);
  TEST(bits_are_counted);
  TEST(align_up_is_the_next_multiple_and_down_the_last);
  TEST(align_up_wraps_to_zero_at_the_end);
  TEST(high_bit_is_the_binary_logarithm);
  TEST(power_above_is_the_least_that_is_not_smaller);
  TEST(product_is_refused_exactly_where_it_overflows);
}
