/* SPDX-License-Identifier: MIT */
/* said.h -- what is written to stderr between two calls. */
#ifndef TESTS_UNIT_SAID_H
#define TESTS_UNIT_SAID_H

#include "unit/suite.h"

#include <unistd.h>

static char said[10000];
static int said_kept, said_ends[2];

static inline void said_begin(void) {
  said_kept = dup(STDERR_FILENO);
  ck_assert(pipe(said_ends) == 0 && said_kept >= 0);
  dup2(said_ends[1], STDERR_FILENO);
}

/* It is in `said' then. */
static inline void said_end(void) {
  dup2(said_kept, STDERR_FILENO);
  close(said_kept);
  close(said_ends[1]);
  ssize_t n = read(said_ends[0], said, sizeof said - 1);
  close(said_ends[0]);
  said[n > 0 ? n : 0] = 0;
}

#endif
