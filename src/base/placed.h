/* SPDX-License-Identifier: MIT */
/* placed.h -- the width of an atomic cell and proofs of its alignment: the part that
 * base/atomic.h shares with its replacement in tests/race. */
#ifndef MIA_BASE_PLACED_H
#define MIA_BASE_PLACED_H

#include "base/prelude.h"

#if MIA_ATOMIC_BITS == 64
typedef uint64_t mia_bits;
#else
typedef uint32_t mia_bits;
#endif

/* mia_assert_field_aligned proves that a field that is or holds a cell is aligned within its
 * structure.  mia_assert_object_aligned proves that a static object is declared with the
 * alignment of T: an array of bytes has 1 on every host, wherever the linker then puts
 * it.  Both are used for each structure with cells. */
#define mia_assert_field_aligned(T, field)                                          \
  mia_static_assert(offsetof(T, field) % alignof(__typeof__(((T *)0)->field)) == 0, \
                    #field " is aligned for its cells")
#define mia_assert_object_aligned(object, T) \
  mia_static_assert(__alignof__(object) >= alignof(T), #object " is aligned for " #T)

#endif
