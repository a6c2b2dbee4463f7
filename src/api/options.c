/* SPDX-License-Identifier: MIT */
/* options.c -- the options that a user may set. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/options.h"
#include "arena/tier.h"
#include "base/fail.h"
#include "base/fmt.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

static const char prefix[] = "MIALLOC_";

enum { MESSAGE_SIZE = 256, RADIX = 10, COLUMN_VALUE = 24, COLUMN_UNIT = 34 };

/* ---- the table ----
 * The manual (man/mialloc.7) states the reason for each option; a test compares both. */

#define DAY_MS 86400000L
#define MOST_KIB (LONG_MAX / 1024)

static const mia_option_info options[MIA_OPTION_COUNT] = {
    [MIA_OPTION_SHOW_STATS] = {"show_stats", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                               "write statistics at exit"},
    [MIA_OPTION_STATS_JSON] = {"stats_json", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                               "write those as JSON instead of text"},
    [MIA_OPTION_SHOW_ERRORS] = {"show_errors", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                                "write a line when an allocation fails"},
    [MIA_OPTION_VERBOSE] = {"verbose", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                            "write the options at start"},
    [MIA_OPTION_MAX_WARNINGS] = {"max_warnings", "lines", MIA_OPTION_IS_NUMBER, 0, 1000000, 16,
                                 "how many warnings and errors are written at the most"},
    [MIA_OPTION_ABORT_ON_OOM] = {"abort_on_oom", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                                 "end the process when an allocation fails"},
    [MIA_OPTION_PURGE_DELAY] = {"purge_delay", "ms", MIA_OPTION_IS_NUMBER, -1, DAY_MS, 250,
                                "how long free memory stays unused before the OS gets it back; "
                                "0: at once, -1: never"},
    [MIA_OPTION_RESERVE_MEMORY] = {"reserve_memory", "KiB", MIA_OPTION_IS_SIZE, 0, MOST_KIB, 0,
                                   "address space to reserve in one piece at start"},
    [MIA_OPTION_LIMIT] = {"limit", "KiB", MIA_OPTION_IS_SIZE, 0, MOST_KIB, 0,
                          "most memory that may be in use; 0: no limit"},
    [MIA_OPTION_BACKGROUND_PURGE] = {"background_purge", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                                     "give memory back from a thread of the library's own"},
    [MIA_OPTION_LARGE_PAGES] = {"large_pages", "", MIA_OPTION_IS_SWITCH, 0, 1, 0,
                                "have large OS pages in what is reserved at start"},
    [MIA_OPTION_RESERVE_HUGE_PAGES] = {"reserve_huge_pages", "GiB", MIA_OPTION_IS_NUMBER, 0, 1024,
                                       0, "OS pages of 1 GiB to reserve at start"},
    [MIA_OPTION_RESERVE_HUGE_PAGES_AT] = {"reserve_huge_pages_at", "", MIA_OPTION_IS_NUMBER, -1, 63,
                                          -1, "the NUMA node that those are of; -1: any"},
    [MIA_OPTION_THP] = {"thp", "", MIA_OPTION_IS_SWITCH, 0, 1, 1,
                        "have transparent huge pages where much memory is in use"},
    [MIA_OPTION_SECURE] = {"secure", "", MIA_OPTION_IS_NUMBER, MIA_SECURE_MIN, MIA_TIER_MAX,
                           MIA_SECURE_DEFAULT,
                           "how misuse is met; 0: fast, 1: checked, 2 and 3: hardened"},
    [MIA_OPTION_ON_MISUSE] = {"on_misuse", "abort|report|ignore", MIA_OPTION_IS_WORD,
                              MIA_MISUSE_ABORTS, MIA_MISUSE_IS_IGNORED, MIA_MISUSE_ABORTS,
                              "what follows a misuse in a call that need do nothing"},
};

static bool exists(mia_option option) { return (size_t)option < MIA_OPTION_COUNT; }

/* ---- reading and setting ---- */

long mia_option_get(mia_option option) {
  if (!exists(option)) return 0;
  if (option == MIA_OPTION_SECURE) {
    mia_arena_decide_tier();
    return (long)mia_tier_get();
  }
  return options[option].default_value + (long)mia_aword_get(&mia_api_all.changes[option]);
}

/* Hardened tiers ignore nothing. */
static void follow_on_misuse(void) {
  uintptr_t follows = (uintptr_t)mia_option_get(MIA_OPTION_ON_MISUSE);
  if (follows == MIA_MISUSE_IS_IGNORED && mia_option_get(MIA_OPTION_SECURE) >= MIA_TIER_HARDENED)
    follows = MIA_MISUSE_IS_REPORTED;
  mia_aword_set(&mia_base_all.reports_most, (uintptr_t)mia_option_get(MIA_OPTION_MAX_WARNINGS));
  mia_aword_set(&mia_base_all.on_misuse, follows);
}

static void set_value(mia_option option, long value) {
  mia_aword_set(&mia_api_all.changes[option], (uintptr_t)(value - options[option].default_value));
  if (option == MIA_OPTION_LIMIT) mia_aword_set(&mia_arena_all.limit, (size_t)value * MIA_KIB);
  if (option == MIA_OPTION_THP) mia_aword_set(&mia_arena_all.frames.off, value == 0);
  if (option == MIA_OPTION_PURGE_DELAY)
    mia_aword_set(&mia_arena_all.mapping_cache.wanted, value != 0);
  if (option == MIA_OPTION_ON_MISUSE || option == MIA_OPTION_MAX_WARNINGS) follow_on_misuse();
}

static bool fail_invalid(void) {
  errno = EINVAL;
  return false;
}

/* The tier cannot change. */
static bool is_allowed(mia_option option, long value) {
  if (option == MIA_OPTION_SECURE) return value == mia_option_get(option);
  return value >= options[option].min && value <= options[option].max;
}

bool mia_option_set(mia_option option, long value) {
  if (!exists(option) || !is_allowed(option, value)) return fail_invalid();
  set_value(option, value);
  mia_aword_or(&mia_api_all.given, (uintptr_t)1 << option);
  return true;
}

bool mia_option_set_default(mia_option option, long value) {
  if (!exists(option) || !is_allowed(option, value)) return fail_invalid();
  if (!mia_option_is_set(option)) set_value(option, value);
  return true;
}

bool mia_option_is_set(mia_option option) {
  return exists(option) && (mia_aword_get(&mia_api_all.given) >> option & 1) != 0;
}

const mia_option_info *mia_option_describe(mia_option option) {
  return exists(option) ? &options[option] : NULL;
}

/* ---- names and values as text ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Returns true if `s' begins with `word' in upper or lower case, and stores the rest of `s' in
 * *rest. */
static bool begins(const char *s, const char *word, const char **rest) {
  while (*word != 0 && lower(*s) == lower(*word)) {
    s++;
    word++;
  }
  *rest = s;
  return *word == 0;
}

static bool is_word(const char *s, const char *word) {
  const char *rest;
  return begins(s, word, &rest) && *rest == 0;
}

mia_option mia_option_find(const char *name) {
  const char *bare = name;
  if (name == NULL) return MIA_OPTION_NONE;
  if (!begins(name, prefix, &bare)) bare = name;
  for (size_t i = 0; i < MIA_OPTION_COUNT; i++)
    if (is_word(bare, options[i].name)) return (mia_option)i;
  return MIA_OPTION_NONE;
}

static bool parse_switch(const char *s, long *value) {
  static const char *const words[2][4] = {{"0", "off", "no", "false"}, {"1", "on", "yes", "true"}};
  for (long on = 0; on <= 1; on++) {
    for (size_t i = 0; i < sizeof words[0] / sizeof words[0][0]; i++) {
      *value = on;
      if (is_word(s, words[on][i])) return true;
    }
  }
  return false;
}

static bool parse_digits(const char *s, uintmax_t *value, const char **rest) {
  uintmax_t n = 0;
  const char *at = s;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (__builtin_mul_overflow(n, RADIX, &n)) return false;
    if (__builtin_add_overflow(n, (uintmax_t)(*at - '0'), &n)) return false;
  }
  *value = n;
  *rest = at;
  return at != s;
}

static bool parse_number(const char *s, long *value) {
  uintmax_t n;
  bool negative = *s == '-';
  if (!parse_digits(s + negative, &n, &s) || *s != 0 || n > LONG_MAX) return false;
  *value = negative ? -(long)n : (long)n;
  return true;
}

/* K, KB and KiB are 1024 bytes, and so on.  Without a unit the number is in bytes. */
static bool parse_unit(const char *s, unsigned *shift) {
  static const char units[] = "kmgt";
  const char *unit = *s != 0 ? strchr(units, lower(*s)) : NULL;
  *shift = unit != NULL ? (unsigned)(unit - units + 1) * 10 : 0;
  if (unit != NULL) s++;
  return *s == 0 || is_word(s, "b") || (unit != NULL && is_word(s, "ib"));
}

/* Stores the size in KiB, rounded up. */
static bool parse_size(const char *s, long *value) {
  uintmax_t n;
  unsigned shift;
  if (!parse_digits(s, &n, &s) || !parse_unit(s, &shift)) return false;
  if (n > UINTMAX_MAX >> shift) return false;
  n <<= shift;
  n = n / 1024 + (n % 1024 != 0);
  if (n > LONG_MAX) return false;
  *value = (long)n;
  return true;
}

/* Stores the place of the word in `words', which has them as "no|yes". */
static bool parse_word(const char *s, const char *words, long *value) {
  const char *rest;
  for (*value = 0; *words != 0; ++*value) {
    size_t length = strcspn(words, "|");
    for (rest = words; rest < words + length && lower(*s) == *rest; rest++) s++;
    if (rest == words + length && *s == 0) return true;
    s -= rest - words;
    words += length + (words[length] != 0);
  }
  return false;
}

static bool parse(mia_option option, const char *s, long *value) {
  static bool (*const parsers[])(const char *, long *) = {[MIA_OPTION_IS_SWITCH] = parse_switch,
                                                          [MIA_OPTION_IS_NUMBER] = parse_number,
                                                          [MIA_OPTION_IS_SIZE] = parse_size};
  const mia_option_info *o = &options[option];
  if (o->type == MIA_OPTION_IS_WORD) return parse_word(s, o->unit, value);
  return parsers[o->type](s, value);
}

bool mia_option_set_text(const char *name, const char *value) {
  mia_option option = mia_option_find(name);
  long n;
  if (!exists(option) || value == NULL || !parse(option, value, &n)) return fail_invalid();
  return mia_option_set(option, n);
}

/* ---- messages ---- */

static void put_long(mia_text *t, long n) {
  if (n < 0) mia_base_put(t, "-");
  mia_base_put_unsigned(t, n < 0 ? (uintmax_t)0 - (uintmax_t)n : (uintmax_t)n);
}

static void put_with_blank(mia_text *t, const char *s) {
  mia_base_put(t, *s != 0 ? " " : "");
  mia_base_put(t, s);
}

void mia_api_warn(const char *what) {
  uintptr_t count = mia_aword_add(&mia_api_all.warnings, 1);
  if (count >= (uintptr_t)mia_option_get(MIA_OPTION_MAX_WARNINGS)) return;
  char buffer[MESSAGE_SIZE];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  mia_base_put(&t, "mialloc: ");
  mia_base_put(&t, what);
  if (t.at + 1 == t.end) t.at--; /* a long text is cut, but the line still ends */
  mia_base_put(&t, "\n");
  mia_api_write_message(NULL, NULL, buffer);
}

static void put_expected(mia_text *t, const mia_option_info *o) {
  if (o->type == MIA_OPTION_IS_SWITCH) {
    mia_base_put(t, "on or off");
    return;
  }
  if (o->type == MIA_OPTION_IS_WORD) {
    mia_base_put(t, "one of ");
    mia_base_put(t, o->unit);
    return;
  }
  mia_base_put(t, o->type == MIA_OPTION_IS_SIZE ? "a size (KiB) from " : "a number from ");
  put_long(t, o->min);
  mia_base_put(t, " to ");
  put_long(t, o->max);
  if (o->type == MIA_OPTION_IS_NUMBER) put_with_blank(t, o->unit);
}

static void report_bad_value(const char *variable, const mia_option_info *o, const char *value) {
  char buffer[MESSAGE_SIZE];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  const char *name_end = strchr(variable, '=');
  for (; variable < name_end && t.at + 1 < t.end; variable++)
    mia_base_put(&t, (char[]){*variable, 0});
  mia_base_put(&t, " wants ");
  put_expected(&t, o);
  mia_base_put(&t, " (");
  mia_base_put(&t, o->meaning);
  mia_base_put(&t, "); ignored: ");
  mia_base_put(&t, value);
  mia_api_warn(buffer);
}

/* ---- the environment ---- */

/* Returns what follows the prefix; NULL if the variable is not ours.  It uses no function of
 * the C library, since each part of that library that is used at the start of a process costs
 * memory in every process. */
static const char *name_of(const char *variable) {
  for (const char *at = prefix; *at != 0; at++, variable++)
    if (*variable != *at) return NULL;
  return variable;
}

static void read_variable(const char *variable) {
  const char *name = name_of(variable);
  const char *value;
  if (name == NULL) return;
  for (size_t i = 0; i < MIA_OPTION_COUNT; i++) {
    if (!begins(name, options[i].name, &value) || *value != '=') continue;
    long n;
    if (!parse((mia_option)i, value + 1, &n) || !mia_option_set((mia_option)i, n))
      report_bad_value(variable, &options[i], value + 1);
  }
}

void mia_api_read_options(const char *const *environment) {
  if (environment == NULL) return;
  int error = errno;
  for (; *environment != NULL; environment++) read_variable(*environment);
  errno = error;
}

/* The environment has no effect on a process that is setuid, setgid or has file capabilities. */
void mia_api_begin_options(void) {
  if (mia_acell_get(&mia_api_all.begun) != 0) return;
  mia_acell_set(&mia_api_all.begun, mia_os_now());
  mia_aword_set(&mia_arena_all.mapping_cache.wanted, mia_option_get(MIA_OPTION_PURGE_DELAY) != 0);
  if (!mia_os_privileged()) mia_api_read_options(mia_os_environment());
  mia_arena_decide_tier(); /* while there are few threads */
}

/* A static program may contain no other object of the library than this one. */
__attribute__((constructor)) static void begin(void) { mia_api_begin_options(); }

/* ---- printing ---- */

static void put_value(mia_text *t, const mia_option_info *o, long value) {
  if (o->type != MIA_OPTION_IS_WORD) {
    put_long(t, value);
    put_with_blank(t, o->unit);
    return;
  }
  const char *word = o->unit;
  while (value-- > 0) word = strchr(word, '|') + 1;
  for (; *word != 0 && *word != '|'; word++) mia_base_put(t, (char[]){*word, 0});
}

static void put_option(mia_text *t, mia_option option) {
  const mia_option_info *o = &options[option];
  const char *line = t->at;
  mia_base_put(t, "  ");
  mia_base_put(t, o->name);
  mia_base_put_pad(t, line, COLUMN_VALUE);
  put_value(t, o, mia_option_get(option));
  mia_base_put_pad(t, line, COLUMN_UNIT);
  mia_base_put(t, mia_option_is_set(option) ? " given  " : "        ");
  mia_base_put(t, o->meaning);
  mia_base_put(t, "\n");
}

void mia_options_print_out(mia_output_function *out, void *arg) {
  mia_lines lines;
  mia_api_begin_lines(&lines, out, arg);
  mia_base_put(&lines.text, "mialloc " PACKAGE_VERSION " options:\n");
  for (size_t i = 0; i < MIA_OPTION_COUNT; i++) {
    mia_api_end_line(&lines);
    put_option(&lines.text, (mia_option)i);
  }
  mia_api_end_lines(&lines);
}

void mia_options_print(void) { mia_options_print_out(NULL, NULL); }
