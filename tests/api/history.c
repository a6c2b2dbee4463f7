/* history.c -- whatever became of memory before, what is promised to be zero is.
 *
 * A history is a long sequence of calls that take, resize and free blocks of all
 * kinds of sizes.  Whatever a block is allowed to hold is filled, so that memory of
 * which anybody forgot that it was written shows in a later block that is to be zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <mialloc/heap.h>
#include <pthread.h>
#include <sys/mman.h>

enum { SLOTS = 48, SEEDS = 16 };

#define SLICE (64 * KIB)
#define LIVE_MAX (48 * MIB) /* of one history */
#define ARENA (24 * MIB)

/* At an odd address only where it is asked for. */
typedef struct block {
  unsigned char *p;
  size_t usable;
  size_t align;
  size_t offset;
  unsigned char fill;
} block;

/* Of one thread. */
typedef struct history {
  uint64_t random;
  mia_heap *heap; /* NULL: the functions that name none */
  bool may_fail;  /* its memory is not all there is */
  size_t live;
  block blocks[SLOTS];
} history;

static size_t below(history *h, size_t limit) { return random_below(&h->random, limit); }

/* Each kind of page, and what is near the borders between them. */
static size_t any_size(history *h) {
  size_t what = below(h, 64);
  if (what == 0) return 8 * MIB + below(h, 25 * MIB); /* some are mappings of their own */
  if (what < 4) return 1 + below(h, 4 * MIB);
  if (what < 20) return 32 * KIB + below(h, MIB);
  if (what < 36) return 16 * KIB + below(h, 112 * KIB);
  return random_size(&h->random, 15);
}

/* A little more or less, so that what is left is part of a slice; enough more to go
 * elsewhere; anything. */
static size_t other_size(history *h, const block *b) {
  size_t less = below(h, SLICE);
  switch (below(h, 8)) {
  case 0:
  case 1:
  case 2:
    return b->usable > less ? b->usable - less : 1;
  case 3:
    return b->usable + less;
  case 4:
    return 8 * MIB + below(h, 2 * MIB);
  case 5:
    return b->usable / 2 + 1;
  default:
    return any_size(h);
  }
}

static size_t any_align(history *h) { return (size_t)1 << (3 + below(h, 15)); }

/* ---- calls ---- */

static void *take(history *h, block *b, size_t size) {
  mia_heap *heap = h->heap;
  if (b->offset > 0)
    return heap != NULL ? mia_heap_malloc_aligned_at(heap, size, b->align, b->offset)
                        : mia_malloc_aligned_at(size, b->align, b->offset);
  if (b->align > 1)
    return heap != NULL ? mia_heap_malloc_aligned(heap, size, b->align)
                        : mia_malloc_aligned(size, b->align);
  return heap != NULL ? mia_heap_malloc(heap, size) : mia_malloc(size);
}

static void *take_zero(history *h, block *b, size_t size) {
  mia_heap *heap = h->heap;
  bool count = below(h, 2) == 0;
  if (b->offset > 0 && count)
    return heap != NULL ? mia_heap_calloc_aligned_at(heap, 1, size, b->align, b->offset)
                        : mia_calloc_aligned_at(1, size, b->align, b->offset);
  if (b->offset > 0)
    return heap != NULL ? mia_heap_zalloc_aligned_at(heap, size, b->align, b->offset)
                        : mia_zalloc_aligned_at(size, b->align, b->offset);
  if (b->align > 1 && count)
    return heap != NULL ? mia_heap_calloc_aligned(heap, size, 1, b->align)
                        : mia_calloc_aligned(size, 1, b->align);
  if (b->align > 1)
    return heap != NULL ? mia_heap_zalloc_aligned(heap, size, b->align)
                        : mia_zalloc_aligned(size, b->align);
  if (count) return heap != NULL ? mia_heap_calloc(heap, 1, size) : mia_calloc(1, size);
  return heap != NULL ? mia_heap_zalloc(heap, size) : mia_zalloc(size);
}

static void *resize(history *h, const block *b, size_t size) {
  mia_heap *heap = h->heap;
  if (b->offset > 0)
    return heap != NULL ? mia_heap_realloc_aligned_at(heap, b->p, size, b->align, b->offset)
                        : mia_realloc_aligned_at(b->p, size, b->align, b->offset);
  if (b->align > 1)
    return heap != NULL ? mia_heap_realloc_aligned(heap, b->p, size, b->align)
                        : mia_realloc_aligned(b->p, size, b->align);
  return heap != NULL ? mia_heap_realloc(heap, b->p, size) : mia_realloc(b->p, size);
}

static void *resize_zero(history *h, const block *b, size_t size) {
  mia_heap *heap = h->heap;
  bool count = below(h, 2) == 0;
  if (b->offset > 0 && count)
    return heap != NULL ? mia_heap_recalloc_aligned_at(heap, b->p, 1, size, b->align, b->offset)
                        : mia_recalloc_aligned_at(b->p, 1, size, b->align, b->offset);
  if (b->offset > 0)
    return heap != NULL ? mia_heap_rezalloc_aligned_at(heap, b->p, size, b->align, b->offset)
                        : mia_rezalloc_aligned_at(b->p, size, b->align, b->offset);
  if (b->align > 1 && count)
    return heap != NULL ? mia_heap_recalloc_aligned(heap, b->p, size, 1, b->align)
                        : mia_recalloc_aligned(b->p, size, 1, b->align);
  if (b->align > 1)
    return heap != NULL ? mia_heap_rezalloc_aligned(heap, b->p, size, b->align)
                        : mia_rezalloc_aligned(b->p, size, b->align);
  if (count)
    return heap != NULL ? mia_heap_recalloc(heap, b->p, 1, size) : mia_recalloc(b->p, 1, size);
  return heap != NULL ? mia_heap_rezalloc(heap, b->p, size) : mia_rezalloc(b->p, size);
}

/* ---- one step ---- */

static bool is_filled(const block *b, size_t size) {
  return size == 0 || (b->p[0] == b->fill && memcmp(b->p, b->p + 1, size - 1) == 0);
}

/* From here on the block may hold anything wherever a program may write. */
static void fill(history *h, block *b) {
  h->live -= b->usable;
  b->usable = mia_usable_size(b->p);
  h->live += b->usable;
  b->fill = (unsigned char)(1 + below(h, 255));
  memset(b->p, b->fill, b->usable);
}

static void drop(history *h, block *b) {
  note(is_filled(b, b->usable));
  mia_free(b->p);
  h->live -= b->usable;
  *b = (block){0};
}

static void begin(history *h, block *b, size_t size) {
  bool zero = below(h, 3) > 0;
  b->align = below(h, 4) == 0 ? any_align(h) : 1;
  b->offset = b->align > 1 && below(h, 3) == 0 ? 1 + below(h, b->align) : 0;
  b->p = launder(zero ? take_zero(h, b, size) : take(h, b, size));
  note(b->p != NULL || h->may_fail);
  if (b->p == NULL) return;
  note(!zero || all_zero(b->p, mia_usable_size(b->p)));
  fill(h, b);
}

static void change(history *h, block *b, size_t size) {
  bool zero = below(h, 2) == 0;
  size_t kept = size < b->usable ? size : b->usable;
  unsigned char *p = launder(zero ? resize_zero(h, b, size) : resize(h, b, size));
  note(p != NULL || h->may_fail);
  if (p == NULL) return;
  b->p = p;
  note(is_filled(b, kept));
  note(!zero || all_zero(p + kept, mia_usable_size(p) - kept));
  fill(h, b);
}

static void expand(history *h, block *b) {
  if (mia_expand(b->p, b->usable + below(h, 2 * SLICE)) == NULL) return;
  note(is_filled(b, b->usable));
  fill(h, b);
}

static void tidy(history *h) {
  if (below(h, 3) == 0)
    mia_collect(true);
  else
    (void)mia_purge();
}

static void step(history *h) {
  block *b = &h->blocks[below(h, SLOTS)];
  size_t what = below(h, 64);
  if (what % 16 == 0) tidy(h);
  if (b->p == NULL)
    begin(h, b, any_size(h));
  else if (h->live > LIVE_MAX || what < 24)
    drop(h, b);
  else if (what < 30)
    expand(h, b);
  else
    change(h, b, other_size(h, b));
}

static void run(history *h, int steps) {
  for (int i = 0; i < steps; i++) step(h);
  for (int i = 0; i < SLOTS; i++)
    if (h->blocks[i].p != NULL) drop(h, &h->blocks[i]);
}

/* A block is written, gets a little shorter, and grows so much that it goes elsewhere
 * and takes its OS pages along: what it left behind in its last slice is of no page
 * any more.  Loop test: how much shorter, in OS pages of 4 KiB. */
START_TEST(of_a_block_that_left_its_arena) {
  enum { COUNT = 160, SMALL = 2000 };
  static void *blocks[COUNT + SMALL];
  const size_t size = 7 * MIB;
  unsigned char *p = launder(mia_malloc(size));
  need(p != NULL);
  memset(p, 0x77, mia_usable_size(p));
  void *wall = launder(mia_malloc(3 * SLICE));
  p = launder(mia_realloc(p, size - (size_t)_i * 4 * KIB));
  p = launder(mia_realloc(p, 2 * size));
  need(wall != NULL && p != NULL && p[0] == 0x77);
  for (int i = 0; i < COUNT + SMALL; i++) {
    blocks[i] = launder(mia_calloc(1, i < COUNT ? 60 * KIB : 100));
    need_at(blocks[i] != NULL && all_zero(blocks[i], mia_usable_size(blocks[i])), i);
  }
  for (int i = 0; i < COUNT + SMALL; i++) mia_free(blocks[i]);
  mia_free(wall);
  mia_free(p);
}
END_TEST

/* ---- where the memory comes from ---- */

static history begun(unsigned seed) { return (history){.random = seed * PATTERN_STEP}; }

enum { STEPS = 400, STEPS_BESIDE = 200, STEPS_IN_ARENA = 400, EMULATED_PART = 4 };

/* An emulator takes some ten times as long for each of them. */
static void run_steps(history *h, int steps) {
  run(h, getenv("TEST_EMULATOR") != NULL ? steps / EMULATED_PART : steps);
}

/* Loop test: the seed. */
START_TEST(of_a_thread) {
  static history h;
  h = begun((unsigned)_i);
  run_steps(&h, STEPS);
  need_nothing_noted();
}
END_TEST

START_TEST(of_a_thread_that_was_never_before) {
  static history h;
  h = (history){.random = suite_random(1)};
  run_steps(&h, STEPS);
  need_nothing_noted();
}
END_TEST

START_TEST(of_a_heap) {
  static history h;
  h = begun((unsigned)_i);
  for (int round = 0; round < 3; round++) {
    h.heap = mia_heap_new();
    run_steps(&h, STEPS / 3);
    if (round % 2 == 0)
      mia_heap_delete(h.heap);
    else
      mia_heap_destroy(h.heap);
  }
  need_nothing_noted();
}
END_TEST

static void *run_beside(void *arg) {
  run_steps(arg, STEPS_BESIDE);
  return NULL;
}

START_TEST(of_two_threads) {
  static history h[2];
  pthread_t thread;
  for (unsigned i = 0; i < 2; i++) h[i] = begun(2 * (unsigned)_i + i);
  ck_assert_int_eq(pthread_create(&thread, NULL, run_beside, &h[1]), 0);
  run_steps(&h[0], STEPS_BESIDE);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  need_nothing_noted();
}
END_TEST

/* What a program does to memory that is not needed, and what it says of it later. */
typedef struct keeper {
  bool zeroes;
  size_t calls;
} keeper;

static bool commit(bool wanted, void *start, size_t size, bool *zero, void *arg) {
  keeper *k = arg;
  k->calls++;
  if (!wanted || k->zeroes) memset(start, wanted ? 0 : 0xee, size);
  if (wanted) *zero = k->zeroes;
  return true;
}

/* Loop test: what is brought. */
enum { ZERO = 1, COMMITTED = 2, KEPT = 4, ZEROES = 8, BROUGHT = 16 };

START_TEST(of_memory_that_was_brought) {
  static history h;
  static keeper k;
  mia_arena *arena = NULL;
  bool zero = (_i & ZERO) != 0;
  if ((_i & ZEROES) != 0 && (_i & KEPT) == 0) return; /* nobody would ask */
  char *start = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(start != MAP_FAILED);
  if (!zero) memset(start, 0x77, ARENA);
  k = (keeper){.zeroes = (_i & ZEROES) != 0};
  ck_assert(mia_manage_memory(start, ARENA, (_i & COMMITTED) != 0, false, zero, -1, true,
                              (_i & KEPT) != 0 ? commit : NULL, &k, &arena));
  h = begun((unsigned)_i);
  h.heap = mia_heap_new_in_arena(arena);
  h.may_fail = true;
  ck_assert_ptr_nonnull(h.heap);
  run_steps(&h, STEPS_IN_ARENA);
  ck_assert((_i & KEPT) == 0 || k.calls > 0);
  mia_heap_destroy(h.heap);
  need_nothing_noted();
}
END_TEST

SUITE("api/history") {
  CASE(NULL, NULL);
  LOOP(of_a_block_that_left_its_arena, 0, 16);
  LOOP(of_a_thread, 0, SEEDS);
  TEST(of_a_thread_that_was_never_before);
  LOOP(of_a_heap, 0, 2);
  LOOP(of_two_threads, 0, 2);
  LOOP(of_memory_that_was_brought, 0, BROUGHT);
  TIMEOUT(60);
}
