/* check.c -- mialloc-run --check: which malloc a program will have, and why.
 *
 * A name belongs to the first file that defines it, in the order in which the dynamic linker
 * loads them: the program, what is preloaded, the libraries.  The dynamic linker tells this
 * order without running the program; who defines malloc is in the files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* Symbols by which an allocator is known, and what to call it. */
typedef struct sign {
  const char *symbol, *name;
} sign;

static const sign signs[] = {
    {TOOL_NAMES "api_own_malloc", "mialloc's, linked statically"},
    {"__asan_init", "AddressSanitizer's"},
    {"__hwasan_init", "HWAddressSanitizer's"},
    {"__tsan_init", "ThreadSanitizer's"},
    {"__msan_init", "MemorySanitizer's"},
    {"__lsan_init", "LeakSanitizer's"},
    {"mallctl", "jemalloc's"},
    {"je_mallctl", "jemalloc's"},
    {"_rjem_mallctl", "jemalloc's"},
    {"tc_malloc", "tcmalloc's"},
    {"mi_malloc", "mimalloc's"},
};
enum { SIGNS = sizeof signs / sizeof signs[0], OURS = 0, FIRST_SANITIZER = 1, LAST_SANITIZER = 5 };

static const char *const malloc_name[] = {"malloc"};
static const char *const dlopen_name[] = {"dlopen"};
static const char *const our_name[] = {TOOL_NAMES "malloc"};

/* What the files of a program, in the order of the dynamic linker, have said so far. */
typedef struct verdict {
  const target *t;
  const char *interpreter; /* the dynamic linker */
  bool decided;            /* a file that defines malloc was met */
  bool ours;               /* it is mialloc's library */
  bool opens;              /* a file calls dlopen */
  bool broken;             /* a library is missing */
} verdict;

/* Returns the index of the first sign that the file shows; SIGNS if there is none. */
static unsigned recognize(const char *file) {
  const char *names[SIGNS];
  for (unsigned k = 0; k < SIGNS; k++) names[k] = signs[k].symbol;
  unsigned found = file_symbols(file, SYMBOLS_DEFINED, names, SIGNS), k = 0;
  while (k < SIGNS && !(found >> k & 1)) k++;
  return k;
}

static bool is_sanitizer(unsigned k) { return k >= FIRST_SANITIZER && k <= LAST_SANITIZER; }

static bool defines_malloc(const char *file) {
  return file_symbols(file, SYMBOLS_EXPORTED, malloc_name, 1) != 0;
}

static void say_owner(const verdict *v, const char *file, bool program) {
  unsigned k = recognize(file);
  const char *whose = k < SIGNS ? signs[k].name : program ? "its own" : "that library's";
  if (program)
    printf("%s: malloc is %s: the program defines it, and comes before every library\n", v->t->name,
           whose);
  else
    printf("%s: malloc is %s: %s defines it, and comes before others\n", v->t->name, whose, file);
}

/* A sanitizer must have its own malloc: its library stops the program if it is not first. */
static void say_unused(verdict *v, const char *file) {
  unsigned k = recognize(file);
  if (k == SIGNS || file_symbols(file, SYMBOLS_EXPORTED, our_name, 1) != 0) return;
  if (is_sanitizer(k)) {
    printf("  but %s is %s: run it without mialloc\n", file, signs[k].name);
    v->ours = false;
  } else {
    printf("  %s is loaded too; its malloc is not used\n", file);
  }
}

/* Considers the next file.  On musl the interpreter is the C library and told first, but its
 * names count last. */
static void consider(verdict *v, const char *file, bool program) {
  v->opens |= file_symbols(file, SYMBOLS_IMPORTED, dlopen_name, 1) != 0;
  if (!defines_malloc(file)) {
    unsigned k = program ? recognize(file) : SIGNS;
    if (k < SIGNS)
      printf("%s: a part of it calls %s malloc under another name\n", v->t->name, signs[k].name);
    return;
  }
  if (v->decided) {
    say_unused(v, file);
    return;
  }
  v->decided = true;
  v->ours = file_symbols(file, SYMBOLS_EXPORTED, our_name, 1) != 0 ||
            (program && recognize(file) == OURS);
  if (v->ours && !program)
    printf("%s: malloc is mialloc's: %s comes before other libraries\n", v->t->name, file);
  else
    say_owner(v, file, program);
}

/* A line of the dynamic linker: NAME => PATH (ADDRESS), PATH (ADDRESS), or NAME => not found. */
static void read_line(verdict *v, char *line) {
  char *arrow = strstr(line, " => "), *file = line + strspn(line, " \t"), *end;
  if (strstr(line, "not found") != NULL || strstr(line, "rror while loading") != NULL ||
      strstr(line, "Error loading") != NULL) {
    printf("%s cannot be run: %s", v->t->name, file);
    v->broken = true;
    return;
  }
  if (arrow != NULL) file = arrow + strlen(" => ");
  end = strstr(file, " (0x");
  if (file[0] != '/' || end == NULL) return;
  *end = '\0';
  if (strcmp(file, v->interpreter) != 0) consider(v, file, false);
}

_Noreturn static void list_files(int to, const target *t, const library *ours) {
  file_facts facts;
  file_inspect(t->program, &facts);
  load(ours);
  dup2(to, STDOUT_FILENO);
  dup2(to, STDERR_FILENO);
  if (strcmp(TOOL_LIBC, "musl") == 0)
    execl(facts.interpreter, "ldd", t->program, (char *)NULL);
  else
    execl(facts.interpreter, facts.interpreter, "--list", t->program, (char *)NULL);
  fprintf(stderr, "%s not found\n", facts.interpreter);
  _exit(WRONG_USE);
}

/* Reads the order of the files from the dynamic linker. */
static void read_files(verdict *v, const library *ours) {
  int ends[2];
  char *line = NULL;
  size_t room = 0;
  fflush(stdout);
  if (pipe(ends) != 0) die(WRONG_USE, "pipe: %s", strerror(errno));
  pid_t child = fork();
  if (child < 0) die(WRONG_USE, "fork: %s", strerror(errno));
  if (child == 0) list_files(ends[1], v->t, ours);
  close(ends[1]);
  FILE *answer = fdopen(ends[0], "r");
  if (answer == NULL) die(WRONG_USE, "pipe: %s", strerror(errno));
  while (!v->broken && getline(&line, &room, answer) > 0) read_line(v, line);
  free(line);
  fclose(answer);
  waitpid(child, NULL, 0);
}

/* A static program has what was linked. */
static int check_static(const target *t) {
  if (recognize(t->program) == OURS) {
    printf("%s: malloc is %s\n", t->name, signs[OURS].name);
    return 0;
  }
  printf("%s: malloc is not mialloc's: %s %s\n", t->name, t->name, t->why);
  if (!file_has_symbols(t->program))
    puts("  it was stripped of its symbols: if it was linked with libmialloc.a, that cannot be seen"
         " here;\n  run it with MIALLOC_SHOW_STATS=1");
  return NOT_RUN;
}

int check(const target *t, const library *ours) {
  file_facts facts;
  verdict v = {t, facts.interpreter, false, false, false, false};
  file_inspect(t->program, &facts);
  if (facts.kind == FILE_STATIC && t->why[0] != '\0') return check_static(t);
  if (t->why[0] != '\0') {
    printf("%s: malloc is not mialloc's: %s %s\n", t->name, t->name, t->why);
    return NOT_RUN;
  }
  if (facts.kind != FILE_DYNAMIC || facts.interpreter[0] == '\0') {
    printf("%s: cannot be read or is no program: nothing is known of it\n", t->name);
    return NOT_RUN;
  }
  consider(&v, t->program, true);
  read_files(&v, ours);
  if (v.broken) return NOT_RUN;
  if (!v.decided) printf("%s: malloc is the C library's: no other file defines it\n", t->name);
  if (v.ours && v.opens && strcmp(TOOL_LIBC, "glibc") == 0)
    puts("  libraries that it opens with RTLD_DEEPBIND have mialloc's too");
  return v.ours ? 0 : NOT_RUN;
}
