/* SPDX-License-Identifier: MIT */
/* unload.h -- removing an exclusive arena.
 *
 * The head of an arena is unmapped with it, so no thread may still be reading it.  A
 * thread that reads the list of arenas without the purge lock first counts itself in
 * `readers'.  Unloading claims all slices, takes the arena off the list, and
 * then waits until `readers' is 0.  Both sides use read-modify-write operations on
 * `readers', which order them.  A reader that came first is counted, and waited for.  A
 * reader that comes later acquires what the unloading thread released, so it reads the
 * new list and does not find the arena. */
#ifndef MIA_ARENA_UNLOAD_H
#define MIA_ARENA_UNLOAD_H

#include "arena/arena.h"

/* Code that looks at arenas begins and ends with these calls, unless the caller holds
 * the purge lock or has a block or a heap in the arena.  No arena is unloaded in
 * between.  The code in between must not wait for another thread. */
mia_inline void mia_arena_begin_read(void) { (void)mia_aword_add_acq(&mia_arena_all.readers, 1); }
mia_inline void mia_arena_end_read(void) { (void)mia_aword_sub_rel(&mia_arena_all.readers, 1); }

/* Removes an arena.  Its memory is unmapped, or is the program's again if the program
 * supplied it.  False: the arena is not exclusive, a heap was made for it, a slice is in
 * use, or a thread looked at arenas for too long. */
bool mia_arena_try_unload(mia_arena *arena);

#endif
