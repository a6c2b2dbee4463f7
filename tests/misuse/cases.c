/* SPDX-License-Identifier: MIT */
/* cases.c -- runs every misuse of misuses.h in its own process; prints TAP.
 *
 * Each must end as the table says for this build: with one line that has the diagnostic, the
 * address and where to read more, and SIGABRT; or, if the misuse cannot be detected reliably, in any way but
 * soon.  `cases.tap --doc' prints the table at the end of doc/misuse.md instead,
 * and a test compares it. */
#include "config.h"

#include "../address.h"
#include "../documented.h"
#include "../tap.h"
#include "misuses.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60, TEXT_SIZE = 512 };

#define NOT_BLOCK "pointer that is not a block in use"
#define INSIDE "pointer to the inside of a block"
#define TWICE "block freed twice"
#define WRITTEN "block written to after it was freed"
#define BEYOND "block written to beyond its end"
#define BEFORE "block written to before its start"
#define USED "block used after it was freed"
#define SMALLER "sized free of a block that is smaller"
#define LARGER "sized free of a block that is larger"
#define ALIGNED "sized free of a block that is aligned otherwise"

/* The diagnostics of a misuse in release and debug builds; NULL if it is not detected
 * reliably. */
typedef struct misuse {
  const char *name;
  void (*run)(void);
  const char *release;
  const char *debug;
} misuse_case;

static const misuse_case cases[] = {
    {"small block freed twice at once", twice_small, TWICE, TWICE},
    {"block of 8 bytes freed twice at once", twice_tiny, TWICE, TWICE},
    {"only block of its size freed twice", twice_alone, TWICE, TWICE},
    {"block freed twice next to a live block, in a thread that ends", twice_in_a_thread, TWICE,
     TWICE},
    {"block of a heap freed twice, then the heap deleted", twice_in_a_heap, TWICE, TWICE},
    {"large block freed twice", twice_large, NOT_BLOCK, NOT_BLOCK},
    {"huge block freed twice", twice_huge, NOT_BLOCK, NOT_BLOCK},
    {"block freed twice, another one in between", twice_delayed, TWICE, TWICE},
    {"block freed, and again by another thread", twice_elsewhere, NULL, TWICE},
    {"block freed twice by other threads", twice_elsewhere_both, NULL, TWICE},
    {"large block freed by another thread, and again", twice_large_elsewhere, NOT_BLOCK, NOT_BLOCK},
    {"static object freed", free_static, NOT_BLOCK, NOT_BLOCK},
    {"object on the stack freed", free_stack, NOT_BLOCK, NOT_BLOCK},
    {"address that nobody has freed", free_unknown_address, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 48 set freed", free_flipped_low, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 62 set freed", free_flipped_high, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 48 set freed with its size", free_flipped_sized, NOT_BLOCK,
     NOT_BLOCK},
    {"block's address with bit 48 set freed by another thread", free_flipped_elsewhere, NOT_BLOCK,
     NOT_BLOCK},
    {"inside of a block freed", free_inside_aligned, INSIDE, INSIDE},
    {"misaligned inside of a block freed", free_inside_misaligned, INSIDE, INSIDE},
    {"misaligned inside of a block freed by another thread", free_inside_misaligned_elsewhere,
     INSIDE, INSIDE},
    {"misaligned inside of a block freed with its size", free_inside_misaligned_sized, INSIDE,
     INSIDE},
    {"inside of a large block freed", free_inside_large, INSIDE, INSIDE},
    {"inside of a block freed by another thread", free_inside_elsewhere, INSIDE, INSIDE},
    {"overflow by 1", overflow_1, NULL, BEYOND},
    {"overflow by 8", overflow_8, NULL, BEYOND},
    {"overflow by 1 of a block of 8 bytes", overflow_tiny, NULL, BEYOND},
    {"overflow by 1 of a block of none", overflow_none, NULL, BEYOND},
    {"overflow by 1 of an aligned block", overflow_aligned, NULL, BEYOND},
    {"overflow by 1 of a large block", overflow_large, NULL, BEYOND},
    {"overflow by 8 of a huge block", overflow_huge, NULL, BEYOND},
    {"overflow by 1, noticed by realloc", overflow_realloc, NULL, BEYOND},
    {"overflow by 1, noticed in another thread", overflow_elsewhere, NULL, BEYOND},
    {"overflow by 1, noticed by a walk over the heap", overflow_walk, NULL, BEYOND},
    {"overflow by 1 of a block that shrank", overflow_shrunk, NULL, BEYOND},
    {"underflow by 1", underflow_1, NULL, BEFORE},
    {"underflow by 8", underflow_8, NULL, BEFORE},
    {"underflow by 8 of a block of 8 bytes", underflow_tiny, NULL, BEFORE},
    {"underflow by 8 of the first block of a page", underflow_first, NULL, BEFORE},
    {"underflow by 8 of a large block", underflow_large, NULL, BEFORE},
    {"underflow by 8 of a huge block", underflow_huge, NULL, BEFORE},
    {"underflow by 8, noticed in another thread", underflow_elsewhere, NULL, BEFORE},
    {"first bytes written to after free", write_after_link, WRITTEN, WRITTEN},
    {"first bytes written to after free, noticed by a walk over the heap", write_after_walk,
     WRITTEN, WRITTEN},
    {"first bytes written to after free, noticed by a purge", write_after_purge, WRITTEN, WRITTEN},
    {"later bytes written to after free", write_after_content, NULL, WRITTEN},
    {"block of 8 bytes written to after free", write_after_tiny, WRITTEN, WRITTEN},
    {"sized free with a larger size", sized_larger, NULL, SMALLER},
    {"sized free with a smaller size", sized_smaller, NULL, LARGER},
    {"sized free of a large block with a larger size", sized_larger_large, SMALLER, SMALLER},
    {"sized free with a larger size by another thread", sized_larger_elsewhere, SMALLER, SMALLER},
    {"sized free with another alignment", sized_misaligned, NULL, ALIGNED},
    {"sized free of a large block with another alignment", sized_misaligned_large, ALIGNED,
     ALIGNED},
    {"realloc of a freed block", realloc_freed, NULL, USED},
    {"realloc of a freed large block", realloc_freed_large, NOT_BLOCK, NOT_BLOCK},
    {"realloc of a static object", realloc_static, NOT_BLOCK, NOT_BLOCK},
    {"realloc of a block's address with bit 62 set", realloc_flipped, NOT_BLOCK, NOT_BLOCK},
    {"realloc of the misaligned inside of a block", realloc_misaligned, INSIDE, INSIDE},
    {"usable size of a block's address with bit 62 set", usable_size_flipped, NOT_BLOCK, NOT_BLOCK},
    {"usable size of the misaligned inside of a block", usable_size_misaligned, INSIDE, INSIDE},
    {"usable size of a freed block", usable_size_freed, NULL, USED},
    {"usable size of a static object", usable_size_static, NOT_BLOCK, NOT_BLOCK},
    {"large block freed after its heap was destroyed", free_of_destroyed, NOT_BLOCK, NOT_BLOCK},
};
#define CASES (sizeof cases / sizeof cases[0])

static int report_to;

static void report_address(const void *p) {
  if (write(report_to, &p, sizeof p) != (ssize_t)sizeof p) _exit(EXIT_FAILURE);
}

typedef struct outcome {
  int status;
  const void *address;
  char text[TEXT_SIZE]; /* what the process wrote to stderr */
} outcome;

static void be_child(const misuse_case *s, const int *text, const int *address) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(SECONDS);
  dup2(text[1], STDERR_FILENO);
  close(text[0]);
  close(address[0]);
  report_to = address[1];
  s->run();
  _exit(EXIT_SUCCESS);
}

static bool run_in_child(const misuse_case *s, outcome *o) {
  int text[2], address[2];
  if (pipe(text) != 0 || pipe(address) != 0) return false;
  pid_t child = fork();
  if (child == 0) be_child(s, text, address);
  close(text[1]);
  close(address[1]);
  memset(o, 0, sizeof *o);
  while (read(address[0], &o->address, sizeof o->address) > 0) /* the last address counts */
    ;
  size_t length = 0;
  ssize_t n;
  while (length < sizeof o->text - 1 &&
         (n = read(text[0], o->text + length, sizeof o->text - 1 - length)) > 0)
    length += (size_t)n;
  close(text[0]);
  close(address[0]);
  return child > 0 && waitpid(child, &o->status, 0) == child;
}

static bool ends_as_expected(const outcome *o, const char *diagnostic) {
  bool aborted = WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGABRT;
  bool has_tag = plain_address(o->address) != (uintptr_t)o->address;
  if (has_tag && WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGSEGV) return true; /* sooner */
  if (diagnostic == NULL) return !(WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGALRM);
  char expected[TEXT_SIZE];
  snprintf(expected, sizeof expected, ": %s: 0x%llx", diagnostic,
           (unsigned long long)plain_address(o->address));
  const char *found = strstr(o->text, expected),
             *end = strstr(o->text, "; see mialloc(7), MISUSE\n");
  if (!aborted || strncmp(o->text, "mialloc: ", 9) != 0 || found == NULL || end < found)
    return false;
  /* one line; an emulator adds another */
  return strchr(o->text, '\n') == strchr(end, '\n') &&
         (getenv("TEST_EMULATOR") != NULL || strchr(end, '\n')[1] == 0);
}

/* In security tiers from 1 on, frees and uses are told as in debug builds.  Of other misuse, these are
 * told too: overflows reach the canary, and sizes are far from what they can have been. */
static const misuse_case checked[] = {
    {NULL, overflow_1, BEYOND, NULL},          {NULL, overflow_8, BEYOND, NULL},
    {NULL, overflow_tiny, BEYOND, NULL},       {NULL, overflow_realloc, BEYOND, NULL},
    {NULL, overflow_elsewhere, BEYOND, NULL},  {NULL, sized_larger, SMALLER, NULL},
    {NULL, sized_larger_large, SMALLER, NULL}, {NULL, sized_larger_elsewhere, SMALLER, NULL}};

static const char *checked_diagnostic(const misuse_case *c) {
  static const char *const as_in_debug[] = {NOT_BLOCK, INSIDE, TWICE, USED, ALIGNED};
  for (size_t i = 0; i < sizeof as_in_debug / sizeof as_in_debug[0]; i++)
    if (strcmp(c->debug, as_in_debug[i]) == 0) return c->debug;
  for (size_t i = 0; i < sizeof checked / sizeof checked[0]; i++)
    if (c->run == checked[i].run) return checked[i].release;
  return NULL;
}

static const char *or_dash(const char *diagnostic) { return diagnostic != NULL ? diagnostic : "-"; }

static void put_table(FILE *out) {
  fputs("| misuse | release | MIALLOC_SECURE=1 | --enable-debug |\n|---|---|---|---|\n", out);
  for (size_t i = 0; i < CASES; i++)
    fprintf(out, "| %s | %s | %s | %s |\n", cases[i].name, or_dash(cases[i].release),
            or_dash(checked_diagnostic(&cases[i])), or_dash(cases[i].debug));
}

/* Where an OS page is as large as a page of blocks, none is free of live blocks: a purge then reads
 * no block. */
static const char *expected_diagnostic(size_t i) {
  if (cases[i].run == write_after_purge && sysconf(_SC_PAGESIZE) >= SLICE) return NULL;
  if (!MIA_DEBUG && mia_option_get(MIA_OPTION_SECURE) > 0) return checked_diagnostic(&cases[i]);
  return MIA_DEBUG ? cases[i].debug : cases[i].release;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--doc") == 0) {
    put_table(stdout);
    return EXIT_SUCCESS;
  }
  const char *root = getenv("top_srcdir");
  printf("1..%zu\n", CASES + (root != NULL));
  fflush(stdout);
  for (size_t i = 0; i < CASES; i++) {
    const char *diagnostic = expected_diagnostic(i);
    outcome o;
    bool holds = run_in_child(&cases[i], &o) && ends_as_expected(&o, diagnostic);
    tap_ok(holds, "%s: %s", cases[i].name, diagnostic != NULL ? diagnostic : "it ends");
    if (!holds)
      printf("# status %d, at %p, said: %s\n", o.status, (void *)(uintptr_t)o.address, o.text);
    fflush(stdout);
  }
  if (root != NULL)
    tap_ok(is_documented(root, "doc/misuse.md", put_table, false), "doc/misuse.md has this table");
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
