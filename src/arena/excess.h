/* SPDX-License-Identifier: MIT */
/* excess.h -- the state of purges that start because too much memory is idle (purge.h). */
#ifndef MIA_ARENA_EXCESS_H
#define MIA_ARENA_EXCESS_H

#include "base/layout.h"

/* Memory that an excess purge took is needed again soon if that is within so many ms. */
enum { MIA_EXCESS_SOON_MS = 1000 };

/* "The last purge" is the last one for that reason; it may have taken several ticks. */
typedef struct mia_arena_excess {
  mia_acell purged_at;     /* [any] time of the last purge; 0: there was none yet */
  mia_acell backoff_until; /* [any] time at which the backoff ends; 0: there was none yet */
  mia_aword bytes_left;    /* [any] bytes of arenas that were used or idle after the last purge */
  mia_aword unmapped;      /* [any] bytes of cached mappings that the last purge unmapped */
  mia_aword backoff_ms;    /* [lock:purge] length of the last backoff in ms */
  mia_aword unfinished;    /* [any] 1: a purge has begun and has more to do */
  size_t arena;            /* [lock:purge] the purge goes on in the arena of this index ... */
  size_t cell;             /* [lock:purge] ... below this cell; 0: in the arena before it */
} mia_arena_excess;

mia_assert_field_aligned(mia_arena_excess, purged_at);
mia_assert_field_aligned(mia_arena_excess, backoff_until);
mia_assert_field_aligned(mia_arena_excess, bytes_left);
mia_assert_field_aligned(mia_arena_excess, unmapped);
mia_assert_field_aligned(mia_arena_excess, backoff_ms);
mia_assert_field_aligned(mia_arena_excess, unfinished);

#endif
