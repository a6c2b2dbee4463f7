/* SPDX-License-Identifier: MIT */
/* Refilling a free list: where its blocks come from, and what it does when memory is short. */
#include "unit/theap/theaps.h"

START_TEST(L1_a_free_list_is_of_the_page_in_use) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++) {
    mia_block *b = alloc(alice, c);
    need_at(b != NULL && page_of(b) == alice->bins[c].page, c);
    need_at(alice->bins[c].zeroed && pages(c) == 1, c);
  }
  ck_assert(holds(alice));
}
END_TEST

START_TEST(a_full_page_has_no_owner) {
  mia_block *b[BLOCKS_OF_8K + 1];
  fill(alice, b, BLOCKS_OF_8K + 1, CLASS_8K);
  mia_page *full = page_of(b[0]);
  ck_assert(full != page_of(b[BLOCKS_OF_8K]) && full->used == full->total &&
            full->total == BLOCKS_OF_8K);
  ck_assert(owner(full) == NULL && !claimed(full));
  ck_assert(owner(page_of(b[BLOCKS_OF_8K])) == alice && holds(alice));
}
END_TEST

/* In this order: the page in use, other pages, abandoned pages, cached pages, the arena. */
START_TEST(refill_uses_the_nearest_source) {
  mia_block *b[3 * BLOCKS_OF_8K + 2], *left = alloc(bob, CLASS_8K);
  fill(alice, b, 3 * BLOCKS_OF_8K + 2, CLASS_8K); /* three full pages, the fourth in use */
  mia_page *in_use = page_of(b[3 * BLOCKS_OF_8K]), *other = page_of(b[0]),
           *abandoned = page_of(left);
  mia_page *kept = page_of(b[BLOCKS_OF_8K]);
  release(alice, b[BLOCKS_OF_8K]);
  mia_theap_flush_batches(alice);
  for (int i = BLOCKS_OF_8K + 1; i < 2 * BLOCKS_OF_8K; i++) release(alice, b[i]);
  release(alice, b[0]);
  mia_theap_flush_batches(alice);
  mia_theap_abandon(bob);
  ck_assert(holds(alice) && alice->bins[CLASS_8K].pages == other &&
            cached(alice, CLASS_8K) == kept);
  ck_assert_ptr_eq(mia_theap_all.main.abandoned[CLASS_8K], abandoned);
  for (int i = 2; i < BLOCKS_OF_8K; i++) ck_assert_ptr_eq(page_of(alloc(alice, CLASS_8K)), in_use);
  ck_assert_ptr_eq(page_of(alloc(alice, CLASS_8K)), other);
  for (int i = 1; i < BLOCKS_OF_8K; i++)
    ck_assert_ptr_eq(page_of(alloc(alice, CLASS_8K)), abandoned);
  ck_assert_uint_eq(pages(CLASS_8K), 5);
  for (int i = 0; i < BLOCKS_OF_8K; i++) ck_assert_ptr_eq(page_of(alloc(alice, CLASS_8K)), kept);
  ck_assert_uint_eq(pages(CLASS_8K), 5);
  ck_assert(alloc(alice, CLASS_8K) != NULL && pages(CLASS_8K) == 6);
  ck_assert(owner(in_use) == NULL && owner(other) == NULL && owner(abandoned) == NULL);
}
END_TEST

START_TEST(blocks_that_the_owner_freed_are_allocated_again) {
  mia_block *b[2];
  fill(alice, b, 2, CLASS_8K);
  release(alice, b[0]);
  release(alice, b[1]);
  ck_assert(alloc(alice, CLASS_8K) == b[1] && alloc(alice, CLASS_8K) == b[0]);
  ck_assert(!alice->bins[CLASS_8K].zeroed);
  ck_assert(alloc(alice, CLASS_8K) != NULL && alice->bins[CLASS_8K].zeroed);
}
END_TEST

START_TEST(refill_works_again_after_memory_was_short) {
  mia_block *b[BLOCKS_OF_8K];
  fill(alice, b, BLOCKS_OF_8K, CLASS_8K);
  for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++) {
    mia_span s;
    if (mia_aword_get(&mia_arena_all.count) == 1 && used_bytes() < MIA_ARENA_FIRST_SLICES << 16)
      (void)mia_arena_take(1, 1, &s);
  }
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  for (int i = 0; i < 3; i++) ck_assert(!mia_theap_refill(alice, CLASS_8K));
  ck_assert(alice->bins[CLASS_8K].page == NULL && alice->free_list[CLASS_8K] == NULL &&
            holds(alice));
  release(alice, b[3]);
  mia_theap_flush_batches(alice);
  ck_assert_ptr_eq(alloc(alice, CLASS_8K), b[3]); /* the block that was freed is used again */
  ck_assert(!mia_theap_refill(alice, CLASS_8K));
  fake_allow();
  ck_assert_ptr_nonnull(alloc(alice, CLASS_8K));
}
END_TEST

/* Bob frees a block in each of two pages of alice, which are on nodes of their own and full. */
START_TEST(near_abandoned_pages_come_first) {
  if (!MIA_POINTER_64) return;
  mia_block *b[2][BLOCKS_OF_8K];
  world_has_nodes();
  world_add_arena();
  for (fake.node = 0; fake.node < 2; fake.node++) {
    alice->node_uses = 0;
    fill(alice, b[fake.node], BLOCKS_OF_8K, CLASS_8K);
  }
  (void)alloc(alice, CLASS_8K); /* another page */
  for (int i = 0; i < 2; i++) {
    release(bob, b[i][0]);
    mia_theap_flush_batches(bob);
    ck_assert_uint_eq(page_of(b[i][0])->arena->node, i + 1);
  }
  ck_assert_ptr_eq(mia_theap_all.main.abandoned[CLASS_8K], page_of(b[1][0]));
  fake.node = 0;
  bob->node_uses = 0;
  ck_assert_ptr_eq(alloc(bob, CLASS_8K), b[0][0]);
  ck_assert_ptr_eq(alloc(bob, CLASS_8K), b[1][0]); /* a far page is better than another */
}
END_TEST

SUITE("theap/refill") {
  CASE(theaps_begin, world_end);
  TEST(L1_a_free_list_is_of_the_page_in_use);
  TEST(a_full_page_has_no_owner);
  TEST(refill_uses_the_nearest_source);
  TEST(blocks_that_the_owner_freed_are_allocated_again);
  TEST(refill_works_again_after_memory_was_short);
  TEST(near_abandoned_pages_come_first);
}
