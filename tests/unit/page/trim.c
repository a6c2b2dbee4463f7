/* Trimming: T1 and T2 of page/trim.h; what went can be lent again, and what lives
 * stays as it was. */
#include "fake/world.h"

#include "base/bits.h"
#include "page/canary.h"
#include "page/poison.h"
#include "page/trim.h"

static mia_block *blocks[8192];

/* A page of a class with all of its blocks lent. */
static mia_page *filled(unsigned size_class) {
  bool fresh;
  uint32_t n = 0;
  mia_page *page = mia_page_make(size_class, NULL);
  ck_assert_ptr_nonnull(page);
  for (mia_block *list; (list = mia_page_pop_blocks(page, &fresh)) != NULL;)
    for (; list != NULL; list = list->next) blocks[n++] = list;
  ck_assert_uint_eq(n, page->total);
  return page;
}

static void take_back(mia_page *page, mia_block *block) {
  block->next = NULL;
  mia_page_push_list(page, block);
}

/* Frees all blocks but those whose number is `rest' in each `step'. */
static void free_most(mia_page *page, uint32_t step, uint32_t rest) {
  for (uint32_t i = 0; i < page->total; i++) {
    if (i % step == rest)
      memset(blocks[i], 0xa5, page->size - MIA_REDZONE_SIZE);
    else
      take_back(page, blocks[i]);
  }
}

static bool is_whole(const mia_page *page, const mia_block *block) {
  const unsigned char *p = (const unsigned char *)block;
  for (size_t i = 0; i < page->size - MIA_REDZONE_SIZE; i++)
    if (p[i] != 0xa5) return false;
  return true;
}

static bool counts_are_right(const mia_page *page) { /* T1, T2 */
  uint32_t away = 0;
  uint64_t seen = 0;
  mia_page_check(page);
  for (uint32_t i = 0; i < page->capacity; i++) {
    const char *p = page->start + i * page->size;
    if (!mia_page_is_trimmed(page, p)) continue;
    away++;
    seen |= (uint64_t)1 << ((size_t)(p - page->start) + page->padding) / mia_os_page_size();
  }
  return away == page->trimmed_blocks && seen == page->trimmed_pages;
}

/* Bytes of OS pages with blocks of which none lives, nor has its edge there, and
 * without the lead. */
static size_t free_bytes(const mia_page *page, uint32_t step, uint32_t rest) {
  size_t sum = 0, unit = mia_os_page_size(), lead = page->padding;
  for (size_t at = 0; at < lead + page->total * page->size; at += unit) {
    bool lives = at + MIA_REDZONE_SIZE < lead;
    for (uint32_t i = rest; i < page->total; i += step)
      if (lead + i * page->size < at + unit + MIA_REDZONE_SIZE &&
          lead + (i + 1) * page->size > at + MIA_REDZONE_SIZE)
        lives = true;
    if (!lives) sum += unit;
  }
  return sum;
}

static void lend_again(mia_page *page, uint32_t live) {
  bool fresh;
  uint32_t n = live;
  for (mia_block *list; (list = mia_page_pop_blocks(page, &fresh)) != NULL;) {
    ck_assert(!fresh);
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

/* A page of a class of which one block in each `step' lives. */
static void trim_and_use_again(unsigned size_class, uint32_t step, uint32_t rest) {
  mia_page *page = filled(size_class);
  uint32_t live = 0;
  free_most(page, step, rest);
  fake.purged = 0;
  need_at(mia_page_trim(page) == fake.purged, step);
  need_at(fake.purged == free_bytes(page, step, rest), step);
  need_at(counts_are_right(page), step);
  for (uint32_t i = rest; i < page->total; i += step, live++)
    need_at(is_whole(page, blocks[i]), step);
  lend_again(page, live);
  for (uint32_t i = rest; i < page->total; i += step) need_at(is_whole(page, blocks[i]), step);
  page->used = 0;
  mia_page_retire(page);
}

START_TEST(what_no_block_lives_in_goes_and_comes_again) {
  for (uint32_t step = 2; step <= 4096; step *= 4) trim_and_use_again((unsigned)_i, step, step / 3);
}
END_TEST

START_TEST(a_page_is_trimmed_again_when_more_is_free) {
  mia_page *page = filled(mia_class_of(1000));
  free_most(page, 16, 0);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  fake.purged = 0;
  size_t before = page->trimmed_blocks;
  for (uint32_t i = 0; i < page->total; i += 32) take_back(page, blocks[i]);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  ck_assert_uint_gt(page->trimmed_blocks, before);
  ck_assert(counts_are_right(page));
  lend_again(page, (page->total + 15) / 32);
}
END_TEST

/* The OS pages of a block that went as a whole; those of one that begins beside a live
 * one are not known to have gone. */
START_TEST(what_went_with_a_block_does_not_go_again) {
  if (MIA_DEBUG) return;                            /* a lead and edges move where blocks begin */
  mia_page *page = filled(mia_class_of(18 * 1024)); /* four OS pages and a half */
  take_back(page, blocks[1]);
  take_back(page, blocks[2]);
  ck_assert_uint_ge(mia_page_trim(page), 7 * MIA_OS_PAGE_MIN);
  ck_assert(!mia_page_is_trimmed(page, blocks[1]) && mia_page_is_trimmed(page, blocks[2]));
  ck_assert_uint_le(mia_page_trim(page), 4 * MIA_OS_PAGE_MIN);
}
END_TEST

START_TEST(what_was_never_carved_is_free) {
  enum { ALONE = 1 - MIA_DEBUG }; /* OS pages in which the first is alone, without a lead */
  bool fresh;
  mia_page *page = mia_page_make(mia_class_of(5000), NULL);
  mia_block *first = mia_page_pop_blocks(page, &fresh);
  mia_block *second = first->next;
  memset(second, 0xa5, page->size - MIA_REDZONE_SIZE);
  take_back(page, first);
  ck_assert_uint_eq(mia_page_trim(page), ALONE * MIA_OS_PAGE_MIN);
  ck_assert(counts_are_right(page) && page->trimmed_blocks == ALONE && is_whole(page, second));
  take_back(page, second);
  ck_assert_uint_eq(mia_page_trim(page), 2 * MIA_OS_PAGE_MIN);
  ck_assert(counts_are_right(page) && page->trimmed_blocks == ALONE + 1);
  ck_assert_ptr_eq(mia_page_pop_blocks(page, &fresh), first);
}
END_TEST

START_TEST(a_refusal_leaves_the_blocks_free) {
  mia_page *page = filled(mia_class_of((size_t)_i));
  free_most(page, 1024, 3);
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  ck_assert_uint_eq(mia_page_trim(page), 0);
  ck_assert_uint_gt(fake_refused(), 0);
  ck_assert(page->trimmed_blocks == 0 && page->trimmed_pages == 0 && counts_are_right(page));
  fake_refuse(FAKE_PURGE, 1, 1);
  (void)mia_page_trim(page);
  ck_assert(counts_are_right(page));
  fake_allow();
  lend_again(page, (page->total + 1020) / 1024);
}
END_TEST

START_TEST(nothing_is_looked_for_where_nothing_can_be) {
  mia_page *page = filled(mia_class_of(64));
  for (uint32_t i = 0; i < 32; i++) take_back(page, blocks[i]);
  fake_count_anew();
  ck_assert_uint_eq(mia_page_trim(page), 0);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 0);
}
END_TEST

START_TEST(memory_that_is_not_the_systems_stays) {
  mia_page *page = filled(mia_class_of(64));
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

START_TEST(a_second_free_of_what_is_away_is_fatal) {
  mia_page *page = filled(mia_class_of(64));
  free_most(page, 1024, 0);
  (void)mia_page_trim(page);
  ck_assert(mia_page_is_trimmed(page, blocks[200]));
  mia_page_poison_freed(page, blocks[200], true);
}
END_TEST

/* The edge of a block lies in an OS page of which nothing else is in use. */
START_TEST(the_edge_of_what_lives_stays) {
  mia_page *page = filled(mia_class_of(MIA_OS_PAGE_MIN / 2));
  for (uint32_t i = 0; i < page->total; i++)
    if (i != 3) take_back(page, blocks[i]);
  ck_assert(mia_is_aligned(blocks[3], MIA_OS_PAGE_MIN));
  mia_page_set_canary(page, blocks[3], 100);
  ck_assert_uint_gt(mia_page_trim(page), 0);
  ck_assert_uint_eq(mia_page_require_canary(page, blocks[3]), 100);
}
END_TEST

SUITE("page/trim") {
  CASE(world_of_pages, world_end);
  LOOP(what_no_block_lives_in_goes_and_comes_again, MIA_DEBUG ? 1 : 0, MIA_CLASS_COUNT);
  TEST(a_page_is_trimmed_again_when_more_is_free);
  TEST(what_went_with_a_block_does_not_go_again);
  TEST(what_was_never_carved_is_free);
  LOOP(a_refusal_leaves_the_blocks_free, 8, 10);
  LOOP(a_refusal_leaves_the_blocks_free, 1000, 1001);
  LOOP(a_refusal_leaves_the_blocks_free, 20000, 20001);
  TEST(nothing_is_looked_for_where_nothing_can_be);
  TEST(memory_that_is_not_the_systems_stays);
  LOOP(a_larger_os_page, 0, 5);
  if (MIA_DEBUG) TEST(the_edge_of_what_lives_stays);
  DIES_IN_DEBUG(a_second_free_of_what_is_away_is_fatal, SIGABRT);
  TIMEOUT(60);
}
