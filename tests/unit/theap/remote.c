/* SPDX-License-Identifier: MIT */
/* What becomes of a block that is freed by a thread that does not own its page.  The thread reclaims
 * the page early, keeps the block or sends it.  The block of a singleton page retires its page. */
#include "unit/theap/theaps.h"

#include "theap/pages.h"

START_TEST(a_thread_that_uses_the_class_reclaims_a_full_page_early) {
  static mia_block *b[3 * BLOCKS_OF_16 + 1];
  fill(alice, b, 3 * BLOCKS_OF_16 + 1, CLASS_16);
  (void)alloc(bob, CLASS_16);
  for (size_t i = 0; i < 3; i++) release(bob, b[i * BLOCKS_OF_16]);
  mia_bin *bin = &bob->bins[CLASS_16];
  ck_assert(bob->batches_waiting == 0 && bin->page_count == 3);
  ck_assert(bin->pages == page_of(b[0]) && bin->last_page == page_of(b[2 * BLOCKS_OF_16]));
  for (size_t i = 0; i < 3; i++) need_at(owner(page_of(b[i * BLOCKS_OF_16])) == bob, i);
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

/* If a page that was reclaimed early has few blocks when it comes into use, no page is reclaimed
 * early for a while. */
START_TEST(early_reclaiming_has_a_backoff) {
  static mia_block *b[BLOCKS_OF_16 + 1];
  fill(alice, b, BLOCKS_OF_16 + 1, CLASS_16);
  mia_block *mine = alloc(bob, CLASS_16);
  mia_page *first = page_of(mine);
  release(bob, b[0]);
  mia_bin *bin = &bob->bins[CLASS_16];
  ck_assert(bin->page_count == 1 && bin->reclaim_backoff == 0);
  while (bin->page == first) (void)alloc(bob, CLASS_16);
  ck_assert(page_of(b[0]) == bin->page && bin->reclaim_backoff > 0);
  while (owner(page_of(b[0])) == bob) (void)alloc(bob, CLASS_16);
  release(bob, b[1]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(page_of(b[0])) == NULL && bin->page_count == 0);
  ck_assert(holds(bob));
}
END_TEST

/* Pages without an owner are reclaimed once enough of them is free, so their blocks do not wait in
 * a magazine. */
START_TEST(blocks_of_pages_without_an_owner_go_into_no_magazine) {
  static mia_block *b[BLOCKS_OF_16 + 1];
  fill(alice, b, BLOCKS_OF_16 + 1, CLASS_16);
  (void)alloc(bob, CLASS_16);
  bob->bins[CLASS_16].reclaim_backoff = 1;
  const mia_page *full = page_of(b[0]);
  release(bob, b[BLOCKS_OF_16]); /* of the page that alice owns */
  ck_assert(owner(full) == NULL && magazine_count(bob, CLASS_16) == 1);
  release(bob, b[0]); /* sent at once */
  ck_assert(mia_owner_count_remote(full) == 1 && magazine_count(bob, CLASS_16) == 1);
  while (magazine_count(bob, CLASS_16) > 0) (void)alloc(bob, CLASS_16);
  release(bob, b[1]); /* nor into an empty one, which stays */
  ck_assert(mia_owner_count_remote(full) == 2 && magazine_count(bob, CLASS_16) == 0);
  ck_assert(mia_remote_is_magazine(&bob->remote[CLASS_16]));
  ck_assert(holds(bob) && holds(alice));
}
END_TEST

START_TEST(blocks_of_other_heaps_go_into_no_magazine) {
  mia_block *b = alloc(alice, CLASS_8K);
  (void)alloc(bob, CLASS_8K);
  static mia_heap other;
  mia_theap_set_heap(page_of(b), &other);
  release(bob, b);
  mia_theap_set_heap(page_of(b), mia_theap_main_heap());
  ck_assert(bob->remote[CLASS_8K].blocks == NULL && mia_owner_has_remote(page_of(b)));
}
END_TEST

START_TEST(singleton_pages_are_retired_by_any_thread) {
  bool zero;
  for (int i = 0; i < 4; i++) {
    mia_theap *self = i % 2 == 0 ? bob : &mia_theap_all.none;
    mia_page *page = mia_theap_make_singleton(
        alice, &(mia_singleton_request){.size = 2 * MIA_MIB, .align = 1, .huge = i >= 2}, &zero);
    release(self, page->start);
    nothing_is_left();
  }
}
END_TEST

START_TEST(freeing_a_singleton_block_twice_is_fatal) {
  bool zero;
  mia_page *page = mia_theap_make_singleton(
      alice, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  mia_theap_free_remote(bob, page, (void *)page->start);
  mia_theap_free_remote(bob, page, (void *)page->start);
}
END_TEST

START_TEST(the_inside_of_a_block_joins_no_magazine) {
  char *p = (char *)alloc(alice, CLASS_8K);
  mia_page *page = mia_page_require_of(p);
  mia_remote_begin_magazine(&bob->remote[CLASS_8K], CLASS_8K);
  ck_assert(!mia_remote_try_free(bob, page, (mia_block *)(void *)(p + 16)));
  ck_assert(mia_remote_try_free(bob, page, (mia_block *)(void *)p));
}
END_TEST

SUITE("theap/remote") {
  CASE(theaps_begin, world_end);
  TEST(a_thread_that_uses_the_class_reclaims_a_full_page_early);
  TEST(early_reclaiming_has_a_backoff);
  TEST(blocks_of_pages_without_an_owner_go_into_no_magazine);
  TEST(blocks_of_other_heaps_go_into_no_magazine);
  TEST(singleton_pages_are_retired_by_any_thread);
  DIES(freeing_a_singleton_block_twice_is_fatal, SIGABRT);
  TEST(the_inside_of_a_block_joins_no_magazine);
}
