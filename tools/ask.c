/* ask.c -- the library's options, as the library itself tells them.
 *
 * The library writes its options at start if MIALLOC_VERBOSE is set.  So this program runs
 * itself with the library loaded, and reads what it writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

extern char **environ;

static const char prefix[] = "MIALLOC_";

enum { MOST_ANSWER = 16384, MOST_NAME = 64 };

/* The settings of the caller must not hide the answer. */
static void forget_settings(void) {
  for (size_t k = 0; environ[k] != NULL;) {
    char name[MOST_NAME];
    size_t length = strcspn(environ[k], "=");
    if (strncmp(environ[k], prefix, strlen(prefix)) != 0 || length >= sizeof name) {
      k++;
      continue;
    }
    memcpy(name, environ[k], length);
    name[length] = '\0';
    unsetenv(name);
  }
}

_Noreturn static void answer(int to, const char *name, const char *value, const library *ours) {
  int nowhere = open("/dev/null", O_RDWR);
  dup2(nowhere, STDIN_FILENO);
  dup2(nowhere, STDOUT_FILENO);
  dup2(to, STDERR_FILENO);
  forget_settings();
  load(ours);
  setenv("MIALLOC_VERBOSE", "1", 1);
  if (name != NULL) setenv(name, value, 1);
  execl("/proc/self/exe", "mialloc-run", "--version", (char *)NULL);
  _exit(WRONG_USE);
}

/* Stores what the library writes if that variable is set, or none if `name' is NULL. */
static void ask(char said[MOST_ANSWER], const char *name, const char *value, const library *ours) {
  int ends[2];
  size_t size = 0;
  ssize_t more;
  if (pipe(ends) != 0) die(WRONG_USE, "pipe: %s", strerror(errno));
  pid_t child = fork();
  if (child < 0) die(WRONG_USE, "fork: %s", strerror(errno));
  if (child == 0) answer(ends[1], name, value, ours);
  close(ends[1]);
  while (size + 1 < MOST_ANSWER && (more = read(ends[0], said + size, MOST_ANSWER - 1 - size)) > 0)
    size += (size_t)more;
  said[size] = '\0';
  close(ends[0]);
  waitpid(child, NULL, 0);
}

/* Calls `each' with every line of the list of options, in which they begin with two blanks,
 * and the name of its option. */
static bool each_option(const char *said, bool (*each)(const char *, const char *, void *),
                        void *arg) {
  bool some = false;
  for (const char *line = said; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
    char name[MOST_NAME];
    if (strncmp(line, "  ", 2) != 0) continue;
    size_t length = strspn(line + 2, "abcdefghijklmnopqrstuvwxyz_");
    if (length == 0 || length >= sizeof name || line[2 + length] != ' ') continue;
    memcpy(name, line + 2, length);
    name[length] = '\0';
    some |= each(name, line, arg);
  }
  return some;
}

static bool is_named(const char *name, const char *line, void *arg) {
  (void)line;
  return strcmp(name, arg) == 0;
}

static bool print_name(const char *name, const char *line, void *arg) {
  (void)line;
  fprintf(arg, " %s", name);
  return true;
}

static bool print_line(const char *name, const char *line, void *arg) {
  (void)name;
  fprintf(arg, "%.*s\n", (int)strcspn(line, "\n"), line);
  return true;
}

/* Makes the name of an option that of its environment variable, and that in the list. */
static void spell(const char *setting, char variable[MOST_NAME], char small[MOST_NAME]) {
  size_t length = strcspn(setting, "="), used = strlen(prefix);
  char name[MOST_NAME];
  if (setting[length] == '\0') die(WRONG_USE, "--set wants NAME=VALUE, not %s", setting);
  if (length + used >= MOST_NAME) die(WRONG_USE, "no such option: %.*s", (int)length, setting);
  for (size_t k = 0; k < length; k++)
    name[k] = setting[k] == '-' ? '_' : (char)toupper((unsigned char)setting[k]);
  name[length] = '\0';
  const char *own = strncmp(name, prefix, used) == 0 ? name + used : name;
  if (own[0] == '\0' || own[strspn(own, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
    die(WRONG_USE, "no such option: %.*s", (int)length, setting);
  for (size_t k = 0; k <= strlen(own); k++) small[k] = (char)tolower((unsigned char)own[k]);
  memcpy(variable, prefix, used);
  memcpy(variable + used, own, strlen(own) + 1);
}

/* Ends if the library says that it ignores the setting, and what it wants instead. */
static void heed_complaint(const char *said, const char *variable, const char *small,
                           const char *value) {
  char start[MOST_NAME + sizeof "mialloc:  wants "];
  int length = snprintf(start, sizeof start, "mialloc: %s wants ", variable);
  const char *wanted = strstr(said, start);
  if (wanted == NULL) return;
  wanted += length;
  const char *end = strstr(wanted, "; ignored: ");
  if (end != NULL)
    die(WRONG_USE, "%s wants %.*s, not '%s'", small, (int)(end - wanted), wanted, value);
}

void choose(const char *setting, const library *ours) {
  static char said[MOST_ANSWER];
  char variable[MOST_NAME], small[MOST_NAME];
  spell(setting, variable, small);
  const char *value = strchr(setting, '=') + 1;
  ask(said, variable, value, ours);
  heed_complaint(said, variable, small, value);
  /* the list is not written if this option is set to off */
  if (strcmp(small, "verbose") != 0 && !each_option(said, is_named, small)) {
    fprintf(stderr, "mialloc-run: no such option: %s; there are:", small);
    each_option(said, print_name, stderr);
    fputc('\n', stderr);
    exit(WRONG_USE);
  }
  setenv(variable, value, 1);
}

void list_options(const library *ours) {
  static char said[MOST_ANSWER];
  ask(said, NULL, NULL, ours);
  if (!each_option(said, print_line, stdout)) die(WRONG_USE, "%s gave no answer", TOOL_LIBRARY);
}
