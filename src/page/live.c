/* SPDX-License-Identifier: MIT */
/* live.c -- tiers from 1 on: remote frees without lists. */
#include "base/prelude.h"

#include "base/bits.h"
#include "page/live.h"
#include "page/tags.h"

#include <string.h>

static size_t cells_of(const mia_page *page) {
  return (page->capacity + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT;
}

void *mia_page_take_live(mia_page *page) {
  size_t cells = cells_of(page);
  for (size_t i = 0; i < cells; i++) {
    page->cell = (uint8_t)(page->cell + 1u < cells ? page->cell + 1 : 0);
    void *p = mia_live_take_near(page);
    if (p != NULL) return p;
  }
  mia_page_misuse(page, MIA_MISUSE_TWICE, page->start); /* twice at the same time */
}

/* Takes a free block of a cell, the first one from bit `from' on, round the end.  Returns NULL if there is
 * none. */
static void *take_from(mia_page *page, uint32_t cell, unsigned from) {
  mia_acell *cells = &mia_live_record(page)->live[cell];
  mia_bits live = mia_acell_get(cells);
  uint32_t first = cell << MIA_CELL_SHIFT, count = page->capacity - first;
  mia_bits exist = count < MIA_CELL_BITS ? ((mia_bits)1 << count) - 1 : ~(mia_bits)0;
  mia_bits available = ~live & exist, behind = available >> from << from;
  if (available == 0) return NULL;
  uint32_t bit = (uint32_t)__builtin_ctzll(behind != 0 ? behind : available);
  mia_acell_set(cells, live | (mia_bits)1 << bit);
  page->used++;
  return page->start + (first + bit) * page->size;
}

void *mia_page_take_random(mia_page *page, unsigned random) {
  enum { RANDOM_BITS = 16 };
  uint32_t cells = (uint32_t)cells_of(page);
  uint32_t block = random * page->capacity >> RANDOM_BITS; /* each one as often, also of few */
  uint32_t cell = block >> MIA_CELL_SHIFT;
  for (uint32_t i = 0; i < cells; i++) {
    void *p = take_from(page, cell, block & (MIA_CELL_BITS - 1));
    if (p != NULL) return p;
    cell = cell + 1 < cells ? cell + 1 : 0;
  }
  mia_page_misuse(page, MIA_MISUSE_TWICE, page->start); /* twice at the same time */
}

/* The bits overlap, so that the block is never taken for a live one in between. */
bool mia_page_free_live_remote(mia_page *page, uint32_t block) {
  mia_record *record = mia_live_record(page);
  mia_acell *freed = &record->freed[mia_live_cell(block)];
  mia_bits bit = mia_live_bit(block);
  if (mia_unlikely((mia_acell_or_rel(freed, bit) & bit) != 0))
    mia_page_misuse(page, MIA_MISUSE_TWICE, page->start + block * page->size);
  mia_live_let_go(record, block);
  return mia_owner_count_free(page);
}

/* The live bits are cleared first.  So a second free at the same time finds that the block is not live, or
 * that it is freed.  A block that is still held waits until the next time: whoever allocated it now could
 * not free it before the other thread has cleared that bit. */
static void collect_cell(const mia_page *page, mia_record *record, size_t cell) {
  mia_bits freed = mia_acell_get_acq(&record->freed[cell]);
  if (freed != 0 && mia_tier_is_hardened()) freed &= ~mia_acell_get(&record->held[cell]);
  if (freed == 0) return;
  mia_bits live = mia_acell_get(&record->live[cell]);
  if (mia_unlikely((freed & ~live) != 0)) {
    size_t block = (cell << MIA_CELL_SHIFT) + (size_t)__builtin_ctzll(freed & ~live);
    mia_page_misuse(page, MIA_MISUSE_TWICE, page->start + block * page->size);
  }
  mia_acell_set(&record->live[cell], live & ~freed);
  (void)mia_acell_and(&record->freed[cell], ~freed);
}

void mia_page_collect_live(mia_page *page) {
  if (!mia_owner_has_remote(page)) return;
  uint32_t count;
  (void)mia_owner_collect(page, &count);
  mia_record *record = mia_live_record(page);
  for (size_t cell = 0; cell < cells_of(page); cell++) collect_cell(page, record, cell);
  page->used -= count;
}

void mia_page_clear_live(mia_page *page) {
  mia_record *record = mia_live_record(page);
  for (size_t cell = 0; cell < cells_of(page); cell++) {
    mia_acell_set(&record->live[cell], 0);
    mia_acell_set(&record->freed[cell], 0);
    mia_acell_set(&record->held[cell], 0);
  }
  if (!mia_tier_is_hardened()) return;
  mia_tags_clear(page, page->start, page->capacity * page->size);
  memset(page->start, 0, page->capacity * page->size);
}
