/* trim.h -- giving back the OS pages of a page in which nothing is live.
 *
 * A free block is a link in a list, so where one begins its memory is needed.  A
 * trim takes the blocks that begin in such OS pages off the list first: those
 * are `away', and known by a bit for each OS page that is `gone'.  When the page
 * has nothing else to lend, the blocks of one of these are linked anew, which
 * costs what carving costs.
 *
 * Invariants:
 *   T1  away is the number of blocks that begin in OS pages whose bit is set in gone
 *   T2  a bit is set only where a block begins: who restores it has something */
#ifndef MIA_PAGE_TRIM_H
#define MIA_PAGE_TRIM_H

#include "arena/budget.h"
#include "base/bits.h"
#include "os/os.h"
#include "page/page.h"

/* Gives back what it can of a page of blocks that the caller has.  Bytes given
 * back; memory that does not go by a mere purge stays. */
size_t mia_page_trim(mia_page *page);

/* Puts the blocks of one OS page that is gone on the list of a page of which they
 * are all that is free. */
void mia_page_restore(mia_page *page);

mia_inline unsigned mia_page_unit_shift(void) { return mia_high_bit(mia_os_page_size()); }

mia_inline size_t mia_page_offset_in_span(const mia_page *page, const void *block) {
  return (size_t)((const char *)block - mia_page_span(page));
}

/* Whether a block of the page is away.  For the one who has it. */
mia_inline bool mia_page_is_away(const mia_page *page, const void *block) {
  size_t offset = mia_page_offset_in_span(page, block);
  return page->trimmed_pages != 0 &&
         (page->trimmed_pages >> (offset >> mia_page_unit_shift()) & 1) != 0;
}

#endif
