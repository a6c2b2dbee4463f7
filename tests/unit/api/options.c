/* SPDX-License-Identifier: MIT */
/* Options in the environment, and the messages about bad values. */
#include "unit/said.h"

#include "api/options.h"
#include "os/os.h"

/* Reads an environment and records what is written to stderr. */
static void read_environment(const char *const *environment) {
  said_begin();
  mia_api_read_options(environment);
  said_end();
}

static void read_variable(const char *variable) {
  const char *const environment[] = {"HOME=/", variable, "MIALLOC", "MIALLOC_=1", "x", NULL};
  read_environment(environment);
}

static long delay(void) { return mia_option_get(MIA_OPTION_PURGE_DELAY); }
static long show(void) { return mia_option_get(MIA_OPTION_SHOW_STATS); }

static void begin(void) {
  memset(&mia_api_all.changes, 0, sizeof mia_api_all.changes);
  mia_option_set(MIA_OPTION_MAX_WARNINGS, 1000);
}

START_TEST(without_variables_the_defaults_apply) {
  ck_assert(delay() == 250 && show() == 0);
  read_environment(NULL);
  const char *const empty[] = {NULL};
  read_environment(empty);
  read_variable("MIALLOC_PURGE_DELAYS=1");
  read_variable("XMIALLOC_PURGE_DELAY=1");
  read_variable("mialloc_purge_delay=1");
  read_variable("MIALLOC_PURGE_DELAY");
  read_variable("MIALLOC_SHOW_STATS_=1");
  ck_assert(said[0] == 0);
  ck_assert(delay() == 250 && show() == 0);
}
END_TEST

START_TEST(good_values_are_set) {
  static const struct {
    const char *text;
    long value;
  } good[] = {{"MIALLOC_PURGE_DELAY=0", 0},       {"MIALLOC_PURGE_DELAY=-1", -1},
              {"MIALLOC_PURGE_DELAY=-0", 0},      {"MIALLOC_PURGE_DELAY=1", 1},
              {"MIALLOC_PURGE_DELAY=250", 250},   {"MIALLOC_PURGE_DELAY=86400000", 86400000},
              {"MIALLOC_PURGE_DELAY=000100", 100}};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    read_variable(good[i].text);
    ck_assert(said[0] == 0);
    ck_assert_int_eq(delay(), good[i].value);
  }
  read_variable("MIALLOC_SHOW_STATS=1");
  ck_assert(show() == 1 && delay() == 100);
  read_variable("MIALLOC_SHOW_STATS=0");
  ck_assert(show() == 0 && delay() == 100);
}
END_TEST

START_TEST(bad_values_are_reported_once_and_change_nothing) {
  static const char *const bad[] = {"",
                                    "-",
                                    "x",
                                    "1x",
                                    " 1",
                                    "1 ",
                                    "+1",
                                    "0x10",
                                    "1.5",
                                    "--1",
                                    "-2",
                                    "yes",
                                    "86400001",
                                    "1e3",
                                    "9223372036854775808",
                                    "-9223372036854775809",
                                    "99999999999999999999999999"};
  read_variable("MIALLOC_PURGE_DELAY=77");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char variable[100], end[100];
    snprintf(variable, sizeof variable, "MIALLOC_PURGE_DELAY=%s", bad[i]);
    snprintf(end, sizeof end, "; ignored: %s\n", bad[i]);
    read_variable(variable);
    ck_assert_int_eq(delay(), 77);
    need_at(strncmp(said, "mialloc: MIALLOC_PURGE_DELAY wants a number from -1 to 86400000 ms (",
                    68) == 0,
            i);
    size_t length = strlen(said);
    need_at(length > strlen(end) && strcmp(said + length - strlen(end), end) == 0, i);
    need_at(strchr(said, '\n') == said + length - 1, i);
  }
  read_variable("MIALLOC_SHOW_STATS=2");
  ck_assert(strstr(said, "MIALLOC_SHOW_STATS wants on or off (") != NULL && show() == 0);
}
END_TEST

START_TEST(a_long_bad_value_is_cut_and_its_line_ends) {
  static char variable[3000] = "MIALLOC_SHOW_STATS=";
  size_t used = strlen(variable);
  memset(variable + used, 'q', sizeof variable - used - 1);
  read_variable(variable);
  size_t length = strlen(said);
  ck_assert(length > 100 && length < 300 && said[length - 1] == '\n' && said[length - 2] == 'q');
  ck_assert_ptr_eq(strchr(said, '\n'), said + length - 1);
}
END_TEST

START_TEST(the_last_good_value_wins) {
  const char *const environment[] = {"MIALLOC_PURGE_DELAY=1", "MIALLOC_SHOW_STATS=1",
                                     "MIALLOC_PURGE_DELAY=q", "MIALLOC_PURGE_DELAY=3", NULL};
  read_environment(environment);
  ck_assert(delay() == 3 && show() == 1 && strstr(said, "ignored: q\n") != NULL);
}
END_TEST

SUITE("api/options") {
  CASE(begin, begin);
  TEST(without_variables_the_defaults_apply);
  TEST(good_values_are_set);
  TEST(bad_values_are_reported_once_and_change_nothing);
  TEST(a_long_bad_value_is_cut_and_its_line_ends);
  TEST(the_last_good_value_wins);
}
