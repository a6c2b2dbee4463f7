/* child.h -- cases that each run in a process of their own; prints TAP.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_CHILD_H
#define MIA_TEST_CHILD_H

#include "../api/pattern.h"
#include "../tsan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#define ASAN __has_feature(address_sanitizer)
#else
#define ASAN 0
#endif

enum { CHILD_SECONDS = 60, CHILD_FAILED = 3 };

static size_t child_argument;
static int child_number;
static int child_wrong;

/* In a case: ends its process, and says why. */
#define need(x)                                                                              \
  do {                                                                                       \
    if (!(x)) {                                                                              \
      printf("# line %d: %s, errno %d, %zu\n", __LINE__, #x, errno, (size_t)child_argument); \
      fflush(stdout);                                                                        \
      _exit(CHILD_FAILED);                                                                   \
    }                                                                                        \
  } while (0)

static void run_case(const char *what, void (*run)(void), size_t value) {
  int status = -1;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    (void)alarm(CHILD_SECONDS);
    child_argument = value;
    run();
    fflush(stdout);
    _exit(0);
  }
  if (child > 0) (void)waitpid(child, &status, 0);
  printf("%sok %d - %s (%zu)\n", status == 0 ? "" : "not ", ++child_number, what, value);
  if (status != 0) printf("# status %#x\n", (unsigned)status);
  child_wrong += status != 0;
}

static int all_cases_ran(void) {
  printf("1..%d\n", child_number);
  return child_wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
