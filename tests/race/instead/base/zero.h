/* zero.h -- in models of each slice the first word stands for all of it (race/os.c):
 * the others may hold what they held before. */
#ifndef TESTS_RACE_ZERO_H
#define TESTS_RACE_ZERO_H

#include "base/prelude.h"

mia_inline bool mia_base_is_zero(const void *start, size_t size) {
  (void)start, (void)size;
  return true;
}

#endif
