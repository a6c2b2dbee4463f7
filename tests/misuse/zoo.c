/* zoo.c -- every sin of sins.h in a process of its own; prints TAP.
 *
 * Each must end as the table below says of this build: with one line that has the
 * word and the address, and SIGABRT; or, where nothing can notice it, anyhow but
 * soon.  `zoo.tap --doc' prints the table at the end of doc/misuse.md instead, and a
 * test compares. */
#include "config.h"

#include "sins.h"

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

/* What is said of a sin in a release and in a debug build; NULL: nothing for sure. */
typedef struct sin {
  const char *name;
  void (*commit)(void);
  const char *release;
  const char *debug;
} sin_row;

static const sin_row sins[] = {
    {"small block freed twice at once", twice_small, TWICE, TWICE},
    {"block of 8 bytes freed twice at once", twice_tiny, TWICE, TWICE},
    {"only block of its size freed twice", twice_alone, TWICE, TWICE},
    {"block freed twice beside one that lives, in a thread that ends", twice_in_a_thread, TWICE,
     TWICE},
    {"block of a heap freed twice, and the heap deleted", twice_in_a_heap, TWICE, TWICE},
    {"large block freed twice", twice_large, NOT_BLOCK, NOT_BLOCK},
    {"huge block freed twice", twice_huge, NOT_BLOCK, NOT_BLOCK},
    {"block freed twice, another one in between", twice_delayed, NULL, TWICE},
    {"block freed, and again by another thread", twice_elsewhere, NULL, TWICE},
    {"block freed twice by other threads", twice_elsewhere_both, NULL, TWICE},
    {"large block freed by another thread, and again", twice_large_elsewhere, NOT_BLOCK, NOT_BLOCK},
    {"static object freed", free_static, NOT_BLOCK, NOT_BLOCK},
    {"object on the stack freed", free_stack, NOT_BLOCK, NOT_BLOCK},
    {"address that nobody has freed", free_foreign, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 48 set freed", free_wild, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 62 set freed", free_wilder, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 48 set freed with its size", free_wild_sized, NOT_BLOCK, NOT_BLOCK},
    {"block's address with bit 48 set freed by another thread", free_wild_elsewhere, NOT_BLOCK,
     NOT_BLOCK},
    {"inside of a block freed", free_interior, NULL, INSIDE},
    {"misaligned inside of a block freed", free_misaligned, INSIDE, INSIDE},
    {"misaligned inside of a block freed by another thread", free_misaligned_elsewhere, INSIDE,
     INSIDE},
    {"misaligned inside of a block freed with its size", free_misaligned_sized, INSIDE, INSIDE},
    {"inside of a large block freed", free_interior_large, INSIDE, INSIDE},
    {"inside of a block freed by another thread", free_interior_elsewhere, INSIDE, INSIDE},
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
    {"sized free with a larger size", sized_wrong, NULL, SMALLER},
    {"sized free with a smaller size", sized_less, NULL, LARGER},
    {"sized free of a large block with a larger size", sized_wrong_large, SMALLER, SMALLER},
    {"sized free with a larger size by another thread", sized_wrong_elsewhere, SMALLER, SMALLER},
    {"sized free with another alignment", sized_misaligned, NULL, ALIGNED},
    {"sized free of a large block with another alignment", sized_misaligned_large, ALIGNED,
     ALIGNED},
    {"realloc of a freed block", realloc_freed, NULL, USED},
    {"realloc of a freed large block", realloc_freed_large, NOT_BLOCK, NOT_BLOCK},
    {"realloc of a static object", realloc_static, NOT_BLOCK, NOT_BLOCK},
    {"realloc of a block's address with bit 62 set", realloc_wild, NOT_BLOCK, NOT_BLOCK},
    {"realloc of the misaligned inside of a block", realloc_misaligned, INSIDE, INSIDE},
    {"usable size of a block's address with bit 62 set", usable_wild, NOT_BLOCK, NOT_BLOCK},
    {"usable size of the misaligned inside of a block", usable_misaligned, INSIDE, INSIDE},
    {"usable size of a freed block", usable_freed, NULL, USED},
    {"usable size of a static object", usable_static, NOT_BLOCK, NOT_BLOCK},
    {"large block freed after its heap was destroyed", free_of_destroyed, NOT_BLOCK, NOT_BLOCK},
};
#define SINS (sizeof sins / sizeof sins[0])

static int blame_to;

static void blame(const void *p) {
  if (write(blame_to, &p, sizeof p) != (ssize_t)sizeof p) _exit(EXIT_FAILURE);
}

typedef struct outcome {
  int status;
  const void *blamed;
  char text[TEXT_SIZE]; /* what it wrote to stderr */
} outcome;

static void sin_in_child(const sin_row *s, const int *text, const int *blamed) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(SECONDS);
  dup2(text[1], STDERR_FILENO);
  close(text[0]);
  close(blamed[0]);
  blame_to = blamed[1];
  s->commit();
  _exit(EXIT_SUCCESS);
}

static bool run(const sin_row *s, outcome *o) {
  int text[2], blamed[2];
  if (pipe(text) != 0 || pipe(blamed) != 0) return false;
  pid_t child = fork();
  if (child == 0) sin_in_child(s, text, blamed);
  close(text[1]);
  close(blamed[1]);
  memset(o, 0, sizeof *o);
  while (read(blamed[0], &o->blamed, sizeof o->blamed) > 0) /* the last one counts */
    ;
  size_t length = 0;
  ssize_t n;
  while (length < sizeof o->text - 1 &&
         (n = read(text[0], o->text + length, sizeof o->text - 1 - length)) > 0)
    length += (size_t)n;
  close(text[0]);
  close(blamed[0]);
  return child > 0 && waitpid(child, &o->status, 0) == child;
}

static bool is_as_said(const outcome *o, const char *word) {
  bool aborted = WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGABRT;
  if (word == NULL) return !(WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGALRM);
  char wanted[TEXT_SIZE];
  snprintf(wanted, sizeof wanted, "mialloc: %s: 0x%llx\n", word,
           (unsigned long long)(uintptr_t)o->blamed);
  /* an emulator has a line of its own to add */
  bool emulated = getenv("TEST_EMULATOR") != NULL;
  return aborted && strncmp(o->text, wanted, emulated ? strlen(wanted) : sizeof o->text) == 0;
}

static void put_table(FILE *out) {
  fputs("| misuse | release | --enable-debug |\n|---|---|---|\n", out);
  for (size_t i = 0; i < SINS; i++)
    fprintf(out, "| %s | %s | %s |\n", sins[i].name, sins[i].release ? sins[i].release : "-",
            sins[i].debug ? sins[i].debug : "-");
}

/* Whether doc/misuse.md ends with the table. */
static bool is_documented(const char *root) {
  char path[4096];
  snprintf(path, sizeof path, "%s/doc/misuse.md", root);
  FILE *doc = fopen(path, "r");
  FILE *table = tmpfile();
  if (doc == NULL || table == NULL) return false;
  put_table(table);
  bool same = fseek(doc, -ftell(table), SEEK_END) == 0;
  rewind(table);
  int a, b;
  do {
    a = getc(doc);
    b = getc(table);
  } while (a == b && a != EOF);
  fclose(doc);
  fclose(table);
  return same && a == b;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--doc") == 0) {
    put_table(stdout);
    return EXIT_SUCCESS;
  }
  const char *root = getenv("top_srcdir");
  unsigned failures = 0, n = 0;
  printf("1..%zu\n", SINS + (root != NULL));
  fflush(stdout);
  for (size_t i = 0; i < SINS; i++) {
    const char *word = MIA_DEBUG ? sins[i].debug : sins[i].release;
    outcome o;
    bool holds = run(&sins[i], &o) && is_as_said(&o, word);
    failures += !holds;
    printf("%sok %u - %s: %s\n", holds ? "" : "not ", ++n, sins[i].name, word ? word : "it ends");
    if (!holds)
      printf("# status %d, at %p, said: %s\n", o.status, (void *)(uintptr_t)o.blamed, o.text);
    fflush(stdout);
  }
  if (root != NULL) {
    bool holds = is_documented(root);
    failures += !holds;
    printf("%sok %u - doc/misuse.md has this table\n", holds ? "" : "not ", ++n);
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
