/* SPDX-License-Identifier: MIT */
/* What becomes of the pages of a theap when a block is freed: who owns a page that has room again,
 * where an empty page goes, and how many pages a theap owns. */
#include "unit/theap/theaps.h"

#include "theap/bin_pages.h"

START_TEST(empty_pages_are_cached) {
  mia_block *b[3 * BLOCKS_OF_8K + 1];
  fill(alice, b, 3 * BLOCKS_OF_8K + 1, CLASS_8K);
  for (int p = 0; p < 3; p++) { /* a free block in each: alice reclaims them */
    release(alice, b[BLOCKS_OF_8K * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert(alice->bins[CLASS_8K].page_count == 3 && holds(alice));
  mia_page *first = page_of(b[0]), *second = page_of(b[BLOCKS_OF_8K]);
  for (int i = 1; i < BLOCKS_OF_8K; i++) release(alice, b[i]);
  ck_assert(cached(alice, CLASS_8K) == first && pages(CLASS_8K) == 4 && holds(alice));
  for (int i = BLOCKS_OF_8K + 1; i < 2 * BLOCKS_OF_8K; i++) release(alice, b[i]);
  ck_assert(cached(alice, CLASS_8K) == second && second->next == first && pages(CLASS_8K) == 4);
  ck_assert(holds(alice));
  for (int i = 2 * BLOCKS_OF_8K + 1; i < 3 * BLOCKS_OF_8K; i++) release(alice, b[i]);
  ck_assert(pages(CLASS_8K) == 4 && alice->bins[CLASS_8K].pages == NULL && holds(alice));
}
END_TEST

START_TEST(empty_pages_of_several_slices_are_not_cached) {
  mia_block *b[BLOCKS_OF_32K + 1];
  fill(alice, b, BLOCKS_OF_32K + 1, CLASS_32K);
  release(alice, b[0]);
  mia_theap_flush_batches(alice);
  for (int i = 1; i < BLOCKS_OF_32K; i++) release(alice, b[i]);
  ck_assert(cached(alice, CLASS_32K) == NULL && pages(CLASS_32K) == 1 && holds(alice));
}
END_TEST

START_TEST(the_page_in_use_stays_when_it_is_empty) {
  mia_block *b[2];
  fill(alice, b, 2, CLASS_8K);
  const mia_page *page = page_of(b[0]);
  release(alice, b[0]);
  release(alice, b[1]);
  ck_assert(page->used == 0 && alice->bins[CLASS_8K].page == page && holds(alice));
  ck_assert_ptr_eq(alloc(alice, CLASS_8K), b[1]);
}
END_TEST

/* Without early reclaiming, a thread owns a full page once a sixteenth of it is free. */
START_TEST(a_thread_that_frees_enough_of_a_full_page_owns_it) {
  static mia_block *b[BLOCKS_OF_16 + 1];
  fill(alice, b, BLOCKS_OF_16 + 1, CLASS_16);
  (void)alloc(bob, CLASS_16); /* bob allocates from the class, so he can use such pages */
  bob->bins[CLASS_16].reclaim_backoff = 1; /* but he reclaims none early */
  mia_page *full = page_of(b[0]);
  const uint32_t due = BLOCKS_OF_16 / 16;
  for (size_t i = 0; i < due - 1; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert(!claimed(full) && owner(full) == NULL && bob->bins[CLASS_16].page_count == 0);
  release(bob, b[due - 1]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(full) == bob && bob->bins[CLASS_16].pages == full);
  ck_assert_uint_eq(full->used, BLOCKS_OF_16 - due);
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

START_TEST(a_thread_that_cannot_use_a_page_abandons_it) {
  mia_block *b[BLOCKS_OF_8K + 1];
  fill(alice, b, BLOCKS_OF_8K + 1, CLASS_8K);
  mia_page *full = page_of(b[0]);
  release(bob, b[0]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(full) == NULL && !claimed(full) &&
            mia_theap_all.main.abandoned[CLASS_8K] == full);
  /* It stays abandoned until all of it is free, or a thread allocates from it. */
  for (int i = 1; i < BLOCKS_OF_8K - 1; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert(mia_theap_all.main.abandoned[CLASS_8K] == full && pages(CLASS_8K) == 2);
  release(bob, b[BLOCKS_OF_8K - 1]);
  mia_theap_flush_batches(bob);
  ck_assert(mia_theap_all.main.abandoned[CLASS_8K] == NULL && cached(bob, CLASS_8K) == full);
}
END_TEST

START_TEST(a_thread_owns_a_limited_number_of_pages) {
  static mia_block *b[BLOCKS_OF_8K * 40 + 1];
  fill(alice, b, BLOCKS_OF_8K * 40 + 1, CLASS_8K);
  for (int p = 0; p < 40; p++) {
    release(alice, b[BLOCKS_OF_8K * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert_uint_eq(alice->bins[CLASS_8K].page_count, MIA_THEAP_PAGES_MAX);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.main.abandoned_count[CLASS_8K]),
                    40 - MIA_THEAP_PAGES_MAX);
  ck_assert(holds(alice));
}
END_TEST

/* Loop index: whether alice and bob run on nodes of their own.  Bob empties alice's page. */
START_TEST(an_empty_page_of_a_far_thread_is_not_cached) {
  mia_block *b[BLOCKS_OF_8K + 1];
  bool far = _i == 1 && MIA_POINTER_64;
  if (_i == 1) world_has_nodes();
  world_add_arena();
  fill(alice, b, BLOCKS_OF_8K + 1, CLASS_8K); /* beyond the first arena, on node 0 */
  ck_assert_uint_eq(page_of(b[0])->arena->node, MIA_POINTER_64 ? 1 : 0);
  size_t idle = mia_arena_idle();
  fake.node = 1;
  for (int i = 0; i < BLOCKS_OF_8K; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert((cached(bob, CLASS_8K) == NULL) == far);
  ck_assert((mia_arena_idle() > idle) == far);
  ck_assert_uint_eq(pages(CLASS_8K), far ? 1 : 2);
}
END_TEST

SUITE("theap/bin_pages") {
  CASE(theaps_begin, world_end);
  TEST(empty_pages_are_cached);
  TEST(empty_pages_of_several_slices_are_not_cached);
  TEST(the_page_in_use_stays_when_it_is_empty);
  TEST(a_thread_that_frees_enough_of_a_full_page_owns_it);
  TEST(a_thread_that_cannot_use_a_page_abandons_it);
  TEST(a_thread_owns_a_limited_number_of_pages);
  LOOP(an_empty_page_of_a_far_thread_is_not_cached, 0, 2);
}
