/* find.c -- where the library and the program are, and whether one can be loaded into the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run.h"

enum { MOST_SCRIPTS = 5 }; /* that are each other's interpreters */

static const char blanks[] = " \t\r\n\v\f";

/* Joins two parts of a path.  Returns false if it is too long. */
static bool join(char to[PATH_MAX], const char *folder, const char *rest) {
  int length = snprintf(to, PATH_MAX, "%s%s", folder, rest);
  return length >= 0 && length < PATH_MAX;
}

/* Returns what follows `start' in `path', or NULL if path begins with something else. */
static const char *after(const char *path, const char *start) {
  size_t length = strlen(start);
  return strncmp(path, start, length) == 0 ? path + length : NULL;
}

static const char *base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* ---- where things are ---- */

static bool is_program(const char *file) {
  struct stat about;
  return stat(file, &about) == 0 && S_ISREG(about.st_mode) && access(file, X_OK) == 0;
}

bool find_program(const char *name, char file[PATH_MAX]) {
  const char *path = getenv("PATH");
  if (strchr(name, '/') != NULL) return join(file, name, "") && access(file, F_OK) == 0;
  if (path == NULL) path = "/usr/bin:/bin";
  while (name[0] != '\0') {
    size_t length = strcspn(path, ":");
    int size = snprintf(file, PATH_MAX, "%.*s/%s", length == 0 ? 1 : (int)length,
                        length == 0 ? "." : path, name);
    if (size > 0 && size < PATH_MAX && is_program(file)) return true;
    if (path[length] == '\0') break;
    path += length + 1;
  }
  return false;
}

/* Takes the library in that folder, if it is there. */
static bool take(library *ours, const char *folder, const char *rest) {
  char joined[PATH_MAX];
  if (!join(joined, folder, rest) || realpath(joined, ours->folder) == NULL) return false;
  return join(joined, ours->folder, "/" TOOL_LIBRARY) && strcpy(ours->file, joined) != NULL &&
         access(ours->file, R_OK) == 0;
}

/* The folder of the library from that of this program: as configure was told, if the tree was
 * moved as a whole. */
static bool take_moved(library *ours, char *here) {
  const char *bin = after(TOOL_BINDIR, TOOL_PREFIX), *lib = after(TOOL_LIBDIR, TOOL_PREFIX);
  if (bin == NULL || lib == NULL || strlen(here) < strlen(bin)) return false;
  char *end = here + strlen(here) - strlen(bin);
  if (strcmp(end, bin) != 0) return false;
  *end = '\0';
  bool taken = take(ours, here, lib);
  *end = bin[0];
  return taken;
}

void find_library(library *ours) {
  char here[PATH_MAX];
  if (ours->file[0] != '\0') return;
  ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
  if (length > 0) {
    here[length] = '\0';
    *strrchr(here, '/') = '\0';
  }
  /* before the library is installed it is beside the folder of this program */
  if (!(length > 0 && (take_moved(ours, here) || take(ours, here, "/../.libs"))) &&
      !take(ours, TOOL_LIBDIR, ""))
    die(WRONG_USE, "no %s in %s", TOOL_LIBRARY, TOOL_LIBDIR);
  file_inspect(ours->file, &ours->facts);
}

/* LD_PRELOAD cannot have a blank in a name, LD_LIBRARY_PATH can. */
static void put_first(const char *variable, const char *what) {
  const char *rest = getenv(variable);
  char *value = NULL;
  if (rest == NULL || rest[0] == '\0') {
    setenv(variable, what, 1);
    return;
  }
  if (asprintf(&value, "%s:%s", what, rest) < 0) die(WRONG_USE, "%s", strerror(errno));
  setenv(variable, value, 1);
  free(value);
}

void load(const library *ours) {
  if (strpbrk(ours->folder, ":;") != NULL)
    die(WRONG_USE, "the dynamic linker takes no folder with a colon in its name: %s", ours->folder);
  if (strpbrk(ours->folder, blanks) == NULL) {
    put_first("LD_PRELOAD", ours->file);
  } else {
    put_first("LD_LIBRARY_PATH", ours->folder);
    put_first("LD_PRELOAD", TOOL_LIBRARY);
  }
}

/* ---- whether the library can be loaded ---- */

__attribute__((format(printf, 2, 3))) static bool refuse(target *t, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(t->why, sizeof t->why, format, arguments);
  va_end(arguments);
  return false;
}

/* Returns the rights that a program has and its user lacks; NULL if there are none. */
static const char *privilege(const char *file) {
  struct stat about;
  if (stat(file, &about) != 0) return NULL;
  if ((about.st_mode & S_ISUID) && about.st_uid != getuid()) return "is setuid";
  if ((about.st_mode & S_ISGID) && about.st_gid != getgid()) return "is setgid";
  if (getuid() != 0 && getxattr(file, "security.capability", NULL, 0) > 0)
    return "has capabilities";
  return NULL;
}

static bool is_of_our_libc(target *t, const file_facts *facts) {
  bool musl = after(base(facts->interpreter), "ld-musl-") != NULL;
  if (strcmp(TOOL_LIBC, "glibc") == 0 && musl)
    return refuse(t, "is a program for musl, %s one for glibc", TOOL_LIBRARY);
  if (strcmp(TOOL_LIBC, "musl") == 0 && !musl)
    return refuse(t, "is not a program for musl, as %s is", TOOL_LIBRARY);
  return true;
}

static bool is_of_our_machine(const file_facts *a, const file_facts *b) {
  return a->width == b->width && a->order == b->order && a->machine == b->machine;
}

/* Returns whether the library will be in the ELF file; if not, t->why says why. */
static bool loads(target *t, const char *file, const library *ours) {
  file_facts facts;
  const char *rights;
  file_inspect(file, &facts);
  if (facts.kind == FILE_STATIC) {
    /* the dynamic linker loads what it is told to */
    if (after(base(file), "ld-") || after(base(file), "ld.so") || after(base(file), "ld64"))
      return true;
    return refuse(t, "is a static program: no library can be loaded into it (link it with "
                     "libmialloc.a)");
  }
  if (facts.kind != FILE_DYNAMIC) return true; /* whoever may run it may not look at it */
  if (!is_of_our_machine(&facts, &ours->facts))
    return refuse(t, "is for another machine than %s", TOOL_LIBRARY);
  if (!is_of_our_libc(t, &facts)) return false;
  rights = privilege(file);
  if (rights != NULL)
    return refuse(t, "%s: the system loads no library that the user chooses into such a program",
                  rights);
  return true;
}

/* Finds the program that runs a script: for env, the command that env is told to run.
 * `through' is then env itself. */
static bool script_program(char *line, char program[PATH_MAX], char through[PATH_MAX]) {
  char *rest = NULL;
  const char *word = strtok_r(line, blanks, &rest);
  through[0] = '\0';
  if (word == NULL || !join(program, word, "") || access(program, X_OK) != 0) return false;
  if (strcmp(base(word), "env") != 0) return true;
  join(through, word, "");
  while ((word = strtok_r(NULL, blanks, &rest)) != NULL)
    if (word[0] != '-' && strchr(word, '=') == NULL) return find_program(word, program);
  join(program, through, "");
  through[0] = '\0';
  return true;
}

/* Puts the name of an interpreter before what is the matter with it. */
static bool blame(target *t, const char *interpreter) {
  char why[sizeof t->why];
  memcpy(why, t->why, sizeof why);
  return refuse(t, "is a script for %.*s, which %.*s", PATH_MAX / 2, interpreter, PATH_MAX, why);
}

/* loads, where a script is what its interpreter is. */
static bool fits(target *t, const library *ours) {
  file_facts facts = t->facts;
  char through[PATH_MAX];
  join(t->program, t->file, "");
  for (int depth = 0; facts.kind == FILE_SCRIPT; depth++) {
    if (depth == MOST_SCRIPTS) return refuse(t, "has too many interpreters");
    char first[PATH_MAX], *line = facts.interpreter;
    join(first, line + strspn(line, blanks), "");
    if (!script_program(line, t->program, through))
      return refuse(t, "is a script for %.*s, which is not there", PATH_MAX, first);
    if (through[0] != '\0' && !loads(t, through, ours)) return blame(t, through);
    file_inspect(t->program, &facts);
  }
  if (loads(t, t->program, ours)) return true;
  return t->facts.kind == FILE_SCRIPT ? blame(t, t->program) : false;
}

void find_target(const char *name, const library *ours, target *t) {
  struct stat about;
  t->name = name;
  if (!find_program(name, t->file)) die(NOT_FOUND, "%s: not found", name);
  if (stat(t->file, &about) == 0 && S_ISDIR(about.st_mode)) die(NOT_RUN, "%s is a folder", name);
  if (access(t->file, X_OK) != 0) die(NOT_RUN, "%s may not be executed", name);
  file_inspect(t->file, &t->facts);
  fits(t, ours);
}
