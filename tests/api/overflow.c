/* overflow.c -- requests that exceed what can be allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

#define HALF_BITS (sizeof(size_t) * 4)
#define HALF ((size_t)1 << HALF_BITS)

/* Products that overflow: by far, by one, above PTRDIFF_MAX without overflow of size_t, and
 * with either factor as the large one. */
static const struct {
  size_t count, size;
} products[] = {
    {SIZE_MAX, SIZE_MAX},
    {SIZE_MAX, 2},
    {2, SIZE_MAX},
    {SIZE_MAX / 2 + 1, 2},
    {2, SIZE_MAX / 2 + 1},
    {SIZE_MAX / 3 + 1, 3},
    {HALF, HALF},
    {HALF + 1, HALF - 1},
    {HALF, HALF / 2},
    {SIZE_MAX, 1},
    {1, SIZE_MAX},
    {(size_t)PTRDIFF_MAX + 1, 1},
    {1, (size_t)PTRDIFF_MAX + 1},
    {(size_t)PTRDIFF_MAX, 1},
    {SIZE_MAX / 16 + 1, 16},
    {SIZE_MAX / 16 + 2, 16},
};
#define PRODUCTS (sizeof products / sizeof products[0])

static const size_t totals[] = {SIZE_MAX,
                                SIZE_MAX - 1,
                                SIZE_MAX - 7,
                                SIZE_MAX - 15,
                                SIZE_MAX - 16,
                                SIZE_MAX - 4095,
                                SIZE_MAX - 65535,
                                (size_t)PTRDIFF_MAX + 2,
                                (size_t)PTRDIFF_MAX + 1,
                                (size_t)PTRDIFF_MAX,
                                (size_t)PTRDIFF_MAX - 1,
                                (size_t)PTRDIFF_MAX - 15,
                                (size_t)PTRDIFF_MAX - 4095,
                                (size_t)PTRDIFF_MAX - 65535};
#define TOTALS (sizeof totals / sizeof totals[0])

#define KEPT 300

/* Checks that `call' fails with ENOMEM. */
#define refused(call, value)               \
  do {                                     \
    errno = ERRNO_MARK;                    \
    need_at(launder(call) == NULL, value); \
    need_at(errno == ENOMEM, value);       \
  } while (0)

START_TEST(products_overflow) {
  for (size_t i = 0; i < PRODUCTS; i++) {
    size_t count = opaque(products[i].count);
    size_t size = opaque(products[i].size);
    refused(mia_calloc(count, size), i);
    refused(mia_reallocarray(NULL, count, size), i);
    for (size_t alignment = 1; alignment <= 65536; alignment *= 8) {
      refused(mia_calloc_aligned(count, size, opaque(alignment)), i);
    }
  }
}
END_TEST

START_TEST(totals_of_every_form) {
  for (size_t i = 0; i < TOTALS; i++) {
    size_t size = opaque(totals[i]);
    refused(mia_malloc(size), i);
    refused(mia_zalloc(size), i);
    refused(mia_calloc(1, size), i);
    refused(mia_realloc(NULL, size), i);
    refused(mia_reallocarray(NULL, size, 1), i);
    refused(mia_valloc(size), i);
    refused(mia_pvalloc(size), i);
    for (size_t alignment = 1; alignment <= (1 << 21); alignment *= 8) {
      refused(mia_malloc_aligned(size, opaque(alignment)), i);
      refused(mia_zalloc_aligned(size, opaque(alignment)), i);
      refused(mia_calloc_aligned(size, 1, opaque(alignment)), i);
      refused(mia_realloc_aligned(NULL, size, opaque(alignment)), i);
      refused(mia_aligned_alloc(opaque(alignment), size), i);
      refused(mia_memalign(opaque(alignment), size), i);
    }
  }
}
END_TEST

/* Loop index: blocks from a small to a huge one. */
static const size_t kept_sizes[] = {KEPT, 5000, 70000, 3 << 20, 40 << 20};

START_TEST(block_stays_valid_after_a_failed_realloc) {
  size_t kept = kept_sizes[_i];
  unsigned char *p = launder(mia_malloc(kept));
  need(p != NULL);
  pattern_fill(p, KEPT, suite_seed);
  pattern_fill(p + kept - KEPT, KEPT, suite_seed);
  size_t usable = mia_usable_size(p);
  for (size_t i = 0; i < PRODUCTS; i++) {
    refused(mia_reallocarray(p, opaque(products[i].count), opaque(products[i].size)), i);
  }
  for (size_t i = 0; i < TOTALS; i++) {
    refused(mia_realloc(p, opaque(totals[i])), i);
    refused(mia_realloc_aligned(p, opaque(totals[i]), opaque(64)), i);
  }
  ck_assert_uint_eq(mia_usable_size(p), usable);
  ck_assert(pattern_holds(p, KEPT, suite_seed));
  ck_assert(pattern_holds(p + kept - KEPT, KEPT, suite_seed));
  p = launder(mia_realloc(p, kept + 1000));
  ck_assert_ptr_nonnull(p);
  ck_assert(pattern_holds(p, KEPT, suite_seed));
  ck_assert(pattern_holds(p + kept - KEPT, KEPT, suite_seed));
  mia_free(p);
}
END_TEST

START_TEST(products_that_fit) {
  static const size_t factors[] = {0, 1, 2, 3, 7, 16, 31, 100, 255};
  enum { FACTORS = sizeof factors / sizeof factors[0] };
  for (size_t i = 0; i < FACTORS * FACTORS; i++) {
    size_t count = factors[i / FACTORS];
    size_t size = factors[i % FACTORS];
    void *p = launder(mia_calloc(count, size));
    need_at(p != NULL && mia_usable_size(p) >= count * size && all_zero(p, count * size), i);
    p = launder(mia_reallocarray(p, count + 1, size + 1));
    need_at(p != NULL && mia_usable_size(p) >= (count + 1) * (size + 1), i);
    need_at(all_zero(p, count * size), i);
    mia_free(p);
    p = launder(mia_calloc_aligned(count, size, 128));
    need_at(p != NULL && mia_usable_size(p) >= count * size && all_zero(p, count * size), i);
    mia_free(p);
  }
  /* With a zero factor there is no overflow, whatever the other factor is. */
  void *p = launder(mia_calloc(opaque(0), opaque(SIZE_MAX)));
  void *q = launder(mia_calloc(opaque(SIZE_MAX), opaque(0)));
  void *r = launder(mia_reallocarray(NULL, opaque(SIZE_MAX), opaque(0)));
  void *s = launder(mia_calloc_aligned(opaque(0), opaque(SIZE_MAX), 64));
  ck_assert(p != NULL && q != NULL && r != NULL && s != NULL);
  mia_free(p);
  mia_free(q);
  mia_free(r);
  mia_free(s);
}
END_TEST

START_TEST(good_size_of_an_impossible_size_is_that_size) {
  for (size_t i = 0; i < TOTALS; i++) {
    if (totals[i] > PTRDIFF_MAX) need_at(mia_good_size(opaque(totals[i])) == totals[i], i);
    need_at(mia_good_size(opaque(totals[i])) >= totals[i], i);
  }
  size_t too_aligned = (size_t)2 << 30;
  need(mia_malloc_aligned(100, opaque(too_aligned)) == NULL);
  need(mia_good_size_aligned(100, opaque(too_aligned)) == 100);
}
END_TEST

SUITE("api/overflow") {
  CASE(NULL, NULL);
  TEST(products_overflow);
  TEST(totals_of_every_form);
  LOOP(block_stays_valid_after_a_failed_realloc, 0,
       (int)(sizeof kept_sizes / sizeof kept_sizes[0]));
  TEST(products_that_fit);
  TEST(good_size_of_an_impossible_size_is_that_size);
}
