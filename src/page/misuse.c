/* SPDX-License-Identifier: MIT */
/* misuse.c -- what a page shows of misuse, and its report. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/list.h"
#include "page/misuse.h"

void mia_page_misuse(const mia_page *page, const char *what, const void *p) {
  mia_base_misuse_of(&(mia_misuse){.what = what, .address = p, .size = page->size});
}

void mia_page_misuse_in_call(const mia_page *page, const char *call, const char *what,
                             const void *p) {
  mia_base_misuse_in_call(
      &(mia_misuse){.call = call, .what = what, .address = p, .size = page->size});
}

bool mia_page_freed_twice(const mia_page *page, const void *p) {
  mia_page_misuse_in_call(page, "free", MIA_MISUSE_TWICE, p);
  return true;
}

/* So many links are followed at the most: each may be a cache miss. */
enum { LINKS_MAX = 256 };

/* Returns what is wrong with the last link that is looked at, or NULL. */
static const char *find_wrong_end(const mia_page *page, const mia_block *next, bool ends) {
  if (next == page->free) return MIA_MISUSE_TWICE;
  if (next == NULL) return ends ? NULL : MIA_MISUSE_WRITTEN;
  if (!mia_page_may_link(page, next)) return MIA_MISUSE_WRITTEN;
  return ends ? MIA_MISUSE_TWICE_OR_WRITTEN : NULL;
}

/* Blocks that were freed twice close the list, or make it longer than the page has counted.  A write
 * to a free block most likely leads out of the page, or makes the list end too soon. */
void mia_page_require_list(const mia_page *page) {
  const mia_block *first = page->free, *block = first;
  uint32_t count = page->capacity - page->trimmed_blocks - page->used; /* P1 */
  uint32_t most = count < LINKS_MAX ? count : LINKS_MAX;
  if (mia_unlikely(!mia_page_is_block(page, first)))
    mia_page_misuse(page, MIA_MISUSE_INSIDE, first);
  for (uint32_t i = 1; i < most; i++) {
    const mia_block *next = block->next;
    if (mia_unlikely(next == first)) mia_page_misuse(page, MIA_MISUSE_TWICE, first);
    if (mia_unlikely(!mia_page_may_link(page, next)))
      mia_page_misuse(page, MIA_MISUSE_WRITTEN, block);
    block = next;
  }
  const char *wrong = find_wrong_end(page, block->next, most == count);
  if (mia_unlikely(wrong != NULL)) mia_page_misuse(page, wrong, block);
}
