/* SPDX-License-Identifier: MIT */
/* tags.h -- tier 3: the memory tags of blocks, where the system has them (os/tags.h).
 *
 * Invariants:
 *   T1  a live block of a class has a tag other than 0, and than those of the live blocks beside it in
 *       its page
 *   T2  all other memory has the tag 0: free blocks, and blocks with a page of their own, which have
 *       guards
 * So an access by a pointer to a freed block always ends the process, until the block is allocated again;
 * then in at least 12 of 13 cases.  Functions use addresses without a tag, but for what malloc returns.  They read
 * and write free blocks so, and live ones by the address that mia_tags_address returns.
 *
 * In debug builds the last granule of each block has the tag 0: it has the redzone of the next block, which
 * other threads write (canary.h). */
#ifndef MIA_PAGE_TAGS_H
#define MIA_PAGE_TAGS_H

#include "arena/tier.h"
#include "os/tags.h"
#include "page/page.h"

/* Returns true if the page's blocks have tags. */
mia_inline bool mia_tags_in(const mia_page *page) {
  return mia_tier_has_tags() && page->size_class < MIA_CLASS_COUNT && page->arena->tagged;
}

/* Returns the address by which memory of a block is read and written. */
mia_inline void *mia_tags_address(const void *p) {
  return mia_tier_has_tags() ? mia_os_tag_load(p) : (void *)(uintptr_t)p;
}

/* Returns false if the pointer that the program gives, to a block of the page, has another tag than the
 * block. */
mia_inline bool mia_tags_match(const mia_page *page, const void *given) {
  return !mia_tags_in(page) || mia_os_tag_load(given) == given;
}

/* The bytes of a block that have its tag. */
mia_inline size_t mia_tags_size(const mia_page *page) {
  return page->size - (MIA_DEBUG ? MIA_OS_TAG_GRANULE : 0);
}

/* Between the two calls the calling thread's accesses are not checked. */
mia_inline void mia_tags_pause(void) {
  if (mia_tier_has_tags()) mia_os_tags_pause();
}
mia_inline void mia_tags_resume(void) {
  if (mia_tier_has_tags()) mia_os_tags_resume();
}

/* Gives a block that becomes live a tag.  Returns its address with the tag. */
void *mia_page_tag(const mia_page *page, void *block);

/* Gives blocks that become free, `size' bytes from `start' on, the tag 0. */
mia_inline void mia_tags_clear(const mia_page *page, void *start, size_t size) {
  if (mia_tags_in(page)) mia_os_tag_store(start, size);
}

#endif
