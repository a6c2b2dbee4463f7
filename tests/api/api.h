/* api.h -- helpers for the tests of the public interface.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_API_H
#define MIA_TEST_API_H

#include <check.h>
#include <errno.h>
#include <mialloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pattern.h"

/* For loops: check writes a record to a file for every assertion that holds, which is too
 * slow there.  Only for the thread that runs the test. */
#define need(x)                               \
  do {                                        \
    if (!(x)) ck_assert_msg(false, "%s", #x); \
  } while (0)
#define need_at(x, value)                                                               \
  do {                                                                                  \
    if (!(x)) ck_assert_msg(false, "%s with %s = %ju", #x, #value, (uintmax_t)(value)); \
  } while (0)

/* A value that no libc function stores in errno, so that any change is noticed. */
#define ERRNO_MARK 12345

/* Seconds; enough for an emulated target, but a test that hangs still fails. */
#define CASE_TIMEOUT 60

static uint64_t api_seed;

/* Returns a separate random sequence for each test, so that its numbers do not depend on the
 * tests that ran before. */
static inline uint64_t api_random(unsigned test) {
  return api_seed + (uint64_t)test * PATTERN_STEP;
}

/* Returns the smallest size of the next size class.  In debug builds every size is its own
 * class, as the canary follows the requested size; there the result is a sixteenth larger. */
static inline size_t next_class(size_t size) {
  size_t good = mia_good_size(size);
  return good + 1 + (mia_good_size(good + 1) == good + 1 ? good / 16 : 0);
}

static inline TCase *api_case(Suite *suite, const char *name) {
  TCase *tcase = tcase_create(name);
  tcase_set_timeout(tcase, CASE_TIMEOUT);
  suite_add_tcase(suite, tcase);
  return tcase;
}

static inline void api_seed_init(void) {
  api_seed = random_seed();
  printf("# seed %ju\n", (uintmax_t)api_seed);
  fflush(stdout);
}

static inline int api_run(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
