/* SPDX-License-Identifier: MIT */
/* tags.c -- tier 3: draws the tags of blocks. */
#include "base/prelude.h"

#include "page/tags.h"

/* The bit of the tag of the memory at `p'. */
static uintptr_t bit_of(const char *p) {
  enum { MASK = (1 << MIA_OS_TAG_BITS) - 1 };
  uintptr_t tag = (uintptr_t)mia_os_tag_load(p) >> (MIA_POINTER_64 ? MIA_OS_TAG_SHIFT : 0);
  return (uintptr_t)1 << (tag & MASK);
}

void *mia_page_tag(const mia_page *page, void *block) {
  if (!mia_tags_in(page)) return block;
  const char *p = block, *end = page->start + page->capacity * page->size;
  uintptr_t excluded = 1;
  if (p > page->start) excluded |= bit_of(p - page->size);
  if (p + page->size < end) excluded |= bit_of(p + page->size);
  void *at = mia_os_tag_draw(block, excluded);
  mia_os_tag_store(at, mia_tags_size(page));
  return at;
}
