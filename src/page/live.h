/* SPDX-License-Identifier: MIT */
/* live.h -- tiers from 1 on: which blocks of a page are live, and taking and freeing blocks without
 * free lists.
 *
 * A page's record (arena/record.h) has two bits for each block:
 *   live    the program has the block.  Only the thread that has claimed the page writes these bits,
 *           by loads and stores: malloc sets one, a free by the owner clears it
 *   freed   a thread that does not own the page has freed the block.  Such threads set these bits,
 *           each by one atomic operation, which also tells if the bit was set already
 *   held    in tiers from 2 on: the block is in a quarantine (theap/hardened.h).  The thread that
 *           frees it sets the bit likewise, and clears it when the block leaves
 * A free of a block that is not live, or is freed or held, is a second free.
 *
 * A thread that does not own the page first sets the block's bit and then counts the page's countdown
 * down (owner.h), with an empty list.  So whoever reads the countdown sees the bit.  Collecting takes
 * all bits that it sees, but page->used goes down by what the countdown says: a thread between the two
 * steps is still counted.  So the page is not retired under it, and no block counts twice, even if it
 * was allocated again before its countdown.
 *
 * Invariants, instead of P1 (page.h):
 *   V1  used = live bits + frees whose bit was taken and whose countdown is still to come
 *       - frees that were counted down but not collected
 *   V2  page->free is NULL, trimmed_blocks 0, and the list in `remote' empty
 *   V3  no bit is set at or beyond `capacity', nor in the record of a slice where no page begins */
#ifndef MIA_PAGE_LIVE_H
#define MIA_PAGE_LIVE_H

#include "arena/record.h"
#include "base/fail.h"
#include "page/owner.h"
#include "page/page.h"

mia_static_assert(MIA_RECORD_CELLS - 1 <= UINT8_MAX, "page->cell names a cell");

mia_inline mia_record *mia_live_record(const mia_page *page) {
  return &page->arena->records[mia_arena_slice_of(page->arena, page->start)];
}

mia_inline size_t mia_live_cell(uint32_t block) { return block >> MIA_CELL_SHIFT; }
mia_inline mia_bits mia_live_bit(uint32_t block) {
  return (mia_bits)1 << (block & (MIA_CELL_BITS - 1));
}

/* Returns the index of a block.  Aborts if the address, in the page, is not the start of one. */
mia_inline uint32_t mia_live_index(const mia_page *page, const void *p) {
  uint32_t index;
  if (mia_unlikely(!mia_page_find_block(page, p, &index)))
    mia_page_misuse(page, MIA_MISUSE_INSIDE, p);
  return index;
}

/* Returns true if the block is live, or was freed and is not collected.  For the thread that has claimed
 * the page. */
mia_inline bool mia_live_has_bit(const mia_record *record, uint32_t block) {
  return (mia_acell_get(&record->live[mia_live_cell(block)]) & mia_live_bit(block)) != 0;
}

mia_inline bool mia_live_is_held(const mia_record *record, uint32_t block) {
  return mia_tier_is_hardened() &&
         (mia_acell_get(&record->held[mia_live_cell(block)]) & mia_live_bit(block)) != 0;
}

/* Returns true if the program has the block. */
mia_inline bool mia_live_is(const mia_record *record, uint32_t block) {
  size_t cell = mia_live_cell(block);
  return (mia_acell_get(&record->live[cell]) & ~mia_acell_get(&record->freed[cell]) &
          mia_live_bit(block)) != 0 &&
         !mia_live_is_held(record, block);
}

/* Tiers from 2 on: a live block begins to wait, and ends.  The first returns false if another thread has
 * freed the block at the same time. */
mia_inline bool mia_live_hold(mia_record *record, uint32_t block) {
  mia_bits bit = mia_live_bit(block);
  return (mia_acell_or(&record->held[mia_live_cell(block)], bit) & bit) == 0;
}
mia_inline void mia_live_let_go(mia_record *record, uint32_t block) {
  if (mia_tier_is_hardened())
    (void)mia_acell_and(&record->held[mia_live_cell(block)], ~mia_live_bit(block));
}

/* Takes a free block of the cell in which the search begins.  Returns NULL if there is none.  The lowest
 * free bit tells, since no bit is set behind the extended part. */
mia_inline void *mia_live_take_near(mia_page *page) {
  uint32_t cell = page->cell;
  mia_acell *cells = &mia_live_record(page)->live[cell];
  mia_bits live = mia_acell_get(cells);
  if (mia_unlikely(live == ~(mia_bits)0)) return NULL;
  uint32_t block = (cell << MIA_CELL_SHIFT) + (uint32_t)__builtin_ctzll(~live);
  if (mia_unlikely(block >= page->capacity)) return NULL;
  mia_acell_set(cells, live | (live + 1));
  page->used++;
  return page->start + block * page->size;
}

/* Likewise of any cell.  page->used is less than the capacity. */
mia_noinline void *mia_page_take_live(mia_page *page);

mia_inline void *mia_live_take(mia_page *page) {
  void *p = mia_live_take_near(page);
  return mia_likely(p != NULL) ? p : mia_page_take_live(page);
}

/* Tiers from 2 on: takes a free block; which one, depends on a random number of 16 bits.  Likewise. */
void *mia_page_take_random(mia_page *page, unsigned random);

/* Frees a live block of a page that the caller has claimed. */
mia_inline void mia_live_free(mia_page *page, mia_record *record, uint32_t block) {
  mia_acell *live = &record->live[mia_live_cell(block)];
  mia_acell_set(live, mia_acell_get(live) & ~mia_live_bit(block));
  page->cell = (uint8_t)mia_live_cell(block);
  page->used--;
}

/* Makes the extended part larger.  Returns false if all blocks are in it already.  In page.c. */
bool mia_page_extend(mia_page *page);

/* Frees a block of a page that the caller does not own.  Release: the thread that allocates the block again
 * sees what was done to it before.  Returns true if this claimed the page, as mia_owner_push does. */
bool mia_page_free_live_remote(mia_page *page, uint32_t block);

/* Collects what other threads have freed of a page that the caller has claimed. */
void mia_page_collect_live(mia_page *page);

/* Makes all blocks of a page free that the caller has claimed. */
void mia_page_clear_live(mia_page *page);

#endif
