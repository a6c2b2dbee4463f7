/* SPDX-License-Identifier: MIT */
/* Statistics as text. */
#include "unit/said.h"

#include "api/options.h"
#include "api/stats.h"
#include "arena/arena.h"
#include "theap/theap.h"

static void begin(void) { memset(&mia_theap_all.pages, 0, sizeof mia_theap_all.pages); }

/* Records what is written to descriptor 2. */
static void print(void) {
  said_begin();
  mia_api_print_stats();
  said_end();
}

static void set_pages(unsigned kind, size_t now, size_t peak) {
  mia_aword_set(&mia_theap_all.pages[kind].now, now);
  mia_aword_set(&mia_theap_all.pages[kind].peak, peak);
}

static bool has(const char *text) { return strstr(said, text) != NULL; }

START_TEST(the_first_line_is_the_summary) {
  mia_aword_set(&mia_arena_all.used_peak, 3 * MIA_MIB);
  mia_aword_set(&mia_arena_all.reserved, 32 * MIA_MIB);
  mia_aword_set(&mia_arena_all.used, MIA_MIB);
  mia_aword_set(&mia_arena_all.purged, 512 * MIA_KIB);
  mia_aword_set(&mia_theap_all.attached.now, 2);
  mia_aword_set(&mia_theap_all.attached.peak, 5);
  print();
  const char *expected = "mialloc " PACKAGE_VERSION ": peak 3.0 MiB, committed 1.0 MiB, reserved "
                         "32.0 MiB, purged 512.0 KiB, threads 2 (peak 5), page faults ";
  ck_assert_mem_eq(said, expected, strlen(expected));
  ck_assert(has(", peak RSS ") && strchr(said, '\n') == said + strlen(said) - 1);
}
END_TEST

START_TEST(a_row_for_each_class_that_was_in_use) {
  set_pages(0, 1, 1);
  set_pages(9, 0, 7);
  set_pages(MIA_CLASS_LARGE, 2, 3);
  set_pages(MIA_CLASS_HUGE, 12345, 67890);
  print();
  ck_assert(has(
      "\n  class 8 B      pages 0                  peak 1            blocks 0            0 B\n"));
  ck_assert(has("\n  class 144 B    pages 0                  peak 7 "));
  ck_assert(has("\n  large          pages 0                  peak 3 "));
  ck_assert(has("\n  huge           pages 0                  peak 67890 "));
  size_t lines = 0;
  for (const char *p = said; (p = strchr(p, '\n')) != NULL; p++) lines++;
  ck_assert_uint_eq(lines, 5);
}
END_TEST

START_TEST(all_rows_fit) {
  for (unsigned c = 0; c < MIA_CLASS_KINDS; c++) set_pages(c, SIZE_MAX, SIZE_MAX);
  print();
  size_t lines = 0;
  for (const char *p = said; (p = strchr(p, '\n')) != NULL; p++) lines++;
  ck_assert_uint_eq(lines, 1 + MIA_CLASS_KINDS);
  ck_assert_int_eq(said[strlen(said) - 1], '\n');
}
END_TEST

/* A program may close its stderr before the statistics are written. */
START_TEST(statistics_survive_a_closed_stderr) {
  said_begin();
  mia_api_open_stats();
  close(STDERR_FILENO);
  mia_api_print_stats();
  close((int)mia_aword_get(&mia_api_all.stderr_copy));
  mia_aword_set(&mia_api_all.stderr_copy, 0);
  said_end();
  ck_assert_mem_eq(said, "mialloc ", 8);
}
END_TEST

SUITE("api/stats") {
  CASE(begin, begin);
  TEST(the_first_line_is_the_summary);
  TEST(a_row_for_each_class_that_was_in_use);
  TEST(all_rows_fit);
  TEST(statistics_survive_a_closed_stderr);
}
