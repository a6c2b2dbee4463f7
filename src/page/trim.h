/* SPDX-License-Identifier: MIT */
/* trim.h -- giving back the OS pages of a page that contain nothing live.
 *
 * A free block holds the link to the next one, so the OS page in which it begins is
 * needed.  A trim first takes the blocks that begin in an OS page off the page's list
 * and then purges the OS page.  Such blocks are `trimmed'; a bit for each trimmed OS page
 * tells which blocks these are.  When the page has no other free blocks, the blocks of
 * one trimmed OS page are linked into the list again, which costs as much as extending.
 *
 * Invariants:
 *   T1  trimmed_blocks is the number of blocks that begin in OS pages whose bit is set
 *       in trimmed_pages
 *   T2  a bit is set only for an OS page in which a block begins, so that restoring it
 *       yields at least one block */
#ifndef MIA_PAGE_TRIM_H
#define MIA_PAGE_TRIM_H

#include "arena/budget.h"
#include "base/bits.h"
#include "os/os.h"
#include "page/page.h"

/* Trims a page of blocks that the caller has claimed, as far as possible.  Returns the bytes
 * given back.  Does nothing where the arena's memory cannot be purged a part at a time. */
size_t mia_page_trim(mia_page *page);

/* Links the blocks of one trimmed OS page into the page's list, which must be empty. */
void mia_page_restore(mia_page *page);

mia_inline unsigned mia_page_os_page_shift(void) { return mia_high_bit(mia_os_page_size()); }

mia_inline size_t mia_page_offset_in_span(const mia_page *page, const void *block) {
  return (size_t)((const char *)block - mia_page_span(page));
}

/* Returns true if a block of the page is trimmed.  The caller has claimed the page. */
mia_inline bool mia_page_is_trimmed(const mia_page *page, const void *block) {
  size_t offset = mia_page_offset_in_span(page, block);
  return page->trimmed_pages != 0 &&
         (page->trimmed_pages >> (offset >> mia_page_os_page_shift()) & 1) != 0;
}

#endif
