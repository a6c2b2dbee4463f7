/* SPDX-License-Identifier: MIT */
/* tier.c -- decides the security tier of the process. */
#include "base/prelude.h"

#include "arena/tier.h"
#include "os/os.h"
#include "os/tags.h"

#include <string.h>

static const char variable[] = "MIALLOC_SECURE=";
enum { PREFIX = sizeof "MIALLOC_" - 1 };

mia_static_assert(MIA_SECURE_MIN <= MIA_SECURE_DEFAULT && MIA_SECURE_DEFAULT <= MIA_TIER_MAX,
                  "configure has checked this");

/* As for other options, what follows the prefix may be in small letters. */
static bool is_same(char c, size_t i) {
  enum { TO_CAPITAL = 'A' - 'a' };
  return c == variable[i] || (i >= PREFIX && c >= 'a' && c <= 'z' && c + TO_CAPITAL == variable[i]);
}

/* Returns the tier that a string of the environment names, or `otherwise'. */
static unsigned tier_in(const char *text, unsigned otherwise) {
  size_t i = 0;
  while (variable[i] != 0 && is_same(text[i], i)) i++;
  if (variable[i] != 0) return otherwise;
  while (text[i] == '0' && text[i + 1] != 0) i++;
  bool is_digit = text[i] >= '0' && text[i] <= '0' + MIA_TIER_MAX && text[i + 1] == 0;
  unsigned tier = (unsigned)(text[i] - '0');
  return is_digit && tier + 1 > MIA_SECURE_MIN ? tier : otherwise;
}

static unsigned tier_of_environment(void) {
  unsigned tier = MIA_SECURE_DEFAULT;
  const char *const *environment = mia_os_privileged() ? NULL : mia_os_environment();
  for (; environment != NULL && *environment != NULL; environment++)
    tier = tier_in(*environment, tier);
  return tier;
}

/* A word stays 0 if the OS has nothing random. */
static void make_secret(void) {
  uintptr_t words[MIA_TIER_SECRETS] = {0};
  mia_os_random(words, sizeof words);
  for (size_t i = 0; i < MIA_TIER_SECRETS; i++) {
    uintptr_t none = 0;
    while (none == 0 && words[i] != 0 &&
           !mia_aword_cas(&mia_arena_all.tier.secret[i], &none, words[i])) {}
  }
}

enum { KEY_WORDS = MIA_TIER_SECRETS - MIA_TIER_SECRET_KEY };

void mia_arena_copy_key(uint32_t key[MIA_RANDOM_KEY]) {
  uintptr_t words[KEY_WORDS];
  for (size_t i = 0; i < KEY_WORDS; i++) words[i] = mia_tier_secret(MIA_TIER_SECRET_KEY + i);
  memcpy(key, words, sizeof words);
}

/* The new key follows from the old one and what is random now, or at least another in each process.  The
 * old key comes first in the block of random numbers, then what makes it another block. */
void mia_arena_renew_key(void) {
  enum { OTHER_WORDS = MIA_RANDOM_WORDS - MIA_RANDOM_KEY };
  uint32_t in[MIA_RANDOM_WORDS] = {0}, out[MIA_RANDOM_WORDS], other[OTHER_WORDS] = {0};
  uintptr_t words[KEY_WORDS];
  mia_arena_copy_key(in);
  mia_os_random(other, sizeof other);
  other[0] ^= (uint32_t)mia_os_process();
  memcpy(in + MIA_RANDOM_KEY, other, sizeof other);
  mia_base_random_block(in, MIA_RANDOM_ROUNDS, out);
  memcpy(words, out, sizeof words);
  for (size_t i = 0; i < KEY_WORDS; i++)
    mia_aword_set(&mia_arena_all.tier.secret[MIA_TIER_SECRET_KEY + i], words[i]);
}

/* Two threads may do so at the same time, before either has allocated: they come to the same tier, and the
 * first one's secret stays. */
void mia_arena_decide_tier(void) {
  if (mia_aword_get_acq(&mia_arena_all.tier.decided) != 0) return;
  unsigned tier = tier_of_environment();
  if (tier > 0) make_secret();
  if (tier >= MIA_TIER_TAGGED) mia_aword_set(&mia_arena_all.tier.tagged, mia_os_begin_tags());
  mia_aword_set(&mia_arena_all.tier.level, tier);
  mia_aword_set_rel(&mia_arena_all.tier.decided, 1);
}
