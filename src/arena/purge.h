/* SPDX-License-Identifier: MIT */
/* purge.h -- returning the memory of free slices to the OS.
 *
 * A slice is purged when the purger finds it free and dirty on two visits that are a delay
 * apart and no thread used it in between.  So memory that is in frequent use stays, and
 * other memory goes.  A slice that is being purged is claimed like any slice in use.
 *
 * A thread that frees much at once and then sleeps makes no visits.  So idle memory beyond
 * a bound is purged at once (an excess purge), except during a backoff. */
#ifndef MIA_ARENA_PURGE_H
#define MIA_ARENA_PURGE_H

#include "arena/arena.h"
#include "arena/budget.h"

/* Visits the arenas that are due, each at most once in `delay' ms, within the budget; later
 * calls continue.  One thread at a time does so; the others return at once.  With a delay
 * of 0 all slices that are free and dirty are purged. */
void mia_arena_purge_due(mia_time_ms now, mia_time_ms delay, mia_budget *budget);

/* If more than `bound' bytes are idle, purges until half of `bound' is left, within the
 * budget; later calls continue.  If the memory of the last such purge was soon needed
 * again, starts a backoff instead. */
void mia_arena_purge_excess(mia_time_ms now, size_t bound, mia_budget *budget);

/* Purges until at most `rest' bytes are idle, within the budget. */
void mia_arena_purge_down_to(size_t rest, mia_budget *budget);

/* Unmaps all cached mappings and purges every slice that is free and dirty, now.  Returns
 * the bytes of that. */
size_t mia_arena_purge_now(void);

/* Does so in arenas with a `commit' of their own only: that may have a limit of its own.
 * Leaves cached mappings alone.  Returns the bytes purged. */
size_t mia_arena_purge_external(void);

/* Purges a part of a span that is in use.  False: the arena is pinned or has a `commit' of
 * its own, or the OS refused. */
bool mia_arena_purge_part(mia_arena *arena, char *start, size_t size);

#endif
