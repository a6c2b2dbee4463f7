/* SPDX-License-Identifier: MIT */
/* zero.h -- replaces src/base/zero.h.  In models the first word of a slice stands for all of it
 * (race/os.c); the other words may hold what they held before. */
#ifndef TESTS_RACE_ZERO_H
#define TESTS_RACE_ZERO_H

#include "base/prelude.h"

mia_inline bool mia_base_is_zero(const void *start, size_t size) {
  (void)start, (void)size;
  return true;
}

#endif
