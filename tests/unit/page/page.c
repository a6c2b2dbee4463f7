/* SPDX-License-Identifier: MIT */
/* Pages: P1 to P6 of page.h, and singleton pages that are resized in place. */
#include "fake/world.h"

#include "base/bits.h"
#include "map/bitmap.h"
#include "page/owner.h"

#include <unistd.h>

static mia_page *make_page(unsigned size_class) {
  mia_page *page = mia_page_make(size_class, NULL, MIA_NODE_ANY, 0);
  ck_assert_ptr_nonnull(page);
  return page;
}

static mia_page *make_singleton(size_t size, size_t align) {
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){.size = size, .align = align, .huge = false}, &zero);
  ck_assert_ptr_nonnull(page);
  return page;
}

static uint32_t length(const mia_block *list) {
  uint32_t n = 0;
  for (; list != NULL; list = list->next) n++;
  return n;
}

/* Checks P1 to P3 and P5.  The test knows how many blocks count as used. */
static bool holds(const mia_page *page, uint32_t expected_used) {
  mia_page_check(page);
  size_t extended = page->capacity * page->size;
  if (page->zero)
    for (size_t i = extended; i < page->slices * SLICE - page->padding; i += 64)
      if (page->start[i] != 0) return false;
  return page->used == expected_used && page->used + length(page->free) == page->capacity &&
         page->capacity <= page->total && mia_is_aligned(page->start - page->padding, SLICE) &&
         mia_aword_get(&page->owner) == 0;
}

/* All blocks of a page, in the order in which they are popped. */
static mia_block *all_blocks[8192];
static uint32_t pop_all(mia_page *page) {
  bool zeroed;
  uint32_t n = 0;
  for (mia_block *list; (list = mia_page_pop_blocks(page, &zeroed)) != NULL;)
    for (; list != NULL; list = list->next) all_blocks[n++] = list;
  return n;
}

static bool is_zero_behind_link(const mia_block *b, size_t size) {
  const char *p = (const char *)b;
  for (size_t i = sizeof *b; i < size; i++)
    if (p[i] != 0) return false;
  return true;
}

START_TEST(P2_every_block_of_a_class_is_popped_once) {
  unsigned c = (unsigned)_i;
  mia_page *page = make_page(c);
  size_t size = mia_class_size(c);
  ck_assert_uint_eq(page->padding, MIA_DEBUG ? size : 0);
  ck_assert_uint_eq(page->total, (page->slices * SLICE - page->padding) / size);
  ck_assert_uint_eq(pop_all(page), page->total);
  ck_assert(holds(page, page->total));
  for (uint32_t i = 0; i < page->total; i++) {
    need_at((char *)all_blocks[i] == page->start + i * size, i);
    need_at(mia_page_of(all_blocks[i]) == page, i);
    need_at(mia_page_of((char *)all_blocks[i] + size - 1) == page, i);
    mia_page_require_block(page, all_blocks[i]);
    memset(all_blocks[i], 0xa5, size);
  }
  const char *span = page->start - page->padding;
  ck_assert_ptr_null(mia_page_of(span - 1));
  ck_assert_ptr_null(mia_page_of(span + page->slices * SLICE));
}
END_TEST

START_TEST(P5_pages_are_extended_no_earlier_than_needed) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++) {
    bool zeroed;
    mia_page *page = make_page(c);
    need_at(holds(page, 0) && page->capacity == 0, c);
    mia_block *list = mia_page_pop_blocks(page, &zeroed);
    uint32_t n = length(list);
    need_at(zeroed && n > 1 && (n == 2 || n * page->size <= 4096), c);
    for (mia_block *next; list != NULL; list = next) {
      next = list->next;
      need_at(is_zero_behind_link(list, page->size), c);
      memset(list, 1, page->size);
    }
    need_at(holds(page, n), c);
  }
}
END_TEST

START_TEST(P5_used_memory_is_not_zeroed) {
  bool zeroed;
  mia_page *page = make_page(20);
  mia_block *list = mia_page_pop_blocks(page, &zeroed);
  ck_assert(zeroed);
  mia_page_push_list(page, list);
  ck_assert_ptr_eq(mia_page_pop_blocks(page, &zeroed), list); /* popped before, not extended */
  ck_assert(!zeroed);
  mia_page_push_list(page, list);
  mia_page_retire(page);
  page = make_page(20);
  ck_assert(mia_page_pop_blocks(page, &zeroed) == list && !zeroed && !page->zero);
}
END_TEST

/* A page is extended by as many blocks as it has, as long as its memory was touched before. */
START_TEST(in_used_memory_pages_are_extended_by_more) {
  enum { FEW = 4 };
  bool zeroed;
  mia_page *page = make_page(CLASS_1K);
  while (mia_page_pop_blocks(page, &zeroed) != NULL)
    need_at(page->used % FEW == 0 || page->used == page->total, page->used);
  page->used = 0; /* all blocks are free */
  mia_page_retire(page);
  page = make_page(CLASS_1K);
  ck_assert(!page->zero);
  for (uint32_t used = FEW; used < page->total; used *= 2) {
    ck_assert_ptr_nonnull(mia_page_pop_blocks(page, &zeroed));
    ck_assert_uint_eq(page->used, used);
  }
  while (mia_page_pop_blocks(page, &zeroed) != NULL) continue;
  ck_assert_uint_eq(page->used, page->total);
}
END_TEST

START_TEST(P1_popped_is_free_then_remote_then_extended) {
  bool zeroed;
  mia_page *page = make_page(mia_class_of(3 * MIA_KIB));
  mia_block *first = mia_page_pop_blocks(page, &zeroed);
  uint32_t n = length(first);
  ck_assert(holds(page, n) && n == 2);
  mia_block *second = mia_page_pop_blocks(page, &zeroed);
  ck_assert(zeroed && second != first && holds(page, 2 * n));
  /* A remote free, and a popped list that is put back. */
  ck_assert(!mia_owner_push(page, first, first, 1));
  ck_assert(holds(page, 2 * n));
  mia_page_push_list(page, second);
  ck_assert(holds(page, n));
  ck_assert_ptr_eq(mia_page_pop_blocks(page, &zeroed), second);
  ck_assert(!zeroed && mia_owner_has_remote(page));
  ck_assert_ptr_eq(mia_page_pop_blocks(page, &zeroed), first);
  ck_assert(!zeroed && !mia_owner_has_remote(page));
  ck_assert(mia_page_pop_blocks(page, &zeroed) != NULL && zeroed);
  ck_assert(holds(page, 3 * n));
  mia_page_push_list(page, NULL);
  ck_assert(holds(page, 3 * n));
}
END_TEST

START_TEST(P1_collected_blocks_join_the_free_ones) {
  mia_page *page = make_page(10);
  uint32_t n = pop_all(page);
  for (uint32_t i = 0; i < 7; i++)
    ck_assert(!mia_owner_push(page, all_blocks[i], all_blocks[i], 1));
  all_blocks[n - 1]->next = NULL;
  mia_page_push_list(page, all_blocks[n - 1]);
  mia_page_collect(page);
  ck_assert(holds(page, n - 8));
  mia_page_collect(page);
  ck_assert(holds(page, n - 8));
}
END_TEST

/* Blocks that the test holds, in popped lists and on the remote list. */
START_TEST(P1_holds_after_any_change) {
  uint64_t random = suite_random(1);
  static mia_block *live[8192];
  uint32_t lives = 0, remote = 0;
  mia_page *page = make_page(3 + (unsigned)_i * 9);
  mia_block *popped = NULL;
  for (int i = 0; i < 3000; i++) {
    bool zeroed;
    switch (random_below(&random, 5)) {
    case 0:
      if (popped != NULL) break;
      if (page->free == NULL) remote = 0;
      popped = mia_page_pop_blocks(page, &zeroed);
      break;
    case 1: /* allocate */
      for (size_t n = random_below(&random, 40); n > 0 && popped != NULL; n--) {
        live[lives++] = popped;
        popped = popped->next;
      }
      break;
    case 2: /* freed by another thread */
      for (size_t n = random_below(&random, 20); n > 0 && lives > 0; n--) {
        mia_block *b = live[--lives];
        need(!mia_owner_push(page, b, b, 1));
        remote++;
      }
      break;
    case 3:
      mia_page_collect(page);
      remote = 0;
      break;
    default:
      mia_page_push_list(page, popped);
      popped = NULL;
    }
    need_at(holds(page, lives + remote + length(popped)), i);
  }
}
END_TEST

START_TEST(retired_memory_is_free_and_dirty_where_it_was_extended) {
  bool zeroed;
  unsigned c = mia_class_of(20 * MIA_KIB);
  mia_page *page = make_page(c);
  char *start = page->start - page->padding;
  size_t slices = page->slices;
  mia_block *list = NULL;
  for (int i = 0; i < 2; i++) {
    mia_block *two = mia_page_pop_blocks(page, &zeroed);
    two->next->next = list;
    list = two;
  }
  mia_page_push_list(page, list);
  ck_assert(holds(page, 0));
  size_t extended = page->padding + page->capacity * page->size;
  mia_page_retire(page);
  const mia_arena *a = &mia_arena_all.first;
  size_t first = mia_arena_slice_of(a, start);
  ck_assert(mia_map_all(a->free, first, slices));
  ck_assert(mia_map_all(a->dirty, first, mia_slices_of(extended)));
  ck_assert(
      !mia_map_any(a->dirty, first + mia_slices_of(extended), slices - mia_slices_of(extended)));
  for (size_t i = 0; i < slices; i++) ck_assert_ptr_null(mia_page_of(start + i * SLICE));
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(retiring_a_page_in_use_is_fatal) {
  bool zeroed;
  mia_page *page = make_page(3);
  (void)mia_page_pop_blocks(page, &zeroed);
  mia_page_retire(page);
}
END_TEST

/* ---- singleton pages ---- */

static void retire_singleton(mia_page *page) {
  mia_block *b = (void *)page->start;
  ck_assert(mia_owner_push(page, b, b, 1)); /* the free claims the page */
  mia_page_collect(page);
  ck_assert_uint_eq(page->used, 0);
  mia_page_retire(page);
}

static void fill_os_pages(char *p, size_t size) {
  for (size_t i = 0; i < size; i += 4096) p[i] = (char)(1 + i / 4096 % 100);
}
static bool are_os_pages_filled(const char *p, size_t size) {
  for (size_t i = 0; i < size; i += 4096)
    if (p[i] != (char)(1 + i / 4096 % 100)) return false;
  return true;
}

START_TEST(a_singleton_page_is_one_live_block) {
  const size_t sizes[] = {1, 4097, 65537, MIA_MIB, SPAN_MAX, SPAN_MAX + 1, 3 * SPAN_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (size_t align = 1; align <= 2 * SPAN_MAX; align *= 16) {
      size_t size = sizes[i];
      bool zero = false, large = size <= SPAN_MAX && align <= SPAN_MAX / 2;
      mia_page *page = mia_page_make_singleton(
          &(mia_singleton_request){.size = size, .align = align, .huge = false}, &zero);
      need_at(page != NULL && (zero || large) && mia_is_aligned(page->start, align), size);
      need_at(page->size_class == (large ? MIA_CLASS_LARGE : MIA_CLASS_HUGE), size);
      need_at(page->size >= mia_align_up(size, 4096), size);
      need_at(!large || page->size == mia_align_up(size, 4096), size);
      need_at(page->used == 1 && page->capacity == 1 && page->total == 1, size);
      need_at(mia_page_of(page->start) == page && mia_aword_get(&page->owner) == 0, size);
      need_at(fake_is_live(page->start, page->size), size);
      mia_page_require_block(page, page->start);
      const char *start = page->start;
      page->start[0] = page->start[page->size - 1] = 1;
      retire_singleton(page);
      need_at(mia_page_of(start) == NULL, size);
    }
}
END_TEST

START_TEST(a_large_page_of_used_memory_is_not_zero) {
  bool zero;
  mia_page *page = make_singleton(MIA_MIB, 1);
  fill_os_pages(page->start, MIA_MIB);
  retire_singleton(page);
  page = mia_page_make_singleton(
      &(mia_singleton_request){.size = MIA_MIB / 2, .align = 1, .huge = false}, &zero);
  ck_assert(page != NULL && !zero);
}
END_TEST

static size_t zero_from; /* from here on a resized block is new memory that reads as zero */

START_TEST(a_large_page_grows_where_there_is_room) {
  mia_page *page = make_singleton(4 * SLICE, 1);
  fill_os_pages(page->start, 4 * SLICE);
  ck_assert(mia_page_resize_singleton(page, 10 * SLICE - 5, false, &zero_from));
  ck_assert(page->size == 10 * SLICE && page->slices == 10 &&
            are_os_pages_filled(page->start, 4 * SLICE));
  ck_assert_uint_eq(zero_from, 4 * SLICE);
  memset(page->start + 4 * SLICE, 1, 6 * SLICE);
  mia_page *behind = make_singleton(SLICE, 1);
  ck_assert_ptr_eq(behind->start, page->start + 10 * SLICE);
  ck_assert(!mia_page_resize_singleton(page, 10 * SLICE + 1, true, &zero_from));
  ck_assert(page->size == 10 * SLICE && page->slices == 10);
  ck_assert(!mia_page_resize_singleton(page, SPAN_MAX + 1, true, &zero_from));
  ck_assert_uint_eq(used_bytes(), 11 * SLICE);
}
END_TEST

START_TEST(a_large_page_shrinks_by_slices) {
  mia_page *page = make_singleton(10 * SLICE, 1);
  fill_os_pages(page->start, 10 * SLICE);
  ck_assert(mia_page_resize_singleton(page, 9 * SLICE + 1, true, &zero_from));
  ck_assert(page->size == 9 * SLICE + 4096 && page->slices == 10 && zero_from == page->size);
  ck_assert(mia_page_resize_singleton(page, 10 * SLICE, true, &zero_from)); /* dirty from before */
  ck_assert(page->size == 10 * SLICE && zero_from == page->size);
  ck_assert(mia_page_resize_singleton(page, 3 * SLICE, true, &zero_from));
  ck_assert(page->size == 3 * SLICE && page->slices == 3 &&
            are_os_pages_filled(page->start, 3 * SLICE));
  ck_assert(mia_page_resize_singleton(page, 10 * SLICE, true, &zero_from) &&
            zero_from == 10 * SLICE);
  ck_assert(mia_page_resize_singleton(page, 3 * SLICE, true, &zero_from) && zero_from == 3 * SLICE);
  ck_assert_uint_eq(used_bytes(), 3 * SLICE);
  bool zero;
  mia_page *behind = mia_page_make_singleton(
      &(mia_singleton_request){.size = 7 * SLICE, .align = 1, .huge = false}, &zero);
  ck_assert(behind->start == page->start + 3 * SLICE && !zero);
  retire_singleton(page);
  ck_assert_uint_eq(used_bytes(), 7 * SLICE);
}
END_TEST

/* A huge block may move: another mapping may be in its way. */
START_TEST(a_block_behind_padding_is_resized_with_it) {
  enum { ALIGN = 2 * SLICE, OFFSET = 96 };
  for (int huge = 0; huge < 2; huge++) {
    bool zero;
    mia_page *page = mia_page_make_singleton(
        &(mia_singleton_request){.size = 4 * SLICE, .align = ALIGN, .offset = OFFSET, .huge = huge},
        &zero);
    ck_assert(page != NULL && page->padding == ALIGN - OFFSET);
    char *start = page->start;
    size_t held = huge ? page->size : page->slices * SLICE - page->padding;
    memset(start, 1, page->size);
    ck_assert(mia_page_resize_singleton(page, 9 * SLICE, huge, &zero_from));
    ck_assert(page->padding == ALIGN - OFFSET && (huge || page->start == start));
    start = page->start;
    ck_assert(mia_is_aligned(start + OFFSET, huge ? 4096 : ALIGN) && mia_page_of(start) == page);
    ck_assert(page->size >= 9 * SLICE && zero_from == held && start[0] == 1 &&
              start[held - 1] == 1);
    ck_assert((page->padding + page->size) % 4096 == 0 && fake_is_live(start, page->size));
    for (size_t i = zero_from; i < page->size; i++) need_at(start[i] == 0, i);
    memset(start, 1, page->size);
    ck_assert(mia_page_resize_singleton(page, 2 * SLICE, false, &zero_from));
    ck_assert(page->start == start && page->size >= 2 * SLICE && page->size < 3 * SLICE);
    ck_assert(mia_page_of(start) == page && zero_from == page->size && start[page->size - 1] == 1);
    retire_singleton(page);
  }
}
END_TEST

START_TEST(a_huge_page_is_resized_and_may_move) {
  mia_page *page = make_singleton(HUGE_MIN, 1);
  fill_os_pages(page->start, HUGE_MIN);
  char *was = page->start;
  fake_refuse(FAKE_RESIZE, 1, FAKE_EVER);
  ck_assert(!mia_page_resize_singleton(page, 2 * HUGE_MIN, false, &zero_from));
  ck_assert(page->start == was && page->size == HUGE_MIN && mia_page_of(was) == page);
  ck_assert(mia_page_resize_singleton(page, 2 * HUGE_MIN, true, &zero_from));
  ck_assert(page->start != was && page->size == 2 * HUGE_MIN &&
            are_os_pages_filled(page->start, HUGE_MIN));
  ck_assert_uint_eq(zero_from, HUGE_MIN);
  ck_assert(mia_page_of(page->start) == page && mia_page_of(was) == NULL);
  fake_allow();
  ck_assert(mia_page_resize_singleton(page, 2 * SLICE, false, &zero_from));
  ck_assert(page->size == 2 * SLICE && zero_from == page->size &&
            are_os_pages_filled(page->start, 2 * SLICE));
  ck_assert_ptr_eq(mia_page_of(page->start), page);
  fake_refuse(FAKE_RESIZE | FAKE_MOVE, 1, FAKE_EVER);
  was = page->start;
  ck_assert(!mia_page_resize_singleton(page, HUGE_MIN, true, &zero_from));
  ck_assert(page->start == was && page->size == 2 * SLICE && mia_page_of(was) == page);
  fake_allow();
  retire_singleton(page);
  ck_assert_uint_eq(used_bytes(), SLICE); /* its descriptor's */
}
END_TEST

/* ---- mappings that begin in another leaf of the page map than their block ---- */

#define LEAF_SPAN ((uintptr_t)1 << (MIA_POINTER_64 ? 32 : 0))

/* Places the next mapping just below the boundary between two leaves of the page map that are
 * not there yet, and below all other mappings, where there is room. */
static void place_at_leaf_boundary(fake_call call) {
  uintptr_t boundary = ((uintptr_t)mia_arena_all.first.start / LEAF_SPAN - 4) * LEAF_SPAN;
  (void)call;
  fake.place = (void *)(boundary - MIA_MIB);
}

static bool crosses_leaf_boundary(const mia_page *page) {
  return (uintptr_t)mia_page_span(page) / LEAF_SPAN != (uintptr_t)page->start / LEAF_SPAN;
}

START_TEST(a_moved_block_is_in_the_page_map_at_its_start) {
  enum { OFFSET = 16 };
  if (!MIA_POINTER_64) return; /* there is one table only */
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){.size = HUGE_MIN, .align = MIA_ALIGN_MAX, .offset = OFFSET}, &zero);
  ck_assert(page != NULL && page->padding == MIA_ALIGN_MAX - OFFSET && zero);
  memset(page->start, 1, HUGE_MIN);
  char *was = page->start;
  fake_refuse(FAKE_RESIZE, 1, FAKE_EVER);
  fake.during = place_at_leaf_boundary;
  fake.during_calls = FAKE_MOVE;
  ck_assert(mia_page_resize_singleton(page, 2 * HUGE_MIN, true, &zero_from));
  ck_assert(crosses_leaf_boundary(page) && mia_page_of(page->start) == page &&
            mia_page_of(was) == NULL);
  ck_assert(page->start[0] == 1 && page->start[HUGE_MIN - 1] == 1);
  retire_singleton(page);
}
END_TEST

START_TEST(a_detached_block_is_in_the_page_map_at_its_start) {
  enum { OFFSET = 16 };
  if (!MIA_POINTER_64) return;
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){.size = 9 * SLICE, .align = 4 * MIA_MIB, .offset = OFFSET}, &zero);
  ck_assert(page != NULL && page->size_class == MIA_CLASS_LARGE);
  memset(page->start, 1, page->size);
  fake.during = place_at_leaf_boundary;
  fake.during_calls = FAKE_DETACH;
  mia_page *to = mia_page_detach_singleton(page);
  ck_assert(to != NULL && crosses_leaf_boundary(to) && mia_page_of(to->start) == to);
  ck_assert(to->start[0] == 1 && to->start[9 * SLICE - 1] == 1 && page->start[0] == 0);
  retire_singleton(page);
  retire_singleton(to);
}
END_TEST

/* The page map has one entry for each slice, so no two mappings may begin in one. */
START_TEST(huge_pages_do_not_share_a_slice) {
  bool zero;
  char *at = make_singleton(HUGE_MIN, 1)->start + (HUGE_MIN + 64 * MIA_MIB) / SLICE * SLICE;
  at -= (uintptr_t)at % SLICE;
  fake.place = at + 2 * 4096;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){.size = _i == 0 ? HUGE_MIN : 1, .align = 1, .huge = true}, &zero);
  ck_assert_ptr_nonnull(page);
  (void)mia_page_resize_singleton(page, 40 * MIA_KIB, true, &zero_from);
  fake.place = page->start + page->size;
  mia_page *behind = make_singleton(HUGE_MIN, 1);
  ck_assert_ptr_eq(behind->start, page->start + page->size);
  ck_assert_ptr_eq(mia_page_of(page->start), page);
  ck_assert_ptr_eq(mia_page_of(behind->start), behind);
  retire_singleton(behind);
  ck_assert_ptr_eq(mia_page_of(page->start), page);
  retire_singleton(page);
}
END_TEST

START_TEST(a_request_can_ask_for_a_huge_page) {
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){.size = 9 * SLICE, .align = 1, .huge = true}, &zero);
  ck_assert(page->size_class == MIA_CLASS_HUGE && page->arena == NULL && zero);
}
END_TEST

/* Such a page is not put into the mapping cache: the next block that grows needs the address
 * space behind it. */
START_TEST(a_huge_page_that_grew_is_not_kept) {
  mia_aword_set(&mia_arena_all.mapping_cache.wanted, 1);
  mia_page *page = make_singleton(HUGE_MIN, 1);
  const char *start = page->start;
  size_t size = page->padding + page->size;
  retire_singleton(page);
  ck_assert_ptr_null(mia_page_of(start)); /* a late free is detected */
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.mapping_cache.bytes), size);
  page = make_singleton(HUGE_MIN, 1);
  ck_assert_ptr_eq(page->start, start);
  ck_assert(mia_page_resize_singleton(page, HUGE_MIN / 2, true, &zero_from));
  ck_assert(mia_page_resize_singleton(page, HUGE_MIN, true, &zero_from));
  retire_singleton(page);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.mapping_cache.bytes), 0);
}
END_TEST

START_TEST(descriptors_of_huge_pages_are_used_again) {
  retire_singleton(make_singleton(HUGE_MIN, 1));
  const char *meta = mia_arena_all.meta_at;
  for (int i = 0; i < 50; i++) retire_singleton(make_singleton(HUGE_MIN, 1));
  bool zero;
  fake_refuse(FAKE_RESERVE_ALIGNED, 1, FAKE_EVER);
  for (int i = 0; i < 50; i++)
    ck_assert_ptr_null(mia_page_make_singleton(
        &(mia_singleton_request){.size = HUGE_MIN, .align = 1, .huge = false}, &zero));
  ck_assert_ptr_eq(mia_arena_all.meta_at, meta);
}
END_TEST

/* The kernel limits the number of mappings.  A mapping that it refuses to unmap is purged and still
 * counted, and is unmapped when the next huge page is made or retired. */
START_TEST(failed_unmapping_is_tried_again) {
  mia_page *pages[] = {make_singleton(HUGE_MIN, 1), make_singleton(HUGE_MIN, 1),
                       make_singleton(HUGE_MIN, 1), make_singleton(HUGE_MIN, 1)};
  size_t reserved = mia_aword_get(&mia_arena_all.reserved), mapped = fake.mapped;
  fake_refuse(FAKE_RELEASE, 1, 3);
  for (int i = 0; i < 2; i++) retire_singleton(pages[i]);
  ck_assert_uint_eq(fake.purged, 2 * HUGE_MIN);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.reserved), reserved);
  (void)make_singleton(HUGE_MIN, 1); /* refused once more */
  ck_assert_uint_eq(fake.mapped, mapped + HUGE_MIN);
  if (_i == 0)
    (void)make_singleton(HUGE_MIN, 1);
  else
    retire_singleton(pages[2]);
  size_t left = _i == 0 ? mapped : mapped - 2 * HUGE_MIN;
  ck_assert_uint_eq(fake.mapped, left);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.reserved), reserved + left - mapped);
}
END_TEST

START_TEST(pages_can_be_made_again_after_failures) {
  bool zero;
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  ck_assert_ptr_null(mia_page_make(0, NULL, MIA_NODE_ANY, 0));
  ck_assert_ptr_null(mia_page_make(MIA_CLASS_COUNT - 1, NULL, MIA_NODE_ANY, 0));
  ck_assert_ptr_null(mia_page_make_singleton(
      &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero));
  ck_assert_ptr_null(mia_page_make_singleton(
      &(mia_singleton_request){.size = HUGE_MIN, .align = 1, .huge = false}, &zero));
  fake_allow();
  (void)make_page(0);
  (void)make_singleton(MIA_MIB, 1);
  (void)make_singleton(HUGE_MIN, 1);
}
END_TEST

START_TEST(every_os_page_size_works) {
  fake.page_size = (size_t)4096 << 2 * _i;
  mia_page *page = make_singleton(SLICE + 1, 1);
  ck_assert_uint_eq(page->size, mia_align_up(SLICE + 1, fake.page_size));
  ck_assert(mia_page_resize_singleton(page, 3 * SLICE + 1, false, &zero_from));
  retire_singleton(page);
  page = make_singleton(HUGE_MIN + 1, 1);
  ck_assert(mia_page_resize_singleton(page, HUGE_MIN + 5 * SLICE + 1, true, &zero_from));
  ck_assert_uint_eq(page->size % fake.page_size, 0);
  retire_singleton(page);
  page = make_page(50);
  ck_assert_uint_eq(pop_all(page), page->total);
}
END_TEST

/* ---- misuse ---- */

START_TEST(the_inside_of_a_block_is_fatal) {
  mia_page *page = make_page(4);
  mia_page_require_block(page, page->start + page->size + 8);
}
END_TEST
START_TEST(the_rest_behind_the_last_block_is_fatal) {
  mia_page *page = make_page(mia_class_of(7 * MIA_KIB)); /* a slice is not a multiple of it */
  ck_assert(page->total * page->size < SLICE);
  mia_page_require_block(page, page->start + page->total * page->size);
}
END_TEST
START_TEST(the_inside_of_a_large_block_is_fatal) {
  mia_page *page = make_singleton(MIA_MIB, 1);
  mia_page_require_block(page, page->start + 4096);
}
END_TEST
START_TEST(P1_a_wrong_count_is_fatal) {
  bool zeroed;
  mia_page *page = make_page(4);
  mia_page_push_list(page, mia_page_pop_blocks(page, &zeroed));
  page->used++;
  mia_page_check(page);
}
END_TEST

START_TEST(both_sides_of_a_fork_can_make_pages) {
  mia_time_ms until = mia_os_begin_fork();
  mia_page_before_fork(until);
  mia_arena_before_fork(until);
  pid_t pid = fork();
  ck_assert(mia_os_end_fork());
  mia_arena_after_fork(pid == 0);
  mia_page_after_fork(pid == 0);
  bool zero;
  bool good = mia_page_make_singleton(
                  &(mia_singleton_request){.size = HUGE_MIN, .align = 1, .huge = false}, &zero) !=
                  NULL &&
              mia_page_make(3, NULL, MIA_NODE_ANY, 0) != NULL;
  if (pid == 0) _exit(good ? 0 : 1);
  ck_assert(child_ends_well(pid) && good);
}
END_TEST

SUITE("page/page") {
  CASE(world_of_pages, world_end);
  LOOP(P2_every_block_of_a_class_is_popped_once, 0, MIA_CLASS_COUNT);
  TEST(P5_pages_are_extended_no_earlier_than_needed);
  TEST(P5_used_memory_is_not_zeroed);
  TEST(in_used_memory_pages_are_extended_by_more);
  TEST(P1_popped_is_free_then_remote_then_extended);
  TEST(P1_collected_blocks_join_the_free_ones);
  LOOP(P1_holds_after_any_change, 0, 4);
  TEST(retired_memory_is_free_and_dirty_where_it_was_extended);
  TEST(a_singleton_page_is_one_live_block);
  TEST(a_large_page_of_used_memory_is_not_zero);
  TEST(a_large_page_grows_where_there_is_room);
  TEST(a_large_page_shrinks_by_slices);
  TEST(a_block_behind_padding_is_resized_with_it);
  TEST(a_huge_page_is_resized_and_may_move);
  TEST(a_moved_block_is_in_the_page_map_at_its_start);
  TEST(a_detached_block_is_in_the_page_map_at_its_start);
  LOOP(huge_pages_do_not_share_a_slice, 0, 2);
  TEST(a_request_can_ask_for_a_huge_page);
  TEST(a_huge_page_that_grew_is_not_kept);
  TEST(descriptors_of_huge_pages_are_used_again);
  LOOP(failed_unmapping_is_tried_again, 0, 2);
  TEST(pages_can_be_made_again_after_failures);
  LOOP(every_os_page_size_works, 0, 3);
  TEST(both_sides_of_a_fork_can_make_pages);
  DIES(the_inside_of_a_block_is_fatal, SIGABRT);
  DIES(the_rest_behind_the_last_block_is_fatal, SIGABRT);
  DIES(the_inside_of_a_large_block_is_fatal, SIGABRT);
  DIES_IN_DEBUG(retiring_a_page_in_use_is_fatal, SIGABRT);
  DIES_IN_DEBUG(P1_a_wrong_count_is_fatal, SIGABRT);
}
