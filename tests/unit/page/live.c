/* SPDX-License-Identifier: MIT */
/* Which blocks of a page are live: every transition, with one thread and with several. */
#include "unit/suite.h"

#include "page/live.h"

#include <pthread.h>

enum { BLOCK_SIZE = 16, BLOCKS = 4096, THREADS = 3, ROUNDS = 20000 };

/* A page of 16-byte blocks at the second slice of an arena that is only a name for its record. */
static alignas(MIA_SLICE_SIZE) char slices[2][MIA_SLICE_SIZE];
static mia_record records[2];
static mia_arena arena;
static mia_page page;

static void begin(void) {
  memset(records, 0, sizeof records);
  arena = (mia_arena){.start = slices[0], .slices = 2, .records = records};
  page = (mia_page){.start = slices[1],
                    .size = BLOCK_SIZE,
                    .size_class = (uint8_t)mia_class_of(BLOCK_SIZE),
                    .total = BLOCKS,
                    .capacity = BLOCKS,
                    .arena = &arena};
  mia_owner_begin_claimed(&page);
}

static uint32_t index_of(const void *p) { return mia_live_index(&page, p); }
static bool is_live(const void *p) { return mia_live_is(mia_live_record(&page), index_of(p)); }
static void free_own(const void *p) {
  ck_assert(is_live(p));
  mia_live_free(&page, mia_live_record(&page), index_of(p));
}

static size_t live_bits(void) {
  size_t count = 0;
  for (size_t i = 0; i < MIA_RECORD_CELLS; i++)
    count += mia_count_bits(mia_acell_get(&records[1].live[i]));
  return count;
}

START_TEST(the_record_is_that_of_the_first_slice) {
  ck_assert_ptr_eq(mia_live_record(&page), &records[1]);
  void *p = mia_live_take(&page);
  ck_assert(is_live(p) && live_bits() == 1 && page.used == 1);
}
END_TEST

START_TEST(each_block_is_taken_once) {
  static bool seen[BLOCKS];
  memset(seen, 0, sizeof seen);
  for (size_t i = 0; i < BLOCKS; i++) {
    uint32_t block = index_of(mia_live_take(&page));
    need_at(!seen[block], block);
    seen[block] = true;
  }
  ck_assert(page.used == BLOCKS && live_bits() == BLOCKS);
}
END_TEST

START_TEST(no_block_behind_the_extended_part_is_taken) {
  for (uint32_t capacity = 1; capacity < 200; capacity++) {
    begin();
    page.capacity = capacity;
    while (page.used < capacity) ck_assert_uint_lt(index_of(mia_live_take(&page)), capacity);
    ck_assert_uint_eq(live_bits(), capacity);
  }
}
END_TEST

START_TEST(a_freed_block_is_found_again_wherever_it_is) {
  while (page.used < BLOCKS) (void)mia_live_take(&page);
  for (uint32_t i = 0; i < BLOCKS; i += 7) {
    char *p = page.start + i * BLOCK_SIZE;
    free_own(p);
    ck_assert(!is_live(p) && page.used == BLOCKS - 1);
    page.cell = (uint8_t)(i % MIA_RECORD_CELLS); /* the search may begin anywhere */
    ck_assert_ptr_eq(mia_live_take(&page), p);
  }
}
END_TEST

START_TEST(remote_frees_wait_until_they_are_collected) {
  char *p[3];
  for (size_t i = 0; i < 3; i++) p[i] = mia_live_take(&page);
  ck_assert(!mia_page_free_live_remote(&page, index_of(p[0])));
  ck_assert(!mia_page_free_live_remote(&page, index_of(p[2])));
  ck_assert(!is_live(p[0]) && is_live(p[1]) && !is_live(p[2]));
  ck_assert(page.used == 3 && live_bits() == 3 && mia_owner_count_remote(&page) == 2);
  mia_page_collect_live(&page);
  ck_assert(page.used == 1 && live_bits() == 1 && !mia_owner_has_remote(&page));
  ck_assert(!is_live(p[0]) && is_live(p[1]) && !is_live(p[2]));
  ck_assert_ptr_eq(mia_live_take(&page), p[0]);
}
END_TEST

START_TEST(the_last_free_of_the_countdown_claims_the_page) {
  char *p[4];
  for (size_t i = 0; i < 4; i++) p[i] = mia_live_take(&page);
  ck_assert(mia_owner_abandon(&page, 3));
  ck_assert(!mia_page_free_live_remote(&page, index_of(p[0])));
  ck_assert(!mia_page_free_live_remote(&page, index_of(p[1])));
  ck_assert(mia_page_free_live_remote(&page, index_of(p[2])));
  ck_assert(!mia_owner_claim(&page));
  mia_page_collect_live(&page);
  ck_assert(page.used == 1 && is_live(p[3]));
}
END_TEST

/* The thread has set the bit and not counted down yet: the block may be taken again, but the page
 * still counts the free. */
START_TEST(a_free_under_way_is_counted_later) {
  char *p = mia_live_take(&page), *q = mia_live_take(&page);
  mia_acell_or_rel(&records[1].freed[0], mia_live_bit(index_of(p)));
  ck_assert(!mia_page_free_live_remote(&page, index_of(q)));
  mia_page_collect_live(&page);
  ck_assert(page.used == 1 && live_bits() == 0);
  ck_assert_ptr_eq(mia_live_take(&page), p);
  ck_assert(page.used == 2);
  ck_assert(!mia_owner_count_free(&page));
  mia_page_collect_live(&page);
  ck_assert(page.used == 1 && is_live(p));
}
END_TEST

START_TEST(clearing_makes_all_blocks_free) {
  for (size_t i = 0; i < 100; i++) (void)mia_live_take(&page);
  (void)mia_page_free_live_remote(&page, 5);
  mia_page_clear_live(&page);
  static const mia_record none;
  ck_assert(memcmp(&records[1], &none, sizeof none) == 0);
}
END_TEST

/* ---- several threads ---- */

static mia_aword handed[THREADS]; /* a block for each thread to free, or 0; 1: the end */

static void *free_handed(void *arg) {
  mia_aword *mine = arg;
  for (;;) {
    uintptr_t p = mia_aword_get_acq(mine);
    if (p == 1) return NULL;
    if (p == 0) continue;
    mia_aword_set(mine, 0);
    *(uintptr_t *)p = p;
    (void)mia_page_free_live_remote(&page, index_of((void *)p));
  }
}

START_TEST(threads_free_what_the_owner_takes) {
  page.capacity = 8; /* so that blocks are taken again soon */
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    mia_aword_set(&handed[i], 0);
    ck_assert_int_eq(pthread_create(&threads[i], NULL, free_handed, &handed[i]), 0);
  }
  for (size_t round = 0, i = 0; round < ROUNDS; i = (i + 1) % THREADS) {
    if (page.used >= page.capacity) mia_page_collect_live(&page);
    if (page.used >= page.capacity || mia_aword_get(&handed[i]) != 0) continue;
    uintptr_t *p = mia_live_take(&page);
    *p = round++;
    mia_aword_set_rel(&handed[i], (uintptr_t)p);
  }
  for (size_t i = 0; i < THREADS; i++) {
    while (mia_aword_get(&handed[i]) != 0) {}
    mia_aword_set(&handed[i], 1);
    pthread_join(threads[i], NULL);
  }
  mia_page_collect_live(&page);
  ck_assert(page.used == 0 && live_bits() == 0);
}
END_TEST

/* ---- tiers from 2 on ---- */

static void begin_hardened(void) {
  begin();
  mia_aword_set(&mia_arena_all.tier.level, MIA_TIER_HARDENED);
}
static void end_hardened(void) {
  mia_aword_set(&mia_arena_all.tier.level, 0);
  begin();
}

/* Whatever the random numbers are. */
START_TEST(each_block_is_taken_once_at_random) {
  static bool seen[BLOCKS];
  static const uint32_t capacities[] = {1, 2, 63, 64, 65, 100, 4095, 4096};
  for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
    uint32_t random = 12345;
    memset(seen, 0, sizeof seen);
    begin();
    page.capacity = capacities[c];
    for (size_t i = 0; i < page.capacity; i++) {
      random = random * 1103515245 + 12345;
      uint32_t block = index_of(mia_page_take_random(&page, random >> 16));
      need_at(block < page.capacity && !seen[block], block);
      seen[block] = true;
    }
    ck_assert(page.used == page.capacity && live_bits() == page.capacity);
  }
}
END_TEST

/* Also where a page has few blocks, or its last cell has few. */
START_TEST(each_free_block_is_as_likely_to_be_next) {
  static const uint16_t capacities[] = {1, 3, 8, 14, 21, 32, 63, 64, 65, 100, 1000, BLOCKS};
  static unsigned seen[BLOCKS];
  for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
    memset(seen, 0, sizeof seen);
    page.capacity = capacities[c];
    for (unsigned random = 0; random <= UINT16_MAX; random++) {
      void *p = mia_page_take_random(&page, random);
      seen[index_of(p)]++;
      free_own(p);
    }
    unsigned least = (UINT16_MAX + 1) / capacities[c];
    for (size_t i = 0; i < capacities[c]; i++) need_at(seen[i] == least || seen[i] == least + 1, i);
  }
}
END_TEST

START_TEST(a_held_block_is_neither_live_nor_free) {
  mia_record *record = mia_live_record(&page);
  void *p = mia_page_take_random(&page, 777);
  uint32_t block = index_of(p);
  ck_assert(mia_live_hold(record, block) && !mia_live_hold(record, block));
  ck_assert(!is_live(p) && page.used == 1);
  for (size_t i = 1; i < BLOCKS; i++)
    need_at(mia_page_take_random(&page, (unsigned)i * 16) != p, i);
  ck_assert(!mia_page_free_live_remote(&page, block) && !is_live(p));
  mia_page_collect_live(&page);
  ck_assert(page.used == BLOCKS - 1 && mia_page_take_random(&page, 1) == p && is_live(p));
}
END_TEST

START_TEST(a_free_by_the_owner_ends_the_waiting) {
  mia_record *record = mia_live_record(&page);
  void *p = mia_page_take_random(&page, 5000);
  ck_assert(mia_live_hold(record, index_of(p)));
  mia_live_free(&page, record, index_of(p));
  mia_live_let_go(record, index_of(p));
  ck_assert(page.used == 0 && !mia_live_is_held(record, index_of(p)));
}
END_TEST

SUITE("page/live") {
  CASE(begin, begin);
  TEST(the_record_is_that_of_the_first_slice);
  TEST(each_block_is_taken_once);
  TEST(no_block_behind_the_extended_part_is_taken);
  TEST(a_freed_block_is_found_again_wherever_it_is);
  TEST(remote_frees_wait_until_they_are_collected);
  TEST(the_last_free_of_the_countdown_claims_the_page);
  TEST(a_free_under_way_is_counted_later);
  TEST(clearing_makes_all_blocks_free);
  TEST(threads_free_what_the_owner_takes);
  CASE(begin_hardened, end_hardened);
  TEST(each_block_is_taken_once_at_random);
  TEST(each_free_block_is_as_likely_to_be_next);
  TEST(a_held_block_is_neither_live_nor_free);
  TEST(a_free_by_the_owner_ends_the_waiting);
}
