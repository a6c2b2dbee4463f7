/* Guards: a block is as large as was asked for, to the byte, and what is beyond
 * either end of it is watched (G1 of guard.h).  Debug builds only have them. */
#include "fake/world.h"

#include "page/canary.h"

enum { BIT = 1, BLOCK = 128, SIZE = 50 };

static mia_page *page;
static char *blocks[3]; /* side by side */

/* The second one is in use by then, and has neighbours. */
static void lend_three(unsigned size_class) {
  bool fresh;
  page = mia_page_make(size_class, NULL, 0);
  ck_assert_ptr_nonnull(page);
  (void)mia_page_pop_blocks(page, &fresh);
  for (int i = 0; i < 3; i++) {
    blocks[i] = page->start + (size_t)i * page->size;
    mia_page_set_canary(page, blocks[i], mia_canary_capacity(page));
  }
}

START_TEST(every_size_is_kept_to_the_byte) {
  lend_three(mia_class_of(512));
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

START_TEST(all_of_a_block_is_its_own) {
  for (unsigned c = mia_class_of(mia_canary_room(1)); c < MIA_CLASS_COUNT; c++) {
    lend_three(c);
    for (int i = 0; i < 3; i++) memset(blocks[i], i, mia_canary_capacity(page));
    for (int i = 0; i < 3; i++)
      need_at(mia_page_require_canary(page, blocks[i]) == mia_canary_capacity(page), c);
  }
}
END_TEST

START_TEST(too_large_a_request_stays_so) {
  const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - MIA_CANARY_SIZE, MIA_SIZE_MAX};
  for (size_t i = 0; i < 4; i++) need_at(mia_canary_room(sizes[i]) >= sizes[i], sizes[i]);
}
END_TEST

/* Each byte between the contents of two blocks: one bit of it is enough. */
static void change(ptrdiff_t at) {
  lend_three(mia_class_of(BLOCK));
  mia_page_set_canary(page, blocks[1], SIZE);
  blocks[1][at] = (char)(blocks[1][at] ^ BIT);
  mia_page_require_canary(page, blocks[1]);
}
START_TEST(a_byte_behind_is_noticed) { change(SIZE + _i); }
END_TEST
START_TEST(a_byte_before_is_noticed) { change(-1 - _i); }
END_TEST

/* Of the first block, in the page's lead. */
START_TEST(a_byte_before_the_first_is_noticed) {
  lend_three(mia_class_of(BLOCK));
  blocks[0][-1 - _i] = (char)(blocks[0][-1 - _i] ^ BIT);
  mia_page_require_canary(page, blocks[0]);
}
END_TEST

/* However it is aligned, and whether its offset needs a lead of its own. */
static mia_page *single_of(size_t align, size_t offset, bool is_huge) {
  bool zero;
  mia_singleton_request wanted = {
      .size = MIA_MIB, .align = align, .offset = offset, .redzone = true};
  wanted.huge = is_huge;
  mia_page *it = mia_page_make_singleton(&wanted, &zero);
  ck_assert(it != NULL && mia_is_aligned(it->start + offset, align) && it->size >= MIA_MIB);
  mia_page_set_canary(it, it->start, SIZE);
  return it;
}
enum { SINGLES = 12 };
static const struct {
  size_t align, offset;
} singles[SINGLES / 2] = {{1, 0},     {4096, 0},    {MIA_SLICE_SIZE, 0},
                          {4096, 16}, {4096, 4092}, {MIA_SLICE_SIZE, 4096}};

START_TEST(a_single_block_keeps_its_edge) {
  mia_page *it = single_of(singles[_i / 2].align, singles[_i / 2].offset, _i % 2 != 0);
  memset(it->start, 1, SIZE);
  ck_assert_uint_eq(mia_page_require_canary(it, it->start), SIZE);
}
END_TEST
START_TEST(a_byte_before_a_single_one_is_noticed) {
  mia_page *it = single_of(singles[_i / 2].align, singles[_i / 2].offset, _i % 2 != 0);
  it->start[-1] = (char)(it->start[-1] ^ BIT);
  mia_page_require_canary(it, it->start);
}
END_TEST

/* Nobody's bytes but the next block's. */
START_TEST(the_next_block_watches_its_own_edge) {
  lend_three(mia_class_of(BLOCK));
  blocks[1][-1] = (char)(blocks[1][-1] ^ BIT);
  mia_page_require_canary(page, blocks[0]);
  mia_page_require_canary(page, blocks[2]);
}
END_TEST

SUITE("page/canary") {
  CASE(world_of_pages, world_end);
  TEST(too_large_a_request_stays_so);
  if (MIA_DEBUG) {
    TEST(every_size_is_kept_to_the_byte);
    TEST(all_of_a_block_is_its_own);
    TEST(the_next_block_watches_its_own_edge);
    LOOP_DIES(a_byte_behind_is_noticed, 0, BLOCK - MIA_REDZONE_SIZE - SIZE, SIGABRT);
    LOOP_DIES(a_byte_before_is_noticed, 0, MIA_REDZONE_SIZE, SIGABRT);
    LOOP_DIES(a_byte_before_the_first_is_noticed, 0, MIA_REDZONE_SIZE, SIGABRT);
    LOOP(a_single_block_keeps_its_edge, 0, SINGLES);
    LOOP_DIES(a_byte_before_a_single_one_is_noticed, 0, SINGLES, SIGABRT);
  }
}
