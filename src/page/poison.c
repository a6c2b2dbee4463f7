/* mark.c -- what debug builds write into a free block. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/canary.h"
#include "page/poison.h"
#include "page/trim.h"

#include <string.h>

/* FREE in memory that is free, LIVE where a program may not expect zeros. */
enum { FREE = 0xdf, LIVE = 0xd5 };

enum { LINK_WORDS = sizeof(mia_block) / sizeof(uintptr_t), MARKED_WORDS = LINK_WORDS + 1 };

#define KEY ((uintptr_t)0x9e3779b97f4a7c15u)

static uintptr_t mark_of(const mia_block *block) { return (uintptr_t)block ^ KEY; }

static bool has_room(const mia_page *page) {
  return page->size >= MARKED_WORDS * sizeof(uintptr_t) + MIA_CANARY_SIZE;
}

/* Behind the mark, up to the edge. */
static size_t rest_of(const mia_page *page) {
  return page->size - MARKED_WORDS * sizeof(uintptr_t) - MIA_REDZONE_SIZE;
}

void mia_page_poison(const mia_page *page, mia_block *block) {
  if (!has_room(page)) return;
  uintptr_t *words = (uintptr_t *)(void *)block;
  words[LINK_WORDS] = mark_of(block);
  memset(words + MARKED_WORDS, FREE, rest_of(page));
}

static bool is_filled(const unsigned char *at, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i++)
    if (at[i] != with) return false;
  return true;
}

/* No seal looks like what is in its place. */
bool mia_page_is_poisoned(const mia_page *page, const mia_block *block) {
  if (!has_room(page)) return false;
  const uintptr_t *words = (const uintptr_t *)(const void *)block;
  const unsigned char *seal = (const unsigned char *)block + mia_canary_capacity(page);
  return words[LINK_WORDS] == mark_of(block) ||
         is_filled(seal, MIA_CANARY_SIZE - MIA_REDZONE_SIZE, FREE);
}

void mia_page_poison_freed(const mia_page *page, mia_block *block, bool own) {
  if (mia_page_is_poisoned(page, block) || (own && mia_page_is_away(page, block)))
    mia_base_misuse("block freed twice", block);
  (void)mia_page_require_canary(page, block);
  mia_page_poison(page, block);
}

void mia_page_require_live(const mia_page *page, const mia_block *block) {
  if (mia_page_is_poisoned(page, block)) mia_base_misuse("block used after it was freed", block);
}

/* Where a list may go on: at a block of the class, as not all lists are of one page. */
static bool is_link(const mia_page *page, const mia_block *next) {
  const mia_page *to = mia_page_of(next);
  return to != NULL && to->size_class == page->size_class &&
         (size_t)((const char *)next - to->start) % to->size == 0;
}

static bool is_untouched(const mia_page *page, const mia_block *block, bool fresh) {
  if (block->next != NULL && !is_link(page, block->next)) return false;
  if (!has_room(page)) return true;
  const uintptr_t *words = (const uintptr_t *)(const void *)block;
  const unsigned char *rest = (const unsigned char *)(words + MARKED_WORDS);
  return words[LINK_WORDS] == (fresh ? 0 : mark_of(block)) &&
         is_filled(rest, rest_of(page), fresh ? 0 : FREE);
}

void mia_page_require_free(const mia_page *page, mia_block *block, bool fresh) {
  if (!is_untouched(page, block, fresh))
    mia_base_misuse("block written to after it was freed", block);
  if (fresh || !has_room(page)) return;
  memset((uintptr_t *)(void *)block + LINK_WORDS, LIVE, rest_of(page) + sizeof(uintptr_t));
}
