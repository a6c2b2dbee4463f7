/* aligned.c -- the aligned functions: every alignment, invalid alignments, mixed blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

/* The largest alignment that is promised.  A 32-bit process rarely has that much contiguous
 * address space, so there the tests allocate with alignments up to 64 MiB only. */
#define ALIGNMENT_LIMIT ((size_t)1 << 30)
#define ALIGNMENT_BITS (sizeof(void *) > 4 ? 30 : 26)

static const size_t sizes[] = {0, 1, 7, 8, 9, 24, 100, 1000, 4096, 5000, 65536, 100000, 1 << 20};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Larger blocks are not filled: to fill them for every alignment would take long. */
#define FILL_TOP 5000

typedef enum {
  MALLOC_ALIGNED,
  ZALLOC_ALIGNED,
  CALLOC_ALIGNED,
  REALLOC_ALIGNED,
  ALIGNED_ALLOC,
  POSIX_MEMALIGN,
  MEMALIGN,
  FORMS
} form;

static void *aligned(form which, size_t size, size_t alignment) {
  void *p = NULL;
  switch (which) {
  case MALLOC_ALIGNED:
    p = mia_malloc_aligned(size, alignment);
    break;
  case ZALLOC_ALIGNED:
    p = mia_zalloc_aligned(size, alignment);
    break;
  case CALLOC_ALIGNED:
    p = mia_calloc_aligned(size, 1, alignment);
    break;
  case REALLOC_ALIGNED:
    p = mia_realloc_aligned(NULL, size, alignment);
    break;
  case ALIGNED_ALLOC:
    p = mia_aligned_alloc(alignment, size);
    break;
  case POSIX_MEMALIGN: {
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    int error = mia_posix_memalign(&p, alignment, size);
    need_at(error == 0, alignment);
    break;
  }
  case MEMALIGN:
    p = mia_memalign(alignment, size);
    break;
  case FORMS:
    break;
  }
  return launder(p);
}

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Loop index: the function. */
START_TEST(every_alignment) {
  form which = (form)_i;
  for (unsigned bits = 0; bits <= ALIGNMENT_BITS; bits++) {
    size_t alignment = opaque((size_t)1 << bits);
    for (size_t i = 0; i < SIZES; i++) {
      errno = ERRNO_MARK;
      unsigned char *p = aligned(which, sizes[i], alignment);
      need_at(p != NULL, bits);
      need_at(errno == ERRNO_MARK, bits);
      need_at(is_aligned(p, alignment), bits);
      need_at(is_aligned(p, sizes[i] <= 8 ? 8 : 16), sizes[i]);
      need_at(mia_usable_size(p) >= sizes[i], sizes[i]);
      size_t part = min_size(sizes[i], FILL_TOP);
      if (which == ZALLOC_ALIGNED || which == CALLOC_ALIGNED) {
        need_at(all_zero(p, part) && all_zero(p + sizes[i] - part, part), sizes[i]);
      }
      pattern_fill(p, part, bits);
      pattern_fill(p + sizes[i] - part, part, bits);
      mia_free(p);
    }
  }
}
END_TEST

START_TEST(several_blocks_of_each_alignment) {
  enum { LIVE = 4 };
  unsigned char *live[LIVE];
  for (unsigned bits = 0; bits <= 24; bits++) {
    for (size_t i = 0; i < SIZES; i++) {
      size_t size = min_size(sizes[i], FILL_TOP);
      for (unsigned j = 0; j < LIVE; j++) {
        live[j] = aligned(MALLOC_ALIGNED, size, opaque((size_t)1 << bits));
        need_at(live[j] != NULL && is_aligned(live[j], (size_t)1 << bits), bits);
        pattern_fill(live[j], size, suite_seed + j);
      }
      for (unsigned j = 0; j < LIVE; j++) {
        need_at(pattern_holds(live[j], size, suite_seed + j), bits);
        mia_free(live[j]);
      }
    }
  }
}
END_TEST

START_TEST(bad_alignment_is_einval) {
  static const size_t bad[] = {0, 3, 5, 6, 7, 9, 12, 17, 24, 100, 4095, 4097, 65535};
  const size_t more[] = {SIZE_MAX, SIZE_MAX - 1, (SIZE_MAX >> 1) + 2, ALIGNMENT_LIMIT - 1};
  enum { BAD = sizeof bad / sizeof bad[0], MORE = sizeof more / sizeof more[0] };
  void *kept = mia_malloc(100);
  need(kept != NULL);
  pattern_fill(kept, 100, suite_seed);
  for (unsigned i = 0; i < BAD + MORE; i++) {
    size_t alignment = opaque(i < BAD ? bad[i] : more[i - BAD]);
    for (form which = MALLOC_ALIGNED; which <= ALIGNED_ALLOC; which++) {
      errno = ERRNO_MARK;
      need_at(aligned(which, 64, alignment) == NULL, alignment);
      need_at(errno == EINVAL, alignment);
    }
    errno = ERRNO_MARK;
    need_at(launder(mia_realloc_aligned(kept, 200, alignment)) == NULL, alignment);
    need_at(errno == EINVAL, alignment);
    errno = ERRNO_MARK;
    need_at(launder(mia_realloc_exact(kept, 200, alignment)) == NULL, alignment);
    need_at(errno == EINVAL, alignment);
    need_at(pattern_holds(kept, 100, suite_seed), alignment);
  }
  mia_free(kept);
}
END_TEST

/* memalign rounds up to a power of two; above this alignment there is none. */
START_TEST(alignment_without_a_next_power_of_two_is_einval) {
  const size_t last = (SIZE_MAX >> 1) + 1;
  const size_t beyond[] = {SIZE_MAX, SIZE_MAX - 1, last + 1};
  for (unsigned i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
    errno = ERRNO_MARK;
    need_at(launder(mia_memalign(opaque(beyond[i]), 64)) == NULL && errno == EINVAL, i);
  }
  need(launder(mia_memalign(opaque(last), 64)) == NULL && errno == ENOMEM);
  need(launder(mia_memalign(opaque(last - 1), 64)) == NULL && errno == ENOMEM);
}
END_TEST

START_TEST(alignment_above_the_limit_is_enomem) {
  for (size_t alignment = ALIGNMENT_LIMIT * 2; alignment != 0; alignment *= 2) {
    for (form which = MALLOC_ALIGNED; which <= ALIGNED_ALLOC; which++) {
      errno = ERRNO_MARK;
      need_at(aligned(which, 64, opaque(alignment)) == NULL, alignment);
      need_at(errno == ENOMEM, alignment);
    }
    void *result = &errno;
    ck_assert_int_eq(mia_posix_memalign(&result, opaque(alignment), 64), ENOMEM);
    ck_assert(result == &errno);
  }
}
END_TEST

START_TEST(posix_memalign_returns_its_error) {
  int mark;
  void *result = &mark;
  static const size_t bad[] = {0, 1, 2, 3, 12, 24, 100, 4095, 65537};
  errno = ERRNO_MARK;
  for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ck_assert_int_eq(mia_posix_memalign(&result, opaque(bad[i]), 64), EINVAL);
    ck_assert(result == &mark);
  }
  if (sizeof(void *) > 4) ck_assert_int_eq(mia_posix_memalign(&result, opaque(4), 64), EINVAL);
  ck_assert_int_eq(mia_posix_memalign(&result, 64, opaque(SIZE_MAX)), ENOMEM);
  ck_assert_int_eq(mia_posix_memalign(&result, 64, opaque((size_t)PTRDIFF_MAX + 1)), ENOMEM);
  ck_assert_int_eq(mia_posix_memalign(&result, 4096, opaque(PTRDIFF_MAX)), ENOMEM);
  ck_assert(result == &mark);
  ck_assert_int_eq(mia_posix_memalign(&result, sizeof(void *), opaque(0)), 0);
  ck_assert(result != &mark);
  ck_assert_ptr_nonnull(result);
  ck_assert_int_eq(errno, ERRNO_MARK);
  mia_free(result);
}
END_TEST

START_TEST(memalign_rounds_up) {
  static const size_t odd[] = {0, 1, 3, 5, 17, 24, 33, 100, 1000, 4097, 10000, 70000};
  for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    size_t power = 1;
    while (power < odd[i]) power *= 2;
    void *p = aligned(MEMALIGN, 100, opaque(odd[i]));
    need_at(p != NULL, odd[i]);
    need_at(is_aligned(p, power) && is_aligned(p, 16), odd[i]);
    pattern_fill(p, mia_usable_size(p), suite_seed);
    mia_free(p);
  }
  errno = ERRNO_MARK;
  ck_assert_ptr_null(aligned(MEMALIGN, 100, opaque(ALIGNMENT_LIMIT + 1)));
  ck_assert_int_eq(errno, ENOMEM);
  errno = ERRNO_MARK;
  ck_assert_ptr_null(aligned(MEMALIGN, 100, opaque(SIZE_MAX)));
  ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* An OS page has at least 4 KiB everywhere. pvalloc's usable size tells how large it is here,
 * without a system call. */
START_TEST(valloc_and_pvalloc) {
  enum { PAGE_LEAST = 4096 };
  size_t page = 0;
  for (size_t size = 0; size < 3 * PAGE_LEAST; size += 500) {
    void *p = launder(mia_valloc(size));
    need_at(p != NULL && is_aligned(p, PAGE_LEAST), size);
    need_at(mia_usable_size(p) >= size, size);
    void *q = launder(mia_pvalloc(size));
    need_at(q != NULL && is_aligned(q, PAGE_LEAST), size);
    need_at(mia_usable_size(q) >= (size + PAGE_LEAST - 1) / PAGE_LEAST * PAGE_LEAST, size);
    if (size == 500) page = mia_usable_size(q);
    mia_free(p);
    mia_free(q);
  }
  ck_assert(page >= PAGE_LEAST);
  errno = ERRNO_MARK;
  ck_assert_ptr_null(launder(mia_pvalloc(opaque(SIZE_MAX))));
  ck_assert_int_eq(errno, ENOMEM);
  errno = ERRNO_MARK;
  ck_assert_ptr_null(launder(mia_pvalloc(opaque(PTRDIFF_MAX))));
  ck_assert_int_eq(errno, ENOMEM);
  errno = ERRNO_MARK;
  ck_assert_ptr_null(launder(mia_valloc(opaque(SIZE_MAX - 1))));
  ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

/* Loop index: log2 of the alignment. */
START_TEST(realloc_aligned_keeps_alignment_and_contents) {
  static const size_t ladder[] = {1, 50, 500, 400, 5000, 70000, 300000, 60000, 900, 10, 20000};
  size_t alignment = opaque((size_t)1 << _i);
  size_t size = 20;
  void *p = launder(mia_realloc_aligned(NULL, size, alignment));
  need(p != NULL && is_aligned(p, alignment));
  pattern_fill(p, size, suite_seed);
  for (unsigned i = 0; i < sizeof ladder / sizeof ladder[0]; i++) {
    errno = ERRNO_MARK;
    p = launder(mia_realloc_aligned(p, ladder[i], alignment));
    need_at(p != NULL, ladder[i]);
    need_at(errno == ERRNO_MARK, ladder[i]);
    need_at(is_aligned(p, alignment), ladder[i]);
    need_at(mia_usable_size(p) >= ladder[i], ladder[i]);
    need_at(pattern_holds(p, min_size(size, ladder[i]), suite_seed), ladder[i]);
    size = ladder[i];
    pattern_fill(p, size, suite_seed);
  }
  mia_free(p);
}
END_TEST

/* A block whose alignment is at an offset may begin at any byte, but realloc returns memory
 * that is aligned for any object. */
START_TEST(realloc_of_a_block_at_an_odd_address_is_aligned) {
  for (size_t size = 40; size < 10 * MIB; size = size * 5 + 1) {
    unsigned char *p = mia_malloc_aligned_at(size, 64, 33);
    ck_assert(p != NULL && !is_aligned(p, 2));
    pattern_fill(p, size, size);
    p = launder(mia_realloc(p, size - 3));
    need_at(p != NULL && is_aligned(p, 16) && pattern_holds(p, size - 3, size), size);
    mia_free(p);
  }
}
END_TEST

/* Raises the alignment step by step, then resizes the aligned block with plain realloc. */
START_TEST(realloc_aligned_to_larger_alignments) {
  enum { SIZE = 3000 };
  void *p = mia_malloc(SIZE);
  need(p != NULL);
  pattern_fill(p, SIZE, suite_seed);
  for (unsigned bits = 4; bits <= 22; bits++) {
    p = launder(mia_realloc_aligned(p, SIZE, opaque((size_t)1 << bits)));
    need_at(p != NULL && is_aligned(p, (size_t)1 << bits), bits);
    need_at(pattern_holds(p, SIZE, suite_seed), bits);
  }
  p = launder(mia_realloc(p, 2 * SIZE));
  need(p != NULL && is_aligned(p, 16) && pattern_holds(p, SIZE, suite_seed));
  p = launder(mia_realloc(p, 100));
  need(p != NULL && is_aligned(p, 16) && pattern_holds(p, 100, suite_seed));
  mia_free(p);
}
END_TEST

START_TEST(blocks_of_mixed_alignment_freed_in_random_order) {
  enum { COUNT = 3000, OPERATIONS = 30000, ALIGN_BITS = 15, SIZE_BITS = 12 };
  static struct {
    void *p;
    size_t size;
    size_t alignment;
  } blocks[COUNT];
  uint64_t random = suite_random(1);
  for (unsigned n = 0; n < OPERATIONS + COUNT; n++) {
    size_t i = n < OPERATIONS ? random_below(&random, COUNT) : n - OPERATIONS;
    if (blocks[i].p != NULL) {
      need_at(pattern_holds(blocks[i].p, blocks[i].size, suite_seed + i), i);
      if (random_below(&random, 4) == 0) {
        mia_free_aligned_sized(blocks[i].p, blocks[i].alignment, blocks[i].size);
      } else {
        mia_free(blocks[i].p);
      }
      blocks[i].p = NULL;
    } else if (n < OPERATIONS) {
      blocks[i].size = random_size(&random, SIZE_BITS);
      blocks[i].alignment = (size_t)1 << random_below(&random, ALIGN_BITS);
      form which = (form)random_below(&random, FORMS);
      blocks[i].p = aligned(which, blocks[i].size, blocks[i].alignment);
      need_at(blocks[i].p != NULL, blocks[i].size);
      need_at(is_aligned(blocks[i].p, blocks[i].alignment), blocks[i].alignment);
      pattern_fill(blocks[i].p, blocks[i].size, suite_seed + i);
    }
  }
}
END_TEST

SUITE("api/aligned") {
  CASE(NULL, NULL);
  LOOP(every_alignment, 0, FORMS);
  TEST(several_blocks_of_each_alignment);
  TEST(memalign_rounds_up);
  TEST(valloc_and_pvalloc);
  TEST(blocks_of_mixed_alignment_freed_in_random_order);
  TEST(bad_alignment_is_einval);
  TEST(alignment_without_a_next_power_of_two_is_einval);
  TEST(alignment_above_the_limit_is_enomem);
  TEST(posix_memalign_returns_its_error);
  LOOP(realloc_aligned_keeps_alignment_and_contents, 0, 21);
  TEST(realloc_aligned_to_larger_alignments);
  TEST(realloc_of_a_block_at_an_odd_address_is_aligned);
}
