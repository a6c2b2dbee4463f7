/* options.c -- options set by the program and by the environment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <errno.h>
#include <limits.h>
#include <mialloc.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the library printed. */
static char output[8192];
static unsigned lines;

static void keep_output(const char *text, void *arg) {
  ck_assert_ptr_eq(arg, &lines);
  strncat(output, text, sizeof output - strlen(output) - 1);
  for (; *text != 0; text++) lines += *text == '\n';
}

static void begin_output(void) {
  output[0] = 0;
  lines = 0;
  mia_register_output(keep_output, &lines);
}

/* Restores what a test changed, as tests may share a process. */
static void restore(void) {
  mia_register_output(NULL, NULL);
  for (int i = 0; i < MIA_OPTION_COUNT; i++)
    mia_option_set((mia_option)i, mia_option_describe((mia_option)i)->default_value);
}

START_TEST(every_option_is_described) {
  const mia_option_info *o = mia_option_describe((mia_option)_i);
  ck_assert_ptr_nonnull(o);
  ck_assert(*o->name != 0 && *o->meaning != 0 && o->unit != NULL);
  ck_assert(o->min < o->max && o->min <= o->default_value && o->default_value <= o->max);
  ck_assert(strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(o->name));
  if (o->type == MIA_OPTION_IS_SWITCH) ck_assert(o->min == 0 && o->max == 1);
  if (o->type == MIA_OPTION_IS_SIZE) ck_assert_str_eq(o->unit, "KiB");
}
END_TEST

START_TEST(every_value_in_range_is_taken) {
  mia_option option = (mia_option)_i;
  const mia_option_info *o = mia_option_describe(option);
  if (option == MIA_OPTION_SECURE) return; /* the_tier_cannot_be_changed */
  const long values[] = {o->min, o->max, o->default_value, o->min + (o->max - o->min) / 2};
  for (int i = 0; i < 4; i++) {
    ck_assert(mia_option_set(option, values[i]));
    ck_assert_int_eq(mia_option_get(option), values[i]);
  }
  errno = 0;
  if (o->min > LONG_MIN) ck_assert(!mia_option_set(option, o->min - 1) && errno == EINVAL);
  if (o->max < LONG_MAX) ck_assert(!mia_option_set(option, o->max + 1));
  ck_assert_int_eq(mia_option_get(option), values[3]);
}
END_TEST

START_TEST(a_name_finds_its_option) {
  mia_option option = (mia_option)_i;
  char name[64] = "MIALLOC_";
  const mia_option_info *o = mia_option_describe(option);
  strcat(name, o->name);
  ck_assert_int_eq(mia_option_find(o->name), option);
  ck_assert_int_eq(mia_option_find(name), option);
  for (char *c = name; *c != 0; c++)
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
  ck_assert_int_eq(mia_option_find(name), option);
  ck_assert_int_eq(mia_option_find(name + strlen("MIALLOC_")), option);
  strcat(name, "_");
  ck_assert_int_eq(mia_option_find(name), MIA_OPTION_NONE);
  ck_assert_int_eq(mia_option_find(NULL), MIA_OPTION_NONE);
  ck_assert(!mia_option_set_text(NULL, "1") && !mia_option_set_text(name, NULL));
}
END_TEST

START_TEST(unknown_options_are_refused) {
  const mia_option none[] = {MIA_OPTION_COUNT, (mia_option)(MIA_OPTION_COUNT + 1), MIA_OPTION_NONE};
  for (int i = 0; i < 3; i++) {
    ck_assert_ptr_null(mia_option_describe(none[i]));
    ck_assert(!mia_option_set(none[i], 0) && !mia_option_set_default(none[i], 0));
    ck_assert_int_eq(mia_option_get(none[i]), 0);
    ck_assert(!mia_option_is_set(none[i]));
  }
  ck_assert_int_eq(mia_option_find(""), MIA_OPTION_NONE);
  ck_assert_int_eq(mia_option_find("MIALLOC_"), MIA_OPTION_NONE);
  errno = 0;
  ck_assert(!mia_option_set_text("no such option", "1"));
  ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(the_tier_cannot_be_changed) {
  const mia_option_info *o = mia_option_describe(MIA_OPTION_SECURE);
  long tier = mia_option_get(MIA_OPTION_SECURE);
  ck_assert(tier >= o->min && tier <= o->max);
  for (long value = -1; value <= o->max + 1; value++) {
    errno = 0;
    ck_assert(mia_option_set(MIA_OPTION_SECURE, value) == (value == tier));
    ck_assert_int_eq(errno, value == tier ? 0 : EINVAL);
    ck_assert(mia_option_set_default(MIA_OPTION_SECURE, value) == (value == tier));
    ck_assert_int_eq(mia_option_get(MIA_OPTION_SECURE), tier);
  }
}
END_TEST

START_TEST(default_does_not_change_a_set_option) {
  ck_assert(mia_option_set_default(MIA_OPTION_PURGE_DELAY, 77));
  ck_assert_int_eq(mia_option_get(MIA_OPTION_PURGE_DELAY), 77);
  ck_assert(!mia_option_is_set(MIA_OPTION_PURGE_DELAY));
  ck_assert(mia_option_set(MIA_OPTION_PURGE_DELAY, 78));
  ck_assert(mia_option_is_set(MIA_OPTION_PURGE_DELAY));
  ck_assert(mia_option_set_default(MIA_OPTION_PURGE_DELAY, 79));
  ck_assert_int_eq(mia_option_get(MIA_OPTION_PURGE_DELAY), 78);
}
END_TEST

/* ---- the manual ---- */

/* Formats the line that an option must have in the manual. */
static void put_manual(const mia_option_info *o, char *line, size_t size) {
  static const char *const types[] = {"switch", "number", "size", "word"};
  if (o == mia_option_describe(MIA_OPTION_SECURE)) { /* configure may choose both others */
    snprintf(line, size, ".BR MIALLOC_SECURE \" (number; 0 to %ld; default 0)\"\n", o->max);
    return;
  }
  int n = snprintf(line, size, ".BR MIALLOC_%s \" (%s", o->name, types[o->type]);
  for (char *c = line + strlen(".BR MIALLOC_"); *c != ' '; c++)
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
  if (o->type == MIA_OPTION_IS_WORD) {
    snprintf(line + n, size - (size_t)n, ", %s; default %.*s)\"\n", o->unit,
             (int)strcspn(o->unit, "|"), o->unit);
    ck_assert_int_eq(o->default_value, 0);
    return;
  }
  if (o->type == MIA_OPTION_IS_NUMBER && *o->unit != 0)
    n += snprintf(line + n, size - (size_t)n, ", %s", o->unit);
  if (o->type == MIA_OPTION_IS_NUMBER)
    n += snprintf(line + n, size - (size_t)n, "; %ld to %ld", o->min, o->max);
  if (o->type == MIA_OPTION_IS_SWITCH)
    snprintf(line + n, size - (size_t)n, "; default %s)\"\n", o->default_value != 0 ? "on" : "off");
  else
    snprintf(line + n, size - (size_t)n, "; default %ld)\"\n", o->default_value);
}

START_TEST(manual_agrees_with_the_table) {
  const char *folder = getenv("top_srcdir");
  char name[1000], line[1000], expected[200];
  snprintf(name, sizeof name, "%s/man/mialloc.7", folder != NULL ? folder : ".");
  FILE *f = fopen(name, "r");
  ck_assert_msg(f != NULL, "cannot open %.200s", name);
  int count = 0;
  while (fgets(line, sizeof line, f) != NULL) {
    if (strncmp(line, ".BR MIALLOC_", 12) != 0) continue;
    const mia_option_info *o = mia_option_describe((mia_option)count++);
    ck_assert_msg(o != NULL, "not in the table: %.200s", line);
    put_manual(o, expected, sizeof expected);
    ck_assert_msg(strcmp(line, expected) == 0, "%.150s", line);
  }
  fclose(f);
  ck_assert_int_eq(count, MIA_OPTION_COUNT);
}
END_TEST

/* ---- text ---- */

static bool is_set_to(const char *name, const char *text, long value) {
  long before = mia_option_get(mia_option_find(name));
  bool taken = mia_option_set_text(name, text);
  return taken && mia_option_get(mia_option_find(name)) == value && before != LONG_MIN;
}

START_TEST(switches_accept_words) {
  static const char *const on[] = {"1", "on", "ON", "yes", "Yes", "true", "TRUE"};
  static const char *const off[] = {"0", "off", "Off", "no", "NO", "false", "False"};
  static const char *const bad[] = {"", "2", "-1", "o", "onn", "yess", "1 ", "enable", "10"};
  for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
    ck_assert(is_set_to("verbose", on[i], 1));
    ck_assert(is_set_to("verbose", off[i], 0));
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!mia_option_set_text("verbose", bad[i]), "taken: %s", bad[i]);
}
END_TEST

START_TEST(numbers_must_be_decimal_integers) {
  static const char *const bad[] = {"",   "-",    "--1", "+1",
                                    "1x", "0x10", "1.5", " 1",
                                    "1 ", "1k",   "off", "99999999999999999999999",
                                    "-2", "on",   "1-",  "-9999999999999999999999"};
  ck_assert(is_set_to("purge_delay", "0", 0));
  ck_assert(is_set_to("purge_delay", "-1", -1));
  ck_assert(is_set_to("MIALLOC_PURGE_DELAY", "007", 7));
  ck_assert(is_set_to("Purge_Delay", "86400000", 86400000));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!mia_option_set_text("purge_delay", bad[i]), "taken: %s", bad[i]);
  ck_assert_int_eq(mia_option_get(MIA_OPTION_PURGE_DELAY), 86400000);
}
END_TEST

START_TEST(sizes_accept_units) {
  static const struct {
    const char *text;
    long value;
  } good[] = {{"0", 0},       {"1", 1},        {"1024", 1},     {"1025", 2}, {"4096b", 4},
              {"7k", 7},      {"7K", 7},       {"7KiB", 7},     {"7kb", 7},  {"3M", 3072},
              {"3MiB", 3072}, {"1G", 1048576}, {"1gb", 1048576}};
  static const char *const bad[] = {"",
                                    "K",
                                    "1Q",
                                    "1KK",
                                    "1 K",
                                    "-1K",
                                    "1iB",
                                    "1.5M",
                                    "1Kib ",
                                    "99999999999999999999999T",
                                    "18446744073709551615T"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    ck_assert_msg(is_set_to("reserve_memory", good[i].text, good[i].value), "%s", good[i].text);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!mia_option_set_text("reserve_memory", bad[i]), "taken: %s", bad[i]);
}
END_TEST

/* ---- messages ---- */

START_TEST(all_options_are_printed) {
  begin_output();
  ck_assert(mia_option_set(MIA_OPTION_PURGE_DELAY, 1234));
  mia_options_print();
  ck_assert_uint_eq(lines, 1 + MIA_OPTION_COUNT);
  for (int i = 0; i < MIA_OPTION_COUNT; i++)
    ck_assert_ptr_nonnull(strstr(output, mia_option_describe((mia_option)i)->name));
  ck_assert_ptr_nonnull(strstr(output, "1234 ms"));
  char once[sizeof output];
  strcpy(once, output);
  output[0] = 0;
  mia_options_print_out(keep_output, &lines);
  ck_assert_msg(strcmp(output, once) == 0, "%.150s", output);
}
END_TEST

/* The library reads the environment when it starts, so this program runs itself. */
static const char *program;

/* Returns false if the shell cannot run the program, as under an emulator (unit/api/options.c
 * reads environments everywhere). */
static bool run_with(const char *assignment, char *text, size_t size) {
  char command[4096];
  snprintf(command, sizeof command, "%s '%s' show 2>&1", assignment, program);
  FILE *f = popen(command, "r");
  ck_assert_ptr_nonnull(f);
  size_t n = fread(text, 1, size - 1, f);
  text[n] = 0;
  int status = pclose(f);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 126) return false;
  ck_assert_int_eq(status, 0);
  return true;
}

START_TEST(environment_sets_options) {
  char text[8192];
  if (!run_with("MIALLOC_PURGE_DELAY=321 MIALLOC_MAX_WARNINGS=3", text, sizeof text)) return;
  ck_assert_msg(strcmp(text, "purge_delay=321 max_warnings=3\n") == 0, "%.200s", text);
  if (!run_with("mialloc_purge_delay=9 MIALLOC_NOTHING=9", text, sizeof text)) return;
  ck_assert_msg(strcmp(text, "purge_delay=250 max_warnings=16\n") == 0, "%.200s", text);
}
END_TEST

START_TEST(the_environment_chooses_the_tier) {
  static const struct {
    const char *assignment;
    long tier;
  } good[] = {{"MIALLOC_SECURE=3", 3},
              {"MIALLOC_SECURE=2", 2},
              {"MIALLOC_SECURE=1", 1},
              {"MIALLOC_SECURE=0", 0},
              {"MIALLOC_Secure=02", 2}};
  const mia_option_info *o = mia_option_describe(MIA_OPTION_SECURE);
  char text[8192], expected[100];
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    if (good[i].tier < o->min) continue;
    snprintf(expected, sizeof expected, "secure=%ld\n", good[i].tier);
    char assignment[200];
    snprintf(assignment, sizeof assignment,
             "unset MIALLOC_SECURE; SHOW_TIER=1 %s MIALLOC_MAX_WARNINGS=0", good[i].assignment);
    if (!run_with(assignment, text, sizeof text)) return;
    ck_assert_msg(strstr(text, expected) != NULL, "%s: %.200s", good[i].assignment, text);
  }
  static const char *const bad[] = {"", "4", "-1", "1x", "on"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char assignment[100];
    snprintf(assignment, sizeof assignment, "SHOW_TIER=1 MIALLOC_SECURE=%s MIALLOC_MAX_WARNINGS=9",
             bad[i]);
    if (!run_with(assignment, text, sizeof text)) return;
    snprintf(expected, sizeof expected, "secure=%ld\n", o->default_value);
    ck_assert_msg(strstr(text, expected) != NULL, "%s: %.200s", bad[i], text);
    ck_assert_ptr_nonnull(strstr(text, "mialloc: MIALLOC_SECURE wants a number from "));
  }
}
END_TEST

START_TEST(a_bad_value_is_reported_once) {
  char text[8192];
  if (!run_with("MIALLOC_PURGE_DELAY=soon", text, sizeof text)) return;
  const char *end = strchr(text, '\n');
  ck_assert_ptr_nonnull(end);
  ck_assert_msg(strcmp(end, "\npurge_delay=250 max_warnings=16\n") == 0, "%.150s", end);
  ck_assert_ptr_nonnull(strstr(text, "mialloc: MIALLOC_PURGE_DELAY wants a number from -1 to"));
  ck_assert_ptr_nonnull(strstr(text, "soon"));
  if (!run_with("MIALLOC_MAX_WARNINGS=0 MIALLOC_SHOW_STATS=maybe", text, sizeof text)) return;
  ck_assert_msg(strncmp(text, "purge_delay=250 ", 16) == 0 || strstr(text, "maybe"), "%.200s",
                text);
}
END_TEST

/* A value that is too long for the report is cut; the line still ends properly. */
START_TEST(long_value_is_cut_in_the_report) {
  char assignment[2048] = "MIALLOC_VERBOSE=";
  memset(assignment + strlen(assignment), 'x', 1500);
  char text[8192];
  if (!run_with(assignment, text, sizeof text)) return;
  ck_assert_uint_lt(strlen(text), 400);
  const char *end = strchr(text, '\n');
  ck_assert_ptr_nonnull(end);
  ck_assert_msg(strcmp(end, "\npurge_delay=250 max_warnings=16\n") == 0, "%.150s", end);
}
END_TEST

START_TEST(verbose_prints_the_options_at_start) {
  char text[8192];
  if (!run_with("MIALLOC_VERBOSE=on MIALLOC_PURGE_DELAY=7", text, sizeof text)) return;
  ck_assert_ptr_nonnull(strstr(text, "options:\n"));
  ck_assert_ptr_nonnull(strstr(text, "7 ms"));
}
END_TEST

START_TEST(options_reserve_memory_at_start) {
  char text[8192];
  if (!run_with("MIALLOC_RESERVE_MEMORY=100M MIALLOC_SHOW_STATS=on", text, sizeof text)) return;
  ck_assert_msg(strstr(text, ", reserved 10") != NULL, "%.200s", text);
  if (!run_with("MIALLOC_RESERVE_MEMORY=200M MIALLOC_LARGE_PAGES=on MIALLOC_SHOW_STATS=on", text,
                sizeof text))
    return;
  ck_assert_msg(strstr(text, ", reserved 20") != NULL, "%.200s", text);
  /* 1 TiB of huge pages; the few systems that have any reserve what they have. */
  if (!run_with("MIALLOC_RESERVE_HUGE_PAGES=1024", text, sizeof text)) return;
  ck_assert_msg(strncmp(text, "mialloc: MIALLOC_RESERVE_HUGE", 29) == 0 ||
                    strncmp(text, "purge_delay", 11) == 0,
                "%.200s", text);
  if (!run_with("MIALLOC_RESERVE_MEMORY=900000000M", text, sizeof text)) return;
  ck_assert_msg(strncmp(text, "mialloc: MIALLOC_RESERVE_MEMORY", 31) == 0, "%.200s", text);
}
END_TEST

static int show(void) {
  mia_free(launder(mia_malloc(1))); /* a static library starts with the first call */
  printf("purge_delay=%ld max_warnings=%ld\n", mia_option_get(MIA_OPTION_PURGE_DELAY),
         mia_option_get(MIA_OPTION_MAX_WARNINGS));
  if (getenv("SHOW_TIER") != NULL) printf("secure=%ld\n", mia_option_get(MIA_OPTION_SECURE));
  return 0;
}

#define main suite_main
int suite_main(void);
SUITE("api/options") {
  CASE(NULL, restore);
  /* First, because the other tests set options, and tests may share a process. */
  TEST(default_does_not_change_a_set_option);
  LOOP(every_option_is_described, 0, MIA_OPTION_COUNT);
  LOOP(every_value_in_range_is_taken, 0, MIA_OPTION_COUNT);
  LOOP(a_name_finds_its_option, 0, MIA_OPTION_COUNT);
  TEST(unknown_options_are_refused);
  TEST(the_tier_cannot_be_changed);
  TEST(the_environment_chooses_the_tier);
  TEST(manual_agrees_with_the_table);
  TEST(switches_accept_words);
  TEST(numbers_must_be_decimal_integers);
  TEST(sizes_accept_units);
  TEST(options_reserve_memory_at_start);
  TEST(all_options_are_printed);
  TEST(environment_sets_options);
  TEST(a_bad_value_is_reported_once);
  TEST(long_value_is_cut_in_the_report);
  TEST(verbose_prints_the_options_at_start);
}
#undef main

int main(int argc, char **argv) {
  if (argc > 1) return show();
  program = argv[0];
  return suite_main();
}
