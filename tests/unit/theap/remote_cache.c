/* SPDX-License-Identifier: MIT */
/* The remote cache: what waits in a batch and in a magazine, and when it is sent to its pages. */
#include "unit/theap/theaps.h"

#include "theap/clock.h"

START_TEST(remote_frees_are_sent_in_batches) {
  static mia_block *b[5000];
  fill(alice, b, 5000, CLASS_16);
  mia_page *page = page_of(b[0]);
  for (int i = 0; i < MIA_BATCH_BLOCKS; i++) release(bob, b[i]);
  ck_assert(batch_count(bob, CLASS_16) == MIA_BATCH_BLOCKS && !mia_owner_has_remote(page));
  release(bob, b[MIA_BATCH_BLOCKS]); /* finds no room */
  ck_assert(batch_count(bob, CLASS_16) == 1);
  ck_assert_uint_eq(mia_owner_count_remote(page), MIA_BATCH_BLOCKS);
  release(bob, b[MIA_BATCH_BLOCKS + 1]);
  release(bob, b[4999]); /* of another page: sends the batch */
  ck_assert(page_of(b[4999]) != page && bob->remote[CLASS_16].page == page_of(b[4999]));
  ck_assert_uint_eq(batch_count(bob, CLASS_16), 1);
  mia_theap_flush_batches(bob);
  ck_assert_uint_eq(batch_count(bob, CLASS_16), 0);
  mia_theap_flush_batches(bob);
  ck_assert(mia_owner_claim(page)); /* it is full, so it has no owner */
  mia_page_collect(page);
  ck_assert_uint_eq(page->capacity - page->used, MIA_BATCH_BLOCKS + 2);
  /* A thread without a theap sends each block at once. */
  release(&mia_theap_all.none, b[100]);
  ck_assert(mia_owner_has_remote(page));
  mia_theap_flush_batches(&mia_theap_all.none);
}
END_TEST

START_TEST(each_class_of_small_blocks_has_a_batch) {
  const int eighth = BLOCKS_OF_1K / 8;
  mia_block *small[4], *kib[BLOCKS_OF_1K];
  fill(alice, small, 4, CLASS_16);
  fill(alice, kib, BLOCKS_OF_1K, CLASS_1K);
  for (int i = 0; i < 4; i++) {
    release(bob, small[i]);
    release(bob, kib[i]);
  }
  ck_assert(batch_count(bob, CLASS_16) == 4 && batch_count(bob, CLASS_1K) == 4);
  /* A batch has at most an eighth of the page's blocks. */
  for (int i = 4; i < eighth; i++) release(bob, kib[i]);
  ck_assert(batch_count(bob, CLASS_1K) == (uint32_t)eighth &&
            !mia_owner_has_remote(page_of(kib[0])));
  release(bob, kib[eighth]);
  ck_assert(batch_count(bob, CLASS_1K) == 1 && mia_owner_has_remote(page_of(kib[0])));
  mia_block *big = alloc(alice, CLASS_8K);
  release(bob, big);
  ck_assert(mia_owner_has_remote(page_of(big)));
  mia_theap_flush_batches(bob);
  ck_assert(bob->batches_waiting == 0 && mia_owner_has_remote(page_of(small[0])));
}
END_TEST

START_TEST(batches_are_sent_when_the_thread_ends) {
  mia_block *b = alloc(alice, CLASS_16);
  release(bob, b);
  ck_assert(batch_count(bob, CLASS_16) == 1 && !mia_owner_has_remote(page_of(b)));
  mia_theap_abandon(bob);
  ck_assert(mia_owner_has_remote(page_of(b)));
  mia_theap_abandon(alice);
  nothing_is_left();
}
END_TEST

/* ---- magazines ---- */

/* Bob allocates a block of 16 bytes, and frees `n' such blocks of a page of alice. */
static void free_as_bob(mia_block **b, size_t n) {
  (void)alloc(bob, CLASS_16);
  fill(alice, b, n, CLASS_16);
  for (size_t i = 0; i < n; i++) release(bob, b[i]);
}

START_TEST(remote_frees_of_a_class_in_use_go_into_the_magazine) {
  mia_block *b[3];
  free_as_bob(b, 3);
  mia_bin *bin = &bob->bins[CLASS_16];
  bin->refilled = false;
  ck_assert(magazine_count(bob, CLASS_16) == 3 && bob->remote[CLASS_16].blocks == b[2]);
  ck_assert(batch_count(bob, CLASS_16) == 0);
  ck_assert(!mia_owner_has_remote(page_of(b[0])));
  uintptr_t refilled = mia_aword_get(&bob->counts.refilled[CLASS_16]);
  while (bob->free_list[CLASS_16] != NULL) (void)alloc(bob, CLASS_16);
  for (int i = 2; i >= 0; i--) ck_assert_ptr_eq(alloc(bob, CLASS_16), b[i]);
  ck_assert(bin->refilled && bin->from_magazine && !bin->zeroed &&
            magazine_count(bob, CLASS_16) == 0);
  ck_assert_uint_eq(mia_aword_get(&bob->counts.refilled[CLASS_16]), refilled + 3);
  ck_assert(alloc(bob, CLASS_16) != NULL && !bin->from_magazine && holds(bob) && holds(alice));
}
END_TEST

START_TEST(a_thread_that_only_frees_has_no_magazine) {
  mia_block *b[2];
  fill(alice, b, 2, CLASS_16);
  release(bob, b[0]);
  ck_assert(magazine_count(bob, CLASS_16) == 0 && batch_count(bob, CLASS_16) == 1);
}
END_TEST

START_TEST(a_magazine_that_is_too_long_is_sent) {
  static mia_block *b[MIA_MAGAZINE_BLOCKS + 1];
  free_as_bob(b, MIA_MAGAZINE_BLOCKS);
  ck_assert_uint_eq(magazine_count(bob, CLASS_16), MIA_MAGAZINE_BLOCKS);
  b[MIA_MAGAZINE_BLOCKS] = alloc(alice, CLASS_16);
  release(bob, b[MIA_MAGAZINE_BLOCKS]);
  ck_assert(batch_count(bob, CLASS_16) == 1);
  mia_page *page = page_of(b[0]);
  uint32_t used = page->used;
  mia_page_collect(page);
  ck_assert_uint_eq(page->used, used - MIA_MAGAZINE_BLOCKS);
  release(bob, alloc(alice, CLASS_16)); /* no new magazine before bob refills his free list */
  ck_assert(batch_count(bob, CLASS_16) == 2);
  mia_theap_flush_batches(bob);
  while (bob->free_list[CLASS_16] != NULL) (void)alloc(bob, CLASS_16);
  (void)alloc(bob, CLASS_16);
  ck_assert(mia_remote_is_magazine(&bob->remote[CLASS_16]));
}
END_TEST

START_TEST(a_magazine_has_a_limited_number_of_bytes) {
  enum { FIT = MIA_MAGAZINE_BYTES / 8192 };
  mia_block *b[FIT + 1];
  (void)alloc(bob, CLASS_8K);
  fill(alice, b, FIT + 1, CLASS_8K);
  for (int i = 0; i < FIT; i++) release(bob, b[i]);
  ck_assert_uint_eq(magazine_count(bob, CLASS_8K), FIT);
  release(bob, b[FIT]);
  ck_assert(bob->remote[CLASS_8K].blocks == NULL && mia_owner_has_remote(page_of(b[0])));
}
END_TEST

/* This also sends the rest of a free list that was a magazine, whether or not it is held. */
START_TEST(flushing_sends_magazines) {
  for (int held = 0; held < 2; held++) {
    mia_block *b[4];
    free_as_bob(b, 3);
    while (!bob->bins[CLASS_16].from_magazine) (void)alloc(bob, CLASS_16);
    if (held != 0) mia_theap_watch(bob, true);
    b[3] = alloc(alice, CLASS_16);
    release(bob, b[3]);
    ck_assert_uint_eq(magazine_count(bob, CLASS_16), 1);
    uintptr_t refilled = mia_aword_get(&bob->counts.refilled[CLASS_16]);
    mia_theap_flush_remote(bob);
    ck_assert(bob->free_list[CLASS_16] == NULL && bob->bins[CLASS_16].held == NULL &&
              !bob->bins[CLASS_16].from_magazine);
    ck_assert_uint_eq(mia_aword_get(&bob->counts.refilled[CLASS_16]), refilled - 2);
    mia_page *page = page_of(b[0]);
    uint32_t used = page->used;
    mia_page_collect(page);
    ck_assert_uint_eq(page->used, used - 3);
  }
  mia_block *b[2];
  free_as_bob(b, 2);
  mia_theap_abandon(bob);
  ck_assert(bob->remote[CLASS_16].blocks == NULL && mia_owner_has_remote(page_of(b[0])));
}
END_TEST

START_TEST(freeing_the_last_block_of_a_magazine_again_is_fatal) {
  mia_block *b[2];
  free_as_bob(b, 2);
  release(bob, b[1]);
}
END_TEST

SUITE("theap/remote_cache") {
  CASE(theaps_begin, world_end);
  TEST(remote_frees_are_sent_in_batches);
  TEST(each_class_of_small_blocks_has_a_batch);
  TEST(batches_are_sent_when_the_thread_ends);
  TEST(remote_frees_of_a_class_in_use_go_into_the_magazine);
  TEST(a_thread_that_only_frees_has_no_magazine);
  TEST(a_magazine_that_is_too_long_is_sent);
  TEST(a_magazine_has_a_limited_number_of_bytes);
  TEST(flushing_sends_magazines);
  DIES(freeing_the_last_block_of_a_magazine_again_is_fatal, SIGABRT);
}
