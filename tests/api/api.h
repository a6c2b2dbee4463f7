/* api.h -- helpers for the tests of the public interface.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_API_H
#define MIA_TEST_API_H

#include "unit/suite.h"

#include <errno.h>
#include <mialloc.h>

/* Returns the smallest size of the next size class.  In debug builds every size is its own
 * class, as the canary follows the requested size; there the result is a sixteenth larger. */
static inline size_t next_class(size_t size) {
  size_t good = mia_good_size(size);
  return good + 1 + (mia_good_size(good + 1) == good + 1 ? good / 16 : 0);
}

#endif
