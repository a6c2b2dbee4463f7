/* SPDX-License-Identifier: MIT */
/* misuse.h -- what a page shows of misuse, and its report: with the size of the page's blocks. */
#ifndef MIA_PAGE_MISUSE_H
#define MIA_PAGE_MISUSE_H

#include "base/prelude.h"

struct mia_page;

/* What more than one place reports. */
#define MIA_MISUSE_NO_BLOCK "pointer that is not a block in use"
#define MIA_MISUSE_INSIDE "pointer to the inside of a block"
#define MIA_MISUSE_TWICE "block freed twice"
#define MIA_MISUSE_USED "block used after it was freed"
#define MIA_MISUSE_STALE "pointer with another tag than the block: of one that was freed"
#define MIA_MISUSE_WRITTEN "block written to after it was freed"
#define MIA_MISUSE_TWICE_OR_WRITTEN "block freed twice, or written to after it was freed"

/* Reports the misuse of an address in the page, and aborts. */
_Noreturn mia_cold void mia_page_misuse(const struct mia_page *page, const char *what,
                                        const void *p);

/* Likewise, in a call of the C function `call' that can return (mia_base_misuse_in_call). */
mia_cold void mia_page_misuse_in_call(const struct mia_page *page, const char *call,
                                      const char *what, const void *p);

/* Likewise, of a second free.  Returns true. */
mia_cold bool mia_page_freed_twice(const struct mia_page *page, const void *p);

/* Aborts if the page's own list, which has blocks, shows within its first few hundred links that a block
 * was freed twice, that one was written to after its free, or that the first is none. */
void mia_page_require_list(const struct mia_page *page);

#endif
