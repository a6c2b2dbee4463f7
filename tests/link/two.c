/* two.c -- whose malloc is it, and whose mia_malloc?  Says "two: one" or "two: apart".
 *
 * one: a block may be freed under either name.  apart: the names are those of two
 * allocators, and each refuses what is the other's, in so many words. */
#include <mialloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSAL "mialloc: pointer that is not a block in use: "

static void *(*volatile their_malloc)(size_t) = malloc;
static void (*volatile their_free)(void *) = free;
static void *(*volatile our_malloc)(size_t) = mia_malloc;
static void (*volatile our_free)(void *) = mia_free;

static void work(void *(*volatile get)(size_t), void (*volatile release)(void *)) {
  for (size_t size = 1; size < 1 << 22; size = size * 2 + 1) {
    char *p = get(size);
    if (p == NULL) abort();
    memset(p, 1, size);
    release(p);
  }
}

/* Frees what is not the function's own in another process: 0 if it ended by a
 * signal, and, where that can be expected, said why. */
static int refused(void *(*volatile get)(size_t), void (*volatile release)(void *), int says) {
  int ends[2];
  char said[200] = "";
  if (pipe(ends) != 0) return -1;
  void *p = get(100);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    release(p);
    _exit(0);
  }
  close(ends[1]);
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return -1;
  if (!says) return 0;
  char expected[sizeof REFUSAL + 30];
  snprintf(expected, sizeof expected, REFUSAL "%p\n", p);
  if (read(ends[0], said, sizeof said - 1) <= 0 || strcmp(said, expected) != 0) {
    fprintf(stderr, "said: %s, not: %s\n", said, expected);
    return -1;
  }
  return 0;
}

/* Arguments: one or apart; and whether malloc is libmialloc's: yes or no. */
int main(int count, char **arguments) {
  if (count != 3) return 2;
  int apart = strcmp(arguments[1], "apart") == 0;
  int mialloc = strcmp(arguments[2], "yes") == 0;
  work(their_malloc, their_free);
  work(our_malloc, our_free);
  if (apart) {
    if (mia_is_overriding()) return 3;
    if (refused(their_malloc, our_free, 1) != 0) return 4;
    if (refused(our_malloc, their_free, mialloc) != 0) return 5;
  } else {
    if (!mia_is_overriding()) return 6;
    work(their_malloc, our_free);
    work(our_malloc, their_free);
  }
  work(their_malloc, their_free);
  work(our_malloc, our_free);
  printf("two: %s\n", arguments[1]);
  return 0;
}
