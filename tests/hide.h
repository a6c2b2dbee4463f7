/* hide.h -- hides values from the compiler; for C and C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_HIDE_H
#define MIA_TEST_HIDE_H

#include <stddef.h>

/* Hides where a pointer comes from.  A compiler may otherwise use what the attributes of
 * the allocation functions promise (alignment, no alias, size) to decide the comparison
 * that is to test it. */
static inline void *launder(void *p) {
  void *volatile hidden = p;
  return hidden;
}

static inline size_t opaque(size_t n) {
  volatile size_t hidden = n;
  return hidden;
}

#endif
