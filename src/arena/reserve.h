/* reserve.h -- arenas that the library, or a program, reserves or brings. */
#ifndef MIA_ARENA_RESERVE_H
#define MIA_ARENA_RESERVE_H

#include "arena/arena.h"

/* What a program wants to have reserved. */
typedef struct mia_arena_wish {
  size_t size; /* bytes that can be had, at the least */
  bool exclusive;
  bool commit; /* all of it is LIVE from the start */
  bool large;  /* in large OS pages, if there are some */
} mia_arena_wish;

/* Makes an arena of it; NULL: out of memory. */
mia_arena *mia_arena_reserve_os(const mia_arena_wish *wish);

/* Memory that a program brings. */
typedef struct mia_arena_own {
  char *start;
  size_t size;
  bool committed; /* it is LIVE */
  bool pinned;    /* it cannot be purged */
  bool zero;      /* it reads as zero */
  bool exclusive;
  mia_arena_commit *commit; /* NULL: the OS commits it, and nobody purges it */
  void *commit_arg;
  bool reserved; /* not the program's, but reserved for it */
} mia_arena_own;

/* Makes it an arena; NULL: it is too small, or cannot be used. */
mia_arena *mia_arena_manage(const mia_arena_own *own);

/* Adds an arena for all with room for `slices' in a row, unless one was added since the
 * caller saw `seen' of them.  False: there is none to be had. */
bool mia_arena_grow(size_t slices, size_t seen);

#endif
