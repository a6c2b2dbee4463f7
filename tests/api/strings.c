/* strings.c -- copies of strings, file names and environment variables; mia_new and its
 * variants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <errno.h>
#include <limits.h>
#include <mialloc.h>

START_TEST(strings_are_copied) {
  char text[600];
  for (size_t length = 0; length < sizeof text; length++) {
    memset(text, 'a' + (int)(length % 26), length);
    text[length] = 0;
    char *p = launder(mia_strdup(text));
    need_at(p != NULL && p != text && strcmp(p, text) == 0 && mia_usable_size(p) > length, length);
    mia_free(p);
    unsigned char *q = launder(mia_mbsdup((unsigned char *)text));
    need_at(q != NULL && strcmp((char *)q, text) == 0, length);
    mia_free(q);
  }
}
END_TEST

START_TEST(at_most_n_characters_are_read) {
  const char text[3] = {'x', 'y', 'z'}; /* no terminator */
  char *p = launder(mia_strndup(text, 3));
  ck_assert_str_eq(p, "xyz");
  mia_free(p);
  p = launder(mia_strndup(text, 0));
  ck_assert_str_eq(p, "");
  mia_free(p);
  p = launder(mia_strndup("abc", opaque(SIZE_MAX)));
  ck_assert_str_eq(p, "abc");
  mia_free(p);
}
END_TEST

START_TEST(wide_strings_are_copied) {
  const wchar_t text[] = {'w', 0x20ac, 'e', 0};
  wchar_t *p = launder(mia_wcsdup(text));
  ck_assert(p != NULL && memcmp(p, text, sizeof text) == 0);
  mia_free(p);
}
END_TEST

START_TEST(null_is_copied_to_null) {
  ck_assert_ptr_null(mia_strdup(NULL));
  ck_assert_ptr_null(mia_strndup(NULL, 5));
  ck_assert_ptr_null(mia_wcsdup(NULL));
  ck_assert_ptr_null(mia_mbsdup(NULL));
}
END_TEST

START_TEST(a_file_name_becomes_a_block) {
  errno = ERRNO_MARK;
  char *p = launder(mia_realpath("/./", NULL));
  ck_assert_str_eq(p, "/");
  ck_assert(mia_any_heap_contains(p));
  ck_assert_uint_lt(mia_usable_size(p), 64);
  mia_free(p);
  char room[PATH_MAX];
  ck_assert_ptr_eq(mia_realpath("/../", room), room);
  ck_assert_int_eq(errno, ERRNO_MARK);
  ck_assert_str_eq(room, "/");
  errno = 0;
  ck_assert_ptr_null(mia_realpath("/there is/no such file", NULL));
  ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_variable_is_copied) {
  char *p = NULL;
  size_t size = 99;
  ck_assert_int_eq(setenv("MIA_TEST_VARIABLE", "value", 1), 0);
  ck_assert_int_eq(mia_dupenv_s(&p, &size, "MIA_TEST_VARIABLE"), 0);
  ck_assert_str_eq(p, "value");
  ck_assert_uint_eq(size, 6);
  mia_free(p);
  ck_assert_int_eq(mia_dupenv_s(&p, NULL, "MIA_TEST_NO_VARIABLE"), 0);
  ck_assert_ptr_null(p);
  ck_assert_int_eq(mia_dupenv_s(&p, &size, NULL), EINVAL);
  ck_assert_int_eq(mia_dupenv_s(NULL, &size, "HOME"), EINVAL);
  ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(a_wide_variable_is_copied) {
  static const wchar_t name[] = {'M', 'I', 'A', '_', 'W', 0};
  static const wchar_t value[] = {'v', '2', 0};
  wchar_t *p = NULL;
  size_t size = 99;
  ck_assert_int_eq(setenv("MIA_W", "v2", 1), 0);
  ck_assert_int_eq(mia_wdupenv_s(&p, &size, name), 0);
  ck_assert_uint_eq(size, 3);
  ck_assert(p != NULL && memcmp(p, value, sizeof value) == 0);
  mia_free(p);
  ck_assert_int_eq(mia_wdupenv_s(&p, &size, value), 0);
  ck_assert_ptr_null(p);
  ck_assert_int_eq(mia_wdupenv_s(&p, &size, NULL), EINVAL);
  ck_assert_int_eq(mia_wdupenv_s(NULL, NULL, name), EINVAL);
}
END_TEST

/* ---- as operator new ---- */

START_TEST(new_makes_blocks) {
  void *p[] = {launder(mia_new(100)), launder(mia_new_n(10, 10)),
               launder(mia_new_aligned(100, opaque(256))), launder(mia_new_nothrow(100)),
               launder(mia_new_aligned_nothrow(100, opaque(4096)))};
  for (int i = 0; i < 5; i++) need_at(p[i] != NULL && mia_usable_size(p[i]) >= 100, i);
  need(is_aligned(p[2], 256) && is_aligned(p[4], 4096));
  pattern_fill(p[0], 100, 1);
  p[0] = launder(mia_new_realloc(p[0], 10000));
  p[0] = launder(mia_new_reallocn(p[0], 100, 1000));
  need(pattern_holds(p[0], 100, 1) && mia_usable_size(p[0]) >= 100000);
  for (int i = 0; i < 5; i++) mia_free(p[i]);
  ck_assert_ptr_null(mia_new_nothrow(opaque(SIZE_MAX)));
  ck_assert_ptr_null(mia_new_aligned_nothrow(opaque(SIZE_MAX), 64));
  ck_assert_ptr_null(mia_new_aligned_nothrow(10, opaque(3)));
}
END_TEST

/* There is no C++ runtime here that could throw, so a failure ends the process. */
START_TEST(new_never_returns_null) { (void)launder(mia_new(opaque(SIZE_MAX))); }
END_TEST
START_TEST(new_n_never_overflows) { (void)launder(mia_new_n(opaque(SIZE_MAX), 2)); }
END_TEST

SUITE("api/strings") {
  CASE(NULL, NULL);
  TEST(strings_are_copied);
  TEST(at_most_n_characters_are_read);
  TEST(wide_strings_are_copied);
  TEST(null_is_copied_to_null);
  TEST(a_file_name_becomes_a_block);
  TEST(a_variable_is_copied);
  TEST(a_wide_variable_is_copied);
  TEST(new_makes_blocks);
  DIES(new_never_returns_null, SIGABRT);
  DIES(new_n_never_overflows, SIGABRT);
}
