/* excess.h -- what is remembered of purges that too much idle memory led to. */
#ifndef MIA_ARENA_EXCESS_H
#define MIA_ARENA_EXCESS_H

#include "base/layout.h"

/* purge.h says when there are such. */
typedef struct mia_arena_excess {
  mia_acell at;            /* [any] tick of the last one; 0: none yet */
  mia_acell backoff_until; /* [any] tick up to which there will be no other; 0: none set */
  mia_aword left;          /* [any] bytes used or idle after it */
  mia_aword dropped;       /* [any] bytes of kept mappings that went with it */
  mia_aword backoff_ms;    /* [lock:purge] ms for which it was the last time */
  mia_aword unfinished;    /* [any] 1: there is more to purge than any look so far has */
  size_t arena;            /* [lock:purge] index of the arena where it goes on ... */
  size_t cell;             /* [lock:purge] ... below this cell; 0: with the arena before */
} mia_arena_excess;

mia_assert_placed(mia_arena_excess, at);
mia_assert_placed(mia_arena_excess, backoff_until);
mia_assert_placed(mia_arena_excess, left);
mia_assert_placed(mia_arena_excess, dropped);
mia_assert_placed(mia_arena_excess, backoff_ms);
mia_assert_placed(mia_arena_excess, unfinished);

#endif
