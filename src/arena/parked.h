/* SPDX-License-Identifier: MIT */
/* parked.h -- tiers from 2 on: spans that wait for another request of their kind.
 *
 * Memory that held blocks of one class never holds blocks of another: so a pointer that the
 * program uses after its free points to no block of another kind.  A kind is a class of blocks or,
 * for larger blocks, a number of slices.  The memory of a parked span was given back.  All parked
 * spans become free slices when a request would fail otherwise. */
#ifndef MIA_ARENA_PARKED_H
#define MIA_ARENA_PARKED_H

#include "base/layout.h"
#include "os/lock.h"

/* Kinds below MIA_KIND_LARGE are the caller's; mia_kind_large() returns the others. */
enum { MIA_KIND_LARGE = 96 };
#define MIA_KINDS (MIA_KIND_LARGE + MIA_SPAN_MAX_SLICES)
mia_inline unsigned mia_kind_large(size_t slices) { return MIA_KIND_LARGE + (unsigned)slices - 1; }

typedef struct mia_arena_parked {
  mia_lock lock;
  struct mia_parked_span *kinds[MIA_KINDS]; /* [lock] lists */
} mia_arena_parked;

struct mia_arena;
struct mia_span;

/* Parks a span that the caller holds.  Returns false, with nothing done, in lower tiers, for a span
 * of an arena that is exclusive or that the program commits, and if its memory cannot be given
 * back. */
bool mia_arena_park(const struct mia_span *span, unsigned kind);

/* Takes a parked span of the arena `only', or of any if that is NULL, that begins at a multiple of
 * `align'.  All of it reads as zero.  Returns false if there is none, or the limit refuses it. */
bool mia_arena_unpark(unsigned kind, const struct mia_arena *only, size_t align,
                      struct mia_span *span);

/* Makes the slices of all parked spans free, since a request for `size' bytes was refused.  Returns
 * false if there are none, or if it was the limit that refused. */
bool mia_arena_free_parked(size_t size);

#endif
