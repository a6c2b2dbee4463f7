/* SPDX-License-Identifier: MIT */
/* Compares the random numbers with a published vector, and looks at how they are spread. */
#include "unit/suite.h"

#include "base/random.h"

enum { ROUNDS_OF_VECTOR = 20, NUMBERS = 1 << 16 };

/* RFC 8439, 2.3.2: the generator with more rounds, which is otherwise the same. */
START_TEST(a_published_vector) {
  const uint32_t in[MIA_RANDOM_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574,
                                         0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                         0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
                                         0x00000001, 0x09000000, 0x4a000000, 0x00000000};
  const uint32_t wanted[MIA_RANDOM_WORDS] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                             0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                             0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                             0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
  uint32_t out[MIA_RANDOM_WORDS];
  mia_base_random_block(in, ROUNDS_OF_VECTOR, out);
  ck_assert_mem_eq(out, wanted, sizeof out);
}
END_TEST

static mia_random seeded(uint32_t first) {
  mia_random random = {0};
  uint32_t key[MIA_RANDOM_KEY] = {first};
  mia_base_random_seed(&random, key);
  return random;
}

START_TEST(the_same_key_gives_the_same_numbers) {
  mia_random a = seeded(1), b = seeded(1), c = seeded(2);
  unsigned same = 0;
  for (size_t i = 0; i < 1000; i++) {
    unsigned n = mia_base_random_next(&a);
    need_at(n == mia_base_random_next(&b), i);
    same += n == mia_base_random_next(&c);
  }
  ck_assert_uint_lt(same, 5);
}
END_TEST

/* Each of 256 parts of the range has 256 numbers in the mean, with a deviation of 16. */
START_TEST(numbers_are_spread_evenly) {
  static unsigned high[256], low[256];
  mia_random random = seeded(3);
  for (size_t i = 0; i < NUMBERS; i++) {
    unsigned n = mia_base_random_next(&random);
    ck_assert_uint_le(n, UINT16_MAX);
    high[n >> 8]++;
    low[n & 255]++;
  }
  for (size_t i = 0; i < 256; i++) {
    need_at(high[i] > 160 && high[i] < 352, i);
    need_at(low[i] > 160 && low[i] < 352, i);
  }
}
END_TEST

SUITE("base/random") {
  CASE(NULL, NULL);
  TEST(a_published_vector);
  TEST(the_same_key_gives_the_same_numbers);
  TEST(numbers_are_spread_evenly);
}
