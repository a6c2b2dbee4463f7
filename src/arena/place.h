/* SPDX-License-Identifier: MIT */
/* place.h -- where mappings lie.  In tiers from 2 on, arenas and their records lie at random places of
 * a large address space, and a huge block lies between two guards: memory that cannot be accessed. */
#ifndef MIA_ARENA_PLACE_H
#define MIA_ARENA_PLACE_H

#include "arena/tier.h"

/* The length of each guard, which is a multiple of the largest OS page. */
#define MIA_ARENA_GUARD MIA_SLICE_SIZE
#define MIA_ARENA_GUARDS (2 * MIA_ARENA_GUARD)

/* Returns another random number each time, in tiers from 1 on. */
uint64_t mia_arena_random(void);

/* Reserves address space as mia_os_reserve does, in tiers from 2 on at a random place. */
void *mia_arena_reserve_range(size_t size, bool live);

/* gone -> LIVE between two guards, and back.  The guards can be accessed where no access rights can be
 * changed.  Such a mapping cannot be resized or moved. */
void *mia_arena_reserve_guarded(size_t size, size_t align);
bool mia_arena_release_guarded(void *start, size_t size);

/* Reserve and release the mapping of a huge block as mia_os_reserve_aligned and mia_os_release do, in
 * tiers from 2 on with guards. */
void *mia_arena_reserve_huge(size_t size, size_t align);
bool mia_arena_release_huge(void *start, size_t size);

/* Returns the address space that such a mapping takes. */
mia_inline size_t mia_arena_with_guards(size_t size) {
  return mia_tier_is_hardened() ? size + MIA_ARENA_GUARDS : size;
}

#endif
