/* guard.h -- what debug builds lay around a block in use, so that a write beyond
 * either end of it is noticed when it is freed, resized or asked about.
 *
 *            | content | fill | seal |      | content | fill | seal |
 *   --+------+---------+------+------+------+---------+------+------+------+--
 *  lead edge        a block of a page  edge            the next one   edge
 *
 * The content is as long as was asked for: that is the usable size, to the byte.
 * The fill is what is left of the block, the seal is the fill's length in disguise.
 * The edge lies at the end of a block but belongs to the one behind it: so each
 * thread looks at nothing but what is its own, whatever others do next door.  The
 * first block of a page, which may be its only one, has its edge in the page's lead,
 * which costs a block, or the only one's alignment; but for one that is aligned to
 * more than a slice.
 * Invariant:
 *   G1  debug builds only: a block in use has seal, fill and edge as put by
 *       mia_page_set_canary for its usable size */
#ifndef MIA_PAGE_CANARY_H
#define MIA_PAGE_CANARY_H

#include "page/page.h"

enum {
  MIA_REDZONE_SIZE = MIA_DEBUG ? sizeof(uint64_t) : 0,
  MIA_CANARY_SIZE = MIA_DEBUG ? 8 + MIA_REDZONE_SIZE : 0 /* at least, of a block */
};

/* The lead of a page of blocks of `size' bytes. */
mia_inline size_t mia_canary_padding(size_t size) { return MIA_DEBUG ? size : 0; }

/* The lead of a page of one block that needs no other for its alignment or offset,
 * and what such a block is aligned to. */
#define MIA_SINGLETON_PADDING (MIA_DEBUG ? MIA_OS_PAGE_MIN : 0)
#define MIA_SINGLETON_ALIGN (MIA_DEBUG ? MIA_OS_PAGE_MIN : MIA_SLICE_SIZE)

/* Whether a lead has room for an edge. */
mia_inline bool mia_canary_fits(size_t lead) { return lead >= sizeof(uint64_t); }

/* The bytes that a block needs for a request; too large a one stays so.  None is
 * for nothing: a free block has room for its mark. */
mia_inline size_t mia_canary_room(size_t size) {
  if (!MIA_DEBUG || size > MIA_SIZE_MAX) return size;
  return (size > 0 ? size : 1) + MIA_CANARY_SIZE;
}

/* The bytes that a program could have asked for of a block as large. */
mia_inline size_t mia_canary_capacity(const mia_page *page) { return page->size - MIA_CANARY_SIZE; }

/* Makes `size' the usable size of a block. */
void mia_page_set_canary(const mia_page *page, void *block, size_t size);

/* Aborts if a block in use was written to beyond its end or before its start;
 * its usable size. */
size_t mia_page_require_canary(const mia_page *page, const void *block);

#endif
