/* SPDX-License-Identifier: MIT */
/* outcomes.c -- what an allocator does with misuse, by kind, size and thread.
 *
 * Each case of kinds.h runs in a process of its own, and has the first of these outcomes that
 * applies:
 *   chosen        malloc returned an address that the case had written somewhere
 *   two owners    malloc returned memory of a block that the case holds
 *   told          a message or an abort
 *   warned        a message, and the process went on
 *   overwritten   another block's content was changed
 *   leaked        a secret of a former owner could be read
 *   crashed       another signal
 *   refused       the call failed, as it may
 *   hung          the process did not end
 *   unnoticed     nothing of these
 * So what is told after a block had two owners does not count as told.
 *
 *   outcomes --cases   prints kind, size, thread and outcome of each case
 *   outcomes --cells   prints kind, number of cases and its cell of the table in
 *                      doc/misuse-outcomes.md
 *   outcomes           compares with that table, and prints TAP */
#include "config.h"

#include "../tap.h"
#include "kinds.h"
#include "said.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

typedef enum outcome {
  IS_CHOSEN,
  IS_TWO_OWNERS,
  IS_TOLD,
  IS_WARNED,
  IS_OVERWRITTEN,
  IS_LEAKED,
  IS_CRASHED,
  IS_REFUSED,
  IS_HUNG,
  IS_UNNOTICED,
  IS_ABSENT,
  OUTCOMES
} outcome;
static const char *const outcome_names[OUTCOMES] = {
    "chosen",  "two owners", "told", "warned",    "overwritten", "leaked",
    "crashed", "refused",    "hung", "unnoticed", "absent"};
static const char *const thread_names[THREAD_KINDS] = {"same", "other", "both"};

enum {
  SECONDS = 4,
  TEXT_SIZE = 512,
  LINE_SIZE = 1024,
  DOCUMENT_SIZE = 64 * 1024,
  DATA_LIMIT = 1 << 30
};

/* ---- a case in its process ---- */

static void limit(int resource, rlim_t most) {
  const struct rlimit to = {most, most};
  setrlimit(resource, &to);
}

static void *run_nothing(void *arg) { return arg; }

/* The first thread has what later ones use again, so that none of it comes between. */
static void be_case(const kind *k, const int *text) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, SECONDS);
  limit(RLIMIT_DATA, DATA_LIMIT);
  alarm(SECONDS);
  dup2(text[1], STDERR_FILENO);
  close(text[0]);
  if (now.thread != SELF) in_thread(run_nothing, NULL);
  k->run();
  go_on();
  exit(EXIT_SUCCESS);
}

static bool has_ended_by(int status, int signal) {
  return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static outcome outcome_of(int status, bool has_text) {
  bool aborted = has_ended_by(status, SIGABRT) || has_ended_by(status, SIGILL) ||
                 has_ended_by(status, SIGTRAP);
  if ((reported->effects & CHOSEN) != 0) return IS_CHOSEN;
  if ((reported->effects & TWO_OWNERS) != 0) return IS_TWO_OWNERS;
  if (has_ended_by(status, SIGALRM) || has_ended_by(status, SIGXCPU)) return IS_HUNG;
  if (aborted || (has_text && (WIFSIGNALED(status) || WEXITSTATUS(status) != 0))) return IS_TOLD;
  if (has_text) return IS_WARNED;
  if ((reported->effects & OVERWRITTEN) != 0) return IS_OVERWRITTEN;
  if ((reported->effects & LEAKED) != 0) return IS_LEAKED;
  if (WIFSIGNALED(status)) return IS_CRASHED;
  if (reported->absent) return IS_ABSENT;
  return reported->refused ? IS_REFUSED : IS_UNNOTICED;
}

static outcome run_case(const kind *k, char *text) {
  int ends[2], status;
  memset(reported, 0, sizeof *reported);
  if (pipe(ends) != 0) exit(EXIT_FAILURE);
  pid_t child = fork();
  if (child == 0) be_case(k, ends);
  close(ends[1]);
  read_said(ends[0], text, TEXT_SIZE);
  close(ends[0]);
  if (child < 0 || waitpid(child, &status, 0) != child) exit(EXIT_FAILURE);
  return outcome_of(status, text[0] != 0);
}

/* ---- the cases of a kind ---- */

typedef struct summary {
  unsigned cases;
  unsigned n[OUTCOMES];
} summary;

static void put_case(const kind *k, outcome what, char *text) {
  text[strcspn(text, "\n")] = 0;
  printf("%s|%zu|%s|%s|%s\n", k->name, now.size, thread_names[now.thread], outcome_names[what],
         text);
}

static summary run_kind(const kind *k, bool put) {
  summary s = {0};
  char text[TEXT_SIZE];
  for (unsigned i = 0; i < SIZES; i++)
    for (unsigned t = 0; t < THREAD_KINDS; t++) {
      if ((k->sizes >> i & 1) == 0 || (k->threads >> t & 1) == 0) continue;
      now.size = sizes[i];
      now.thread = (thread_kind)t;
      fflush(stdout);
      outcome what = run_case(k, text);
      s.n[what]++;
      s.cases++;
      if (put) put_case(k, what, text);
    }
  return s;
}

/* "27 told, 3 two owners": what is unnoticed is the rest. */
static void put_cell(const summary *s, char *cell, size_t size) {
  static const outcome order[] = {IS_TOLD,       IS_WARNED,      IS_CRASHED, IS_REFUSED, IS_CHOSEN,
                                  IS_TWO_OWNERS, IS_OVERWRITTEN, IS_LEAKED,  IS_HUNG};
  size_t length = 0;
  cell[0] = 0;
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
    unsigned n = s->n[order[i]];
    if (n == 0) continue;
    int put = snprintf(cell + length, size - length, "%s%u %s", length > 0 ? ", " : "", n,
                       outcome_names[order[i]]);
    length += (size_t)put;
  }
  if (length == 0) snprintf(cell, size, "%s", s->n[IS_ABSENT] > 0 ? "n/a" : "-");
}

static void put_all(bool by_case) {
  char cell[LINE_SIZE];
  for (unsigned i = 0; i < KINDS; i++) {
    summary s = run_kind(&kinds[i], by_case);
    put_cell(&s, cell, sizeof cell);
    if (!by_case) printf("%s|%u|%s\n", kinds[i].name, s.cases, cell);
  }
}

/* ---- the document ---- */

/* The document, read before the first case and without the allocator: what that did before a case
 * can change the outcome. */
static char document[DOCUMENT_SIZE];

static void read_document(const char *root) {
  char path[LINE_SIZE];
  snprintf(path, sizeof path, "%s/doc/misuse-outcomes.md", root);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  ssize_t n = from >= 0 ? 1 : 0;
  while (n > 0 && length < sizeof document - 1) {
    n = read(from, document + length, sizeof document - 1 - length);
    if (n > 0) length += (size_t)n;
  }
  if (from >= 0) close(from);
}

/* Stores the cell of a kind, in the column of a tier, in `cell': that of the first table.  Returns false
 * if there is none. */
static bool find_cell(const char *name, unsigned tier, char *cell) {
  char row[LINE_SIZE];
  snprintf(row, sizeof row, "\n| %s | ", name);
  const char *at = strstr(document, row);
  if (at == NULL) return false;
  at += strlen(row);
  for (unsigned column = 0; column <= tier; column++) {
    const char *next = strstr(at, " | ");
    if (next == NULL || next > strchr(at, '\n')) return false;
    at = next + strlen(" | ");
  }
  size_t length = strcspn(at, "|") - 1; /* without the blank */
  memcpy(cell, at, length);
  cell[length] = 0;
  return true;
}

static unsigned told_in(const char *cell) {
  unsigned n = 0;
  return sscanf(cell, "%u told", &n) == 1 && strstr(cell, "told") != NULL ? n : 0;
}

/* The table has what a release build for x86-64 and glibc does in this tier; another one may tell more:
 * what the C library allocates at the start makes a difference. */
static bool is_exact(unsigned tier) {
#if defined __x86_64__ && defined __GLIBC__
  return !MIA_DEBUG && tier == 0 && sizeof(void *) == 8 && getenv("TEST_EMULATOR") == NULL;
#else
  (void)tier;
  return false;
#endif
}

/* Of all kinds: what the table has as told, and what is told. */
static unsigned told_before, told_now;

/* Tiers from 2 on choose blocks at random, so that some cases have an outcome that changes. */
static unsigned by_chance;

/* Returns true if another build tells at least what the table has.  A free of a block that somebody else
 * has by then is told by luck, if at all.  Builds for debugging notice other things, so that only all
 * kinds together can be compared. */
static bool tells_enough(const kind *k, const summary *s, const char *found) {
  told_before += told_in(found);
  told_now += s->n[IS_TOLD];
  return MIA_DEBUG || k->run == twice_after_reuse || s->n[IS_TOLD] + by_chance >= told_in(found);
}

static void check_kind(const kind *k, unsigned tier) {
  char found[LINE_SIZE] = "", cell[LINE_SIZE];
  summary s = run_kind(k, false);
  put_cell(&s, cell, sizeof cell);
  bool is_known = find_cell(k->name, tier, found), is_enough = tells_enough(k, &s, found);
  bool holds = is_known && (is_exact(tier) ? strcmp(found, cell) == 0 : is_enough);
  tap_ok(holds, "%s: %s", k->name, found);
  if (!holds) printf("# it is: %s\n", cell);
}

int main(int argc, char **argv) {
  reported = mmap(NULL, sizeof *reported, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                  0);
  if (reported == MAP_FAILED) return EXIT_FAILURE;
  static char buffer[LINE_SIZE];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  setenv("LIBC_FATAL_STDERR_", "1", 1); /* glibc's messages go to stderr, not to the terminal */
  if (argc > 1) {
    put_all(strcmp(argv[1], "--cases") == 0);
    return EXIT_SUCCESS;
  }
  const char *root = getenv("top_srcdir"), *tier = getenv("MIALLOC_SECURE");
  if (root == NULL) root = ".";
  read_document(root);
  printf("1..%d\n", KINDS + 1);
  if (tier != NULL && atoi(tier) >= 2) by_chance = 3;
  for (unsigned i = 0; i < KINDS; i++)
    check_kind(&kinds[i], tier != NULL ? (unsigned)atoi(tier) : 0);
  tap_ok(told_now + 4 * by_chance >= told_before, "all kinds: %u told, at least %u", told_now,
         told_before);
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
