/* SPDX-License-Identifier: MIT */
/* Trimming: T1 and T2 of page/trim.h; trimmed blocks can be allocated again, and live blocks do
 * not change. */
#include "fake/world.h"

#include "base/bits.h"
#include "page/canary.h"
#include "page/poison.h"
#include "page/trim.h"

static mia_block *blocks[8192];

/* Makes a page of a class and takes all its blocks. */
static mia_page *make_full_page(unsigned size_class) {
  bool zeroed;
  uint32_t n = 0;
  mia_page *page = mia_page_make(size_class, NULL, MIA_NODE_ANY, 0);
  ck_assert_ptr_nonnull(page);
  for (mia_block *list; (list = mia_page_pop_blocks(page, &zeroed)) != NULL;)
    for (; list != NULL; list = list->next) blocks[n++] = list;
  ck_assert_uint_eq(n, page->total);
  return page;
}

static void free_block(mia_page *page, mia_block *block) {
  block->next = NULL;
  mia_page_push_list(page, block);
}

/* Frees all blocks but those whose index is `rest' modulo `step', and fills these. */
static void free_most(mia_page *page, uint32_t step, uint32_t rest) {
  for (uint32_t i = 0; i < page->total; i++) {
    if (i % step == rest)
      memset(blocks[i], 0xa5, page->size - MIA_REDZONE_SIZE);
    else
      free_block(page, blocks[i]);
  }
}

static bool is_unchanged(const mia_page *page, const mia_block *block) {
  const unsigned char *p = (const unsigned char *)block;
  for (size_t i = 0; i < page->size - MIA_REDZONE_SIZE; i++)
    if (p[i] != 0xa5) return false;
  return true;
}

static bool counts_are_right(const mia_page *page) { /* T1, T2 */
  uint32_t trimmed = 0;
  uint64_t seen = 0;
  mia_page_check(page);
  for (uint32_t i = 0; i < page->capacity; i++) {
    const char *p = page->start + i * page->size;
    if (!mia_page_is_trimmed(page, p)) continue;
    trimmed++;
    seen |= (uint64_t)1 << ((size_t)(p - page->start) + page->padding) / mia_os_page_size();
  }
  return trimmed == page->trimmed_blocks && seen == page->trimmed_pages;
}

/* The bytes of OS pages that have blocks, but no live one, no redzone of a live one and no
 * padding. */
static size_t free_bytes(const mia_page *page, uint32_t step, uint32_t rest) {
  size_t sum = 0, os_page = mia_os_page_size(), padding = page->padding;
  for (size_t at = 0; at < padding + page->total * page->size; at += os_page) {
    bool lives = at + MIA_REDZONE_SIZE < padding;
    for (uint32_t i = rest; i < page->total; i += step)
      if (padding + i * page->size < at + os_page + MIA_REDZONE_SIZE &&
          padding + (i + 1) * page->size > at + MIA_REDZONE_SIZE)
        lives = true;
    if (!lives) sum += os_page;
  }
  return sum;
}

static void allocate_rest(mia_page *page, uint32_t live) {
  bool zeroed;
  uint32_t n = live;
  for (mia_block *list; (list = mia_page_pop_blocks(page, &zeroed)) != NULL;) {
    ck_assert(!zeroed);
    for (mia_block *next; list != NULL; list = next, n++) {
      next = list->next;
      ck_assert(!mia_page_is_trimmed(page, list));
      if (MIA_DEBUG) mia_page_require_free(page, list, false);
      memset(list, 0x5a, page->size);
    }
  }
  ck_assert_uint_eq(n, page->total);
  ck_assert_uint_eq(page->used, page->total);
  ck_assert(page->trimmed_pages == 0 && page->trimmed_blocks == 0);
}

/* Trims a page in which one block in each `step' is live. */
static void trim_and_use_again(unsigned size_class, uint32_t step, uint32_t rest) {
  mia_page *page = make_full_page(size_class);
  uint32_t live = 0;
  free_most(page, step, rest);
  fake.purged = 0;
  need_at(mia_page_trim(page) == fake.purged, step);
  need_at(fake.purged == free_bytes(page, step, rest), step);
  need_at(counts_are_right(page), step);
  for (uint32_t i = rest; i < page->total; i += step, live++)
    need_at(is_unchanged(page, blocks[i]), step);
  allocate_rest(page, live);
  for (uint32_t i = rest; i < page->total; i += step) need_at(is_unchanged(page, blocks[i]), step);
  page->used = 0;
  mia_page_retire(page);
}

START_TEST(OS_pages_without_live_blocks_are_trimmed_and_used_again) {
  for (uint32_t step = 2; step <= 4096; step *= 4) trim_and_use_again((unsigned)_i, step, step / 3);
}
END_TEST

START_TEST(a_page_is_trimmed_again_when_more_is_free) {
  mia_page *page = make_full_page(mia_class_of(1000));
  free_most(page, 16, 0);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  fake.purged = 0;
  size_t before = page->trimmed_blocks;
  for (uint32_t i = 0; i < page->total; i += 32) free_block(page, blocks[i]);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  ck_assert_uint_gt(page->trimmed_blocks, before);
  ck_assert(counts_are_right(page));
  allocate_rest(page, (page->total + 15) / 32);
}
END_TEST

/* Block 2 begins in an OS page that is trimmed, so the OS pages inside it are not purged again.
 * Block 1 begins in one that a live block shares: those inside it may be. */
START_TEST(OS_pages_inside_a_trimmed_block_are_not_purged_again) {
  if (MIA_DEBUG) return; /* the padding moves where blocks begin */
  mia_page *page = make_full_page(mia_class_of(18 * 1024)); /* four OS pages and a half */
  free_block(page, blocks[1]);
  free_block(page, blocks[2]);
  ck_assert_uint_ge(mia_page_trim(page), 7 * MIA_OS_PAGE_MIN);
  ck_assert(!mia_page_is_trimmed(page, blocks[1]) && mia_page_is_trimmed(page, blocks[2]));
  ck_assert_uint_le(mia_page_trim(page), 4 * MIA_OS_PAGE_MIN);
}
END_TEST

START_TEST(memory_behind_the_extended_part_is_free) {
  enum { ALONE = 1 - MIA_DEBUG }; /* OS pages that only the first block uses, without padding */
  bool zeroed;
  mia_page *page = mia_page_make(mia_class_of(5000), NULL, MIA_NODE_ANY, 0);
  mia_block *first = mia_page_pop_blocks(page, &zeroed);
  mia_block *second = first->next;
  memset(second, 0xa5, page->size - MIA_REDZONE_SIZE);
  free_block(page, first);
  ck_assert_uint_eq(mia_page_trim(page), ALONE * MIA_OS_PAGE_MIN);
  ck_assert(counts_are_right(page) && page->trimmed_blocks == ALONE && is_unchanged(page, second));
  free_block(page, second);
  ck_assert_uint_eq(mia_page_trim(page), 2 * MIA_OS_PAGE_MIN);
  ck_assert(counts_are_right(page) && page->trimmed_blocks == ALONE + 1);
  ck_assert_ptr_eq(mia_page_pop_blocks(page, &zeroed), first);
}
END_TEST

START_TEST(a_refusal_leaves_the_blocks_free) {
  mia_page *page = make_full_page(mia_class_of((size_t)_i));
  free_most(page, 1024, 3);
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  ck_assert_uint_eq(mia_page_trim(page), 0);
  ck_assert_uint_gt(fake_refused(), 0);
  ck_assert(page->trimmed_blocks == 0 && page->trimmed_pages == 0 && counts_are_right(page));
  fake_refuse(FAKE_PURGE, 1, 1);
  (void)mia_page_trim(page);
  ck_assert(counts_are_right(page));
  fake_allow();
  allocate_rest(page, (page->total + 1020) / 1024);
}
END_TEST

START_TEST(no_search_without_enough_free_bytes) {
  mia_page *page = make_full_page(mia_class_of(64));
  for (uint32_t i = 0; i < 32; i++) free_block(page, blocks[i]);
  fake_count_anew();
  ck_assert_uint_eq(mia_page_trim(page), 0);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

START_TEST(pinned_memory_is_not_trimmed) {
  mia_page *page = make_full_page(mia_class_of(64));
  free_most(page, 1024, 0);
  page->arena->pinned = true;
  ck_assert_uint_eq(mia_page_trim(page), 0);
  page->arena->pinned = false;
  ck_assert_uint_gt(mia_page_trim(page), 0);
}
END_TEST

START_TEST(a_larger_os_page) {
  fake.page_size = (size_t)MIA_OS_PAGE_MIN << _i;
  trim_and_use_again(mia_class_of(20000), 12, 1);
}
END_TEST

START_TEST(a_second_free_of_a_trimmed_block_is_fatal) {
  mia_page *page = make_full_page(mia_class_of(64));
  free_most(page, 1024, 0);
  (void)mia_page_trim(page);
  ck_assert(mia_page_is_trimmed(page, blocks[200]));
  mia_page_poison_freed(page, blocks[200], true);
}
END_TEST

/* The redzone of a live block lies in an OS page in which nothing else is live. */
START_TEST(the_redzone_of_a_live_block_stays) {
  mia_page *page = make_full_page(mia_class_of(MIA_OS_PAGE_MIN / 2));
  for (uint32_t i = 0; i < page->total; i++)
    if (i != 3) free_block(page, blocks[i]);
  ck_assert(mia_is_aligned(blocks[3], MIA_OS_PAGE_MIN));
  mia_page_set_canary(page, blocks[3], 100);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  ck_assert_uint_eq(mia_page_require_canary(page, blocks[3]), 100);
}
END_TEST

SUITE("page/trim") {
  CASE(world_of_pages, world_end);
  LOOP(OS_pages_without_live_blocks_are_trimmed_and_used_again, MIA_DEBUG ? 1 : 0, MIA_CLASS_COUNT);
  TEST(a_page_is_trimmed_again_when_more_is_free);
  TEST(OS_pages_inside_a_trimmed_block_are_not_purged_again);
  TEST(memory_behind_the_extended_part_is_free);
  LOOP(a_refusal_leaves_the_blocks_free, 8, 10);
  LOOP(a_refusal_leaves_the_blocks_free, 1000, 1001);
  LOOP(a_refusal_leaves_the_blocks_free, 20000, 20001);
  TEST(no_search_without_enough_free_bytes);
  TEST(pinned_memory_is_not_trimmed);
  LOOP(a_larger_os_page, 0, 5);
  if (MIA_DEBUG) TEST(the_redzone_of_a_live_block_stays);
  DIES_IN_DEBUG(a_second_free_of_a_trimmed_block_is_fatal, SIGABRT);
}
