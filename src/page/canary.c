/* SPDX-License-Identifier: MIT */
/* canary.c -- debug builds: the canary behind a live block and the redzone before it. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/canary.h"

#include <string.h>

enum { FILL = 0xfd, HALF_BITS = 32 };

#define KEY UINT64_C(0xc2b2ae3d27d4eb4f)

static uint64_t key_of(const void *block) { return (uint64_t)(uintptr_t)block ^ KEY; }

/* The length twice, once inverted: overwriting a part of the word does not turn it into
 * the word for another length. */
static uint64_t check_word_for(const void *block, uint32_t length) {
  return ((uint64_t)~length << HALF_BITS | length) ^ key_of(block);
}

/* A length that does not fit is cut, which makes the content longer by the difference. */
static uint32_t fill_length(size_t length) {
  return length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
}

static uint64_t *check_word_of(const mia_page *page, const void *block) {
  return (uint64_t *)(uintptr_t)((const char *)block + mia_canary_capacity(page));
}

static bool has_redzone(const mia_page *page, const void *block) {
  return block != page->start || mia_canary_fits(page->padding);
}

/* By memcpy: a block that was requested with an offset may begin at any byte. */
static void write_redzone(char *block) {
  uint64_t redzone = key_of(block);
  memcpy(block - sizeof redzone, &redzone, sizeof redzone);
}

static bool is_redzone_intact(const char *block) {
  uint64_t redzone = key_of(block);
  return memcmp(block - sizeof redzone, &redzone, sizeof redzone) == 0;
}

void mia_page_set_canary(const mia_page *page, void *block, size_t size) {
  mia_tags_pause();
  block = mia_map_untagged(block);
  uint64_t *check = check_word_of(page, block);
  uint32_t length = fill_length(mia_canary_capacity(page) - size);
  memset((char *)check - length, FILL, length);
  *check = check_word_for(block, length);
  if (has_redzone(page, block)) write_redzone(block);
  mia_tags_resume();
}

static bool is_filled(const unsigned char *end, uint32_t length) {
  for (uint32_t i = 1; i <= length; i++)
    if (end[-(ptrdiff_t)i] != FILL) return false;
  return true;
}

/* Returns what is wrong with a block, or NULL.  Sets *length to that of the fill. */
static const char *find_damage(const mia_page *page, const void *block, uint32_t *length) {
  const uint64_t *check = check_word_of(page, block);
  *length = (uint32_t)(*check ^ key_of(block));
  if (*check != check_word_for(block, *length) || !is_filled((const unsigned char *)check, *length))
    return "block written to beyond its end";
  bool damaged = has_redzone(page, block) && !is_redzone_intact(block);
  return damaged ? "block written to before its start" : NULL;
}

size_t mia_page_require_canary(const mia_page *page, const void *block) {
  uint32_t length;
  mia_tags_pause();
  const char *damage = find_damage(page, block, &length);
  mia_tags_resume();
  if (damage != NULL) mia_page_misuse(page, damage, block);
  return mia_canary_capacity(page) - length;
}
