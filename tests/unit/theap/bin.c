/* SPDX-License-Identifier: MIT */
/* Collecting and abandoning the pages of a theap.  Then several theaps, and several threads, do all
 * this at random and lose no block. */
#include "unit/theap/theaps.h"
#include "unit/threads.h"

#include "theap/bin.h"
#include "theap/thread.h"

#include <pthread.h>

enum { LIVE_MAX = 3000, TURNS = 20000, THREADS = 3, SLOTS = 512, THREAD_TURNS = 30000 };

START_TEST(collect_retires_empty_pages) {
  mia_block *b[2 * BLOCKS_OF_8K + 1];
  fill(alice, b, 2 * BLOCKS_OF_8K + 1, CLASS_8K);
  for (int p = 0; p < 2; p++) {
    release(alice, b[BLOCKS_OF_8K * p]);
    mia_theap_flush_batches(alice);
  }
  ck_assert_uint_eq(alice->bins[CLASS_8K].page_count, 2);
  /* Alice owns the page and collects later. */
  for (int i = 1; i < BLOCKS_OF_8K; i++) release(bob, b[i]);
  mia_theap_flush_batches(bob);
  ck_assert_uint_eq(pages(CLASS_8K), 3);
  mia_theap_collect(alice);
  ck_assert(pages(CLASS_8K) == 2 && cached(alice, CLASS_8K) == NULL && holds(alice));
  for (int i = BLOCKS_OF_8K + 1; i < 2 * BLOCKS_OF_8K; i++) release(alice, b[i]);
  ck_assert_ptr_nonnull(cached(alice, CLASS_8K));
  mia_theap_collect(alice);
  ck_assert(pages(CLASS_8K) == 1 && cached(alice, CLASS_8K) == NULL && holds(alice));
}
END_TEST

/* The page in use is retired if all of it is free, and else used further. */
START_TEST(collect_gives_up_the_page_in_use) {
  mia_block *kept = alloc(alice, CLASS_16);
  release(alice, alloc(alice, CLASS_8K));
  ck_assert(pages(CLASS_8K) == 1 && pages(CLASS_16) == 1);
  mia_theap_collect(alice);
  ck_assert(pages(CLASS_8K) == 0 && pages(CLASS_16) == 1 && holds(alice));
  ck_assert(alice->free_list[CLASS_8K] == NULL && alice->bins[CLASS_8K].page == NULL);
  mia_block *next = alloc(alice, CLASS_16);
  ck_assert_ptr_eq(page_of(next), page_of(kept));
  release(alice, kept);
  release(alice, next);
  mia_theap_collect(alice);
  ck_assert(pages(CLASS_16) == 0 && used_bytes() == 0 && holds(alice));
}
END_TEST

START_TEST(abandoned_pages_are_reclaimed) {
  mia_block *b[3], *kept[2];
  fill(alice, b, 3, CLASS_8K);
  fill(alice, kept, 2, CLASS_32K);
  release(alice, alloc(alice, CLASS_384)); /* a class without a live block */
  mia_page *page = page_of(b[0]);
  mia_theap_abandon(alice);
  ck_assert(holds(alice) && alice->bins[CLASS_8K].page == NULL &&
            alice->free_list[CLASS_8K] == NULL);
  ck_assert(pages(CLASS_384) == 0 && pages(CLASS_8K) == 1 && pages(CLASS_32K) == 1);
  ck_assert(owner(page) == NULL && mia_theap_all.main.abandoned[CLASS_8K] == page &&
            page->used == 3);
  release(bob, b[1]);
  mia_block *next = alloc(bob, CLASS_8K);
  ck_assert(page_of(next) == page && owner(page) == bob && pages(CLASS_8K) == 1);
  release(bob, next);
  release(bob, b[0]);
  release(bob, b[2]);
  release(bob, kept[0]);
  release(bob, kept[1]);
  mia_theap_abandon(bob);
  nothing_is_left();
}
END_TEST

/* A full page is in no list of abandoned pages: a free claims it. */
START_TEST(an_abandoned_full_page_is_claimed_by_a_free) {
  mia_block *b[BLOCKS_OF_8K];
  fill(alice, b, BLOCKS_OF_8K, CLASS_8K);
  mia_page *page = page_of(b[0]);
  mia_theap_abandon(alice);
  ck_assert(mia_theap_all.main.abandoned[CLASS_8K] == NULL && owner(page) == NULL &&
            !claimed(page));
  (void)alloc(bob, CLASS_8K);
  ck_assert_uint_eq(pages(CLASS_8K), 2);
  release(bob, b[0]);
  mia_theap_flush_batches(bob);
  ck_assert(owner(page) == bob && bob->bins[CLASS_8K].pages == page);
}
END_TEST

START_TEST(an_abandoned_page_is_retired_with_its_last_block) {
  mia_block *b[BLOCKS_OF_8K];
  fill(alice, b, BLOCKS_OF_8K, CLASS_8K);
  mia_theap_abandon(alice);
  for (int i = 0; i < BLOCKS_OF_8K; i++) {
    ck_assert_uint_eq(pages(CLASS_8K), 1);
    release(&mia_theap_all.none, b[i]);
  }
  nothing_is_left();
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

static void *leave_cached_page(void *arg) {
  mia_theap *self = mia_theap_attach();
  mia_block *b[BLOCKS_OF_8K + 1];
  fill(self, b, BLOCKS_OF_8K + 1, CLASS_8K);
  release(self, b[0]);
  mia_theap_flush_batches(self);
  for (int i = 1; i < BLOCKS_OF_8K; i++) release(self, b[i]);
  note(cached(self, CLASS_8K) != NULL);
  pthread_barrier_wait(arg);
  pthread_barrier_wait(arg);
  note(cached(self, CLASS_8K) == NULL);
  release(self, b[BLOCKS_OF_8K]);
  return NULL;
}

START_TEST(cached_pages_of_sleeping_threads_are_retired) {
  pthread_barrier_t barrier;
  pthread_t thread[2];
  pthread_barrier_init(&barrier, NULL, 3);
  for (int i = 0; i < 2; i++) pthread_create(&thread[i], NULL, leave_cached_page, &barrier);
  pthread_barrier_wait(&barrier);
  ck_assert_uint_eq(pages(CLASS_8K), 4);
  mia_theap_flush_all_caches(bob, &(mia_budget)MIA_BUDGET_ALL);
  ck_assert_uint_eq(pages(CLASS_8K), 2);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
  pthread_barrier_destroy(&barrier);
  need_nothing_noted();
  nothing_is_left();
}
END_TEST

/* ---- at random ---- */

static void stamp(void *p, size_t size, unsigned char with) {
  ((unsigned char *)p)[sizeof(mia_block)] = with;
  ((unsigned char *)p)[size - 1] = with;
}
static bool stamped(const void *p, size_t size, unsigned char with) {
  const unsigned char *bytes = p;
  return bytes[sizeof(mia_block)] == with && bytes[size - 1] == with;
}

START_TEST(three_theaps_lose_no_block) {
  const unsigned classes[] = {CLASS_16, CLASS_384, CLASS_8K, CLASS_32K};
  static mia_block *live[LIVE_MAX];
  uint64_t random = suite_random(1);
  size_t n = 0;
  for (int i = 0; i < TURNS; i++) {
    mia_theap *self = &theaps[random_below(&random, THEAPS)];
    size_t most = i / 2000 % 2 == 0 ? 8 : 4; /* grow, then shrink */
    if (n < LIVE_MAX && random_below(&random, 12) < most) {
      live[n] = alloc(self, classes[random_below(&random, 4)]);
      need_at(live[n] != NULL, i);
      stamp(live[n], page_of(live[n])->size, (unsigned char)((uintptr_t)live[n] >> 4));
      n++;
    } else if (n > 0) {
      size_t k = random_below(&random, n);
      mia_block *b = live[k];
      need_at(stamped(b, page_of(b)->size, (unsigned char)((uintptr_t)b >> 4)), i);
      live[k] = live[--n];
      release(self, b);
    }
    if (i % 997 == 0) mia_theap_collect(self);
    if (i % 3989 == 0) mia_theap_abandon(self);
    if (i % 61 == 0) need_at(holds(&theaps[0]) && holds(&theaps[1]) && holds(&theaps[2]), i);
  }
  while (n > 0) release(bob, live[--n]);
  for (int i = 0; i < THEAPS; i++) mia_theap_abandon(&theaps[i]);
  nothing_is_left();
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

static mia_aword slots[SLOTS];

static void *exchange(void *arg) {
  const unsigned classes[] = {CLASS_16, CLASS_384, CLASS_8K, CLASS_8K, CLASS_32K};
  unsigned me = (unsigned)(uintptr_t)arg;
  uint64_t random = suite_random(100 + me);
  mia_theap *self = mia_theap_attach();
  for (int i = 0; i < THREAD_TURNS; i++) {
    size_t k = random_below(&random, SLOTS);
    unsigned c = classes[k % 5];
    mia_block *b = NULL;
    if (random_below(&random, 2) == 0) {
      b = alloc(self, c);
      note(b != NULL && (owner(page_of(b)) == self || self->bins[c].from_magazine));
      stamp(b, mia_class_size(c), (unsigned char)k);
    }
    b = (void *)mia_aword_swap_acq_rel(&slots[k], (uintptr_t)b);
    if (b != NULL) {
      note(stamped(b, mia_class_size(c), (unsigned char)k));
      release(self, b);
    }
    if (i % 6000 == 0) mia_theap_collect(self);
    if (i % 7000 == 0) mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (i % 500 == 0) mia_theap_age_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
    if (i % 9000 == 0) {
      mia_theap_detach();
      self = mia_theap_attach();
    }
  }
  return NULL;
}

START_TEST(three_threads_lose_no_block) {
  memset(slots, 0, sizeof slots);
  run_threads(THREADS, exchange);
  for (size_t k = 0; k < SLOTS; k++) {
    void *b = (void *)mia_aword_get(&slots[k]);
    if (b != NULL) release(alice, b);
  }
  mia_theap_abandon(alice);
  nothing_is_left();
}
END_TEST

SUITE("theap/bin") {
  CASE(theaps_begin, world_end);
  TEST(collect_retires_empty_pages);
  TEST(collect_gives_up_the_page_in_use);
  TEST(abandoned_pages_are_reclaimed);
  TEST(an_abandoned_full_page_is_claimed_by_a_free);
  TEST(an_abandoned_page_is_retired_with_its_last_block);
  TEST(cached_pages_of_sleeping_threads_are_retired);
  TEST(three_theaps_lose_no_block);
  TEST(three_threads_lose_no_block);
}
