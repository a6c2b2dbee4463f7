/* sizes.c -- blocks of every size class: contents, alignment, waste, overlap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "api.h"

/* The tests look for class boundaries up to this size.  A class spans at most an eighth of its
 * size, so there are fewer than CLASSES_MAX classes even if blocks above 32 KiB come in whole
 * OS pages of 4 KiB. */
#define CLASSES_TOP (256 * KIB)
#define CLASSES_MAX 256

/* Live blocks of each size. */
#define BLOCKS 6

/* What a block may waste: twice the eighth of the size classes, and a constant for the
 * smallest sizes and for canaries.  Above WASTE_SMALL the unit may be a whole OS page, above
 * WASTE_MEDIUM a whole slice of 64 KiB. */
#define WASTE_SMALL (32 * KIB)
#define WASTE_MEDIUM (64 * KIB)
#define WASTE_CONST 64
#define WASTE_SLICE (64 * KIB)

#define LARGE_TOP (sizeof(void *) > 4 ? 256 * MIB : 64 * MIB)
#define TOUCH_STEP (64 * KIB + 8)

static size_t waste_allowed(size_t size) {
  if (size <= WASTE_SMALL) return size / 4 + WASTE_CONST;
  return size / 4 + (size <= WASTE_MEDIUM ? (size_t)sysconf(_SC_PAGESIZE) : WASTE_SLICE);
}

static size_t required_alignment(size_t size) { return size <= 8 ? 8 : 16; }

/* Stores the usable size of each class up to CLASSES_TOP in ascending order. */
static size_t find_classes(size_t classes[CLASSES_MAX]) {
  size_t n = 0;
  for (size_t size = 1; size <= CLASSES_TOP; size = next_class(size)) {
    need_at(n < CLASSES_MAX, size);
    classes[n++] = mia_good_size(size);
    need_at(classes[n - 1] >= size, size);
  }
  return n;
}

static void *checked_malloc(size_t size) {
  void *p = launder(mia_malloc(size));
  need_at(p != NULL, size);
  need_at(is_aligned(p, required_alignment(size)), size);
  need_at(mia_usable_size(p) >= size, size);
  need_at(mia_usable_size(p) == mia_good_size(size), size);
  return p;
}

START_TEST(classes_grow_gently) {
  size_t classes[CLASSES_MAX];
  size_t n = find_classes(classes);
  ck_assert_uint_le(mia_good_size(0), mia_good_size(1));
  for (size_t i = 0; i < n; i++) {
    need_at(mia_good_size(classes[i]) == classes[i], classes[i]);
    if (i == 0) continue;
    size_t smallest = classes[i - 1] + 1;
    need_at(classes[i] >= smallest, smallest);
    need_at(classes[i] - smallest <= waste_allowed(smallest), smallest);
  }
}
END_TEST

START_TEST(every_small_size_at_once) {
  enum { TOP = 1100 };
  static void *blocks[TOP];
  for (size_t size = 0; size < TOP; size++) {
    blocks[size] = checked_malloc(size);
    pattern_fill(blocks[size], mia_usable_size(blocks[size]), suite_seed + size);
  }
  for (size_t size = 0; size < TOP; size++) {
    need_at(pattern_holds(blocks[size], mia_usable_size(blocks[size]), suite_seed + size), size);
    mia_free(blocks[size]);
  }
}
END_TEST

/* Sizes one below, at and one above the largest size of each class.  The whole usable size of
 * every block keeps its contents while all others are written. */
START_TEST(sizes_around_class_boundaries) {
  size_t classes[CLASSES_MAX];
  static void *blocks[CLASSES_MAX * 3][BLOCKS];
  size_t n = find_classes(classes) * 3;
  for (size_t i = 0; i < n; i++) {
    size_t size = classes[i / 3] - 1 + i % 3;
    for (size_t j = 0; j < BLOCKS; j++) {
      blocks[i][j] = checked_malloc(size);
      pattern_fill(blocks[i][j], mia_usable_size(blocks[i][j]), suite_seed ^ (i * BLOCKS + j));
    }
  }
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < BLOCKS; j++) {
      size_t usable = mia_usable_size(blocks[i][j]);
      need_at(pattern_holds(blocks[i][j], usable, suite_seed ^ (i * BLOCKS + j)), usable);
      mia_free(blocks[i][j]);
    }
  }
}
END_TEST

START_TEST(live_blocks_never_overlap) {
  enum { COUNT = 4000, SIZE_BITS = 13 };
  static void *blocks[COUNT];
  uint64_t random = suite_random(1);
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < COUNT; i++) {
      if (blocks[i] == NULL) blocks[i] = checked_malloc(random_size(&random, SIZE_BITS));
    }
    qsort(blocks, COUNT, sizeof blocks[0], by_address);
    for (int i = 1; i < COUNT; i++) {
      uintptr_t end = (uintptr_t)blocks[i - 1] + mia_usable_size(blocks[i - 1]);
      need_at(end <= (uintptr_t)blocks[i], i);
    }
    for (int i = 0; i < COUNT; i++) {
      if (round < 3 && random_below(&random, 2) == 0) continue;
      mia_free(blocks[i]);
      blocks[i] = NULL;
    }
  }
}
END_TEST

START_TEST(zero_bytes_are_distinct_blocks) {
  enum { COUNT = 1000 };
  static void *blocks[COUNT];
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = checked_malloc(0);
    /* All usable bytes of an empty block may be written. */
    pattern_fill(blocks[i], mia_usable_size(blocks[i]), (uint64_t)i);
  }
  qsort(blocks, COUNT, sizeof blocks[0], by_address);
  for (int i = 1; i < COUNT; i++) need_at(blocks[i - 1] != blocks[i], i);
  for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
}
END_TEST

START_TEST(waste_is_bounded) {
  for (size_t size = 1; size <= CLASSES_TOP; size += size / 16 + 1) {
    void *p = checked_malloc(size);
    need_at(mia_usable_size(p) - size <= waste_allowed(size), size);
    mia_free(p);
  }
}
END_TEST

static void touch(unsigned char *p, size_t size, unsigned char key) {
  for (size_t i = 0; i < size; i += TOUCH_STEP) p[i] = (unsigned char)(key + i / TOUCH_STEP);
  p[size - 1] = key;
}

static void check_touched(const unsigned char *p, size_t size, unsigned char key) {
  need_at(p[size - 1] == key, size);
  for (size_t i = 0; i < size - 1; i += TOUCH_STEP) {
    need_at(p[i] == (unsigned char)(key + i / TOUCH_STEP), i);
  }
}

/* Around each power of two and half-way to the next; three blocks are live at a time. */
START_TEST(large_sizes) {
  enum { LIVE = 3 };
  unsigned char *blocks[LIVE] = {NULL};
  size_t sizes[LIVE] = {0};
  unsigned n = 0;
  for (size_t power = 64 * KIB; power <= LARGE_TOP; power *= 2) {
    const size_t near[] = {power - 1, power, power + 1, power + power / 2 + 100};
    for (unsigned i = 0; i < sizeof near / sizeof near[0]; i++, n++) {
      unsigned slot = n % LIVE;
      if (blocks[slot] != NULL) {
        check_touched(blocks[slot], sizes[slot], (unsigned char)(n - LIVE));
        mia_free(blocks[slot]);
      }
      sizes[slot] = near[i];
      blocks[slot] = checked_malloc(near[i]);
      need_at(mia_usable_size(blocks[slot]) - near[i] <= waste_allowed(near[i]), near[i]);
      touch(blocks[slot], sizes[slot], (unsigned char)n);
    }
  }
  for (unsigned i = 0; i < LIVE; i++, n++) {
    check_touched(blocks[n % LIVE], sizes[n % LIVE], (unsigned char)(n - LIVE));
    mia_free(blocks[n % LIVE]);
  }
}
END_TEST

/* Either the system refuses, with NULL and ENOMEM, or both ends of the block can be used. */
START_TEST(sizes_that_the_system_may_refuse) {
  for (unsigned bits = 28; bits < sizeof(size_t) * 8 - 1; bits++) {
    size_t size = opaque((size_t)1 << bits);
    errno = ERRNO_MARK;
    unsigned char *p = launder(mia_malloc(size));
    if (p == NULL) {
      need_at(errno == ENOMEM, bits);
      continue;
    }
    need_at(errno == ERRNO_MARK, bits);
    need_at(mia_usable_size(p) >= size, bits);
    p[0] = p[size - 1] = (unsigned char)bits;
    need_at(p[0] == bits && p[size - 1] == bits, bits);
    mia_free(p);
  }
}
END_TEST

SUITE("api/sizes") {
  CASE(NULL, NULL);
  TEST(classes_grow_gently);
  TEST(every_small_size_at_once);
  TEST(sizes_around_class_boundaries);
  TEST(live_blocks_never_overlap);
  TEST(zero_bytes_are_distinct_blocks);
  TEST(waste_is_bounded);
  TEST(large_sizes);
  TEST(sizes_that_the_system_may_refuse);
}
