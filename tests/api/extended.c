/* extended.c -- arrays, resizing in place, zeroed resizing, and functions that return the
 * usable size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include "resident.h"

#include <errno.h>
#include <mialloc.h>
#include <mialloc/stats.h>

/* Twice this overflows. */
#define OVERFLOWING (SIZE_MAX / 2 + 2)

static const size_t sizes[] = {0,     1,     8,     9,      100,     1000,     8192,     20000,
                               32768, 32769, 70000, 300000, 3000000, 20000000, 33 << 20, 41 << 20};
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

/* ---- arrays ---- */

START_TEST(products_that_overflow_are_refused) {
  void *p = launder(mia_malloc(10));
  void *const was = p;
  size_t many = opaque(OVERFLOWING);
  errno = 0;
  ck_assert_ptr_null(mia_mallocn(many, 2));
  ck_assert_int_eq(errno, ENOMEM);
  errno = 0;
  ck_assert_ptr_null(mia_recalloc(p, many, 2));
  ck_assert_int_eq(errno, ENOMEM);
  ck_assert_ptr_null(mia_recalloc_aligned(p, many, 2, 64));
  ck_assert_ptr_null(mia_calloc_at_least(many, 2, NULL));
  errno = 7;
  ck_assert_int_eq(mia_reallocarr(&p, many, 2), ENOMEM);
  ck_assert_int_eq(errno, 7);
  ck_assert_ptr_eq(p, was);
  mia_free(p);
}
END_TEST

START_TEST(mallocn_has_room_for_all_elements) {
  for (size_t n = 0; n < 3000; n += 7) {
    char *p = launder(mia_mallocn(n, 24));
    need_at(p != NULL && mia_usable_size(p) >= n * 24, n);
    pattern_fill(p, n * 24, n);
    need_at(pattern_holds(p, n * 24, n), n);
    mia_free(p);
  }
}
END_TEST

START_TEST(reallocarr_changes_the_pointer) {
  char *p = NULL;
  ck_assert_int_eq(mia_reallocarr(NULL, 1, 1), EINVAL);
  ck_assert_int_eq(mia_reallocarr(&p, 10, 10), 0);
  ck_assert_ptr_nonnull(p);
  pattern_fill(p, 100, 1);
  ck_assert_int_eq(mia_reallocarr(&p, 1000, 100), 0);
  ck_assert(pattern_holds(p, 100, 1) && mia_usable_size(p) >= 100000);
  ck_assert_int_eq(mia_reallocarr(&p, 0, 100), 0);
  ck_assert_ptr_nonnull(p);
  mia_free(p);
}
END_TEST

/* A failing reallocf frees the block: the next allocation gets its address. */
START_TEST(reallocf_frees_where_it_fails) {
  void *p = launder(mia_malloc(5 << 20));
  errno = 0;
  ck_assert_ptr_null(mia_reallocf(p, opaque(SIZE_MAX / 2)));
  ck_assert_int_eq(errno, ENOMEM);
  ck_assert(!mia_any_heap_contains(p));
  p = launder(mia_reallocf(NULL, 50));
  ck_assert_ptr_nonnull(p);
  p = launder(mia_reallocf(p, 5000));
  ck_assert_uint_ge(mia_usable_size(p), 5000);
  mia_free(p);
}
END_TEST

/* ---- resizing in place ---- */

START_TEST(expand_never_moves) {
  ck_assert_ptr_null(mia_expand(NULL, 10));
  char *p = launder(mia_malloc((size_t)_i * 1000 + 1));
  size_t usable = mia_usable_size(p);
  for (size_t size = 0; size <= usable; size += 1 + usable / 9)
    need_at(mia_expand(p, size) == p && mia_usable_size(p) == usable, size);
  pattern_fill(p, usable, 3);
  for (size_t size = usable + 1; size < 10 * usable; size += usable) {
    errno = 0;
    char *q = mia_expand(p, size);
    if (q == NULL) {
      need_at(errno == ENOMEM, size);
    } else {
      need_at(q == p && mia_usable_size(p) >= size, size);
      pattern_fill_from(p, usable, mia_usable_size(p), 3);
      usable = mia_usable_size(p);
    }
    need_at(pattern_holds(p, usable, 3), size);
  }
  ck_assert_ptr_null(mia_expand(p, opaque(SIZE_MAX - 5)));
  mia_free(p);
}
END_TEST

/* ---- zeroed ---- */

/* Returns true if the first `kept' bytes hold the pattern and the rest of the block is zero. */
static bool is_kept_and_zero(const char *p, size_t kept, uint64_t key) {
  return pattern_holds(p, kept, key) && all_zero(p + kept, mia_usable_size(p) - kept);
}

/* Loop index: the old size.  Resizes to each size. */
START_TEST(rezalloc_zeroes_the_tail) {
  size_t from = sizes[_i];
  for (int i = 0; i < SIZES; i++) {
    size_t to = sizes[i];
    size_t alignment = i % 2 == 0 ? 16 : 4096;
    char *p = launder(mia_zalloc(from));
    pattern_fill(p, from, 5);
    p = launder(alignment == 16 ? mia_rezalloc(p, to)
                                : mia_recalloc_aligned(p, 1, to, opaque(4096)));
    need_at(p != NULL && is_aligned(p, to > 8 ? alignment : 8), to);
    need_at(is_kept_and_zero(p, from < to ? from : to, 5), to);
    mia_free(p);
  }
}
END_TEST

/* Bytes that a smaller size cut off read as zero after the block has grown again. */
START_TEST(rezalloc_forgets_what_was_cut_off) {
  for (size_t size = 1; size < 2 * MIB; size += 1 + size / 3) {
    char *p = launder(mia_zalloc(size));
    pattern_fill(p, size, 6);
    for (size_t step = size; step > 1; step -= (step + 3) / 4) {
      p = launder(mia_rezalloc(p, step));
      need_at(p != NULL && is_kept_and_zero(p, step, 6), step);
    }
    p = launder(mia_recalloc(p, 1, 1));
    p = launder(mia_recalloc(p, 3, size));
    need_at(p != NULL && is_kept_and_zero(p, 1, 6), size);
    mia_free(p);
  }
}
END_TEST

static bool is_filled(const char *p, size_t size) {
  return size == 0 || (p[0] == 0x5a && memcmp(p, p + 1, size - 1) == 0);
}

/* Resizes at random and overwrites every usable byte in between; no old byte may come back.
 * Loop index: small, large and huge blocks. */
START_TEST(rezalloc_leaves_no_old_byte) {
  static const size_t tops[] = {40000, 2 * MIB, 24 * MIB};
  static const int turns[] = {4000, 600, 60};
  size_t top = tops[_i], size = 0, usable = 0;
  uint64_t random = suite_random(1);
  char *p = NULL;
  for (int i = 0; i < turns[_i]; i++) {
    /* A small step, or any size. */
    size_t step = random_below(&random, i % 2 == 0 ? top / 16 : top);
    size = random_below(&random, 2) != 0 || step > size ? (size + step) % top : size - step;
    p = launder(i % 3 == 0 ? mia_recalloc(p, 1, size) : mia_rezalloc(p, size));
    need_at(p != NULL, size);
    size_t kept = usable < size ? usable : size;
    usable = mia_usable_size(p);
    need_at(is_filled(p, kept) && all_zero(p + kept, usable - kept), i);
    memset(p, 0x5a, usable);
  }
  mia_free(p);
}
END_TEST

/* The new end of a large block comes from the OS as zero, so nothing writes to it. */
START_TEST(rezalloc_does_not_write_memory_that_is_zero) {
  const size_t before = 96 * MIB, after = 160 * MIB;
  mia_stats s = {.size = sizeof s}, t = {.size = sizeof t};
  char *p = launder(mia_zalloc(before));
  p[0] = p[before - 1] = 1;
  ck_assert(mia_stats_get(&s));
  p = launder(mia_rezalloc(p, after));
  ck_assert(mia_stats_get(&t));
  ck_assert(t.rss < s.rss + (after - before) / 2 ||
            resident_when_read()); /* assertions of debug builds read it */
  ck_assert(p[0] == 1 && p[before - 1] == 1 && all_zero(p + before, after - before));
  mia_free(p);
}
END_TEST

START_TEST(rezalloc_of_null_is_zero) {
  for (int i = 0; i < SIZES; i++) {
    char *dirt = launder(mia_malloc(sizes[i]));
    memset(dirt, 0xa5, mia_usable_size(dirt));
    mia_free(dirt);
    char *p = launder(i % 2 == 0 ? mia_rezalloc(NULL, sizes[i])
                                 : mia_rezalloc_aligned(NULL, sizes[i], opaque(256)));
    need_at(p != NULL && is_kept_and_zero(p, 0, 0), i);
    mia_free(p);
  }
}
END_TEST

/* ---- with the usable size ---- */

START_TEST(returned_size_is_the_usable_size) {
  size_t size = sizes[_i];
  size_t told[5];
  void *p[5] = {launder(mia_malloc_at_least(size, &told[0])),
                launder(mia_zalloc_at_least(size, &told[1])),
                launder(mia_calloc_at_least(size, 1, &told[2])),
                launder(mia_malloc_aligned_at_least(size, opaque(512), &told[3])),
                launder(mia_zalloc_aligned_at_least(size, opaque(8192), &told[4]))};
  for (int i = 0; i < 5; i++) {
    need_at(p[i] != NULL && told[i] >= size && told[i] == mia_usable_size(p[i]), i);
    bool zeroed = i == 1 || i == 2 || i == 4;
    need_at(!zeroed || all_zero(p[i], told[i]), i);
    pattern_fill(p[i], told[i], (uint64_t)i);
  }
  need(is_aligned(p[3], 512) && is_aligned(p[4], 8192));
  for (int i = 0; i < 5; i++) {
    size_t before, after, freed;
    need_at(pattern_holds(p[i], told[i], (uint64_t)i), i);
    p[i] = launder(mia_realloc_at_least(p[i], 3 * size, &before, &after));
    need_at(before == told[i] && after == mia_usable_size(p[i]), i);
    mia_free_usable(p[i], &freed);
    need_at(freed == after, i);
  }
}
END_TEST

START_TEST(returned_size_without_a_block_is_zero) {
  size_t a = 1, b = 2;
  ck_assert_ptr_null(mia_malloc_at_least(opaque(SIZE_MAX), &a));
  ck_assert_uint_eq(a, 0);
  void *p = launder(mia_realloc_at_least(NULL, 100, &a, &b));
  ck_assert_uint_eq(a, 0);
  ck_assert_uint_ge(b, 100);
  size_t was = b;
  ck_assert_ptr_null(mia_realloc_at_least(p, opaque(SIZE_MAX), &a, &b));
  ck_assert_uint_eq(a, was);
  ck_assert_uint_eq(b, 0);
  mia_free_usable(p, NULL);
  mia_free_usable(NULL, &a);
  ck_assert_uint_eq(a, 0);
  mia_free(launder(mia_malloc_at_least(1, NULL)));
}
END_TEST

/* ---- any pointer ---- */

START_TEST(blocks_are_recognised_and_other_pointers_are_not) {
  static int data;
  int local = 0;
  ck_assert(!mia_any_heap_contains(NULL) && !mia_any_heap_contains(&data));
  ck_assert(!mia_any_heap_contains(&local) && !mia_is_in_heap_region(&local));
  ck_assert(!mia_any_heap_contains((void *)UINTPTR_MAX) && !mia_is_in_heap_region(NULL));
  for (int i = 0; i < SIZES; i++) {
    char *p = launder(mia_malloc(sizes[i]));
    need_at(mia_any_heap_contains(p) && mia_is_in_heap_region(p), i);
    mia_free(p);
  }
}
END_TEST

SUITE("api/extended") {
  CASE(NULL, NULL);
  TEST(products_that_overflow_are_refused);
  TEST(mallocn_has_room_for_all_elements);
  TEST(reallocarr_changes_the_pointer);
  TEST(reallocf_frees_where_it_fails);
  LOOP(expand_never_moves, 0, 80);
  LOOP(rezalloc_zeroes_the_tail, 0, SIZES);
  TEST(rezalloc_forgets_what_was_cut_off);
  LOOP(rezalloc_leaves_no_old_byte, 0, 3);
  TEST(rezalloc_does_not_write_memory_that_is_zero);
  TEST(rezalloc_of_null_is_zero);
  LOOP(returned_size_is_the_usable_size, 0, SIZES);
  TEST(returned_size_without_a_block_is_zero);
  TEST(blocks_are_recognised_and_other_pointers_are_not);
}
