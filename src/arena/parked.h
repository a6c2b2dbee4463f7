/* SPDX-License-Identifier: MIT */
/* parked.h -- tiers from 2 on: spans that wait for another request of their kind.
 *
 * Memory that held blocks of one class never holds blocks of another: so a pointer that the
 * program uses after its free points to no block of another kind.  A kind is a class of blocks or,
 * for larger blocks, a number of slices.  The memory of a parked span was given back.  All parked
 * spans become free slices when the system refuses more address space. */
#ifndef MIA_ARENA_PARKED_H
#define MIA_ARENA_PARKED_H

#include "base/layout.h"
#include "os/lock.h"

/* Kinds below MIA_KIND_LARGE are the caller's; mia_kind_large() returns the others. */
enum { MIA_KIND_LARGE = 96 };
mia_inline unsigned mia_kind_large(size_t slices) { return MIA_KIND_LARGE + (unsigned)slices - 1; }

typedef struct mia_arena_parked {
  mia_lock lock;
  struct mia_parked_span *kinds[MIA_KIND_LARGE + MIA_SPAN_MAX_SLICES]; /* [lock] lists */
} mia_arena_parked;

struct mia_span;

/* Parks a span that the caller holds.  Returns false, with nothing done, in lower tiers and for a
 * span of an arena that is exclusive or that the program commits. */
bool mia_arena_park(const struct mia_span *span, unsigned kind);

/* Takes a parked span that begins at a multiple of `align', as mia_arena_take does.  Returns false
 * if none is found, or the limit refuses it. */
bool mia_arena_unpark(unsigned kind, size_t align, struct mia_span *span);

/* Makes the slices of all parked spans free.  Returns false if there are none. */
bool mia_arena_free_parked(void);

#endif
