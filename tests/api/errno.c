/* errno.c -- errno is set by failure and left alone by success.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

/* From the smallest class to a huge block, whose release makes a system call. */
static const size_t sizes[] = {1,     8,      16,      100,     1000,     4096,
                               20000, 100000, 1 << 20, 5 << 20, 24 << 20, 48 << 20};
#define SIZES ((int)(sizeof sizes / sizeof sizes[0]))

#define errno_is_kept(statement, value)  \
  do {                                   \
    errno = ERRNO_MARK;                  \
    statement;                           \
    need_at(errno == ERRNO_MARK, value); \
  } while (0)

/* Loop index: the size. */
START_TEST(success_keeps_errno) {
  size_t size = sizes[_i];
  void *p = NULL;
  errno_is_kept(p = launder(mia_malloc(size)), size);
  need_at(p != NULL, size);
  errno_is_kept(p = launder(mia_realloc(p, size + size / 2)), size);
  errno_is_kept(p = launder(mia_realloc(p, size / 2)), size);
  errno_is_kept(p = launder(mia_reallocarray(p, 3, size)), size);
  errno_is_kept(p = launder(mia_realloc_aligned(p, size, 256)), size);
  errno_is_kept(mia_usable_size(p), size);
  need_at(p != NULL, size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_calloc(2, size)), size);
  errno_is_kept(mia_free_sized(p, 2 * size), size);
  errno_is_kept(p = launder(mia_zalloc(size)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_malloc_aligned(size, 4096)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_zalloc_aligned(size, 65536)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_calloc_aligned(1, size, 1 << 20)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_aligned_alloc(64, size)), size);
  errno_is_kept(mia_free_aligned_sized(p, 64, size), size);
  errno_is_kept(p = launder(mia_memalign(100, size)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_valloc(size)), size);
  errno_is_kept(mia_free(p), size);
  errno_is_kept(p = launder(mia_pvalloc(size)), size);
  errno_is_kept(mia_free(p), size);
}
END_TEST

START_TEST(free_keeps_any_errno) {
  static const int values[] = {0, EINTR, ENOMEM, EINVAL, EAGAIN, ERRNO_MARK, -1};
  for (int i = 0; i < SIZES; i++) {
    for (unsigned j = 0; j < sizeof values / sizeof values[0]; j++) {
      void *p = launder(mia_malloc(sizes[i]));
      need_at(p != NULL, sizes[i]);
      errno = values[j];
      mia_free(p);
      need_at(errno == values[j], sizes[i]);
    }
  }
  errno = ERRNO_MARK;
  mia_free(NULL);
  mia_free_sized(NULL, 0);
  mia_free_sized(NULL, 100);
  mia_free_aligned_sized(NULL, 64, 100);
  ck_assert_int_eq(errno, ERRNO_MARK);
}
END_TEST

/* Frees that empty whole pages, and so give memory back, must also keep errno. */
START_TEST(free_of_many_keeps_errno) {
  enum { COUNT = 20000, SIZE = 700 };
  static void *blocks[COUNT];
  for (unsigned i = 0; i < COUNT; i++) {
    blocks[i] = launder(mia_malloc(SIZE));
    need_at(blocks[i] != NULL, i);
  }
  for (unsigned i = 0; i < COUNT; i++) errno_is_kept(mia_free(blocks[i]), i);
}
END_TEST

START_TEST(failure_sets_enomem_each_time) {
  for (int i = 0; i < 3; i++) {
    errno = 0;
    ck_assert_ptr_null(launder(mia_malloc(opaque(SIZE_MAX))));
    ck_assert_int_eq(errno, ENOMEM);
    errno = EINTR;
    ck_assert_ptr_null(launder(mia_malloc(opaque(PTRDIFF_MAX))));
    ck_assert_int_eq(errno, ENOMEM);
    /* A failure leaves the heap usable. */
    void *p = launder(mia_malloc(100));
    ck_assert_ptr_nonnull(p);
    mia_free(p);
  }
}
END_TEST

START_TEST(queries_and_purges_keep_errno) {
  void *p = launder(mia_malloc(1000));
  void *big = launder(mia_malloc(8 * MIB));
  need(p != NULL && big != NULL);
  mia_free(big);
  errno_is_kept(mia_good_size(100), 0);
  errno_is_kept(mia_good_size(opaque(SIZE_MAX)), 1);
  errno_is_kept(mia_usable_size(p), 2);
  errno_is_kept(mia_usable_size(NULL), 3);
  errno_is_kept(mia_memalignment(p), 4);
  errno_is_kept(mia_version(), 5);
  errno_is_kept(mia_collect(false), 6);
  errno_is_kept(mia_collect(true), 7);
  errno_is_kept(mia_purge(), 8);
  errno_is_kept(mia_thread_init(), 9);
  errno_is_kept(mia_thread_done(), 10);
  errno_is_kept(mia_free(p), 11);
}
END_TEST

SUITE("api/errno") {
  CASE(NULL, NULL);
  LOOP(success_keeps_errno, 0, SIZES);
  TEST(free_keeps_any_errno);
  TEST(free_of_many_keeps_errno);
  TEST(failure_sets_enomem_each_time);
  TEST(queries_and_purges_keep_errno);
}
