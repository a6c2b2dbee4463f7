/* SPDX-License-Identifier: MIT */
/* zero.h -- checks that memory reads as zero, for assertions in the functions that
 * promise it. */
#ifndef MIA_BASE_ZERO_H
#define MIA_BASE_ZERO_H

#include "base/prelude.h"

#include <string.h>

/* Of a large range the check reads both ends and samples of what is between them: one
 * byte in each MIA_ZERO_STEP, or fewer, so that there are about MIA_ZERO_STEPS at most.  Kernels
 * without a page of zeroes for all back what is read: all of a huge block would take long. */
#define MIA_ZERO_END ((size_t)128 * 1024)
#define MIA_ZERO_STEP ((size_t)4096)
#define MIA_ZERO_STEPS ((size_t)256)

/* Reads every byte. */
mia_inline bool mia_base_is_zero_all(const char *p, size_t size) {
  return size == 0 || (*p == 0 && memcmp(p, p + 1, size - 1) == 0);
}

mia_inline bool mia_base_is_zero(const void *start, size_t size) {
  const char *p = start;
  if (size <= 2 * MIA_ZERO_END) return mia_base_is_zero_all(p, size);
  size_t middle = size - 2 * MIA_ZERO_END;
  size_t step = MIA_ZERO_STEP;
  if (middle / step > MIA_ZERO_STEPS) step = middle / MIA_ZERO_STEPS;
  for (size_t i = 0; i < middle; i += step)
    if (p[MIA_ZERO_END + i] != 0) return false;
  return mia_base_is_zero_all(p, MIA_ZERO_END) &&
         mia_base_is_zero_all(p + size - MIA_ZERO_END, MIA_ZERO_END);
}

#endif
