/* SPDX-License-Identifier: MIT */
/* going_on.c -- what MIALLOC_ON_MISUSE=report and ignore do, each case in a process of its own;
 * prints TAP.
 *
 * A call that is misuse then does nothing, returns what says so, and keeps errno unless it is to set
 * it.  What cannot be survived still ends the process, and says that. */
#include "config.h"

#include "../tap.h"
#include "said.h"

#include <errno.h>
#include <mialloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 4096, SMALL = 48, LARGE = 200000, REPORT = 1, IGNORE = 2, HARDENED = 2 };

/* Volatile pointers, as the compiler knows these functions, and warns of misuse. */
static void (*volatile release)(void *) = mia_free;
static void *(*volatile resize)(void *, size_t) = mia_realloc;
static size_t (*volatile usable)(const void *) = mia_usable_size;
static void (*volatile release_sized)(void *, size_t) = mia_free_sized;

static _Alignas(16) char in_data[64];

/* Ends the case if that does not hold. */
static void need(bool holds) {
  if (!holds) _exit(EXIT_FAILURE);
}

static void *run_release(void *p) {
  release(p);
  return NULL;
}
static void release_elsewhere(void *p) {
  pthread_t thread;
  need(pthread_create(&thread, NULL, run_release, p) == 0);
  pthread_join(thread, NULL);
}

/* A block that must stay as it is. */
static char *make(size_t size) {
  char *p = mia_malloc(size);
  need(p != NULL && mia_malloc(size) != NULL);
  memset(p, 'a', size);
  return p;
}
static void need_intact(const char *p, size_t size) {
  for (size_t i = 0; i < size; i++) need(p[i] == 'a');
  need(usable(p) >= size);
}

static void free_foreign(void) {
  errno = EDOM;
  release(in_data);
  need(errno == EDOM);
}
static void free_inside(void) {
  char *p = make(SMALL);
  release(p + 1);
  need_intact(p, SMALL);
  release(p);
}
static void free_inside_elsewhere(void) {
  char *p = make(SMALL);
  release_elsewhere(p + 16);
  need_intact(p, SMALL);
  release(p);
}
static void free_inside_large(void) {
  char *p = make(LARGE);
  release(p + 16);
  need_intact(p, LARGE);
  release(p);
}
static void free_large_twice(void) {
  char *p = make(LARGE);
  release(p);
  release(p);
}
static void resize_foreign(void) {
  memset(in_data, 'a', sizeof in_data);
  errno = 0;
  need(resize(in_data, 100) == NULL && errno == EINVAL);
  for (size_t i = 0; i < sizeof in_data; i++) need(in_data[i] == 'a');
}
static void resize_inside(void) {
  char *p = make(SMALL);
  errno = 0;
  need(resize(p + 16, 4 * SMALL) == NULL && errno == EINVAL);
  need_intact(p, SMALL);
  release(p);
}
static void measure_foreign(void) { need(usable(in_data) == 0); }
static void measure_inside(void) {
  char *p = make(SMALL);
  need(usable(p + 16) == 0);
  release(p);
}
static void free_sized_larger(void) {
  char *p = make(LARGE);
  release_sized(p, 2 * LARGE);
  need_intact(p, LARGE);
  release(p);
}
static void free_sized_foreign(void) { release_sized(in_data, sizeof in_data); }

/* What is found later cannot be survived. */
static void write_to_free(void) {
  char *p = make(SMALL), *q = make(SMALL);
  release(q);
  release(p);
  memset(p, 'x', sizeof(void *));
  for (int i = 0; i < 3000; i++) need(mia_malloc(SMALL) != NULL);
}

typedef struct misuse_case {
  const char *name;
  void (*run)(void);
  const char *message; /* with which the report begins */
  bool ends;           /* it cannot be survived */
} misuse_case;

#define NO_BLOCK "pointer that is not a block in use: 0x"
#define INSIDE "pointer to the inside of a block: 0x"

static const misuse_case cases[] = {
    {"free of a static object", free_foreign, "free: " NO_BLOCK, false},
    {"free of the inside of a block", free_inside, "free: " INSIDE, false},
    {"free of the inside of a block elsewhere", free_inside_elsewhere, "free: " INSIDE, false},
    {"free of the inside of a large block", free_inside_large, "free: " INSIDE, false},
    {"second free of a large block", free_large_twice, "free: " NO_BLOCK, false},
    {"realloc of a static object", resize_foreign, "realloc: " NO_BLOCK, false},
    {"realloc of the inside of a block", resize_inside, "realloc: " INSIDE, false},
    {"usable size of a static object", measure_foreign, "malloc_usable_size: " NO_BLOCK, false},
    {"usable size of the inside of a block", measure_inside, "malloc_usable_size: " INSIDE, false},
    {"sized free with a larger size", free_sized_larger,
     "free_sized: sized free of a block that is smaller: 0x", false},
    {"sized free of a static object", free_sized_foreign, "free_sized: " NO_BLOCK, false},
    {"write to a free block", write_to_free, "block written to after it was freed: 0x", true},
};
enum { CASES = sizeof cases / sizeof cases[0] };

typedef struct option_case {
  void (*what)(void);
  long on_misuse;
} option_case;

static void run_with_option(void *arg) {
  const option_case *c = arg;
  need(mia_option_set(MIA_OPTION_ON_MISUSE, c->on_misuse));
  c->what();
}

/* Runs a case with a value of the option, and keeps what it writes to stderr. */
static int run(void (*what)(void), long on_misuse, char *text) {
  return run_and_read(run_with_option, &(option_case){what, on_misuse}, text, TEXT_SIZE);
}

static unsigned count_lines(const char *text) {
  unsigned n = 0;
  for (; *text != 0; text++) n += *text == '\n';
  return n;
}

static bool is_success(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
static bool is_abort(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }

/* A report has the message, the size of the block where there is one, and what follows. */
static bool is_report(const char *text, const misuse_case *c) {
  const char *follows = c->ends ? "; the program cannot go on; see " : "; ignored; see ";
  bool has_size = strstr(c->message, NO_BLOCK) == NULL;
  return strncmp(text, "mialloc: ", 9) == 0 && strstr(text, c->message) != NULL &&
         strstr(text, follows) != NULL && count_lines(text) == 1 &&
         (strstr(text, " (block of ") != NULL) == has_size;
}

/* From tier 1 on, free blocks have no links that a write could damage. */
static bool is_noticed(const misuse_case *c) {
  return !c->ends || mia_option_get(MIA_OPTION_SECURE) == 0;
}

/* Tiers from 2 on ignore nothing. */
static bool is_ignored(const misuse_case *c, int status, const char *text) {
  return is_success(status) &&
         (mia_option_get(MIA_OPTION_SECURE) < HARDENED ? *text == 0 : is_report(text, c));
}

static void check(const misuse_case *c) {
  if (!is_noticed(c)) return;
  char text[TEXT_SIZE];
  int status = run(c->run, REPORT, text);
  tap_ok((c->ends ? is_abort(status) : is_success(status)) && is_report(text, c),
         "%s is reported: %s", c->name, text[0] != 0 ? c->message : "nothing");
  if (tap_failures > 0) printf("# status %d: %s\n", status, text);
  status = run(c->run, IGNORE, text);
  bool holds = c->ends ? is_abort(status) && is_report(text, c) : is_ignored(c, status, text);
  tap_ok(holds, "%s is ignored, if possible", c->name);
  status = run(c->run, 0, text);
  tap_ok(is_abort(status) && count_lines(text) == 1, "%s ends the process", c->name);
}

static void free_many_foreign(void) {
  need(mia_option_set(MIA_OPTION_MAX_WARNINGS, 3));
  for (int i = 0; i < 10; i++) release(in_data);
}

static unsigned heard;
static void hear(int error, void *arg) {
  (void)arg;
  heard += error == EINVAL;
}
static void free_with_function(void) {
  mia_register_error(hear, NULL);
  for (unsigned i = 1; i <= 2; i++) {
    release(in_data);
    need(heard == i);
  }
}

int main(void) {
  char text[TEXT_SIZE];
  for (unsigned i = 0; i < CASES; i++) check(&cases[i]);
  int status = run(free_many_foreign, REPORT, text);
  tap_ok(is_success(status) && count_lines(text) == 3, "MIALLOC_MAX_WARNINGS bounds the reports");
  status = run(free_with_function, REPORT, text);
  tap_ok(is_success(status) && count_lines(text) == 2, "the registered function gets each");
  tap_ok(mia_option_set_text("MIALLOC_ON_MISUSE", "Report") &&
             mia_option_get(MIA_OPTION_ON_MISUSE) == REPORT &&
             mia_option_set_text("on_misuse", "ignore") &&
             mia_option_get(MIA_OPTION_ON_MISUSE) == IGNORE &&
             !mia_option_set_text("on_misuse", "rep") && !mia_option_set_text("on_misuse", "") &&
             !mia_option_set_text("on_misuse", "abort|report") &&
             mia_option_get(MIA_OPTION_ON_MISUSE) == IGNORE,
         "the option is set by a word");
  return tap_end();
}
