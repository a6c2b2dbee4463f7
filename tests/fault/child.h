/* child.h -- runs each case in a process of its own; prints TAP.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_CHILD_H
#define MIA_TEST_CHILD_H

#include "../api/pattern.h"
#include "../resident.h"
#include "../tap.h"
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

/* In a case: if x is false, prints it and ends the process. */
#define need(x)                                                                              \
  do {                                                                                       \
    if (!(x)) {                                                                              \
      printf("# line %d: %s, errno %d, %zu\n", __LINE__, #x, errno, (size_t)child_argument); \
      fflush(stdout);                                                                        \
      _exit(CHILD_FAILED);                                                                   \
    }                                                                                        \
  } while (0)

static inline size_t resident(void) {
  size_t bytes = resident_bytes();
  need(bytes > 0);
  return bytes;
}

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
  tap_ok(status == 0, "%s (%zu)", what, value);
  if (status != 0) printf("# status %#x\n", (unsigned)status);
}

#endif
