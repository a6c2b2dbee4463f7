/* history.c -- memory that is promised to be zero is zero, whatever it was used for before.
 *
 * A history is a long random sequence of calls that allocate, resize and free blocks of all
 * sizes.  Every usable byte of every block is overwritten.  If the library ever forgets that
 * memory is dirty, a later block that must be zero shows it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <mialloc/heap.h>
#include <pthread.h>
#include <sys/mman.h>

enum { SLOTS = 48, SEEDS = 16 };

#define SLICE (64 * KIB)
#define LIVE_MAX (48 * MIB) /* live bytes of one history */
#define ARENA (24 * MIB)

/* A block; its address is odd only if its offset is. */
typedef struct block {
  unsigned char *p;
  size_t usable;
  size_t align;
  size_t offset;
  unsigned char fill;
} block;

/* The state of one thread. */
typedef struct history {
  uint64_t random;
  mia_heap *heap; /* NULL: calls without a heap argument */
  bool may_fail;  /* the arena is small, so requests may fail */
  size_t live;
  block blocks[SLOTS];
} history;

static size_t below(history *h, size_t limit) { return random_below(&h->random, limit); }

/* Every kind of page, and sizes near the borders between the kinds. */
static size_t any_size(history *h) {
  size_t what = below(h, 64);
  if (what == 0) return 8 * MIB + below(h, 25 * MIB); /* some are huge */
  if (what < 4) return 1 + below(h, 4 * MIB);
  if (what < 20) return 32 * KIB + below(h, MIB);
  if (what < 36) return 16 * KIB + below(h, 112 * KIB);
  return random_size(&h->random, 15);
}

/* A little less or more, so that the rest of a slice is left over; much more, so that the
 * block moves; or any size. */
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

/* Overwrites every usable byte. */
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

/* A block is written, shrinks a little, and grows so much that it moves and takes its OS
 * pages along.  The rest of its last slice, which it left behind, is then dirty but belongs to
 * no page.  Loop index: how much it shrinks, in units of 4 KiB. */
START_TEST(zero_after_a_block_moved_out_of_its_arena) {
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

static history new_history(unsigned seed) { return (history){.random = seed * PATTERN_STEP}; }

enum { STEPS = 250, STEPS_OF_EACH_THREAD = 125, STEPS_IN_ARENA = 250, EMULATED_PART = 4 };

/* Under an emulator a step takes some ten times as long. */
static void run_steps(history *h, int steps) {
  run(h, getenv("TEST_EMULATOR") != NULL ? steps / EMULATED_PART : steps);
}

/* Loop index: the seed. */
START_TEST(zero_in_one_thread) {
  static history h;
  h = new_history((unsigned)_i);
  run_steps(&h, STEPS);
  need_nothing_noted();
}
END_TEST

START_TEST(zero_in_one_thread_with_a_new_seed) {
  static history h;
  h = (history){.random = suite_random(1)};
  run_steps(&h, STEPS);
  need_nothing_noted();
}
END_TEST

START_TEST(zero_in_a_heap) {
  static history h;
  h = new_history((unsigned)_i);
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

static void *run_in_thread(void *arg) {
  run_steps(arg, STEPS_OF_EACH_THREAD);
  return NULL;
}

START_TEST(zero_in_two_threads) {
  static history h[2];
  pthread_t thread;
  for (unsigned i = 0; i < 2; i++) h[i] = new_history(2 * (unsigned)_i + i);
  ck_assert_int_eq(pthread_create(&thread, NULL, run_in_thread, &h[1]), 0);
  run_steps(&h[0], STEPS_OF_EACH_THREAD);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  need_nothing_noted();
}
END_TEST

/* Whether the program's commit function returns zeroed memory, and how often it was called. */
typedef struct commit_state {
  bool zeroes;
  size_t calls;
} commit_state;

static bool commit(bool wanted, void *start, size_t size, bool *zero, void *arg) {
  commit_state *k = arg;
  k->calls++;
  if (!wanted || k->zeroes) memset(start, wanted ? 0 : 0xee, size);
  if (wanted) *zero = k->zeroes;
  return true;
}

/* Bits of the loop index: properties of the external memory. */
enum { IS_ZERO = 1, IS_COMMITTED = 2, HAS_COMMIT = 4, ZEROES_ON_COMMIT = 8, COMBINATIONS = 16 };

START_TEST(zero_in_an_external_arena) {
  static history h;
  static commit_state k;
  mia_arena *arena = NULL;
  bool zero = (_i & IS_ZERO) != 0;
  /* Without a commit function nothing is zeroed. */
  if ((_i & ZEROES_ON_COMMIT) != 0 && (_i & HAS_COMMIT) == 0) return;
  char *start = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(start != MAP_FAILED);
  if (!zero) memset(start, 0x77, ARENA);
  k = (commit_state){.zeroes = (_i & ZEROES_ON_COMMIT) != 0};
  ck_assert(mia_manage_memory(start, ARENA,
                              (((_i & IS_COMMITTED) != 0) ? MIA_ARENA_IS_COMMITTED : 0) |
                                  (zero ? MIA_ARENA_IS_ZEROED : 0) | MIA_ARENA_IS_EXCLUSIVE,
                              (_i & HAS_COMMIT) != 0 ? commit : NULL, &k, &arena) == 0);
  h = new_history((unsigned)_i);
  h.heap = mia_heap_new_in_arena(arena);
  h.may_fail = true;
  ck_assert_ptr_nonnull(h.heap);
  run_steps(&h, STEPS_IN_ARENA);
  ck_assert((_i & HAS_COMMIT) == 0 || k.calls > 0);
  mia_heap_destroy(h.heap);
  need_nothing_noted();
}
END_TEST

SUITE("api/history") {
  CASE(NULL, NULL);
  LOOP(zero_after_a_block_moved_out_of_its_arena, 0, 16);
  LOOP(zero_in_one_thread, 0, SEEDS);
  TEST(zero_in_one_thread_with_a_new_seed);
  LOOP(zero_in_a_heap, 0, 2);
  LOOP(zero_in_two_threads, 0, 2);
  LOOP(zero_in_an_external_arena, 0, COMBINATIONS);
}
