/* SPDX-License-Identifier: MIT */
/* reserve.h -- arenas in memory that the library reserves or the program supplies. */
#ifndef MIA_ARENA_RESERVE_H
#define MIA_ARENA_RESERVE_H

#include "arena/arena.h"

/* A request to reserve an arena. */
typedef struct mia_arena_request {
  size_t size; /* bytes that the arena can hand out, at least */
  bool exclusive;
  bool commit;   /* all of it is LIVE from the start */
  bool large;    /* use large OS pages if the system has set some aside */
  unsigned node; /* that the arena is of: node.h */
} mia_arena_request;

/* Reserves memory and makes an arena of it.  NULL: out of memory. */
mia_arena *mia_arena_reserve_os(const mia_arena_request *wish);

/* Memory that the program supplies for an arena. */
typedef struct mia_arena_external {
  char *start;
  size_t size;
  bool committed; /* it is LIVE */
  bool pinned;    /* it cannot be purged */
  bool zero;      /* it reads as zero */
  bool exclusive;
  mia_arena_commit *commit; /* NULL: the OS commits it, and it is never purged */
  void *commit_arg;
  bool reserved; /* the library reserved it on the program's request */
  unsigned node; /* that the memory is of, or MIA_NODE_ANY */
} mia_arena_external;

/* Returns true if the memory is large enough for an arena and lies where one can. */
bool mia_arena_can_manage(const mia_arena_external *own);

/* Makes an arena of it.  NULL: it cannot be managed, or the library has no room for another
 * arena. */
mia_arena *mia_arena_manage(const mia_arena_external *own);

/* Adds a non-exclusive arena with room for `slices' in a row, unless the number of arenas
 * is no longer `seen': then another thread has added one.  The arena is of `node', or of the
 * node of the calling thread if no node is named.  False: out of memory. */
bool mia_arena_grow(size_t slices, unsigned node, size_t seen);

#endif
