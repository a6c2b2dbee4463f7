/* hide.h -- hides values from the compiler; for C and C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_HIDE_H
#define MIA_TEST_HIDE_H

#include <stddef.h>
#include <stdint.h>

/* Hides where a pointer comes from.  A compiler may otherwise use what the attributes of
 * the allocation functions promise (alignment, no alias, size) to decide the comparison
 * that is to test it. */
static inline void *launder(void *p) {
  void *volatile hidden = p;
  return hidden;
}

/* Returns an address as a number, without the tag that it may have (MIALLOC_SECURE=3). */
static inline uintptr_t plain_address(const void *p) {
#ifdef __aarch64__
  return (uintptr_t)p << 8 >> 8;
#else
  return (uintptr_t)p;
#endif
}

static inline size_t opaque(size_t n) {
  volatile size_t hidden = n;
  return hidden;
}

#endif
