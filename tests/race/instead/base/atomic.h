/* SPDX-License-Identifier: MIT */
/* atomic.h -- replaces src/base/atomic.h where the code runs under the checker: it
 * has the same names, but every operation calls engine.h.  An operation that is added
 * to src/base/atomic.h must be added here; until then tests/race does not compile.
 *
 * Assertions are always on. */
#ifndef MIA_BASE_ATOMIC_H
#define MIA_BASE_ATOMIC_H

#include "base/placed.h"
#include "base/prelude.h"
#include "engine.h"

#undef MIA_DEBUG
#define MIA_DEBUG 1

typedef struct mia_aword {
  alignas(sizeof(uintptr_t)) uintptr_t cell;
} mia_aword;

typedef struct mia_acell {
  alignas(sizeof(mia_bits)) mia_bits cell;
} mia_acell;

#define RACE_OPS(A, T)                                                                      \
  mia_inline T A##_load(const A *a, race_order order, const char *site) {                   \
    return (T)race_load(a, sizeof *a, order, site);                                         \
  }                                                                                         \
  mia_inline void A##_store(A *a, T v, race_order order, const char *site) {                \
    race_store(a, sizeof *a, v, order, site);                                               \
  }                                                                                         \
  mia_inline T A##_change(A *a, race_update how, T v, race_order order, const char *site) { \
    return (T)race_change(a, sizeof *a, how, v, order, site);                               \
  }                                                                                         \
  mia_inline bool A##_swap_if(A *a, T *was, T now, race_order order, const char *site) {    \
    uint64_t expected = *was;                                                               \
    bool done = race_swap_if(a, sizeof *a, &expected, now, order, site);                    \
    *was = (T)expected;                                                                     \
    return done;                                                                            \
  }

RACE_OPS(mia_aword, uintptr_t)
RACE_OPS(mia_acell, mia_bits)
#undef RACE_OPS

#define RACE_STRING_(n) #n
#define RACE_STRING(n) RACE_STRING_(n)
#define RACE_SITE(op) __FILE__ ":" RACE_STRING(__LINE__) ":" op

#define mia_aword_get(a) mia_aword_load(a, RACE_RELAXED, RACE_SITE("get"))
#define mia_acell_get(a) mia_acell_load(a, RACE_RELAXED, RACE_SITE("get"))
#define mia_aword_get_acq(a) mia_aword_load(a, RACE_ACQUIRE, RACE_SITE("get_acq"))
#define mia_acell_get_acq(a) mia_acell_load(a, RACE_ACQUIRE, RACE_SITE("get_acq"))
#define mia_aword_set(a, v) mia_aword_store(a, v, RACE_RELAXED, RACE_SITE("set"))
#define mia_acell_set(a, v) mia_acell_store(a, v, RACE_RELAXED, RACE_SITE("set"))
#define mia_aword_set_rel(a, v) mia_aword_store(a, v, RACE_RELEASE, RACE_SITE("set_rel"))
#define mia_acell_set_rel(a, v) mia_acell_store(a, v, RACE_RELEASE, RACE_SITE("set_rel"))
#define mia_aword_swap_acq(a, v) \
  mia_aword_change(a, RACE_SWAP, v, RACE_ACQUIRE, RACE_SITE("swap_acq"))
#define mia_aword_swap_rel(a, v) \
  mia_aword_change(a, RACE_SWAP, v, RACE_RELEASE, RACE_SITE("swap_rel"))
#define mia_acell_swap_acq(a, v) \
  mia_acell_change(a, RACE_SWAP, v, RACE_ACQUIRE, RACE_SITE("swap_acq"))
#define mia_acell_swap_rel(a, v) \
  mia_acell_change(a, RACE_SWAP, v, RACE_RELEASE, RACE_SITE("swap_rel"))
#define mia_aword_swap_acq_rel(a, v) \
  mia_aword_change(a, RACE_SWAP, v, RACE_ACQ_REL, RACE_SITE("swap_acq_rel"))
#define mia_acell_swap_acq_rel(a, v) \
  mia_acell_change(a, RACE_SWAP, v, RACE_ACQ_REL, RACE_SITE("swap_acq_rel"))
#define mia_aword_add(a, v) mia_aword_change(a, RACE_ADD, v, RACE_RELAXED, RACE_SITE("add"))
#define mia_acell_add(a, v) mia_acell_change(a, RACE_ADD, v, RACE_RELAXED, RACE_SITE("add"))
#define mia_aword_sub(a, v) mia_aword_change(a, RACE_SUB, v, RACE_RELAXED, RACE_SITE("sub"))
#define mia_acell_sub(a, v) mia_acell_change(a, RACE_SUB, v, RACE_RELAXED, RACE_SITE("sub"))
#define mia_aword_add_acq(a, v) mia_aword_change(a, RACE_ADD, v, RACE_ACQUIRE, RACE_SITE("add_acq"))
#define mia_acell_add_acq(a, v) mia_acell_change(a, RACE_ADD, v, RACE_ACQUIRE, RACE_SITE("add_acq"))
#define mia_aword_add_acq_rel(a, v) \
  mia_aword_change(a, RACE_ADD, v, RACE_ACQ_REL, RACE_SITE("add_acq_rel"))
#define mia_aword_sub_rel(a, v) mia_aword_change(a, RACE_SUB, v, RACE_RELEASE, RACE_SITE("sub_rel"))
#define mia_acell_add_acq_rel(a, v) \
  mia_acell_change(a, RACE_ADD, v, RACE_ACQ_REL, RACE_SITE("add_acq_rel"))
#define mia_acell_sub_rel(a, v) mia_acell_change(a, RACE_SUB, v, RACE_RELEASE, RACE_SITE("sub_rel"))
#define mia_aword_or(a, v) mia_aword_change(a, RACE_OR, v, RACE_RELAXED, RACE_SITE("or"))
#define mia_acell_or(a, v) mia_acell_change(a, RACE_OR, v, RACE_RELAXED, RACE_SITE("or"))
#define mia_aword_or_rel(a, v) mia_aword_change(a, RACE_OR, v, RACE_RELEASE, RACE_SITE("or_rel"))
#define mia_acell_or_rel(a, v) mia_acell_change(a, RACE_OR, v, RACE_RELEASE, RACE_SITE("or_rel"))
#define mia_aword_and(a, v) mia_aword_change(a, RACE_AND, v, RACE_RELAXED, RACE_SITE("and"))
#define mia_acell_and(a, v) mia_acell_change(a, RACE_AND, v, RACE_RELAXED, RACE_SITE("and"))
#define mia_aword_cas(a, was, now) mia_aword_swap_if(a, was, now, RACE_RELAXED, RACE_SITE("cas"))
#define mia_acell_cas(a, was, now) mia_acell_swap_if(a, was, now, RACE_RELAXED, RACE_SITE("cas"))
#define mia_aword_cas_acq(a, was, now) \
  mia_aword_swap_if(a, was, now, RACE_ACQUIRE, RACE_SITE("cas_acq"))
#define mia_acell_cas_acq(a, was, now) \
  mia_acell_swap_if(a, was, now, RACE_ACQUIRE, RACE_SITE("cas_acq"))
#define mia_aword_cas_rel(a, was, now) \
  mia_aword_swap_if(a, was, now, RACE_RELEASE, RACE_SITE("cas_rel"))
#define mia_acell_cas_rel(a, was, now) \
  mia_acell_swap_if(a, was, now, RACE_RELEASE, RACE_SITE("cas_rel"))
#define mia_aword_cas_acq_rel(a, was, now) \
  mia_aword_swap_if(a, was, now, RACE_ACQ_REL, RACE_SITE("cas_acq_rel"))
#define mia_acell_cas_acq_rel(a, was, now) \
  mia_acell_swap_if(a, was, now, RACE_ACQ_REL, RACE_SITE("cas_acq_rel"))

#endif
