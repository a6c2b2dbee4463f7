/* SPDX-License-Identifier: MIT */
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
 *       DIES_IN_DEBUG(wrong_rank, SIGABRT);     an assertion: left out of a release
 *   }
 *
 * The same source is compiled with check (each test a process, unless
 * CK_FORK=no) or with tests/lite/check.h.  Both print TAP. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "api/pattern.h"

/* check writes a record of every assertion that holds: too slow for loops,
 * which use these.  Only for the thread that runs the test. */
#define need(x)                           \
  do {                                    \
    if (!(x)) ck_assert_msg(0, "%s", #x); \
  } while (0)
#define need_at(x, value)                                                           \
  do {                                                                              \
    if (!(x)) ck_assert_msg(0, "%s with %s = %ju", #x, #value, (uintmax_t)(value)); \
  } while (0)

/* For other threads, which may not leave a test: what was wrong last, for
 * need_nothing_noted() to tell when they have ended. */
static const char *volatile suite_noted;
#define note(x)                 \
  do {                          \
    if (!(x)) suite_noted = #x; \
  } while (0)
static inline void need_nothing_noted(void) {
  const char *what = suite_noted;
  suite_noted = NULL;
  if (what != NULL) ck_assert_msg(0, "%s", what);
}

/* Waits for a child.  Returns true if it ended with status 0. */
static inline bool child_ends_well(pid_t child) {
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* A value that no libc function stores in errno, so that any change is noticed. */
#define ERRNO_MARK 12345

/* The numbers of a run, which MIA_TEST_SEED repeats; each test has its own. */
static uint64_t suite_seed;
static inline uint64_t suite_random(unsigned test) { return suite_seed + test * PATTERN_STEP; }

static inline int suite_forks(void) {
  const char *fork = getenv("CK_FORK");
  return fork == NULL || strcmp(fork, "no") != 0;
}

#define SUITE(name)                                       \
  static void suite_fill(Suite *suite_s, TCase *suite_t); \
  int main(void) {                                        \
    Suite *s = suite_create(name);                        \
    suite_seed = random_seed();                           \
    need_nothing_noted();                                 \
    printf("# seed %" PRIu64 "\n", suite_seed);           \
    fflush(stdout);                                       \
    suite_fill(s, NULL);                                  \
    SRunner *r = srunner_create(s);                       \
    srunner_run_all(r, CK_ENV);                           \
    int failed = srunner_ntests_failed(r);                \
    srunner_free(r);                                      \
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;     \
  }                                                       \
  static void suite_fill(Suite *suite_s, TCase *suite_t)

/* The limit of each test, long enough for a machine that is busy. */
#define SUITE_SECONDS 240

#define CASE(setup, teardown)                                \
  suite_add_tcase(suite_s, suite_t = tcase_create("tests")); \
  tcase_set_timeout(suite_t, SUITE_SECONDS);                 \
  tcase_add_checked_fixture(suite_t, setup, teardown)
#define TEST(test) tcase_add_test(suite_t, test)
#define LOOP(test, from, to) tcase_add_loop_test(suite_t, test, from, to)
#define DIES(test, signo)                                \
  do {                                                   \
    if (suite_forks())                                   \
      tcase_add_test_raise_signal(suite_t, test, signo); \
    else                                                 \
      (void)(test);                                      \
  } while (0)
#define LOOP_DIES(test, from, to, signo)                                \
  do {                                                                  \
    if (suite_forks())                                                  \
      tcase_add_loop_test_raise_signal(suite_t, test, signo, from, to); \
    else                                                                \
      (void)(test);                                                     \
  } while (0)
#define DIES_IN_DEBUG(test, signo) \
  do {                             \
    if (MIA_DEBUG)                 \
      DIES(test, signo);           \
    else                           \
      (void)(test);                \
  } while (0)

#endif
