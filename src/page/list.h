/* SPDX-License-Identifier: MIT */
/* list.h -- taking a page's own list of free blocks, and what it shows of misuse.
 *
 * The first link is looked at each time, as it costs next to nothing.  Some pops follow the list: the
 * first ones of a page, which are all that a small program has, and then now and then. */
#ifndef MIA_PAGE_LIST_H
#define MIA_PAGE_LIST_H

#include "page/misuse.h"
#include "page/page.h"

/* Of 256 pops, the first two follow the list.  If all did, pairs of malloc and free of 8 KiB would take
 * 1.3 times the instructions. */
enum { MIA_POPS_CHECKED = 2 };

/* Returns true if an address can be that of a block, and so read as one. */
mia_inline bool mia_page_may_link(const mia_page *page, const mia_block *to) {
  uintptr_t offset = (uintptr_t)to - (uintptr_t)page->start;
  return offset < (uintptr_t)page->slices << MIA_SLICE_SHIFT && offset % MIA_BLOCK_MIN == 0;
}

/* Aborts if the first block of the page's own list links to itself, which two frees in a row cause, or
 * out of its page, which a write after the free may cause. */
mia_inline void mia_page_require_link(const mia_page *page) {
  const mia_block *block = page->free, *next = block->next;
  if (mia_unlikely(next == block)) mia_page_misuse(page, MIA_MISUSE_TWICE, block);
  if (mia_unlikely(next != NULL && !mia_page_may_link(page, next)))
    mia_page_misuse(page, MIA_MISUSE_WRITTEN, block);
}

/* Returns true if the next pop is one that follows the list. */
mia_inline bool mia_page_is_check_due(const mia_page *page) {
  return page->pops < MIA_POPS_CHECKED;
}

/* Takes the blocks on the page's own list, *count of them, after the first link was looked at.  Returns
 * NULL if there are none. */
mia_inline mia_block *mia_page_pop_free(mia_page *page, uint32_t *count) {
  mia_block *list = page->free;
  if (list == NULL) return NULL;
  mia_page_require_link(page);
  page->free = NULL;
  page->pops++;
  uint32_t used = page->used;
  page->used = page->capacity - page->trimmed_blocks;
  *count = page->used - used;
  return list;
}

/* Likewise, but also returns NULL if the list is to be followed: that is left to slower paths. */
mia_inline mia_block *mia_page_pop_unchecked(mia_page *page, uint32_t *count) {
  return mia_likely(!mia_page_is_check_due(page)) ? mia_page_pop_free(page, count) : NULL;
}

#endif
