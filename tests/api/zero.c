/* zero.c -- blocks that are promised to be zero, in memory that was dirty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

#define DIRTY_BYTE 0xa5
#define CLASS_TOP (128 * KIB)
#define BLOCKS 12

/* Sizes of large and huge blocks. */
static const size_t large[] = {100000, 200001, 600000, 1 << 20, 3000000, 5 << 20, 33 << 20};
#define LARGE ((int)(sizeof large / sizeof large[0]))

typedef enum { CALLOC, ZALLOC, ZALLOC_ALIGNED, CALLOC_ALIGNED, FORMS } form;

static unsigned char *zeroed(form which, size_t size, size_t alignment) {
  void *p = NULL;
  switch (which) {
  case CALLOC:
    p = size % 4 == 0 ? mia_calloc(4, size / 4) : mia_calloc(size, 1);
    break;
  case ZALLOC:
    p = mia_zalloc(size);
    break;
  case ZALLOC_ALIGNED:
    p = mia_zalloc_aligned(size, alignment);
    break;
  case CALLOC_ALIGNED:
    p = mia_calloc_aligned(1, size, alignment);
    break;
  case FORMS:
    break;
  }
  p = launder(p);
  need_at(p != NULL, size);
  need_at(all_zero(p, size), size);
  return p;
}

static void dirty(void *p) { memset(p, DIRTY_BYTE, mia_usable_size(p)); }

/* Loop index: the function.  The second round gets memory that the first left dirty, the third
 * memory that mia_malloc's blocks left dirty. */
START_TEST(every_class_new_and_reused) {
  form which = (form)_i;
  void *blocks[BLOCKS];
  for (size_t size = 1; size <= CLASS_TOP; size = next_class(size)) {
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = zeroed(which, size, (size_t)1 << i);
        dirty(blocks[i]);
      }
      for (int i = 0; i < BLOCKS; i++) mia_free(blocks[i]);
      if (round == 0) continue;
      for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = launder(mia_malloc(size));
        need_at(blocks[i] != NULL, size);
        dirty(blocks[i]);
      }
      for (int i = 0; i < BLOCKS; i++) mia_free(blocks[i]);
    }
  }
}
END_TEST

/* Loop index: the function. */
START_TEST(every_small_size) {
  enum { TOP = 600 };
  for (int round = 0; round < 2; round++) {
    for (size_t size = 0; size < TOP; size++) {
      void *p = zeroed((form)_i, size, 32);
      dirty(p);
      mia_free(p);
    }
  }
}
END_TEST

/* Pages of one class are freed and reused for another class.  What a page knew about zeroed
 * memory must not outlive that use. */
START_TEST(pages_that_change_class) {
  enum { COUNT = 2000 };
  static void *blocks[COUNT];
  static const size_t turns[] = {48, 1000, 16, 6000, 320, 24, 2048, 8};
  for (unsigned turn = 0; turn < sizeof turns / sizeof turns[0]; turn++) {
    for (int i = 0; i < COUNT; i++) {
      blocks[i] = zeroed(i % 2 == 0 ? CALLOC : ZALLOC, turns[turn], 1);
      dirty(blocks[i]);
    }
    for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
    if (turn % 3 == 2) mia_collect(turn % 2 == 0);
  }
}
END_TEST

/* Loop index: the size. */
START_TEST(large_blocks_new_and_reused) {
  size_t size = large[_i];
  for (form which = CALLOC; which < FORMS; which++) {
    for (int round = 0; round < 2; round++) {
      unsigned char *p = zeroed(which, size, 4096);
      dirty(p);
      mia_free(p);
      p = launder(mia_malloc(size - 50));
      need_at(p != NULL, size);
      dirty(p);
      mia_free(p);
    }
  }
}
END_TEST

/* Purged memory reads as zero or keeps its contents; calloc's result must be zero in both
 * cases. */
START_TEST(zero_after_a_purge) {
  enum { COUNT = 300, SIZE = 20000 };
  static void *blocks[COUNT];
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < COUNT; i++) {
      blocks[i] = zeroed(CALLOC, SIZE, 1);
      dirty(blocks[i]);
    }
    for (int i = round % 2; i < COUNT; i += 1 + round / 2) {
      mia_free(blocks[i]);
      blocks[i] = NULL;
    }
    if (round % 2 == 0) mia_purge();
    for (int i = 0; i < COUNT; i++) {
      if (blocks[i] == NULL) blocks[i] = zeroed(ZALLOC, SIZE, 1);
    }
    for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
    if (round % 2 == 1) mia_purge();
  }
}
END_TEST

/* Blocks that realloc has resized or moved leave dirty memory in more places. */
START_TEST(zero_after_realloc) {
  enum { COUNT = 64, SIZE_BITS = 18 };
  void *blocks[COUNT];
  uint64_t random = suite_random(1);
  for (int round = 0; round < 12; round++) {
    for (int i = 0; i < COUNT; i++) {
      blocks[i] = zeroed((form)random_below(&random, FORMS), random_size(&random, SIZE_BITS), 64);
      dirty(blocks[i]);
      blocks[i] = launder(mia_realloc(blocks[i], random_size(&random, SIZE_BITS)));
      need_at(blocks[i] != NULL, i);
      dirty(blocks[i]);
    }
    for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
  }
}
END_TEST

/* The bytes that a reallocation keeps stay zero. */
START_TEST(realloc_keeps_zeros) {
  for (size_t size = 10; size < 4 * MIB; size *= 3) {
    void *p = zeroed(CALLOC, size, 1);
    p = launder(mia_realloc(p, 2 * size));
    need_at(p != NULL && all_zero(p, size), size);
    mia_free(p);
  }
}
END_TEST

SUITE("api/zero") {
  CASE(NULL, NULL);
  LOOP(every_class_new_and_reused, 0, FORMS);
  LOOP(every_small_size, 0, FORMS);
  TEST(pages_that_change_class);
  LOOP(large_blocks_new_and_reused, 0, LARGE);
  TEST(zero_after_a_purge);
  TEST(zero_after_realloc);
  TEST(realloc_keeps_zeros);
}
