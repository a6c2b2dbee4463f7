/* mialloc-run.c -- runs a program on mialloc; see mialloc-run(1).
 *
 * Before it does, it looks whether the dynamic linker will take the library into that program,
 * and says why not: LD_PRELOAD itself is silent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

static const char summary[] =
    "usage: mialloc-run [OPTION...] [--] COMMAND [ARGUMENT...]\n"
    "\n"
    "Runs COMMAND, a dynamically linked program or a script for one, with mialloc as its malloc.\n"
    "\n"
    "  --stats            write statistics at exit, to the standard error output\n"
    "  --stats=json       write them as JSON\n"
    "  --set NAME=VALUE   set an option of mialloc(7)\n"
    "  --list-options     write the options, their values and their meanings\n"
    "  --check COMMAND    run nothing; say which malloc COMMAND will have, and why\n"
    "  -h, --help         write this summary\n"
    "  -V, --version      write the version\n"
    "\n"
    "Examples:\n"
    "  mialloc-run --stats sqlite3 base.db 'select count(*) from t'\n"
    "  mialloc-run --set limit=512M --set show_errors=on ./server\n"
    "  mialloc-run --check python3\n";

void die(int status, const char *format, ...) {
  va_list arguments;
  fputs("mialloc-run: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(status);
}

static void print_summary(FILE *to) {
  fputs(summary, to);
  if (PACKAGE_BUGREPORT[0] != '\0') fprintf(to, "\nReport bugs to %s.\n", PACKAGE_BUGREPORT);
}

static void ask_for_stats(const char *form) {
  bool json = strcmp(form, "json") == 0;
  if (!json && strcmp(form, "text") != 0) die(WRONG_USE, "--stats is text or json, not %s", form);
  setenv("MIALLOC_SHOW_STATS", "1", 1);
  setenv("MIALLOC_STATS_JSON", json ? "1" : "0", 1);
}

_Noreturn static void execute(const target *t, char **arguments) {
  if (t->facts.kind == FILE_TEXT) {
    /* The arguments move up by one: there is a place before them, for an option of ours. */
    arguments[0] = (char *)(uintptr_t)t->file;
    arguments[-1] = (char *)(uintptr_t) "sh";
    execv("/bin/sh", arguments - 1);
  } else {
    execv(t->file, arguments);
  }
  die(NOT_RUN, "%s: %s", t->name, strerror(errno));
}

/* Obeys the options; returns the index of the first argument that is none. */
static int obey(char **arguments, bool *only_check, library *ours) {
  int k = 1;
  for (; arguments[k] != NULL && arguments[k][0] == '-'; k++) {
    const char *option = arguments[k];
    if (strcmp(option, "--") == 0) return k + 1;
    if (strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0) {
      print_summary(stdout);
      exit(0);
    } else if (strcmp(option, "-V") == 0 || strcmp(option, "--version") == 0) {
      puts("mialloc-run " PACKAGE_VERSION);
      exit(0);
    } else if (strcmp(option, "--list-options") == 0) {
      find_library(ours);
      list_options(ours);
      exit(0);
    } else if (strcmp(option, "--check") == 0) {
      *only_check = true;
    } else if (strcmp(option, "--stats") == 0) {
      ask_for_stats("text");
    } else if (strncmp(option, "--stats=", strlen("--stats=")) == 0) {
      ask_for_stats(option + strlen("--stats="));
    } else if (strcmp(option, "--set") == 0) {
      if (arguments[++k] == NULL) die(WRONG_USE, "--set wants NAME=VALUE");
      find_library(ours);
      choose(arguments[k], ours);
    } else if (strncmp(option, "--set=", strlen("--set=")) == 0) {
      find_library(ours);
      choose(option + strlen("--set="), ours);
    } else {
      die(WRONG_USE, "no such option: %s; mialloc-run --help", option);
    }
  }
  return k;
}

int main(int count, char **arguments) {
  static library ours;
  static target t;
  bool only_check = false;
  int first = count > 0 ? obey(arguments, &only_check, &ours) : 0;
  if (first >= count) {
    print_summary(stderr);
    return WRONG_USE;
  }
  find_library(&ours);
  find_target(arguments[first], &ours, &t);
  if (only_check) return check(&t, &ours);
  if (t.why[0] != '\0') die(NOT_RUN, "%s %s", t.name, t.why);
  load(&ours);
  execute(&t, arguments + first);
}
