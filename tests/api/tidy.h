/* tidy.h -- one random call of those by which a thread collects or gives back memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_TIDY_H
#define MIA_TEST_TIDY_H

#include <mialloc.h>

#include "pattern.h"

static inline void tidy(uint64_t *random) {
  switch (random_below(random, 4)) {
  case 0:
    mia_collect(false);
    break;
  case 1:
    mia_collect(true);
    break;
  case 2:
    mia_purge();
    break;
  default:
    mia_thread_done();
    break;
  }
}

#endif
