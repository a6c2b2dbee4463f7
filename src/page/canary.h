/* SPDX-License-Identifier: MIT */
/* canary.h -- debug builds: the canary behind a live block and the redzone before it.
 * A write beyond either end of the block is detected when it is freed, resized or
 * when its size is queried.
 *
 *               | content | fill | check |        | content | fill | check |
 *   --+---------+---------+------+-------+--------+---------+------+-------+--------+--
 *  padding, redzone    a block of the page    redzone    the next block      redzone
 *
 * The content is exactly as long as the program requested, so the usable size is exact
 * to the byte.  The canary is the fill, which takes the rest of the block, and the check
 * word, which encodes the length of the fill.  A redzone lies in the last bytes of the
 * block before it but belongs to the block behind it: so a thread that checks a block
 * reads nothing that another thread writes for a neighbour.
 *
 * The redzone of the first block of a page lies in the page's padding.  The padding
 * costs one block, or in a singleton page as much as the alignment of the block, but at
 * least MIA_OS_PAGE_MIN.  A singleton block that is aligned to more than a slice gets no
 * padding for a redzone.
 * Invariant:
 *   G1  debug builds only: a live block has check word, fill and redzone as
 *       mia_page_set_canary wrote them for its usable size */
#ifndef MIA_PAGE_CANARY_H
#define MIA_PAGE_CANARY_H

#include "page/page.h"

enum {
  MIA_REDZONE_SIZE = MIA_DEBUG ? sizeof(uint64_t) : 0,
  /* What a block needs beside its content: check word and redzone; the fill may be empty. */
  MIA_CANARY_SIZE = MIA_DEBUG ? 8 + MIA_REDZONE_SIZE : 0
};

/* The padding of a page of blocks of `size' bytes. */
mia_inline size_t mia_canary_padding(size_t size) { return MIA_DEBUG ? size : 0; }

/* The padding of a singleton page whose alignment and offset ask for no other, and the
 * alignment that its block then has. */
#define MIA_SINGLETON_PADDING (MIA_DEBUG ? MIA_OS_PAGE_MIN : 0)
#define MIA_SINGLETON_ALIGN (MIA_DEBUG ? MIA_OS_PAGE_MIN : MIA_SLICE_SIZE)

/* Returns true if the padding has room for a redzone. */
mia_inline bool mia_canary_fits(size_t padding) { return padding >= sizeof(uint64_t); }

/* The bytes that a block needs for a request of `size' bytes.  A size that is too large
 * is returned as it is.  In debug builds a request of 0 bytes needs as much as one of 1
 * byte, so that the block has room for its poison when it is free. */
mia_inline size_t mia_canary_room(size_t size) {
  if (!MIA_DEBUG || size > MIA_SIZE_MAX) return size;
  return (size > 0 ? size : 1) + MIA_CANARY_SIZE;
}

/* The largest request that a block of the page can serve, in bytes. */
mia_inline size_t mia_canary_capacity(const mia_page *page) { return page->size - MIA_CANARY_SIZE; }

/* Writes canary and redzone of a block, so that its usable size is `size'. */
void mia_page_set_canary(const mia_page *page, void *block, size_t size);

/* Aborts if the program wrote beyond the end of a live block or before its start.
 * Returns the usable size. */
size_t mia_page_require_canary(const mia_page *page, const void *block);

#endif
