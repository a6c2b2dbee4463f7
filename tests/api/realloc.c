/* realloc.c -- reallocation keeps contents when blocks grow and shrink in every way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

/* The size at which ladders turn; a case uses about twice as much memory. */
#define LADDER_TOP (2 * MIB)
#define LARGE_TOP (64 * MIB)

/* Each step is size * multiply / divide + add. */
static const struct {
  size_t start, multiply, divide, add, top;
} ladders[] = {
    {1, 1, 1, 1, 2000},
    {1, 1, 1, 7, 6000},
    {8, 1, 1, 16, 10000},
    {100, 1, 1, 1000, 300000},
    {1, 11, 10, 1, LADDER_TOP},
    {3, 3, 2, 1, LADDER_TOP},
    {16, 2, 1, 0, LADDER_TOP},
    {5, 10, 1, 3, LADDER_TOP},
    {4096, 1, 1, 65536, LADDER_TOP},
    {64 * 1024, 3, 2, 0, LARGE_TOP},
    {1 << 20, 1, 1, (5 << 20) + 12345, LARGE_TOP},
};
#define LADDERS ((int)(sizeof ladders / sizeof ladders[0]))

static void *checked_realloc(void *p, size_t old, size_t size) {
  p = launder(mia_realloc(p, size));
  need_at(p != NULL, size);
  need_at(is_aligned(p, size <= 8 ? 8 : 16), size);
  need_at(mia_usable_size(p) >= size, size);
  need_at(pattern_holds(p, old < size ? old : size, suite_seed), size);
  return p;
}

/* Loop index: the ladder.  The block grows and shrinks again; now and then another block
 * prevents growth in place. */
START_TEST(grow_and_shrink_in_steps) {
  size_t size = ladders[_i].start;
  void *p = launder(mia_malloc(size));
  need(p != NULL);
  pattern_fill(p, size, suite_seed);
  void *obstacle = NULL;
  unsigned n = 0;
  while (size < ladders[_i].top) {
    size_t next = size * ladders[_i].multiply / ladders[_i].divide + ladders[_i].add;
    if (n++ % 3 == 0) {
      mia_free(obstacle);
      obstacle = launder(mia_malloc(size));
    }
    p = checked_realloc(p, size, next);
    pattern_fill_from(p, size, next, suite_seed);
    size = next;
  }
  mia_free(obstacle);
  while (size > ladders[_i].start) {
    size_t step = size - size * ladders[_i].divide / ladders[_i].multiply + ladders[_i].add;
    size_t next = size > step ? size - step : 0;
    p = checked_realloc(p, size, next);
    size = next;
  }
  mia_free(p);
}
END_TEST

START_TEST(null_allocates) {
  for (size_t size = 0; size < 100000; size = size * 3 / 2 + 1) {
    void *p = launder(mia_realloc(NULL, size));
    need_at(p != NULL && mia_usable_size(p) >= size, size);
    pattern_fill(p, mia_usable_size(p), suite_seed);
    void *q = launder(mia_reallocarray(NULL, size, 2));
    need_at(q != NULL && q != p && mia_usable_size(q) >= 2 * size, size);
    pattern_fill(q, mia_usable_size(q), suite_seed);
    mia_free(p);
    mia_free(q);
  }
}
END_TEST

START_TEST(size_zero_returns_a_smallest_block) {
  for (size_t size = 0; size < 10 * MIB; size = size * 3 + 1) {
    errno = ERRNO_MARK;
    void *p = launder(mia_realloc(mia_malloc(size), opaque(0)));
    void *q = launder(mia_reallocarray(mia_malloc(size), opaque(0), opaque(7)));
    void *r = launder(mia_realloc_aligned(mia_malloc(size), opaque(0), 64));
    need_at(p != NULL && q != NULL && r != NULL, size);
    need_at(p != q && q != r && r != p, size);
    need_at(errno == ERRNO_MARK, size);
    /* A large block must not be kept: 0 bytes must not hold on to megabytes. */
    need_at(mia_usable_size(p) <= mia_good_size(0) || mia_usable_size(p) <= size, size);
    need_at(size < MIB || mia_usable_size(p) < 64 * KIB, size);
    pattern_fill(p, mia_good_size(0), suite_seed);
    mia_free(p);
    mia_free(q);
    mia_free(r);
  }
}
END_TEST

/* A block does not move when it grows within its usable size or shrinks a little. */
START_TEST(does_not_move_within_the_usable_size) {
  for (size_t size = 1; size < 8 * MIB; size = size * 5 / 4 + 1) {
    void *p = launder(mia_malloc(size));
    need_at(p != NULL, size);
    size_t usable = mia_usable_size(p);
    need_at(launder(mia_realloc(p, usable)) == p, size);
    if (size >= usable / 2) need_at(launder(mia_realloc(p, size)) == p, size);
    need_at(launder(mia_realloc(p, size + (usable - size) / 2)) == p, size);
    need_at(mia_usable_size(p) >= size, size);
    mia_free(p);
  }
}
END_TEST

/* Blocks that shrink to almost nothing give their memory back sooner or later: these blocks
 * must not all keep their megabyte. */
START_TEST(shrunk_blocks_are_small) {
  enum { COUNT = 8 };
  for (int i = 0; i < COUNT; i++) {
    void *p = launder(mia_malloc(MIB));
    need(p != NULL);
    pattern_fill(p, 100, suite_seed);
    p = checked_realloc(p, 100, 100);
    need(mia_usable_size(p) <= MIB / 2);
    mia_free(p);
  }
}
END_TEST

/* Loop index: the range of sizes, in bits. */
START_TEST(resize_at_random) {
  enum { COUNT = 24, STEPS = 6000, LARGE_BITS = 16, LARGE_STEPS = 600 };
  static struct {
    void *p;
    size_t size;
  } blocks[COUNT];
  unsigned bits = (unsigned)_i;
  uint64_t random = suite_random(bits);
  for (int step = 0; step < (bits > LARGE_BITS ? LARGE_STEPS : STEPS); step++) {
    size_t i = random_below(&random, COUNT);
    uint64_t key = suite_seed + i;
    size_t old = blocks[i].size;
    size_t size = random_size(&random, bits);
    if (blocks[i].p != NULL && random_below(&random, 8) == 0) {
      need_at(pattern_holds(blocks[i].p, old, key), step);
      mia_free(blocks[i].p);
      blocks[i].p = NULL;
      blocks[i].size = 0;
      continue;
    }
    if (blocks[i].p != NULL && random_below(&random, 2) == 0) {
      /* A small step up or down. */
      size = old + random_below(&random, old / 8 + 2);
      size -= size < old / 16 ? 0 : random_below(&random, old / 16 + 1);
    }
    void *p = launder(random_below(&random, 4) == 0 ? mia_reallocarray(blocks[i].p, size, 1)
                                                    : mia_realloc(blocks[i].p, size));
    need_at(p != NULL && mia_usable_size(p) >= size, size);
    need_at(pattern_holds(p, old < size ? old : size, key), step);
    pattern_fill_from(p, old < size ? old : size, size, key);
    blocks[i].p = p;
    blocks[i].size = size;
  }
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i].p == NULL) continue;
    need_at(pattern_holds(blocks[i].p, blocks[i].size, suite_seed + i), i);
    mia_free(blocks[i].p);
    blocks[i].p = NULL; /* without fork the next loop would find the old entries */
    blocks[i].size = 0;
  }
}
END_TEST

SUITE("api/realloc") {
  CASE(NULL, NULL);
  LOOP(grow_and_shrink_in_steps, 0, LADDERS);
  TEST(null_allocates);
  TEST(size_zero_returns_a_smallest_block);
  TEST(does_not_move_within_the_usable_size);
  TEST(shrunk_blocks_are_small);
  LOOP(resize_at_random, 4, 22);
}
