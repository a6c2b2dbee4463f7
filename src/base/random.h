/* SPDX-License-Identifier: MIT */
/* random.h -- random numbers that cannot be guessed from those that were seen.
 *
 * The generator is ChaCha (D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008) with 8 rounds.  It
 * makes no system call: a process may have forbidden them when it needs more. */
#ifndef MIA_BASE_RANDOM_H
#define MIA_BASE_RANDOM_H

#include "base/prelude.h"

enum { MIA_RANDOM_WORDS = 16, MIA_RANDOM_KEY = 8, MIA_RANDOM_ROUNDS = 8 };

typedef struct mia_random {
  uint32_t key[MIA_RANDOM_KEY];
  uint64_t blocks; /* made so far */
  uint16_t left;   /* numbers in `pool' that are not used yet */
  bool seeded;     /* `key' is set */
  uint16_t pool[2 * MIA_RANDOM_WORDS];
} mia_random;

/* Stores 64 random bytes, which follow from `in': constants, key, number and nonce.  Both
 * may be the same. */
void mia_base_random_block(const uint32_t in[MIA_RANDOM_WORDS], unsigned rounds,
                           uint32_t out[MIA_RANDOM_WORDS]);

/* Begins anew with a key. */
void mia_base_random_seed(mia_random *random, const uint32_t key[MIA_RANDOM_KEY]);

/* Makes the next numbers.  The generator is seeded. */
mia_noinline void mia_base_random_refill(mia_random *random);

/* Returns a number of 16 bits.  The generator is seeded. */
mia_inline unsigned mia_base_random_next(mia_random *random) {
  if (mia_unlikely(random->left == 0)) mia_base_random_refill(random);
  return random->pool[--random->left];
}

#endif
