/* heap.c -- heaps and sub-processes: which heap a block belongs to, and what happens to the
 * blocks when a heap ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/threads.h"

#include "../address.h"

#include <errno.h>
#include <limits.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <unistd.h>

enum { BLOCKS = 3000, THREADS = 4 };

static const size_t sizes[] = {0,    1,     8,     24,     100,     1000,
                               5000, 30000, 40000, 300000, 3 << 20, 33 << 20};
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

/* ---- every allocating function ---- */

static bool fits(mia_heap *heap, void *p, size_t size, size_t alignment, size_t offset) {
  return p != NULL && mia_heap_of(p) == heap && mia_heap_contains(heap, p) &&
         mia_usable_size(p) >= size && is_aligned((char *)p + offset, alignment);
}

static bool is_zero(const void *p) { return all_zero(p, mia_usable_size(p)); }

/* Loop index: the size. */
START_TEST(every_function_allocates_from_its_heap) {
  size_t n = sizes[_i];
  size_t a = opaque(256), at = 40;
  mia_heap *h = mia_heap_new();
  for (int round = 0; round < (n > MIB ? 2 : 3); round++) {
    void *any[] = {mia_heap_malloc(h, n), mia_heap_mallocn(h, n, 1)};
    void *zero[] = {mia_heap_zalloc(h, n), mia_heap_calloc(h, 1, n), mia_heap_rezalloc(h, NULL, n),
                    mia_heap_recalloc(h, NULL, n, 1)};
    void *aligned[] = {mia_heap_malloc_aligned(h, n, a), mia_heap_zalloc_aligned(h, n, a),
                       mia_heap_calloc_aligned(h, 1, n, a)};
    void *offset[] = {mia_heap_malloc_aligned_at(h, n, a, at),
                      mia_heap_zalloc_aligned_at(h, n, a, at),
                      mia_heap_calloc_aligned_at(h, n, 1, a, at)};
    for (int i = 0; i < 2; i++) need_at(fits(h, launder(any[i]), n, 1, 0), i);
    for (int i = 0; i < 4; i++) need_at(fits(h, launder(zero[i]), n, 1, 0) && is_zero(zero[i]), i);
    for (int i = 0; i < 3; i++) {
      need_at(fits(h, launder(aligned[i]), n, a, 0), i);
      need_at(fits(h, launder(offset[i]), n, a, at), i);
      need_at(i == 0 || (is_zero(aligned[i]) && is_zero(offset[i])), i);
      memset(aligned[i], 1, mia_usable_size(aligned[i]));
      memset(offset[i], 1, mia_usable_size(offset[i]));
      mia_free(aligned[i]);
      mia_free(offset[i]);
    }
    for (int i = 0; i < 2; i++) mia_free(memset(any[i], 1, mia_usable_size(any[i])));
    for (int i = 0; i < 4; i++) mia_free(memset(zero[i], 1, mia_usable_size(zero[i])));
  }
  mia_heap_delete(h);
}
END_TEST

/* Loop index: the old size. */
START_TEST(every_function_resizes) {
  size_t from = sizes[_i], a = opaque(128);
  mia_heap *h = mia_heap_new();
  for (int i = 0; i < SIZES; i++) {
    size_t to = sizes[i], kept = from < to ? from : to;
    char *p = launder(mia_heap_zalloc(h, from));
    pattern_fill(p, from, 1);
    switch (i % 4) {
    case 0:
      p = mia_heap_realloc(h, p, to);
      break;
    case 1:
      p = mia_heap_reallocarray(h, p, 1, to);
      break;
    case 2:
      p = mia_heap_reallocf(h, p, to);
      break;
    default:
      p = mia_heap_realloc_aligned(h, p, to, a);
      break;
    }
    p = launder(p);
    need_at(fits(h, p, to, i % 4 == 3 ? a : 1, 0) && pattern_holds(p, kept, 1), to);
    mia_free(p);
    p = launder(mia_heap_zalloc(h, from));
    pattern_fill(p, from, 2);
    switch (i % 4) {
    case 0:
      p = mia_heap_rezalloc(h, p, to);
      break;
    case 1:
      p = mia_heap_recalloc(h, p, to, 1);
      break;
    case 2:
      p = mia_heap_rezalloc_aligned(h, p, to, a);
      break;
    default:
      p = mia_heap_recalloc_aligned(h, p, 1, to, a);
      break;
    }
    p = launder(p);
    need_at(fits(h, p, to, i % 4 >= 2 ? a : 1, 0) && pattern_holds(p, kept, 2), to);
    need_at(all_zero(p + kept, mia_usable_size(p) - kept), to);
    mia_free(p);
  }
  mia_heap_destroy(h);
}
END_TEST

/* Loop index: the old size. */
START_TEST(offsets_stay_aligned) {
  size_t from = sizes[_i], a = opaque(512), at = 24;
  mia_heap *h = mia_heap_new();
  for (int i = 0; i < SIZES; i++) {
    size_t to = sizes[i], kept = from < to ? from : to;
    char *p = launder(mia_heap_zalloc_aligned_at(h, from, a, at));
    pattern_fill(p, from, 3);
    p = launder(mia_heap_realloc_aligned_at(h, p, to, a, at));
    need_at(fits(h, p, to, a, at) && pattern_holds(p, kept, 3), to);
    mia_free(p);
    p = launder(mia_heap_zalloc_aligned_at(h, from, a, at));
    pattern_fill(p, from, 4);
    p = launder(i % 2 == 0 ? mia_heap_rezalloc_aligned_at(h, p, to, a, at)
                           : mia_heap_recalloc_aligned_at(h, p, to, 1, a, at));
    need_at(fits(h, p, to, a, at) && pattern_holds(p, kept, 4), to);
    need_at(all_zero(p + kept, mia_usable_size(p) - kept), to);
    mia_free(p);
    p = launder(mia_malloc_aligned_at(from, a, at));
    char *q = launder(mia_calloc_aligned_at(from, 1, a, at));
    char *r = launder(mia_zalloc_aligned_at(from, a, at));
    need_at(is_aligned(p + at, a) && is_aligned(q + at, a) && is_aligned(r + at, a), from);
    need_at(is_zero(q) && is_zero(r), from);
    pattern_fill(p, from, 5);
    p = launder(mia_realloc_aligned_at(p, to, a, at));
    q = launder(mia_rezalloc_aligned_at(q, to, a, at));
    r = launder(mia_recalloc_aligned_at(r, to, 1, a, at));
    need_at(is_aligned(p + at, a) && is_aligned(q + at, a) && is_aligned(r + at, a), from);
    need_at(pattern_holds(p, kept, 5) && is_zero(q) && is_zero(r), from);
    mia_free(p);
    mia_free(q);
    mia_free(r);
  }
  mia_heap_delete(h);
}
END_TEST

START_TEST(strings_and_new) {
  mia_heap *h = mia_heap_new();
  char *p = launder(mia_heap_strdup(h, "text"));
  char *q = launder(mia_heap_strndup(h, "text", 2));
  char *r = launder(mia_heap_realpath(h, "/.", NULL));
  ck_assert_str_eq(p, "text");
  ck_assert_str_eq(q, "te");
  ck_assert_str_eq(r, "/");
  void *n = launder(mia_heap_alloc_new(h, 50));
  void *m = launder(mia_heap_alloc_new_n(h, 50, 3));
  ck_assert(fits(h, p, 5, 1, 0) && fits(h, q, 3, 1, 0) && fits(h, r, 2, 1, 0));
  ck_assert(fits(h, n, 50, 1, 0) && fits(h, m, 150, 1, 0));
  mia_heap_destroy(h);
}
END_TEST

START_TEST(invalid_requests_are_refused) {
  mia_heap *h = mia_heap_new();
  size_t huge = opaque(SIZE_MAX / 2 + 2);
  errno = 0;
  ck_assert_ptr_null(mia_heap_malloc(h, huge));
  ck_assert_int_eq(errno, ENOMEM);
  ck_assert_ptr_null(mia_heap_zalloc(h, huge));
  ck_assert_ptr_null(mia_heap_calloc(h, huge, 2));
  ck_assert_ptr_null(mia_heap_mallocn(h, huge, 2));
  ck_assert_ptr_null(mia_heap_calloc_aligned(h, huge, 2, 8));
  ck_assert_ptr_null(mia_heap_malloc_aligned(h, 10, huge));
  errno = 0;
  ck_assert_ptr_null(mia_heap_malloc_aligned(h, 10, opaque(24)));
  ck_assert_int_eq(errno, EINVAL);
  ck_assert_ptr_null(mia_heap_malloc_aligned_at(h, 10, opaque(0), 3));
  char *p = launder(mia_heap_malloc(h, 100));
  pattern_fill(p, 100, 9);
  ck_assert_ptr_null(mia_heap_realloc(h, p, huge));
  ck_assert_ptr_null(mia_heap_reallocarray(h, p, huge, 2));
  ck_assert_ptr_null(mia_heap_recalloc(h, p, huge, 2));
  ck_assert_ptr_null(mia_heap_rezalloc(h, p, huge));
  ck_assert(pattern_holds(p, 100, 9));
  ck_assert_ptr_null(mia_heap_reallocf(h, p, huge));
  mia_heap_delete(h);
}
END_TEST

/* ---- deleted and destroyed heaps ---- */

static void *blocks[BLOCKS];

static size_t size_of(size_t i) { return i * 7919 % 5000 + 1; }

static void fill(mia_heap *h) {
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = mia_heap_malloc(h, size_of(i));
    note(blocks[i] != NULL);
    pattern_fill(blocks[i], size_of(i), i);
  }
}

static void check_and_free(void) {
  for (size_t i = 0; i < BLOCKS; i++) {
    note(pattern_holds(blocks[i], size_of(i), i));
    mia_free(blocks[i]);
  }
}

static void *fill_thread(void *heap) {
  fill(heap);
  return NULL;
}

static void *check_thread(void *arg) {
  check_and_free();
  return arg;
}

START_TEST(blocks_outlive_a_deleted_heap) {
  mia_heap *h = mia_heap_new();
  fill(h);
  need(mia_heap_of(blocks[5]) == h);
  mia_heap_delete(h);
  for (size_t i = 0; i < BLOCKS; i++) need_at(mia_heap_of(blocks[i]) == mia_heap_main(), i);
  check_and_free();
  need_nothing_noted();
  mia_heap_delete(NULL);
  mia_heap_destroy(NULL);
  mia_heap_delete(mia_heap_main());
  mia_heap_destroy(mia_heap_main());
}
END_TEST

START_TEST(blocks_end_with_a_destroyed_heap) {
  for (int round = 0; round < 20; round++) {
    mia_heap *h = mia_heap_new();
    fill(h);
    void *large = mia_heap_malloc(h, 1 << 20);
    void *huge = mia_heap_malloc(h, 70 << 20);
    mia_heap_destroy(h);
    for (size_t i = 0; i < BLOCKS; i++) need_at(!mia_any_heap_contains(blocks[i]), i);
    need(!mia_any_heap_contains(large) && !mia_any_heap_contains(huge));
  }
}
END_TEST

/* More heaps than the first table of heaps can hold. */
START_TEST(more_heaps_than_the_first_table) {
  enum { MANY = 3000 };
  static mia_heap *heaps[MANY];
  static unsigned char *filled[MANY];
  for (size_t i = 0; i < MANY; i++) {
    heaps[i] = mia_heap_new();
    need_at(heaps[i] != NULL, i);
    filled[i] = launder(mia_heap_zalloc(heaps[i], 100));
    need_at(filled[i] != NULL, i);
    memset(filled[i], (int)(i % 251), 100);
  }
  for (size_t i = 0; i < MANY; i++) {
    for (size_t j = 0; j < 100; j++) need_at(filled[i][j] == i % 251, i);
    need_at(mia_heap_contains(heaps[i], filled[i]), i);
  }
  for (size_t i = 0; i < MANY; i++) mia_heap_destroy(heaps[i]);
}
END_TEST

START_TEST(any_thread_can_use_a_heap) {
  mia_heap *h = mia_heap_new();
  run_thread(fill_thread, h);
  check_and_free();
  fill(h);
  run_thread(check_thread, NULL);
  run_thread(fill_thread, h);
  run_thread(check_thread, NULL);
  mia_heap_collect(h, false);
  mia_heap_collect(h, true);
  need_nothing_noted();
  run_thread(fill_thread, h);
  mia_heap_destroy(h);
  need(!mia_any_heap_contains(blocks[BLOCKS / 2]));
}
END_TEST

/* ---- the default heap ---- */

static void *default_in_thread(void *heap) {
  note(mia_heap_get_default() == mia_heap_main());
  note(mia_heap_set_default(heap) == mia_heap_main());
  void *p = launder(mia_malloc(100));
  note(mia_heap_of(p) == heap);
  mia_free(p);
  return NULL;
}

/* Loop index: the size. */
START_TEST(all_functions_use_the_default_heap) {
  size_t n = sizes[_i];
  void *before = launder(mia_malloc(n));
  mia_heap *h = mia_heap_new();
  ck_assert_ptr_eq(mia_heap_set_default(h), mia_heap_main());
  ck_assert_ptr_eq(mia_heap_get_default(), h);
  for (int i = 0; i < 100; i++) {
    if (n > MIB && i > 2) break;
    void *p[] = {mia_malloc(n),
                 mia_calloc(1, n),
                 mia_zalloc(n),
                 mia_malloc_aligned(n, opaque(64)),
                 mia_zalloc_aligned(n, opaque(64)),
                 mia_realloc(NULL, n),
                 mia_new(n)};
    for (int j = 0; j < 7; j++) need_at(mia_heap_of(launder(p[j])) == h, j);
    void *mine = launder(mia_heap_malloc(mia_heap_main(), n));
    need(mia_heap_of(mine) == mia_heap_main());
    mia_free(mine);
    p[0] = mia_realloc(p[0], 3 * n);
    need(mia_heap_of(launder(p[0])) == h);
    for (int j = 0; j < 7; j++) mia_free(p[j]);
  }
  run_thread(default_in_thread, h);
  mia_free(before);
  before = launder(mia_malloc(n));
  need(mia_heap_of(before) == h);
  ck_assert_ptr_eq(mia_heap_set_default(NULL), h);
  void *after = launder(mia_malloc(n));
  need(mia_heap_of(after) == mia_heap_main());
  mia_free(after);
  mia_heap_set_default(h);
  mia_heap_delete(h);
  ck_assert_ptr_eq(mia_heap_get_default(), mia_heap_main());
  mia_free(before);
  need_nothing_noted();
}
END_TEST

/* ---- walking ---- */

typedef struct block_counts {
  mia_heap *heap;
  size_t areas, blocks, bytes, stop;
} block_counts;

static bool count(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                  void *arg) {
  block_counts *c = arg;
  need(heap == c->heap);
  if (block == NULL) {
    c->areas++;
    need(area->used > 0 && area->used * area->block_size <= area->reserved);
    need(area->committed <= area->reserved && area->block_size <= area->full_block_size);
  } else {
    need(mia_heap_of(block) == heap && mia_usable_size(block) == size);
    need(plain_address(block) >= (uintptr_t)area->blocks);
    need(plain_address(block) + size <= (uintptr_t)area->blocks + area->reserved);
    c->blocks++;
    c->bytes += size;
  }
  return c->stop == 0 || c->blocks < c->stop;
}

START_TEST(every_block_is_visited) {
  mia_heap *h = mia_heap_new();
  block_counts c = {.heap = h};
  ck_assert(mia_heap_visit_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.areas + c.blocks, 0);
  fill(h);
  void *large = mia_heap_malloc(h, 1 << 20);
  void *huge = mia_heap_malloc(h, 70 << 20);
  ck_assert(mia_heap_visit_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.blocks, BLOCKS + 2);
  ck_assert_uint_ge(c.bytes, (71 << 20) + BLOCKS);
  mia_free(large);
  mia_free(huge);
  size_t left = BLOCKS;
  for (size_t i = 0; i < BLOCKS; i += 3) {
    mia_free(blocks[i]);
    left--;
  }
  c = (block_counts){.heap = h};
  ck_assert(mia_heap_visit_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.blocks, left);
  c = (block_counts){.heap = h};
  ck_assert(mia_heap_visit_blocks(h, false, count, &c));
  ck_assert_uint_eq(c.blocks, 0);
  ck_assert_uint_ge(c.areas, 40);
  c = (block_counts){.heap = h, .stop = 7};
  ck_assert(!mia_heap_visit_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.blocks, 7);
  mia_heap_destroy(h);
}
END_TEST

/* The blocks that a walk must report, each once, and no other block. */
typedef struct expected_blocks {
  void *const *blocks;
  size_t count, seen, others;
} expected_blocks;

static bool visit_expected(const mia_heap *heap, const mia_heap_area *area, void *block,
                           size_t size, void *arg) {
  expected_blocks *r = arg;
  (void)heap, (void)area, (void)size;
  bool known = false;
  for (size_t i = 0; i < r->count; i++) known |= r->blocks[i] == block;
  r->seen += known;
  r->others += block != NULL && !known;
  return true;
}

START_TEST(blocks_that_are_aligned_at_an_offset_are_visited) {
  enum { N = SIZES };
  mia_heap *h = mia_heap_new();
  void *b[2 * N];
  for (size_t i = 0; i < N; i++) {
    b[2 * i] = mia_heap_malloc_aligned_at(h, sizes[i], 4096, 40);
    b[2 * i + 1] = mia_heap_malloc_aligned_at(h, sizes[i], 64, 8);
    ck_assert(b[2 * i] != NULL && b[2 * i + 1] != NULL);
    need(((uintptr_t)b[2 * i] + 40) % 4096 == 0);
  }
  expected_blocks r = {.blocks = b, .count = 2 * N};
  ck_assert(mia_heap_visit_blocks(h, true, visit_expected, &r));
  ck_assert(r.seen == 2 * N && r.others == 0);
  for (size_t i = 0; i < N; i++) mia_free(b[2 * i]);
  r = (expected_blocks){.blocks = b, .count = 2 * N};
  ck_assert(mia_heap_visit_blocks(h, true, visit_expected, &r));
  ck_assert(r.seen == N && r.others == 0);
  mia_heap_destroy(h);
}
END_TEST

/* A walk over pages with trimmed OS pages reports every live block and nothing else. */
START_TEST(blocks_between_trimmed_os_pages_are_visited) {
  mia_heap *h = mia_heap_new();
  /* One block in STAY stays, about one in each page. */
  enum { N = 4000, STAY = 50, SIZE = 1000, COARSE_OS_PAGE = 32768 };
  static void *b[N], *left[N / STAY];
  for (size_t i = 0; i < N; i++) ck_assert_ptr_nonnull(b[i] = mia_heap_malloc(h, SIZE));
  for (size_t i = 0; i < N; i++) {
    if (i % STAY == 0)
      left[i / STAY] = memset(b[i], (int)(1 + i / STAY) & CHAR_MAX, SIZE);
    else
      mia_free(b[i]);
  }
  mia_stats before = {.size = sizeof before}, after = before;
  ck_assert(mia_stats_get(&before));
  mia_heap_collect(h, true);
  ck_assert(mia_stats_get(&after));
  if (sysconf(_SC_PAGESIZE) < COARSE_OS_PAGE)
    ck_assert_uint_gt(after.purged - before.purged, N / 4 * SIZE);
  expected_blocks r = {.blocks = left, .count = N / STAY};
  ck_assert(mia_heap_visit_blocks(h, true, visit_expected, &r));
  ck_assert(r.seen == N / STAY && r.others == 0);
  for (size_t i = 0; i < N; i++)
    if (i % STAY != 0) ck_assert_ptr_nonnull(b[i] = memset(mia_heap_malloc(h, SIZE), 0, SIZE));
  for (size_t i = 0; i < N; i += STAY)
    for (size_t j = 0; j < SIZE; j++)
      need_at(((char *)b[i])[j] == ((1 + (int)(i / STAY)) & CHAR_MAX), i);
  r = (expected_blocks){.blocks = b, .count = N};
  ck_assert(mia_heap_visit_blocks(h, true, visit_expected, &r));
  ck_assert(r.seen == N && r.others == 0);
  mia_heap_destroy(h);
}
END_TEST

static void *allocate_some(void *arg) {
  void **b = arg;
  for (size_t i = 0; i < 20; i++) b[i] = launder(mia_malloc(1001));
  return NULL;
}

/* Remote frees wait in a batch; a walk by the thread that freed them must not report these
 * blocks. */
START_TEST(blocks_that_the_caller_freed_are_not_visited) {
  void *b[20];
  run_thread(allocate_some, b);
  for (size_t i = 0; i < 10; i++) mia_free(b[i]);
  expected_blocks freed = {.blocks = b, .count = 10}, left = {.blocks = b + 10, .count = 10};
  ck_assert(mia_heap_visit_blocks(mia_heap_main(), true, visit_expected, &freed));
  ck_assert(mia_heap_visit_blocks(mia_heap_main(), true, visit_expected, &left));
  ck_assert(freed.seen == 0 && left.seen == 10);
  for (size_t i = 10; i < 20; i++) mia_free(b[i]);
}
END_TEST

START_TEST(blocks_of_ended_threads_are_visited) {
  mia_heap *h = mia_heap_new();
  run_thread(fill_thread, h);
  block_counts c = {.heap = h};
  ck_assert(mia_heap_visit_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.blocks, BLOCKS);
  c = (block_counts){.heap = h};
  ck_assert(mia_heap_visit_abandoned_blocks(h, true, count, &c));
  ck_assert_uint_eq(c.blocks, BLOCKS);
  void *mine = launder(mia_heap_malloc(h, 77000)); /* no thread allocates from this page */
  void *small = launder(mia_heap_malloc(h, 9));    /* another thread may allocate from this page */
  c = (block_counts){.heap = h};
  ck_assert(mia_heap_visit_abandoned_blocks(h, true, count, &c));
  ck_assert_uint_ge(c.blocks, 1);
  ck_assert_uint_le(c.blocks, BLOCKS + 1);
  mia_free(mine);
  mia_free(small);
  mia_heap_destroy(h);
}
END_TEST

/* Loop index: the size. */
START_TEST(every_byte_of_a_block_is_contained) {
  enum { FORMS = 3 };
  size_t n = sizes[_i], a = opaque(1 << 18), at = 100000; /* bytes precede the block at `at' */
  for (int round = 0; round < 2; round++) {
    mia_heap *h = round == 0 ? mia_heap_main() : mia_heap_new();
    mia_heap *other = mia_heap_new();
    char *p[FORMS] = {mia_heap_malloc(h, n), mia_heap_malloc_aligned(h, n, a),
                      mia_heap_malloc_aligned_at(h, n, a, at)};
    for (int i = 0; i < FORMS; i++) {
      size_t usable = mia_usable_size(launder(p[i]));
      for (size_t inside = 0; inside < usable; inside += usable / 7 + 1) {
        need_at(mia_heap_of(p[i] + inside) == h && mia_heap_contains(h, p[i] + inside), inside);
        need_at(mia_any_heap_contains(p[i] + inside), inside);
        need_at(!mia_heap_contains(other, p[i] + inside), inside);
      }
      need_at(usable == 0 || mia_heap_of(p[i] + usable - 1) == h, usable);
    }
    uintptr_t last = (uintptr_t)p[FORMS - 1] + mia_usable_size(p[FORMS - 1]);
    if (n > 32768) need(!mia_heap_contains(other, (void *)last));
    for (int i = 0; i < FORMS; i++) {
      size_t usable = mia_usable_size(p[i]);
      mia_free(p[i]);
      if (n <= 32768) continue;
      need(mia_heap_of(p[i]) == NULL && mia_heap_of(p[i] + usable / 2) == NULL);
      need(!mia_any_heap_contains(p[i] + usable - 1));
    }
    mia_heap_delete(h); /* ignored for the main heap */
    mia_heap_delete(other);
  }
}
END_TEST

START_TEST(nothing_else_is_contained) {
  static char object[10];
  mia_heap *h = mia_heap_new();
  void *huge = launder(mia_heap_malloc(h, 40 << 20)); /* so that the search includes huge blocks */
  const void *const others[] = {NULL,       &h,        object,
                                object + 5, (void *)1, (void *)UINTPTR_MAX,
                                "text",     (char *)h, (char *)(uintptr_t)(UINTPTR_MAX / 2)};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    need_at(mia_heap_of(others[i]) == NULL && !mia_heap_contains(h, others[i]), i);
    need_at(!mia_heap_contains(mia_heap_main(), others[i]) && !mia_any_heap_contains(others[i]), i);
  }
  need(!mia_heap_contains(NULL, NULL) && !mia_heap_contains(NULL, huge));
  mia_heap_destroy(h);
}
END_TEST

START_TEST(page_utilization_is_reported) {
  enum { COUNT = 2000 };
  static void *p[COUNT];
  mia_heap *h = mia_heap_new();
  for (int i = 0; i < COUNT; i++) p[i] = launder(mia_heap_malloc(h, 64));
  ck_assert(!mia_heap_page_is_under_utilized(h, p[0], 90));
  ck_assert(!mia_heap_page_is_under_utilized(mia_heap_main(), p[0], 100));
  ck_assert(!mia_heap_page_is_under_utilized(h, &p, 100));
  mia_heap_destroy(h);
}
END_TEST

/* ---- sub-processes ---- */

typedef struct heap_list {
  mia_heap *heaps[10];
  size_t count, stop;
} heap_list;

static bool visit_heap(mia_heap *heap, void *arg) {
  heap_list *v = arg;
  need(v->count < 10);
  v->heaps[v->count++] = heap;
  return v->count != v->stop;
}

static void *in_subproc(void *arg) {
  mia_subproc *s = arg;
  void *p = launder(mia_malloc(10));
  note(mia_subproc_current() == mia_subproc_main());
  mia_subproc_add_current_thread(s);
  note(mia_subproc_current() == s);
  void *q = launder(mia_malloc(10));
  note(mia_heap_of(q) == mia_heap_main() && mia_heap_of(p) != mia_heap_main());
  expected_blocks own = {.blocks = &q, .count = 1};
  note(mia_heap_visit_blocks(mia_heap_main(), true, visit_expected, &own) && own.seen == 1 &&
       own.others == 0);
  mia_heap *h = mia_heap_new();
  heap_list v = {.count = 0};
  note(mia_subproc_visit_heaps(s, visit_heap, &v));
  note(v.count == 2 && v.heaps[0] == mia_heap_main() && v.heaps[1] == h);
  v = (heap_list){.stop = 1};
  note(!mia_subproc_visit_heaps(s, visit_heap, &v) && v.count == 1);
  mia_heap *other = mia_heap_new();
  void *left[] = {mia_heap_malloc(other, 30), mia_heap_malloc(other, 90000),
                  mia_heap_malloc(other, 50 << 20)};
  mia_heap_delete(other);
  for (int i = 0; i < 3; i++) note(left[i] != NULL && mia_heap_of(left[i]) == mia_heap_main());
  mia_free(left[1]);
  mia_heap_delete(mia_heap_main()); /* ignored */
  note(mia_heap_of(q) == mia_heap_main());
  void *r = mia_heap_malloc(h, 5000);
  note(r != NULL);
  mia_free(p);
  return q;
}

START_TEST(sub_processes_have_heaps_of_their_own) {
  ck_assert_ptr_eq(mia_subproc_current(), mia_subproc_main());
  for (int round = 0; round < 5; round++) {
    mia_subproc *s = mia_subproc_new();
    need(s != NULL && s != mia_subproc_main());
    pthread_t thread;
    void *block;
    need(pthread_create(&thread, NULL, in_subproc, s) == 0);
    need(pthread_join(thread, &block) == 0);
    need_nothing_noted();
    need(mia_any_heap_contains(block));
    mia_subproc_destroy(s);
    need(!mia_any_heap_contains(block));
  }
  heap_list v = {.count = 0};
  mia_heap *h = mia_heap_new();
  need(mia_subproc_visit_heaps(mia_subproc_main(), visit_heap, &v));
  need(v.count == 2 && v.heaps[0] == mia_heap_main() && v.heaps[1] == h);
  mia_heap_delete(h);
  mia_subproc_destroy(NULL);
  mia_subproc_destroy(mia_subproc_main());
}
END_TEST

static bool count_block(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                        void *arg) {
  (void)heap, (void)area, (void)size;
  *(size_t *)arg += block != NULL;
  return true;
}

static bool count_blocks(mia_heap *heap, void *arg) {
  return mia_heap_visit_blocks(heap, true, count_block, arg);
}

/* The walk over the heaps needs memory itself, which is in none of them. */
START_TEST(blocks_of_all_heaps_can_be_counted) {
  mia_heap *h = mia_heap_new();
  void *p = mia_heap_malloc(h, 1000), *q = mia_malloc(1000);
  size_t apart = 0, together = 0;
  need(p != NULL && q != NULL && count_blocks(mia_heap_main(), &apart) && count_blocks(h, &apart));
  need(mia_subproc_visit_heaps(mia_subproc_main(), count_blocks, &together));
  ck_assert_uint_eq(together, apart);
  mia_heap_destroy(h);
  mia_free(q);
}
END_TEST

START_TEST(destroying_the_callers_subprocess_returns_it_to_main) {
  mia_heap *main_heap = mia_heap_main();
  mia_subproc *s = mia_subproc_new();
  mia_subproc_add_current_thread(s);
  ck_assert(mia_heap_main() != main_heap);
  ck_assert_ptr_nonnull(launder(mia_malloc(10)));
  mia_subproc_destroy(s);
  ck_assert_ptr_eq(mia_heap_main(), main_heap);
  ck_assert_ptr_eq(mia_heap_get_default(), main_heap);
  void *p = launder(mia_malloc(10));
  ck_assert_ptr_eq(mia_heap_of(p), main_heap);
  mia_free(p);
}
END_TEST

/* The number of heaps is limited by memory only; their blocks do not overlap. */
START_TEST(thousands_of_heaps_with_separate_blocks) {
  enum { HEAPS = 3000, SIZE = 100 };
  static mia_heap *heap[HEAPS];
  static char *block[HEAPS], *of_main[HEAPS];
  for (int i = 0; i < HEAPS; i++) {
    heap[i] = mia_heap_new();
    block[i] = mia_heap_malloc(heap[i], SIZE);
    of_main[i] = mia_malloc(SIZE);
    need_at(heap[i] != NULL && block[i] != NULL && of_main[i] != NULL, i);
    memset(block[i], i, SIZE);
    memset(of_main[i], i + 1, SIZE);
  }
  for (int i = 0; i < HEAPS; i++) {
    for (int b = 0; b < SIZE; b++)
      need_at(block[i][b] == (char)i && of_main[i][b] == (char)(i + 1), i);
    need_at(mia_heap_of(block[i]) == heap[i], i);
    if (i % 2 == 0)
      mia_heap_destroy(heap[i]);
    else
      mia_heap_delete(heap[i]);
    mia_free(of_main[i]);
    if (i % 2 != 0) mia_free(block[i]);
  }
}
END_TEST

SUITE("api/heap") {
  CASE(NULL, NULL);
  TEST(thousands_of_heaps_with_separate_blocks);
  LOOP(every_function_allocates_from_its_heap, 0, SIZES);
  LOOP(every_function_resizes, 0, SIZES);
  LOOP(offsets_stay_aligned, 0, SIZES);
  TEST(strings_and_new);
  TEST(invalid_requests_are_refused);
  TEST(blocks_outlive_a_deleted_heap);
  TEST(blocks_end_with_a_destroyed_heap);
  TEST(more_heaps_than_the_first_table);
  TEST(any_thread_can_use_a_heap);
  LOOP(all_functions_use_the_default_heap, 0, SIZES);
  TEST(every_block_is_visited);
  TEST(blocks_that_are_aligned_at_an_offset_are_visited);
  TEST(blocks_between_trimmed_os_pages_are_visited);
  TEST(blocks_that_the_caller_freed_are_not_visited);
  TEST(blocks_of_ended_threads_are_visited);
  LOOP(every_byte_of_a_block_is_contained, 0, SIZES);
  TEST(nothing_else_is_contained);
  TEST(page_utilization_is_reported);
  TEST(sub_processes_have_heaps_of_their_own);
  TEST(blocks_of_all_heaps_can_be_counted);
  TEST(destroying_the_callers_subprocess_returns_it_to_main);
}
