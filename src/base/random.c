/* SPDX-License-Identifier: MIT */
/* random.c -- random numbers that cannot be guessed from those that were seen. */
#include "base/prelude.h"

#include "base/fail.h"
#include "base/random.h"

#include <string.h>

static uint32_t rotated_left(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
  enum { FIRST = 16, SECOND = 12, THIRD = 8, FOURTH = 7 };
  *a += *b, *d = rotated_left(*d ^ *a, FIRST);
  *c += *d, *b = rotated_left(*b ^ *c, SECOND);
  *a += *b, *d = rotated_left(*d ^ *a, THIRD);
  *c += *d, *b = rotated_left(*b ^ *c, FOURTH);
}

/* The state is a square of 4 words a side: a round mixes its columns, the next its diagonals. */
void mia_base_random_block(const uint32_t in[MIA_RANDOM_WORDS], unsigned rounds,
                           uint32_t out[MIA_RANDOM_WORDS]) {
  enum { SIDE = 4 };
  uint32_t x[MIA_RANDOM_WORDS];
  memcpy(x, in, sizeof x);
  for (unsigned round = 0; round < rounds; round++)
    for (unsigned i = 0; i < SIDE; i++) {
      unsigned shift = round % 2;
      quarter_round(&x[i], &x[SIDE + (i + shift) % SIDE], &x[2 * SIDE + (i + 2 * shift) % SIDE],
                    &x[3 * SIDE + (i + 3 * shift) % SIDE]);
    }
  for (unsigned i = 0; i < MIA_RANDOM_WORDS; i++) out[i] = x[i] + in[i];
}

void mia_base_random_seed(mia_random *random, const uint32_t key[MIA_RANDOM_KEY]) {
  memcpy(random->key, key, sizeof random->key);
  random->blocks = 0;
  random->left = 0;
  random->seeded = true;
}

void mia_base_random_refill(mia_random *random) {
  /* "expand 32-byte k" */
  uint32_t in[MIA_RANDOM_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  enum { KEY_AT = 4, NUMBER_AT = 12 };
  mia_assert(random->seeded);
  memcpy(in + KEY_AT, random->key, sizeof random->key);
  memcpy(in + NUMBER_AT, &random->blocks, sizeof random->blocks);
  random->blocks++;
  uint32_t out[MIA_RANDOM_WORDS];
  mia_base_random_block(in, MIA_RANDOM_ROUNDS, out);
  memcpy(random->pool, out, sizeof out);
  random->left = 2 * MIA_RANDOM_WORDS;
}
