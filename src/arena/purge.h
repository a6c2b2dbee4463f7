/* purge.h -- returning the memory of free slices to the OS.
 *
 * A slice is purged when the purger has seen it free and dirty on two visits
 * that are a delay apart and nobody used it in between: what is hot stays, what
 * is cold goes.  While it is being purged a slice is claimed like any other.
 *
 * Who frees much at once and then sleeps makes no visits: beyond some bound idle
 * memory is purged at once, unless the last such purge was regretted. */
#ifndef MIA_ARENA_PURGE_H
#define MIA_ARENA_PURGE_H

#include "arena/arena.h"
#include "arena/budget.h"

/* Visits the arenas whose time has come, and no more often than `delay' ms
 * each, as far as the budget goes: the next look goes on.  One thread at a time does
 * so; others return at once. */
void mia_arena_purge_due(mia_tick now, mia_tick delay, mia_budget *budget);

/* Where more than `bound' bytes are idle purges until half of that is left, unless the
 * last such purge led to as many page faults at once.  What the budget leaves is purged
 * by the next looks. */
void mia_arena_purge_excess(mia_tick now, size_t bound, mia_budget *budget);

/* Purges until no more than `rest' bytes are idle, as far as the budget goes. */
void mia_arena_purge_down_to(size_t rest, mia_budget *budget);

/* Purges every slice that is free and dirty, now.  Bytes purged. */
size_t mia_arena_purge_now(void);

/* The same where the program commits the memory, and so may have a limit of its own. */
size_t mia_arena_purge_external(void);

/* Purges a part of a span that is in use.  False: the arena's memory does not go by
 * a mere purge, or the OS refused. */
bool mia_arena_purge_part(mia_arena *arena, char *start, size_t size);

#endif
