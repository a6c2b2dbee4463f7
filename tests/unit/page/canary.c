/* SPDX-License-Identifier: MIT */
/* Canary and redzone (G1 of canary.h): a block is exactly as large as requested, and a write
 * beyond either end is detected.  In debug builds only. */
#include "fake/world.h"

#include "page/canary.h"

enum { BIT = 1, BLOCK_SIZE = 128, REQUEST = 50 };

static mia_page *page;
static char *blocks[3]; /* side by side */

/* Takes three blocks from a new page, so that the second has neighbours that are live. */
static void pop_three(unsigned size_class) {
  bool zeroed;
  page = mia_page_make(size_class, NULL, MIA_NODE_ANY, 0);
  ck_assert_ptr_nonnull(page);
  (void)mia_page_pop_blocks(page, &zeroed);
  for (int i = 0; i < 3; i++) {
    blocks[i] = page->start + (size_t)i * page->size;
    mia_page_set_canary(page, blocks[i], mia_canary_capacity(page));
  }
}

START_TEST(every_size_is_kept_to_the_byte) {
  pop_three(mia_class_of(512));
  for (size_t size = 0; size <= mia_canary_capacity(page); size++) {
    mia_page_set_canary(page, blocks[1], size);
    need_at(mia_page_require_canary(page, blocks[1]) == size, size);
    memset(blocks[1], (int)size, size);
    need_at(mia_page_require_canary(page, blocks[1]) == size, size);
    mia_page_require_canary(page, blocks[0]);
    mia_page_require_canary(page, blocks[2]);
  }
}
END_TEST

START_TEST(blocks_do_not_overlap) {
  for (unsigned c = mia_class_of(mia_canary_room(1)); c < MIA_CLASS_COUNT; c++) {
    pop_three(c);
    for (int i = 0; i < 3; i++) memset(blocks[i], i, mia_canary_capacity(page));
    for (int i = 0; i < 3; i++)
      need_at(mia_page_require_canary(page, blocks[i]) == mia_canary_capacity(page), c);
  }
}
END_TEST

START_TEST(a_request_too_large_is_not_changed) {
  const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - MIA_CANARY_SIZE, MIA_SIZE_MAX};
  for (size_t i = 0; i < 4; i++) need_at(mia_canary_room(sizes[i]) >= sizes[i], sizes[i]);
}
END_TEST

/* Changes one bit of a byte between the contents of two blocks. */
static void change_byte(ptrdiff_t at) {
  pop_three(mia_class_of(BLOCK_SIZE));
  mia_page_set_canary(page, blocks[1], REQUEST);
  blocks[1][at] = (char)(blocks[1][at] ^ BIT);
  mia_page_require_canary(page, blocks[1]);
}
START_TEST(a_byte_behind_is_noticed) { change_byte(REQUEST + _i); }
END_TEST
START_TEST(a_byte_before_is_noticed) { change_byte(-1 - _i); }
END_TEST

/* The redzone of the first block lies in the page's padding. */
START_TEST(a_byte_before_the_first_is_noticed) {
  pop_three(mia_class_of(BLOCK_SIZE));
  blocks[0][-1 - _i] = (char)(blocks[0][-1 - _i] ^ BIT);
  mia_page_require_canary(page, blocks[0]);
}
END_TEST

/* Makes a singleton page, for any alignment, with an offset that needs padding or without. */
static mia_page *singleton_of(size_t align, size_t offset, bool is_huge) {
  bool zero;
  mia_singleton_request request = {
      .size = MIA_MIB, .align = align, .offset = offset, .redzone = true};
  request.huge = is_huge;
  mia_page *singleton = mia_page_make_singleton(&request, &zero);
  ck_assert(singleton != NULL && mia_is_aligned(singleton->start + offset, align) &&
            singleton->size >= MIA_MIB);
  mia_page_set_canary(singleton, singleton->start, REQUEST);
  return singleton;
}
enum { SINGLETONS = 12 };
static const struct {
  size_t align, offset;
} singletons[SINGLETONS / 2] = {{1, 0},     {4096, 0},    {MIA_SLICE_SIZE, 0},
                                {4096, 16}, {4096, 4092}, {MIA_SLICE_SIZE, 4096}};

START_TEST(a_singleton_keeps_its_redzone) {
  mia_page *singleton = singleton_of(singletons[_i / 2].align, singletons[_i / 2].offset,
                                     _i % 2 != 0);
  memset(singleton->start, 1, REQUEST);
  ck_assert_uint_eq(mia_page_require_canary(singleton, singleton->start), REQUEST);
}
END_TEST
START_TEST(a_byte_before_a_singleton_is_noticed) {
  mia_page *singleton = singleton_of(singletons[_i / 2].align, singletons[_i / 2].offset,
                                     _i % 2 != 0);
  singleton->start[-1] = (char)(singleton->start[-1] ^ BIT);
  mia_page_require_canary(singleton, singleton->start);
}
END_TEST

/* A write to a redzone is no error of the blocks before and behind. */
START_TEST(a_redzone_belongs_to_the_next_block) {
  pop_three(mia_class_of(BLOCK_SIZE));
  blocks[1][-1] = (char)(blocks[1][-1] ^ BIT);
  mia_page_require_canary(page, blocks[0]);
  mia_page_require_canary(page, blocks[2]);
}
END_TEST

SUITE("page/canary") {
  CASE(world_of_pages, world_end);
  TEST(a_request_too_large_is_not_changed);
  if (MIA_DEBUG) {
    TEST(every_size_is_kept_to_the_byte);
    TEST(blocks_do_not_overlap);
    TEST(a_redzone_belongs_to_the_next_block);
    LOOP_DIES(a_byte_behind_is_noticed, 0, BLOCK_SIZE - MIA_REDZONE_SIZE - REQUEST, SIGABRT);
    LOOP_DIES(a_byte_before_is_noticed, 0, MIA_REDZONE_SIZE, SIGABRT);
    LOOP_DIES(a_byte_before_the_first_is_noticed, 0, MIA_REDZONE_SIZE, SIGABRT);
    LOOP(a_singleton_keeps_its_redzone, 0, SINGLETONS);
    LOOP_DIES(a_byte_before_a_singleton_is_noticed, 0, SINGLETONS, SIGABRT);
  }
}
