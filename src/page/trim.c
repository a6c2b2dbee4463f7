/* trim.c -- giving back the OS pages of a page in which nothing is live. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "os/os.h"
#include "page/canary.h"
#include "page/poison.h"
#include "page/trim.h"

enum { UNITS_MAX = MIA_CLASS_SLICES_MAX * (int)(MIA_SLICE_SIZE / MIA_OS_PAGE_MIN) };

mia_static_assert(UNITS_MAX <= 64, "a bit for each OS page of a page of blocks");

/* A page of blocks as OS pages, here called units. */
typedef struct units {
  unsigned shift;
  unsigned count;
  uint64_t within;          /* a bit for each in which blocks lie that are away, and none begins */
  uint32_t free[UNITS_MAX]; /* bytes in which nothing is live */
} units;

static uint64_t bit(size_t unit) { return (uint64_t)1 << unit; }

/* Offsets are from the start of the span: this is one of a block, or of the end. */
static size_t offset_of(const mia_page *page, size_t block) {
  return page->padding + block * page->size;
}

/* The first block that begins at or behind an offset. */
static uint32_t block_at(const mia_page *page, size_t offset) {
  if (offset <= page->padding) return 0;
  return (uint32_t)((offset - page->padding + page->size - 1) / page->size);
}

/* The end of the blocks that begin in a unit. */
static uint32_t end_of_unit(const mia_page *page, size_t unit, unsigned shift) {
  uint32_t end = block_at(page, (unit + 1) << shift);
  return end < page->capacity ? end : page->capacity;
}

/* ---- what is free ---- */

/* A block's edge (guard.h) is its own, the last bytes are the next one's; what
 * leads is nobody's and stays. */
static size_t begin_of(size_t offset) { return offset - MIA_REDZONE_SIZE; }

static void add_free(units *u, size_t from, size_t to) {
  while (from < to) {
    size_t unit = from >> u->shift;
    size_t end = (unit + 1) << u->shift;
    if (end > to) end = to;
    u->free[unit] += (uint32_t)(end - from);
    from = end;
  }
}

/* What lies whole in blocks that are away went with the unit in which they begin.  What
 * was not carved is part of the last one. */
static void add_within(units *u, const mia_page *page, size_t from, size_t to) {
  size_t end = to == begin_of(offset_of(page, page->capacity)) ? u->count : to >> u->shift;
  for (size_t unit = (from >> u->shift) + 1; unit < end; unit++) u->within |= bit(unit);
}

static void add_away(units *u, const mia_page *page) {
  for (uint64_t left = page->trimmed_pages; left != 0; left &= left - 1) {
    size_t unit = (size_t)__builtin_ctzll(left);
    size_t from = offset_of(page, block_at(page, unit << u->shift));
    size_t to = offset_of(page, end_of_unit(page, unit, u->shift));
    add_free(u, begin_of(from), begin_of(to));
    add_within(u, page, begin_of(from), begin_of(to));
  }
}

static void measure(units *u, const mia_page *page) {
  size_t span = (size_t)page->slices << MIA_SLICE_SHIFT;
  *u = (units){.shift = mia_page_unit_shift()};
  u->count = (unsigned)(span >> u->shift);
  size_t last = span - page->size, count = 0;
  const mia_block *before = page->free;
  for (const mia_block *block = before; block != NULL; before = block, block = block->next) {
    size_t offset = mia_page_offset_in_span(page, block);
    if (offset > last) mia_base_misuse("block written to after it was freed", before);
    if (count++ == page->capacity) mia_base_misuse("block freed twice", block);
    add_free(u, begin_of(offset), begin_of(offset) + page->size);
  }
  add_away(u, page);
  add_free(u, begin_of(offset_of(page, page->capacity)), span);
}

/* The units that can go and have not yet. */
static uint64_t find_free(const units *u, const mia_page *page) {
  uint64_t found = 0;
  size_t carved = offset_of(page, page->capacity);
  for (size_t unit = 0; unit < u->count && unit << u->shift < carved; unit++)
    if (u->free[unit] >> u->shift == 1) found |= bit(unit);
  return found & ~page->trimmed_pages & ~u->within;
}

/* ---- lists ---- */

/* Links the blocks of a unit before those of the page's list. */
static void link_unit(mia_page *page, size_t unit, unsigned shift) {
  uint32_t first = block_at(page, unit << shift);
  uint32_t end = end_of_unit(page, unit, shift);
  for (uint32_t i = end; i-- > first;) {
    mia_block *block = (void *)(page->start + i * page->size);
    block->next = page->free;
    page->free = block;
    if (MIA_DEBUG) mia_page_poison(page, block);
  }
  page->trimmed_pages &= ~bit(unit);
  page->trimmed_blocks = (uint16_t)(page->trimmed_blocks - (end - first));
}

void mia_page_restore(mia_page *page) {
  mia_assert(page->free == NULL && page->trimmed_pages != 0);
  link_unit(page, (size_t)__builtin_ctzll(page->trimmed_pages), mia_page_unit_shift());
  mia_assert(page->free != NULL);
}

/* Takes the blocks off the list that begin in units.  What is left reaches into
 * them at most, and is marked again by debug builds. */
static void unlink_units(mia_page *page, uint64_t chosen, unsigned shift) {
  mia_block **link = &page->free;
  for (mia_block *block; (block = *link) != NULL;) {
    uint64_t unit = bit(mia_page_offset_in_span(page, block) >> shift);
    if ((unit & chosen) != 0) {
      *link = block->next;
      page->trimmed_pages |= unit;
      page->trimmed_blocks++;
    } else {
      link = &block->next;
    }
  }
}

static void mark_rest(const mia_page *page, uint64_t purged, unsigned shift) {
  for (mia_block *block = page->free; block != NULL; block = block->next) {
    size_t offset = mia_page_offset_in_span(page, block);
    for (size_t unit = (offset >> shift) + 1; unit << shift < offset + page->size; unit++)
      if ((purged & bit(unit)) != 0) mia_page_poison(page, block);
  }
}

/* ---- trimming ---- */

/* Purges a run of units; if that can't be had, its blocks are back on the list. */
static size_t purge_run(mia_page *page, size_t unit, size_t count, unsigned shift) {
  if (mia_arena_purge_part(page->arena, mia_page_span(page) + (unit << shift), count << shift))
    return count << shift;
  for (size_t i = unit; i < unit + count; i++)
    if ((page->trimmed_pages & bit(i)) != 0) link_unit(page, i, shift);
  return 0;
}

static size_t purge_units(mia_page *page, uint64_t chosen, unsigned shift) {
  size_t purged = 0;
  for (size_t unit = 0; unit < UNITS_MAX; unit++) {
    size_t count = 0;
    while (unit + count < UNITS_MAX && (chosen & bit(unit + count)) != 0) count++;
    if (count > 0) purged += purge_run(page, unit, count, shift);
    unit += count;
  }
  return purged;
}

size_t mia_page_trim(mia_page *page) {
  units u;
  size_t listed = page->capacity - page->used - page->trimmed_blocks;
  if (page->size_class >= MIA_CLASS_COUNT || listed * page->size < mia_os_page_size()) return 0;
  measure(&u, page);
  uint64_t chosen = find_free(&u, page);
  if (chosen == 0) return 0;
  unlink_units(page, chosen, u.shift);
  size_t purged = purge_units(page, chosen, u.shift);
  if (MIA_DEBUG) mark_rest(page, chosen, u.shift);
  return purged;
}
