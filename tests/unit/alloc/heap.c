/* SPDX-License-Identifier: MIT */
/* Heaps that the program makes: which heap a block belongs to, and what ending a heap does. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/heap.h"
#include "page/owner.h"
#include "theap/bin.h"
#include "theap/clock.h"
#include "theap/heap_table.h"
#include "theap/page_cache.h"
#include "theap/theap.h"
#include "unit/suite.h"

#include <errno.h>
#include <pthread.h>

enum { BLOCKS = 4000, THREADS = 4, ROUNDS = 40, LARGE = 300000, HUGE_SIZE = 40 << 20 };

static size_t pages_now(void) {
  size_t pages = 0;
  for (unsigned i = 0; i < MIA_CLASS_KINDS; i++)
    pages += mia_aword_get(&mia_theap_all.pages[i].now);
  return pages;
}

static size_t size_of(unsigned i) { return (size_t)i * 7919 % 3000 + 1; }

static void fill(mia_heap *heap, void **blocks, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    blocks[i] = mia_alloc_heap_malloc(heap, size_of(i), false);
    ck_assert_ptr_nonnull(blocks[i]);
    memset(blocks[i], (int)i, size_of(i));
  }
}

static void check_and_free(void **blocks, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    const unsigned char *bytes = blocks[i];
    ck_assert(bytes[0] == (unsigned char)i && bytes[size_of(i) - 1] == (unsigned char)i);
    mia_alloc_free(blocks[i]);
  }
}

static void *blocks[BLOCKS];

START_TEST(blocks_know_their_heap) {
  mia_heap *heap = mia_alloc_heap_new(NULL);
  fill(heap, blocks, BLOCKS);
  void *mine = mia_alloc_slow(100, false);
  int on_stack;
  ck_assert(mia_alloc_heap_of(blocks[BLOCKS / 2]) == heap);
  ck_assert(mia_alloc_heap_of(mine) == mia_alloc_heap_main());
  ck_assert(mia_alloc_heap_of(&on_stack) == NULL);
  check_and_free(blocks, BLOCKS);
  mia_alloc_free(mine);
  mia_alloc_heap_delete(heap, mia_alloc_heap_main());
}
END_TEST

START_TEST(blocks_of_a_deleted_heap_stay_valid) {
  size_t before = pages_now();
  mia_heap *heap = mia_alloc_heap_new(NULL);
  fill(heap, blocks, BLOCKS);
  void *large = mia_alloc_heap_malloc(heap, LARGE, true);
  void *huge = mia_alloc_heap_malloc(heap, HUGE_SIZE, false);
  mia_alloc_heap_delete(heap, mia_alloc_heap_main());
  ck_assert(mia_alloc_heap_of(blocks[0]) == mia_alloc_heap_main());
  ck_assert(mia_alloc_heap_of(huge) == mia_alloc_heap_main());
  check_and_free(blocks, BLOCKS);
  mia_alloc_free(large);
  mia_alloc_free(huge);
  mia_alloc_heap_collect(mia_alloc_heap_main(), false);
  ck_assert_uint_le(pages_now(), before + MIA_CLASS_COUNT);
}
END_TEST

/* Loop test: deleted, destroyed. */
START_TEST(blocks_and_counts_move_to_the_given_heap) {
  mia_heap *heap = mia_alloc_heap_new(NULL);
  mia_heap *to = mia_alloc_heap_new(NULL);
  unsigned long long refilled[MIA_CLASS_KINDS] = {0}, sum = 0;
  fill(heap, blocks, BLOCKS);
  void *large = mia_alloc_heap_malloc(heap, LARGE, true);
  void *huge = mia_alloc_heap_malloc(heap, HUGE_SIZE, false);
  _i == 0 ? mia_alloc_heap_delete(heap, to) : mia_alloc_heap_destroy(heap, to);
  ck_assert(mia_alloc_heap_of(blocks[1]) == (_i == 0 ? to : NULL));
  ck_assert(mia_alloc_heap_of(large) == (_i == 0 ? to : NULL));
  ck_assert(mia_alloc_heap_of(huge) == (_i == 0 ? to : NULL));
  mia_theap_count_heaps(to, refilled);
  for (unsigned i = 0; i < MIA_CLASS_KINDS; i++) sum += refilled[i];
  ck_assert_uint_eq(sum, BLOCKS + 2);
  ck_assert_uint_eq(refilled[MIA_CLASS_LARGE], 1);
  ck_assert_uint_eq(refilled[MIA_CLASS_HUGE], 1);
  if (_i == 0) check_and_free(blocks, BLOCKS / 2);
  mia_alloc_heap_destroy(to, mia_alloc_heap_main());
  ck_assert_ptr_null(mia_alloc_heap_of(blocks[BLOCKS - 1]));
  ck_assert_ptr_null(mia_alloc_heap_of(huge));
}
END_TEST

START_TEST(destroying_a_heap_frees_its_blocks) {
  void *mine = mia_alloc_slow(100, false); /* so the thread has pages of the main heap */
  size_t before = pages_now();
  for (unsigned round = 0; round < ROUNDS; round++) {
    mia_heap *heap = mia_alloc_heap_new(NULL);
    fill(heap, blocks, BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i += 3) mia_alloc_free(blocks[i]);
    ck_assert_ptr_nonnull(mia_alloc_heap_malloc(heap, LARGE, false));
    ck_assert_ptr_nonnull(mia_alloc_heap_malloc(heap, HUGE_SIZE, false));
    ck_assert_uint_gt(pages_now(), before);
    mia_alloc_heap_destroy(heap, mia_alloc_heap_main());
    ck_assert_uint_eq(pages_now(), before);
    ck_assert(mia_alloc_heap_of(blocks[1]) == NULL);
  }
  mia_alloc_free(mine);
}
END_TEST

START_TEST(offsets_are_aligned) {
  mia_heap *heap = mia_alloc_heap_new(NULL);
  for (size_t align = 8; align <= 1 << 18; align *= 4) {
    for (size_t offset = 0; offset <= 2 * align; offset += align / 2 + 3) {
      char *p = mia_alloc_in(heap, 1000, align, offset, true);
      ck_assert_ptr_nonnull(p);
      ck_assert_uint_eq(((uintptr_t)p + offset) % align, 0);
      size_t usable = mia_alloc_usable(p);
      ck_assert_uint_ge(usable, 1000);
      for (size_t i = 0; i < usable; i++) ck_assert(p[i] == 0);
      memset(p, 1, usable);
      char *q = mia_alloc_resize_in(heap, p, 5000, align, offset, false);
      ck_assert_ptr_nonnull(q);
      ck_assert_uint_eq(((uintptr_t)q + offset) % align, 0);
      ck_assert(q[0] == 1 && q[999] == 1);
      mia_alloc_free(q);
    }
  }
  mia_alloc_heap_destroy(heap, mia_alloc_heap_main());
}
END_TEST

/* ---- threads ---- */

typedef struct shared {
  mia_heap *heap;
  bool destroy;
  pthread_barrier_t *barrier;
  void *blocks[THREADS][BLOCKS];
} shared;

typedef struct part {
  shared *all;
  unsigned index;
} part;

/* Each thread allocates its own blocks and frees half of its neighbour's. */
static void *work(void *arg) {
  const part *p = arg;
  void **own = p->all->blocks[p->index];
  void **other = p->all->blocks[(p->index + 1) % THREADS];
  fill(p->all->heap, own, BLOCKS);
  pthread_barrier_wait(p->all->barrier);
  for (unsigned i = 0; i < BLOCKS; i += 2) mia_alloc_free(other[i]);
  pthread_barrier_wait(p->all->barrier);
  return NULL;
}

static void run_threads(shared *all) {
  static part parts[THREADS];
  static pthread_barrier_t barrier;
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  all->barrier = &barrier;
  for (unsigned i = 0; i < THREADS; i++) {
    parts[i] = (part){all, i};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &parts[i]), 0);
  }
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  /* The threads end while the heap is destroyed. */
  if (all->destroy) mia_alloc_heap_destroy(all->heap, mia_alloc_heap_main());
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&barrier);
}

static shared all;

START_TEST(threads_share_a_heap) {
  all.heap = mia_alloc_heap_new(NULL);
  all.destroy = _i % 2 != 0;
  run_threads(&all);
  if (all.destroy) return;
  mia_alloc_heap_delete(all.heap, mia_alloc_heap_main());
  for (unsigned t = 0; t < THREADS; t++)
    for (unsigned i = 1; i < BLOCKS; i += 2) {
      const unsigned char *bytes = all.blocks[t][i];
      ck_assert(bytes[0] == (unsigned char)i && bytes[size_of(i) - 1] == (unsigned char)i);
      mia_alloc_free(all.blocks[t][i]);
    }
}
END_TEST

/* One thread frees the blocks of a heap while another deletes it, beginning with the page that the
 * deletion visits first. */
enum { DELETIONS = 200, SHARED = 96 };

typedef struct shared_blocks {
  pthread_barrier_t barrier;
  void *blocks[SHARED];
} shared_blocks;

static size_t shared_size(unsigned i) { return i % 4 == 3 ? size_of(i) : 33000 + i % 3 * 90000; }

static void *free_shared_blocks(void *arg) {
  shared_blocks *l = arg;
  for (unsigned round = 0; round < DELETIONS; round++) {
    pthread_barrier_wait(&l->barrier);
    for (unsigned i = SHARED; i-- > 0;) mia_alloc_free(l->blocks[i]);
    pthread_barrier_wait(&l->barrier);
  }
  return NULL;
}

START_TEST(blocks_are_freed_while_their_heap_is_deleted) {
  static shared_blocks l;
  pthread_t thread;
  pthread_barrier_init(&l.barrier, NULL, 2);
  ck_assert_int_eq(pthread_create(&thread, NULL, free_shared_blocks, &l), 0);
  size_t before = pages_now();
  for (unsigned round = 0; round < DELETIONS; round++) {
    mia_heap *heap = mia_alloc_heap_new(NULL);
    for (unsigned i = 0; i < SHARED; i++) {
      l.blocks[i] = mia_alloc_heap_malloc(heap, shared_size(i), false);
      need(l.blocks[i] != NULL);
      memset(l.blocks[i], (int)i, 100 < shared_size(i) ? 100 : shared_size(i));
    }
    pthread_barrier_wait(&l.barrier);
    mia_alloc_heap_delete(heap, mia_alloc_heap_main());
    pthread_barrier_wait(&l.barrier);
  }
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&l.barrier);
  mia_theap_flush_all_caches(mia_theap_self, &(mia_budget)MIA_BUDGET_ALL);
  need(pages_now() <= before + MIA_CLASS_COUNT);
}
END_TEST

/* Does what a thread that deletes the heap does, and frees the block between two of its steps.
 * Loop test: a large block, a huge one. */
START_TEST(a_block_is_freed_while_its_page_is_claimed) {
  mia_heap *heap = mia_alloc_heap_new(NULL);
  mia_theap_flush_all_caches(mia_theap_self, &(mia_budget)MIA_BUDGET_ALL);
  size_t before = pages_now();
  for (unsigned round = 0; round < 2; round++) {
    void *p = mia_alloc_heap_malloc(heap, _i == 0 ? LARGE : HUGE_SIZE, false);
    ck_assert_ptr_nonnull(p);
    mia_page *page = mia_page_of(p);
    ck_assert(mia_owner_claim(page));
    if (round > 0) mia_page_collect(page);
    mia_alloc_free(p);
    ck_assert_uint_eq(pages_now(), before + 1);
    mia_theap_dispose_page(mia_theap_self, page, false);
    ck_assert_uint_eq(pages_now(), before);
    ck_assert_ptr_null(mia_page_of(p));
  }
  mia_alloc_heap_delete(heap, mia_alloc_heap_main());
}
END_TEST

START_TEST(heap_structures_are_used_again) {
  mia_heap *first = mia_alloc_heap_new(NULL);
  mia_alloc_free(mia_alloc_heap_malloc(first, 10, false));
  mia_alloc_heap_delete(first, mia_alloc_heap_main());
  mia_heap *second = mia_alloc_heap_new(NULL);
  ck_assert_ptr_eq(first, second);
  void *p = mia_alloc_heap_malloc(second, 10, false);
  ck_assert(mia_alloc_heap_of(p) == second);
  mia_alloc_heap_destroy(second, mia_alloc_heap_main());
}
END_TEST

START_TEST(many_heaps_at_once) {
  enum { HEAPS = 100 };
  static mia_heap *heaps[HEAPS];
  static void *p[HEAPS];
  for (unsigned i = 0; i < HEAPS; i++) {
    heaps[i] = mia_alloc_heap_new(NULL);
    p[i] = mia_alloc_heap_malloc(heaps[i], 100, true);
    ck_assert_ptr_nonnull(p[i]);
  }
  for (unsigned i = 0; i < HEAPS; i++) ck_assert(mia_alloc_heap_of(p[i]) == heaps[i]);
  for (unsigned i = 0; i < HEAPS; i++)
    i % 2 == 0 ? mia_alloc_heap_delete(heaps[i], mia_alloc_heap_main())
               : mia_alloc_heap_destroy(heaps[i], mia_alloc_heap_main());
  for (unsigned i = 0; i < HEAPS; i += 2) mia_alloc_free(p[i]);
}
END_TEST

/* ---- walking ---- */

typedef struct visits {
  size_t areas, blocks, used;
  bool known[BLOCKS];
} visits;

static bool note_visit(mia_heap *heap, const mia_area *area, void *block, size_t size, void *arg) {
  visits *s = arg;
  (void)heap;
  if (block == NULL || !MIA_DEBUG) ck_assert_uint_eq(size, area->block_size);
  if (block != NULL) ck_assert_uint_eq(size, mia_alloc_usable(block));
  if (block == NULL) {
    s->areas++;
    s->used += area->used;
    return true;
  }
  s->blocks++;
  for (unsigned i = 0; i < BLOCKS; i++)
    if (blocks[i] == block) s->known[i] = true;
  return s->blocks < BLOCKS;
}

START_TEST(walk_sees_each_live_block) {
  enum { COUNT = 1000 };
  static visits s;
  mia_heap *heap = _i == 0 ? mia_alloc_heap_new(NULL) : mia_alloc_heap_main();
  memset(&s, 0, sizeof s);
  memset(blocks, 0, sizeof blocks);
  fill(heap, blocks, COUNT);
  blocks[COUNT] = mia_alloc_heap_malloc(heap, LARGE, false);
  blocks[COUNT + 1] = mia_alloc_heap_malloc(heap, HUGE_SIZE, false);
  for (unsigned i = 0; i < COUNT; i += 3) {
    mia_alloc_free(blocks[i]);
    blocks[i] = NULL;
  }
  ck_assert(mia_alloc_heap_visit(heap, true, note_visit, &s));
  size_t live = 0;
  for (unsigned i = 0; i < COUNT + 2; i++) {
    ck_assert(s.known[i] == (blocks[i] != NULL));
    live += blocks[i] != NULL;
  }
  ck_assert_uint_eq(s.blocks, live);
  ck_assert_uint_eq(s.used, live);
  ck_assert_uint_gt(s.areas, 2);
  for (unsigned i = 0; i < COUNT + 2; i++) mia_alloc_free(blocks[i]);
  if (_i == 0) mia_alloc_heap_delete(heap, mia_alloc_heap_main());
}
END_TEST

/* So that the thread comes to give back the memory. */
START_TEST(pages_of_an_ended_heap_request_a_tick) {
  mia_heap *heap = mia_alloc_heap_new(NULL);
  fill(heap, blocks, BLOCKS);
  check_and_free(blocks, BLOCKS);
  size_t before = pages_now();
  (void)mia_theap_end_tick(mia_theap_self, 0, 0, false);
  if (_i == 0)
    mia_alloc_heap_delete(heap, mia_alloc_heap_main());
  else
    mia_alloc_heap_destroy(heap, mia_alloc_heap_main());
  ck_assert(pages_now() < before && mia_theap_self->clock.requested &&
            mia_clock_count_down(mia_theap_self));
}
END_TEST

SUITE("alloc/heap") {
  CASE(NULL, NULL);
  TEST(blocks_know_their_heap);
  TEST(blocks_of_a_deleted_heap_stay_valid);
  LOOP(blocks_and_counts_move_to_the_given_heap, 0, 2);
  TEST(destroying_a_heap_frees_its_blocks);
  TEST(offsets_are_aligned);
  TEST(blocks_are_freed_while_their_heap_is_deleted);
  LOOP(a_block_is_freed_while_its_page_is_claimed, 0, 2);
  LOOP(pages_of_an_ended_heap_request_a_tick, 0, 2);
  TEST(heap_structures_are_used_again);
  TEST(many_heaps_at_once);
  CASE(NULL, NULL);
  LOOP(threads_share_a_heap, 0, 8);
  LOOP(walk_sees_each_live_block, 0, 2);
}
