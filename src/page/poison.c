/* SPDX-License-Identifier: MIT */
/* poison.c -- debug builds: the content of a free block. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/canary.h"
#include "page/poison.h"
#include "page/trim.h"

#include <string.h>

/* FREE_FILL fills free blocks.  LIVE_FILL fills a block that is allocated without zeroing, so
 * that a program that relies on zeroes fails. */
enum { FREE_FILL = 0xdf, LIVE_FILL = 0xd5 };

enum { LINK_WORDS = sizeof(mia_block) / sizeof(uintptr_t), HEADER_WORDS = LINK_WORDS + 1 };

#define KEY ((uintptr_t)0x9e3779b97f4a7c15u)

static uintptr_t poison_word(const mia_block *block) { return (uintptr_t)block ^ KEY; }

static bool has_room(const mia_page *page) {
  return page->size >= HEADER_WORDS * sizeof(uintptr_t) + MIA_CANARY_SIZE;
}

/* From the poison word to the redzone of the next block. */
static size_t fill_length(const mia_page *page) {
  return page->size - HEADER_WORDS * sizeof(uintptr_t) - MIA_REDZONE_SIZE;
}

void mia_page_poison(const mia_page *page, mia_block *block) {
  if (!has_room(page)) return;
  uintptr_t *words = (uintptr_t *)(void *)block;
  words[LINK_WORDS] = poison_word(block);
  memset(words + HEADER_WORDS, FREE_FILL, fill_length(page));
}

static bool is_filled(const unsigned char *at, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i++)
    if (at[i] != with) return false;
  return true;
}

/* If the poison word was overwritten, the place of the check word (canary.h) still tells: no
 * check word of a live block is all FREE_FILL. */
bool mia_page_is_poisoned(const mia_page *page, const mia_block *block) {
  if (!has_room(page)) return false;
  const uintptr_t *words = (const uintptr_t *)(const void *)block;
  const unsigned char *check = (const unsigned char *)block + mia_canary_capacity(page);
  return words[LINK_WORDS] == poison_word(block) ||
         is_filled(check, MIA_CANARY_SIZE - MIA_REDZONE_SIZE, FREE_FILL);
}

void mia_page_poison_freed(const mia_page *page, mia_block *block, bool own) {
  if (mia_page_is_poisoned(page, block) || (own && mia_page_is_trimmed(page, block)))
    mia_page_misuse(page, MIA_MISUSE_TWICE, block);
  (void)mia_page_require_canary(page, block);
  mia_page_poison(page, block);
}

void mia_page_require_live(const mia_page *page, const mia_block *block) {
  if (mia_page_is_poisoned(page, block)) mia_page_misuse(page, MIA_MISUSE_USED, block);
}

/* Returns true if a list may continue at `next'.  That may be a block of any page of the class,
 * since some lists hold blocks of several pages. */
static bool is_valid_link(const mia_page *page, const mia_block *next) {
  const mia_page *to = mia_page_of(next);
  return to != NULL && to->size_class == page->size_class &&
         (size_t)((const char *)next - to->start) % to->size == 0;
}

static bool is_intact(const mia_page *page, const mia_block *block, bool zeroed) {
  if (block->next != NULL && !is_valid_link(page, block->next)) return false;
  if (!has_room(page)) return true;
  const uintptr_t *words = (const uintptr_t *)(const void *)block;
  const unsigned char *fill = (const unsigned char *)(words + HEADER_WORDS);
  return words[LINK_WORDS] == (zeroed ? 0 : poison_word(block)) &&
         is_filled(fill, fill_length(page), zeroed ? 0 : FREE_FILL);
}

void mia_page_require_free(const mia_page *page, mia_block *block, bool zeroed) {
  if (!is_intact(page, block, zeroed)) mia_page_misuse(page, MIA_MISUSE_WRITTEN, block);
  if (zeroed || !has_room(page)) return;
  memset((uintptr_t *)(void *)block + LINK_WORDS, LIVE_FILL, fill_length(page) + sizeof(uintptr_t));
}
