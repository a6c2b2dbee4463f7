/* SPDX-License-Identifier: MIT */
/* tier_root.h -- what the root of the arenas has of the security tier: tier.h. */
#ifndef MIA_ARENA_TIER_ROOT_H
#define MIA_ARENA_TIER_ROOT_H

#include "base/atomic.h"

/* Two words for canaries, and the rest is the key for random numbers. */
enum { MIA_TIER_SECRET_KEY = 2, MIA_TIER_SECRETS = MIA_TIER_SECRET_KEY + 32 / sizeof(uintptr_t) };
typedef struct mia_arena_tier {
  mia_aword level;                    /* [any] the tier; never changes once it is decided */
  mia_aword decided;                  /* [any] 1: it is */
  mia_aword tagged;                   /* [any] 1: tier 3, and the system has memory tags */
  mia_aword drawn;                    /* [any] random numbers drawn: place.h */
  mia_aword guards;                   /* [any] tiers from 2 on: guards behind spans: guard.h */
  mia_aword secret[MIA_TIER_SECRETS]; /* [any] random words, in tiers from 1 on; those of the
                                       * key change in the child of a fork */
} mia_arena_tier;

mia_assert_field_aligned(mia_arena_tier, level);
mia_assert_field_aligned(mia_arena_tier, decided);
mia_assert_field_aligned(mia_arena_tier, tagged);
mia_assert_field_aligned(mia_arena_tier, drawn);
mia_assert_field_aligned(mia_arena_tier, guards);
mia_assert_field_aligned(mia_arena_tier, secret);

#endif
