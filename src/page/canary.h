/* SPDX-License-Identifier: MIT */
/* canary.h -- the canary behind a live block and, in debug builds, the redzone before it.
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
 *
 * Other builds have a canary in tiers from 1 on: the last 8 bytes of each block.  They depend on the
 * block's address, its size and the process's secret, so that a program cannot write them by accident nor an
 * attacker by guessing; the first one is zero, so that no string leads into them.  The program may write
 * all bytes before them: the usable size is that of the block without the canary.
 * Invariants:
 *   G1  debug builds only: a live block has check word, fill and redzone as
 *       mia_page_set_canary wrote them for its usable size
 *   G2  other builds, in tiers from 1 on: a live block has its canary */
#ifndef MIA_PAGE_CANARY_H
#define MIA_PAGE_CANARY_H

#include "arena/tier.h"
#include "page/tags.h"

#include <string.h>

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

enum { MIA_TIER_CANARY_SIZE = sizeof(uint64_t), MIA_CANARY_ROTATION = 31 };

/* What a block needs beside its content, in this tier. */
mia_inline size_t mia_canary_size(void) {
  return MIA_DEBUG ? MIA_CANARY_SIZE : mia_tier_is_checked() ? MIA_TIER_CANARY_SIZE : 0;
}

mia_inline size_t mia_canary_room_with(size_t size, size_t canary) {
  if (canary == 0 || size > MIA_SIZE_MAX) return size;
  return (size > 0 ? size : 1) + canary;
}

/* The bytes that a block needs for a request of `size' bytes.  A size that is too large
 * is returned as it is.  With a canary, a request of 0 bytes needs as much as one of 1
 * byte: so in debug builds the block has room for its poison when it is free. */
mia_inline size_t mia_canary_room(size_t size) {
  return mia_canary_room_with(size, mia_canary_size());
}

/* Likewise in tier 0, for fast paths: in the other tiers these find no block of any class. */
mia_inline size_t mia_canary_fast_room(size_t size) {
  return mia_canary_room_with(size, MIA_CANARY_SIZE);
}

/* The largest request that a block of the page can serve, in bytes. */
mia_inline size_t mia_canary_capacity(const mia_page *page) {
  return page->size - mia_canary_size();
}

/* Writes canary and redzone of a block, so that its usable size is `size'. */
void mia_page_set_canary(const mia_page *page, void *block, size_t size);

/* Aborts if the program wrote beyond the end of a live block or before its start.
 * Returns the usable size. */
size_t mia_page_require_canary(const mia_page *page, const void *block);

/* ---- tiers from 1 on, not in debug builds ---- */

/* The address and the size, combined with one word of the secret, are multiplied by another, which is made
 * odd.  So the canary of one block tells little about that of another, nor about its own with another
 * size: an old one may lie in the middle of the block. */
mia_inline uint64_t mia_canary_of(const void *block, size_t block_size) {
  uint64_t key = ((uintptr_t)mia_map_untagged(block) ^ mia_tier_secret(0)) + block_size;
  uint64_t mixed = mia_rotated_right(key * (mia_tier_secret(1) | 1), MIA_CANARY_ROTATION);
  const union {
    unsigned char bytes[sizeof mixed];
    uint64_t mask;
  } first = {.bytes = {UCHAR_MAX}};
  return mixed & ~first.mask;
}

/* By memcpy: a block that was requested with an offset may begin at any byte. */
mia_inline void mia_canary_write(void *block, size_t block_size) {
  uint64_t canary = mia_canary_of(block, block_size);
  memcpy((char *)mia_tags_address(block) + block_size - sizeof canary, &canary, sizeof canary);
}

mia_inline void mia_canary_check(const void *block, size_t block_size) {
  uint64_t canary;
  memcpy(&canary, (const char *)mia_tags_address(block) + block_size - sizeof canary,
         sizeof canary);
  if (mia_unlikely(canary != mia_canary_of(block, block_size)))
    mia_base_misuse_of(&(mia_misuse){
        .what = "block written to beyond its end", .address = block, .size = block_size});
}

/* ---- any build and tier ---- */

/* Writes the canary that a block has in this build and tier, for a request of `size' bytes.  The first
 * function is for tiers from 1 on. */
mia_inline void mia_canary_set_checked(const mia_page *page, void *block, size_t size) {
  if (MIA_DEBUG)
    mia_page_set_canary(page, block, size);
  else
    mia_canary_write(block, page->size);
}
mia_inline void mia_canary_set(const mia_page *page, void *block, size_t size) {
  if (MIA_DEBUG || mia_tier_is_checked()) mia_canary_set_checked(page, block, size);
}

/* Checks it.  Returns the usable size.  The second function is for tiers from 1 on. */
mia_inline size_t mia_canary_require(const mia_page *page, const void *block) {
  if (MIA_DEBUG) return mia_page_require_canary(page, block);
  if (!mia_tier_is_checked()) return page->size;
  mia_canary_check(block, page->size);
  return page->size - MIA_TIER_CANARY_SIZE;
}
mia_inline void mia_canary_require_checked(const mia_page *page, const void *block) {
  if (MIA_DEBUG)
    (void)mia_page_require_canary(page, block);
  else
    mia_canary_check(block, page->size);
}

#endif
