/* SPDX-License-Identifier: MIT */
/* trim.c -- giving back the OS pages of a page that contain nothing live. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "arena/tier.h"
#include "base/bits.h"
#include "os/os.h"
#include "page/canary.h"
#include "page/live.h"
#include "page/poison.h"
#include "page/trim.h"

enum { OS_PAGES_MAX = MIA_CLASS_SLICES_MAX * (int)(MIA_SLICE_SIZE / MIA_OS_PAGE_MIN) };

mia_static_assert(OS_PAGES_MAX <= 64, "a bit for each OS page of a page of blocks");

/* The OS pages of a page's span. */
typedef struct os_page_map {
  unsigned shift;
  unsigned count;
  uint64_t inner; /* a bit for each that is inside trimmed blocks: no block begins there */
  uint32_t free[OS_PAGES_MAX]; /* the bytes of each that are not live */
} os_page_map;

static uint64_t bit(size_t os_page) { return (uint64_t)1 << os_page; }

/* Offsets count from the start of the span.  Returns the offset of a block by its index. */
static size_t offset_of(const mia_page *page, size_t block) {
  return page->padding + block * page->size;
}

/* The first block that begins at or behind an offset. */
static uint32_t block_at(const mia_page *page, size_t offset) {
  if (offset <= page->padding) return 0;
  return (uint32_t)((offset - page->padding + page->size - 1) / page->size);
}

/* The index behind the last block that begins in an OS page. */
static uint32_t end_of_os_page(const mia_page *page, size_t os_page, unsigned shift) {
  uint32_t end = block_at(page, (os_page + 1) << shift);
  return end < page->capacity ? end : page->capacity;
}

/* ---- what is free ---- */

/* In debug builds the redzone before a block is its own, and the last bytes of the block are the
 * redzone of the next one (canary.h).  The padding before all redzones is never counted as free. */
static size_t with_redzone(size_t offset) { return offset - MIA_REDZONE_SIZE; }

static void add_free(os_page_map *map, size_t from, size_t to) {
  while (from < to) {
    size_t os_page = from >> map->shift;
    size_t end = (os_page + 1) << map->shift;
    if (end > to) end = to;
    map->free[os_page] += (uint32_t)(end - from);
    from = end;
  }
}

/* An OS page that lies entirely inside trimmed blocks was purged together with the OS page in
 * which they begin.  Memory behind the extended part counts as part of its last block. */
static void add_inner(os_page_map *map, const mia_page *page, size_t from, size_t to) {
  size_t end = to == with_redzone(offset_of(page, page->capacity)) ? map->count : to >> map->shift;
  for (size_t os_page = (from >> map->shift) + 1; os_page < end; os_page++)
    map->inner |= bit(os_page);
}

static void add_trimmed(os_page_map *map, const mia_page *page) {
  for (uint64_t left = page->trimmed_pages; left != 0; left &= left - 1) {
    size_t os_page = (size_t)__builtin_ctzll(left);
    size_t from = offset_of(page, block_at(page, os_page << map->shift));
    size_t to = offset_of(page, end_of_os_page(page, os_page, map->shift));
    add_free(map, with_redzone(from), with_redzone(to));
    add_inner(map, page, with_redzone(from), with_redzone(to));
  }
}

static void count_free_bytes(os_page_map *map, const mia_page *page) {
  size_t span = (size_t)page->slices << MIA_SLICE_SHIFT;
  *map = (os_page_map){.shift = mia_page_os_page_shift()};
  map->count = (unsigned)(span >> map->shift);
  size_t last = span - page->size, count = 0;
  const mia_block *before = page->free;
  for (const mia_block *block = before; block != NULL; before = block, block = block->next) {
    size_t offset = mia_page_offset_in_span(page, block);
    if (offset > last) mia_page_misuse(page, MIA_MISUSE_WRITTEN, before);
    if (count++ == page->capacity) mia_page_misuse(page, MIA_MISUSE_TWICE, block);
    add_free(map, with_redzone(offset), with_redzone(offset) + page->size);
  }
  add_trimmed(map, page);
  add_free(map, with_redzone(offset_of(page, page->capacity)), span);
}

/* The OS pages that have nothing live and are not trimmed yet. */
static uint64_t find_free(const os_page_map *map, const mia_page *page) {
  uint64_t found = 0;
  size_t end = offset_of(page, page->capacity);
  for (size_t os_page = 0; os_page < map->count && os_page << map->shift < end; os_page++)
    if (map->free[os_page] >> map->shift == 1) found |= bit(os_page);
  return found & ~page->trimmed_pages & ~map->inner;
}

/* ---- lists ---- */

/* Links the blocks of an OS page into the page's list, before all others. */
static void link_os_page(mia_page *page, size_t os_page, unsigned shift) {
  uint32_t first = block_at(page, os_page << shift);
  uint32_t end = end_of_os_page(page, os_page, shift);
  for (uint32_t i = end; i-- > first;) {
    mia_block *block = (void *)(page->start + i * page->size);
    block->next = page->free;
    page->free = block;
    if (MIA_DEBUG) mia_page_poison(page, block);
  }
  page->trimmed_pages &= ~bit(os_page);
  page->trimmed_blocks = (uint16_t)(page->trimmed_blocks - (end - first));
}

void mia_page_restore(mia_page *page) {
  mia_assert(page->free == NULL && page->trimmed_pages != 0);
  link_os_page(page, (size_t)__builtin_ctzll(page->trimmed_pages), mia_page_os_page_shift());
  mia_assert(page->free != NULL);
}

/* Takes the blocks that begin in the chosen OS pages off the list.  A block that stays on the list
 * may still reach into one of these; debug builds poison it again after the purge. */
static void unlink_os_pages(mia_page *page, uint64_t chosen, unsigned shift) {
  mia_block **link = &page->free;
  for (mia_block *block; (block = *link) != NULL;) {
    uint64_t os_page = bit(mia_page_offset_in_span(page, block) >> shift);
    if ((os_page & chosen) != 0) {
      *link = block->next;
      page->trimmed_pages |= os_page;
      page->trimmed_blocks++;
    } else {
      link = &block->next;
    }
  }
}

static void poison_rest(const mia_page *page, uint64_t purged, unsigned shift) {
  for (mia_block *block = page->free; block != NULL; block = block->next) {
    size_t offset = mia_page_offset_in_span(page, block);
    for (size_t os_page = (offset >> shift) + 1; os_page << shift < offset + page->size; os_page++)
      if ((purged & bit(os_page)) != 0) mia_page_poison(page, block);
  }
}

/* ---- trimming ---- */

static bool purge_run_of(const mia_page *page, size_t os_page, size_t count, unsigned shift) {
  char *start = mia_page_span(page) + (os_page << shift);
  return mia_arena_purge_part(page->arena, start, count << shift);
}

/* Purges a run of OS pages.  If that fails, the blocks go back on the list. */
static size_t purge_run(mia_page *page, size_t os_page, size_t count, unsigned shift) {
  if (purge_run_of(page, os_page, count, shift)) return count << shift;
  for (size_t i = os_page; i < os_page + count; i++)
    if ((page->trimmed_pages & bit(i)) != 0) link_os_page(page, i, shift);
  return 0;
}

static size_t run_length(uint64_t chosen, size_t os_page) {
  size_t count = 0;
  while (os_page + count < OS_PAGES_MAX && (chosen & bit(os_page + count)) != 0) count++;
  return count;
}

static size_t purge_os_pages(mia_page *page, uint64_t chosen, unsigned shift) {
  size_t purged = 0;
  for (size_t os_page = 0; os_page < OS_PAGES_MAX; os_page++) {
    size_t count = run_length(chosen, os_page);
    if (count > 0) purged += purge_run(page, os_page, count, shift);
    os_page += count;
  }
  return purged;
}

/* ---- tiers from 1 on: free blocks hold nothing ---- */

/* Returns a bit for each OS page in which something is live, or the padding is. */
static uint64_t live_os_pages(const mia_page *page, unsigned shift) {
  const mia_record *record = mia_live_record(page);
  uint64_t live = page->padding > 0 ? 1 : 0;
  for (uint32_t i = 0; i < page->capacity; i++) {
    if (!mia_live_has_bit(record, i)) continue;
    size_t from = with_redzone(offset_of(page, i)) >> shift;
    size_t last = (with_redzone(offset_of(page, i)) + page->size - 1) >> shift;
    for (; from <= last; from++) live |= bit(from);
  }
  return live;
}

/* trimmed_pages has the OS pages that were purged since the page was last used, as a hint. */
static size_t trim_checked(mia_page *page) {
  unsigned shift = mia_page_os_page_shift();
  uint64_t chosen = 0, kept = live_os_pages(page, shift) | page->trimmed_pages;
  size_t end = offset_of(page, page->capacity);
  for (size_t os_page = 0; os_page << shift < end; os_page++) chosen |= bit(os_page) & ~kept;
  page->trimmed_pages |= chosen;
  size_t purged = 0;
  for (size_t os_page = 0, count; os_page < OS_PAGES_MAX; os_page += count + 1) {
    count = run_length(chosen, os_page);
    if (count > 0 && purge_run_of(page, os_page, count, shift)) purged += count << shift;
  }
  return purged;
}

/* ---- any tier ---- */

size_t mia_page_trim(mia_page *page) {
  os_page_map map;
  size_t listed = page->capacity - page->used - page->trimmed_blocks;
  if (page->size_class >= MIA_CLASS_COUNT || listed * page->size < mia_os_page_size()) return 0;
  if (mia_tier_is_checked()) return trim_checked(page);
  count_free_bytes(&map, page);
  uint64_t chosen = find_free(&map, page);
  if (chosen == 0) return 0;
  unlink_os_pages(page, chosen, map.shift);
  size_t purged = purge_os_pages(page, chosen, map.shift);
  if (MIA_DEBUG) poison_rest(page, chosen, map.shift);
  return purged;
}
