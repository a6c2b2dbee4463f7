#include "unit/suite.h"
START_TEST(one) {
  ck_assert_int_eq(1, 1);
  ck_assert_str_eq("a", "a");
  ck_assert_ptr_nonnull("x");
  ck_assert_uint_le(1u, (size_t)2);
}
END_TEST
START_TEST(many) { ck_assert_int_ge(_i, 0); }
END_TEST
START_TEST(dead) { raise(SIGABRT); }
END_TEST
SUITE("unit/api/options") {
  CASE(NULL, NULL);
  TEST(one);
  LOOP(many, 0, 3);
  DIES(dead, SIGABRT);
  TIMEOUT(60);
}
