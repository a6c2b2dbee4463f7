/* SPDX-License-Identifier: MIT */
/* Tests that text never overruns its buffer and always ends in a zero byte. */
#include "unit/suite.h"

#include "base/fmt.h"

START_TEST(a_new_text_is_empty) {
  char buffer[4] = "xyz";
  mia_text t = mia_base_text(buffer, sizeof buffer);
  ck_assert_str_eq(buffer, "");
  ck_assert(t.start == buffer && t.at == buffer && t.end == buffer + sizeof buffer);
}
END_TEST

/* The bytes behind the buffer are never written; the text ends within it. */
START_TEST(a_full_text_is_cut_and_ends) {
  for (size_t size = 1; size < 12; size++) {
    char buffer[16];
    memset(buffer, '#', sizeof buffer);
    mia_text t = mia_base_text(buffer, size);
    mia_base_put(&t, "abc");
    mia_base_put_unsigned(&t, 12345);
    mia_base_put_hex(&t, 0xff);
    mia_base_put_pad(&t, buffer, 40);
    need_at(strlen(buffer) == size - 1 && t.at == buffer + size - 1, size);
    need_at(memcmp(buffer, "abc123450xff", size - 1) == 0, size);
    for (size_t i = size; i < sizeof buffer; i++) need_at(buffer[i] == '#', size);
  }
}
END_TEST

START_TEST(numbers_read_as_printf_writes_them) {
  uint64_t random = suite_random(1);
  char buffer[128], expected[128];
  for (int i = 0; i < 1000; i++) {
    uintmax_t n = i == 0 ? 0 : i == 1 ? UINTMAX_MAX : random_size(&random, 64);
    mia_text t = mia_base_text(buffer, sizeof buffer);
    mia_base_put_unsigned(&t, n);
    mia_base_put(&t, " ");
    mia_base_put_hex(&t, n);
    snprintf(expected, sizeof expected, "%ju 0x%jx", n, n);
    need_at(strcmp(buffer, expected) == 0, n);
  }
}
END_TEST

START_TEST(sizes_have_a_readable_unit) {
  static const struct {
    uintmax_t n;
    const char *text;
  } cases[] = {{0, "0 B"},
               {1023, "1023 B"},
               {1024, "1.0 KiB"},
               {1024 + 512, "1.5 KiB"},
               {1048575, "1023.9 KiB"},
               {1048576, "1.0 MiB"},
               {(uintmax_t)5 << 30, "5.0 GiB"},
               {(uintmax_t)5 << 40, "5.0 TiB"},
               {(uintmax_t)3 << 49, "1.5 PiB"},
               {UINT64_MAX, "15.9 EiB"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char buffer[32];
    mia_text t = mia_base_text(buffer, sizeof buffer);
    mia_base_put_size(&t, cases[i].n);
    ck_assert_str_eq(buffer, cases[i].text);
  }
}
END_TEST

START_TEST(padding_reaches_the_column_or_does_nothing) {
  char buffer[64];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  mia_base_put(&t, "one\n");
  const char *line = t.at;
  mia_base_put(&t, "ab");
  mia_base_put_pad(&t, line, 5);
  mia_base_put_pad(&t, line, 3);
  mia_base_put(&t, "|");
  ck_assert_str_eq(buffer, "one\nab   |");
}
END_TEST

SUITE("base/fmt") {
  CASE(NULL, NULL);
  TEST(a_new_text_is_empty);
  TEST(a_full_text_is_cut_and_ends);
  TEST(numbers_read_as_printf_writes_them);
  TEST(sizes_have_a_readable_unit);
  TEST(padding_reaches_the_column_or_does_nothing);
}
