/* SPDX-License-Identifier: MIT */
/* root.c -- the root of this layer, which is valid before any code of ours runs. */
#include "base/prelude.h"

#include "arena/arena.h"

mia_arena_world mia_arena_all = {.grow = MIA_LOCK_INIT(MIA_RANK_GROW),
                                 .purge = MIA_LOCK_INIT(MIA_RANK_PURGE),
                                 .mapping_cache = {.lock = MIA_LOCK_INIT(MIA_RANK_MAPPINGS)},
                                 .parked = {.lock = MIA_LOCK_INIT(MIA_RANK_PARKED)},
                                 .meta = MIA_LOCK_INIT(MIA_RANK_META)};
