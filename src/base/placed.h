/* placed.h -- how wide an atomic cell is, and where one may lie: what base/atomic.h
 * and its stand-in in tests/race have in common. */
#ifndef MIA_BASE_PLACED_H
#define MIA_BASE_PLACED_H

#include "base/prelude.h"

#if MIA_ATOMIC_BITS == 64
typedef uint64_t mia_bits;
#else
typedef uint32_t mia_bits;
#endif

/* Where a field that is or holds a cell lies in its structure; and what a static
 * object is aligned to, which for an array of bytes is 1 on every host, wherever
 * the linker then puts it.  Each structure with cells proves both. */
#define mia_assert_placed(T, field)                                                 \
  mia_static_assert(offsetof(T, field) % alignof(__typeof__(((T *)0)->field)) == 0, \
                    #field " lies where a cell may")
#define mia_assert_holds(object, T) \
  mia_static_assert(__alignof__(object) >= alignof(T), #object " is aligned for " #T)

#endif
