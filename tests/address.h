/* address.h -- addresses of blocks as numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_ADDRESS_H
#define MIA_TEST_ADDRESS_H

#include <limits.h>
#include <stdint.h>

/* Returns an address without the tag that it may have (MIALLOC_SECURE=3). */
static inline uintptr_t plain_address(const void *p) {
#if defined __aarch64__ && defined __LP64__
  return (uintptr_t)p & UINTPTR_MAX >> CHAR_BIT;
#else
  return (uintptr_t)p;
#endif
}

#endif
