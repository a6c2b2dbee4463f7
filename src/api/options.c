/* options.c -- what a user may set. */
#include "base/prelude.h"

#include "api/options.h"
#include "base/fmt.h"
#include "os/os.h"

#include <string.h>

static const char prefix[] = "MIALLOC_";

enum { MESSAGE_SIZE = 256, RADIX = 10 };

typedef struct entry {
  const char *name;
  const char *unit;
  const char *meaning;
  long least;
  long most;
  long standard;
} entry;

static const entry options[MIA_OPTION_COUNT] = {
    [MIA_OPTION_SHOW_STATS] = {"SHOW_STATS", "", "print statistics at exit", 0, 1, 0},
    [MIA_OPTION_PURGE_DELAY] = {"PURGE_DELAY", "ms",
                                "how long free memory stays unused before the OS gets it back; "
                                "0: at once, -1: never",
                                -1, 3600000, 250},
};

mia_api_world mia_api_all;

long mia_api_option(mia_option option) {
  return options[option].standard + (long)mia_aword_get(&mia_api_all.changes[option]);
}

static bool parse_number(const char *s, long *value) {
  bool negative = *s == '-';
  if (negative) s++;
  long n = 0;
  if (*s == 0) return false;
  for (; *s != 0; s++) {
    if (*s < '0' || *s > '9') return false;
    if (__builtin_mul_overflow(n, RADIX, &n) || __builtin_add_overflow(n, *s - '0', &n))
      return false;
  }
  *value = negative ? -n : n;
  return true;
}

static void report(const entry *o, const char *value) {
  char buffer[MESSAGE_SIZE];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  mia_base_put(&t, "mialloc: ");
  mia_base_put(&t, prefix);
  mia_base_put(&t, o->name);
  mia_base_put(&t, " wants a number from ");
  if (o->least < 0) mia_base_put(&t, "-");
  mia_base_put_unsigned(&t, (uintmax_t)(o->least < 0 ? -o->least : o->least));
  mia_base_put(&t, " to ");
  mia_base_put_unsigned(&t, (uintmax_t)o->most);
  mia_base_put(&t, *o->unit != 0 ? " " : "");
  mia_base_put(&t, o->unit);
  mia_base_put(&t, " (");
  mia_base_put(&t, o->meaning);
  mia_base_put(&t, "); ignored: ");
  mia_base_put(&t, value);
  if (t.at + 1 == t.end) t.at--; /* a long value is cut, the line still ends */
  mia_base_put(&t, "\n");
  mia_os_write(MIA_OS_STDERR, t.start, (size_t)(t.at - t.start));
}

static void set(size_t i, const char *value) {
  long n;
  if (parse_number(value, &n) && n >= options[i].least && n <= options[i].most)
    mia_aword_set(&mia_api_all.changes[i], (uintptr_t)(n - options[i].standard));
  else
    report(&options[i], value);
}

static void read_variable(const char *variable) {
  if (strncmp(variable, prefix, sizeof prefix - 1) != 0) return;
  const char *name = variable + sizeof prefix - 1;
  for (size_t i = 0; i < MIA_OPTION_COUNT; i++) {
    size_t length = strlen(options[i].name);
    if (strncmp(name, options[i].name, length) == 0 && name[length] == '=')
      set(i, name + length + 1);
  }
}

void mia_api_read_options(const char *const *environment) {
  if (environment == NULL) return;
  for (; *environment != NULL; environment++) read_variable(*environment);
}
