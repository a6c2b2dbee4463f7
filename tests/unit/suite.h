/* suite.h -- main() for a test program written with check.
 *
 *   #include "unit/suite.h"
 *
 *   START_TEST(take_returns_lowest) { ck_assert_int_eq(take(), 0); }
 *   END_TEST
 *
 *   START_TEST(every_class_round_trips) { ... _i ... }
 *   END_TEST
 *
 *   SUITE("map/bitmap") {
 *     CASE(fresh, NULL);                        a test case: set-up, tear-down (or NULL)
 *       TEST(take_returns_lowest);
 *       LOOP(every_class_round_trips, 0, 64);   _i = 0 .. 63
 *     CASE(NULL, NULL);
 *       DIES(double_free_is_fatal, SIGABRT);    left out where tests can't fork
 *       TIMEOUT(60);                            seconds, for the tests of this case
 *   }
 *
 * The same source is compiled with check (each test a process, unless
 * CK_FORK=no) or with tests/lite/check.h.  Both print TAP. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline int suite_forks(void) {
  const char *fork = getenv("CK_FORK");
  return fork == NULL || strcmp(fork, "no") != 0;
}

#define SUITE(name)                                       \
  static void suite_fill(Suite *suite_s, TCase *suite_t); \
  int main(void) {                                        \
    Suite *s = suite_create(name);                        \
    suite_fill(s, NULL);                                  \
    SRunner *r = srunner_create(s);                       \
    srunner_run_all(r, CK_ENV);                           \
    int failed = srunner_ntests_failed(r);                \
    srunner_free(r);                                      \
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;     \
  }                                                       \
  static void suite_fill(Suite *suite_s, TCase *suite_t)

#define CASE(setup, teardown)                                \
  suite_add_tcase(suite_s, suite_t = tcase_create("tests")); \
  tcase_add_checked_fixture(suite_t, setup, teardown)
#define TEST(test) tcase_add_test(suite_t, test)
#define LOOP(test, from, to) tcase_add_loop_test(suite_t, test, from, to)
#define TIMEOUT(seconds) tcase_set_timeout(suite_t, seconds)
#define DIES(test, signo)                                \
  do {                                                   \
    if (suite_forks())                                   \
      tcase_add_test_raise_signal(suite_t, test, signo); \
    else                                                 \
      (void)(test);                                      \
  } while (0)

#endif
