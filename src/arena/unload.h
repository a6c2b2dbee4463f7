/* unload.h -- taking an exclusive arena back.
 *
 * Its head goes with it; so nobody may look at it any more.  Who reads the list
 * of arenas without holding the purge lock says so in `readers' (arena.h), before
 * the first look.  Unloading first claims all slices, then takes the arena off
 * the list, then looks at `readers' until there are none, by operations on the one
 * word: that look releases what was done before, and a reader acquires it.  Who
 * came before is waited for; who comes after reads what unloading wrote, and so
 * does not find the arena. */
#ifndef MIA_ARENA_UNLOAD_H
#define MIA_ARENA_UNLOAD_H

#include "arena/arena.h"

/* Unmaps an arena, or leaves memory that a program brought to it.  False: it is
 * not exclusive, a heap was made for it or a slice is in use; or somebody looked
 * at arenas for too long. */
bool mia_arena_take_down(mia_arena *arena);

#endif
