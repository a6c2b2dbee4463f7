/* SPDX-License-Identifier: MIT */
/* tier.h -- the security tier of the process, and its secret.
 *
 *   0  fast: free lists in the blocks
 *   1  checked: a bit for each block says whether it is live (page/live.h)
 *   2  hardened: also, free blocks are zero, wait before they are used again, and are chosen at random
 *      (theap/hardened.h); spans keep their class (arena/parked.h) and have guards behind them at
 *      random (arena/guard.h); larger blocks lie between guards and are unmapped when they are
 *      freed; arenas lie at random places (arena/place.h).  No misuse is ignored, whatever
 *      MIALLOC_ON_MISUSE says
 *   3  hardened with tags: also, blocks have memory tags (page/tags.h), where the system has them;
 *      elsewhere as 2
 *
 * The tier is decided before the first arena or theap is made, and never changes: pages of different
 * tiers would not fit together.  Only slow paths ask for it.  In tiers above 0 every call takes a slow
 * path, as free lists stay empty and no page is plainly owned (theap/theap.h). */
#ifndef MIA_ARENA_TIER_H
#define MIA_ARENA_TIER_H

#include "arena/arena.h"
#include "base/random.h"

#define MIA_TIER_MAX 3
#define MIA_TIER_HARDENED 2
#define MIA_TIER_TAGGED 3

/* Decides the tier, at the first call only: the value of MIALLOC_SECURE if the process may be
 * influenced by its environment and the value is allowed, else the default. */
void mia_arena_decide_tier(void);

/* Copies the key for random numbers. */
void mia_arena_copy_key(uint32_t key[MIA_RANDOM_KEY]);

/* Makes another key for random numbers: in the child of a fork, so that it does not draw what its parent
 * and its siblings draw. */
void mia_arena_renew_key(void);

mia_inline unsigned mia_tier_get(void) {
  return (unsigned)mia_aword_get(&mia_arena_all.tier.level);
}

/* Return true in tiers from 1 on, and from 2 on. */
mia_inline bool mia_tier_is_checked(void) {
  return mia_unlikely(mia_aword_get(&mia_arena_all.tier.level) >= 1);
}
mia_inline bool mia_tier_is_hardened(void) {
  return mia_unlikely(mia_aword_get(&mia_arena_all.tier.level) >= MIA_TIER_HARDENED);
}

/* Returns true in tier 3, if the system has memory tags. */
mia_inline bool mia_tier_has_tags(void) {
  return MIA_MEMORY_TAGS && mia_unlikely(mia_aword_get(&mia_arena_all.tier.tagged) != 0);
}

/* Return the words of the secret, which the environment cannot influence. */
mia_inline uintptr_t mia_tier_secret(size_t i) {
  return mia_aword_get(&mia_arena_all.tier.secret[i]);
}

#endif
