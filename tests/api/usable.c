/* usable.c -- what the library reports about blocks and about itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

START_TEST(good_size_is_the_usable_size) {
  for (size_t size = 0; size < 20 * MIB; size += 1 + size / 50) {
    size_t good = mia_good_size(size);
    need_at(good >= size, size);
    void *p = launder(mia_malloc(size));
    void *q = launder(mia_malloc(good));
    need_at(p != NULL && q != NULL, size);
    need_at(mia_usable_size(p) == good, size);
    need_at(mia_usable_size(q) == good, size);
    mia_free(p);
    mia_free(q);
  }
}
END_TEST

static void need_good_size(void *p, size_t size, size_t alignment) {
  need_at(p != NULL && mia_usable_size(p) == mia_good_size_aligned(size, alignment), size);
  need_at(((uintptr_t)p & (alignment - 1)) == 0, alignment);
  mia_free_aligned_sized(p, alignment, size);
}

/* For every allocating function, and for mia_realloc_exact, whatever block it resizes. */
START_TEST(good_size_aligned_is_the_usable_size) {
  for (unsigned bits = 0; bits <= 25; bits += bits < 16 ? 2 : 3) {
    size_t alignment = opaque((size_t)1 << bits);
    for (size_t size = 0; size < 3 * MIB; size += 1 + size / 4) {
      need_good_size(launder(mia_malloc_aligned(size, alignment)), size, alignment);
      need_good_size(launder(mia_zalloc_aligned(size, alignment)), size, alignment);
      need_good_size(launder(mia_calloc_aligned(1, size, alignment)), size, alignment);
      need_good_size(launder(mia_aligned_alloc(alignment, size)), size, alignment);
      need_good_size(launder(mia_realloc_aligned(NULL, size, alignment)), size, alignment);
      need_good_size(launder(mia_realloc_exact(NULL, size, alignment)), size, alignment);
      for (size_t before = 1; before < 4 * MIB; before *= 13) {
        void *p = launder(mia_malloc(before)), *q = launder(mia_malloc_aligned_at(before, 32, 16));
        need_good_size(launder(mia_realloc_exact(p, size, alignment)), size, alignment);
        need_good_size(launder(mia_realloc_exact(q, size, alignment)), size, alignment);
      }
    }
  }
}
END_TEST

START_TEST(realloc_exact_keeps_contents) {
  uint64_t random = suite_random(2);
  size_t size = 1;
  void *p = launder(mia_malloc(size));
  pattern_fill(p, size, suite_seed);
  for (unsigned i = 0; i < 3000; i++) {
    size_t wanted = random_size(&random, i % 10 == 0 ? 26 : 17), kept = size;
    p = launder(mia_realloc_exact(p, wanted, 1));
    need_at(p != NULL && mia_usable_size(p) == mia_good_size(wanted), wanted);
    need_at(pattern_holds(p, kept < wanted ? kept : wanted, suite_seed), wanted);
    pattern_fill(p, wanted, suite_seed);
    size = wanted;
  }
  mia_free(p);
}
END_TEST

/* mia_free_sized accepts the requested size of a block with an offset, which may have a page of its own. */
START_TEST(free_sized_of_a_block_with_an_offset) {
  for (size_t align = 16; align <= 1 << 20; align *= 4)
    for (size_t size = 1; size < 200000; size = 3 * size + 1) {
      const size_t offsets[] = {8, 24, align / 2};
      for (size_t i = 0; i < 3; i++) {
        void *p = launder(mia_malloc_aligned_at(size, align, offsets[i]));
        need_at(p != NULL, size);
        mia_free_sized(p, size);
      }
    }
}
END_TEST

/* mia_free_sized accepts the requested size of a block that realloc has grown with spare
 * room. */
START_TEST(free_sized_of_a_block_that_grew) {
  for (size_t first = 1; first < MIB; first += 1 + first / 3) {
    size_t size = first;
    void *p = launder(mia_malloc(size));
    for (int i = 0; i < 20; i++) {
      size += 1 + size / 16;
      p = launder(mia_realloc(p, size));
      need_at(p != NULL && mia_usable_size(p) >= size, size);
    }
    mia_free_sized(p, size);
  }
}
END_TEST

START_TEST(good_size_is_monotonic) {
  size_t last = 0;
  for (size_t size = 0; size < 200000; size++) {
    size_t good = mia_good_size(size);
    need_at(good >= last, size);
    last = good;
  }
}
END_TEST

START_TEST(usable_size_of_null_is_zero) { ck_assert_uint_eq(mia_usable_size(NULL), 0); }
END_TEST

/* All usable bytes belong to the block: its neighbours do not change. */
START_TEST(all_usable_bytes_can_be_written) {
  enum { COUNT = 600 };
  static void *blocks[COUNT];
  static size_t usable[COUNT];
  uint64_t random = suite_random(1);
  for (size_t i = 0; i < COUNT; i++) {
    size_t size = random_size(&random, 14);
    size_t alignment = (size_t)1 << random_below(&random, 10);
    blocks[i] = launder(i % 3 == 0 ? mia_malloc_aligned(size, alignment) : mia_malloc(size));
    need_at(blocks[i] != NULL, size);
    usable[i] = mia_usable_size(blocks[i]);
    pattern_fill(blocks[i], usable[i], suite_seed + i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    need_at(mia_usable_size(blocks[i]) == usable[i], i);
    need_at(pattern_holds(blocks[i], usable[i], suite_seed + i), i);
    mia_free(blocks[i]);
  }
}
END_TEST

START_TEST(memalignment_of_any_address) {
  ck_assert_uint_eq(mia_memalignment(NULL), 0);
  for (unsigned bit = 0; bit < sizeof(uintptr_t) * 8; bit++) {
    uintptr_t power = (uintptr_t)1 << bit;
    uintptr_t above = bit + 2 < sizeof(uintptr_t) * 8 ? power * 5 : power;
    need_at(mia_memalignment((void *)power) == power, bit);
    need_at(mia_memalignment((void *)above) == power, bit);
  }
  ck_assert_uint_eq(mia_memalignment((void *)UINTPTR_MAX), 1);
  for (unsigned bits = 0; bits <= 20; bits++) {
    void *p = launder(mia_malloc_aligned(10, opaque((size_t)1 << bits)));
    need_at(p != NULL && mia_memalignment(p) >= (size_t)1 << bits, bits);
    mia_free(p);
  }
}
END_TEST

/* C23: blocks of every allocating function can be freed with the requested size. */
START_TEST(free_sized_with_the_size_asked_for) {
  for (size_t size = 0; size < 3 * MIB; size += 1 + size / 20) {
    mia_free_sized(launder(mia_malloc(size)), size);
    mia_free_sized(launder(mia_calloc(1, size)), size);
    mia_free_sized(launder(mia_zalloc(size)), size);
    mia_free_sized(launder(mia_realloc(NULL, size)), size);
    mia_free_sized(launder(mia_realloc(mia_malloc(3 * size + 50), size)), size);
    mia_free_sized(launder(mia_realloc(mia_malloc(size / 3), size)), size);
    for (size_t alignment = 1; alignment <= 4096; alignment *= 16) {
      size_t hidden = opaque(alignment);
      mia_free_aligned_sized(launder(mia_aligned_alloc(hidden, size)), alignment, size);
      mia_free_aligned_sized(launder(mia_malloc_aligned(size, hidden)), alignment, size);
      mia_free_aligned_sized(launder(mia_zalloc_aligned(size, hidden)), alignment, size);
    }
  }
}
END_TEST

/* A block can also be freed with its good size. */
START_TEST(free_sized_with_the_good_size) {
  for (size_t size = 0; size < 3 * MIB; size += 1 + size / 20) {
    void *p = launder(mia_malloc(size));
    need_at(p != NULL, size);
    mia_free_sized(p, mia_usable_size(p));
  }
}
END_TEST

START_TEST(version_agrees_with_the_header) {
  char expected[32];
  ck_assert_int_eq(mia_version(), MIA_VERSION);
  snprintf(expected, sizeof expected, "%d.%d.%d", MIA_VERSION / 10000, MIA_VERSION / 100 % 100,
           MIA_VERSION % 100);
  ck_assert_msg(strcmp(mia_version_string(), expected) == 0, "version is %s, not %s",
                mia_version_string(), expected);
}
END_TEST

SUITE("api/usable") {
  CASE(NULL, NULL);
  TEST(good_size_is_the_usable_size);
  TEST(good_size_aligned_is_the_usable_size);
  TEST(realloc_exact_keeps_contents);
  TEST(free_sized_of_a_block_with_an_offset);
  TEST(free_sized_of_a_block_that_grew);
  TEST(good_size_is_monotonic);
  TEST(usable_size_of_null_is_zero);
  TEST(all_usable_bytes_can_be_written);
  TEST(free_sized_with_the_size_asked_for);
  TEST(free_sized_with_the_good_size);
  TEST(memalignment_of_any_address);
  TEST(version_agrees_with_the_header);
}
