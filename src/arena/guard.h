/* SPDX-License-Identifier: MIT */
/* guard.h -- tiers from 2 on: guards behind some spans, chosen at random.  A guard is a slice that
 * cannot be accessed, so that a write that goes on from span to span ends the process. */
#ifndef MIA_ARENA_GUARD_H
#define MIA_ARENA_GUARD_H

#include "arena/arena.h"

/* There are no more, as each splits a mapping of the process in two. */
enum { MIA_ARENA_SPAN_GUARDS = 500 };

/* Decides whether a guard is to lie behind the next span. */
bool mia_arena_draw_guard(void);

/* Makes the last slice of a new span a guard for ever or, where that cannot be, gives it back. */
void mia_arena_guard_end(mia_span *span);

#endif
