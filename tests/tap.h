/* tap.h -- prints results in the Test Anything Protocol; for programs in C and C++ that
 * use no test framework.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_TAP_H
#define MIA_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned tap_cases, tap_failures;

/* Prints the line of one case; `format' describes it. */
__attribute__((format(printf, 2, 3))) static inline void tap_ok(bool holds, const char *format,
                                                                ...) {
  va_list args;
  printf("%sok %u - ", holds ? "" : "not ", ++tap_cases);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  fflush(stdout);
  if (!holds) tap_failures++;
}

/* Prints the plan.  Returns the exit status of the program. */
static inline int tap_end(void) {
  printf("1..%u\n", tap_cases);
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
