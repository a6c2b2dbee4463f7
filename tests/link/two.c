/* SPDX-License-Identifier: MIT */
/* two.c -- which allocator do malloc and mia_malloc belong to?  Prints "two: one" or "two:
 * apart".
 *
 * one: a block may be freed by either name. apart: the names belong to two allocators, each
 * of which refuses the other's blocks with a message. */
#include <mialloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSAL "mialloc: free: pointer that is not a block in use: "

static void *(*volatile their_malloc)(size_t) = malloc;
static void (*volatile their_free)(void *) = free;
static void *(*volatile our_malloc)(size_t) = mia_malloc;
static void (*volatile our_free)(void *) = mia_free;

static void work(void *(*volatile allocate)(size_t), void (*volatile free_block)(void *)) {
  for (size_t size = 1; size < 1 << 22; size = size * 2 + 1) {
    char *p = allocate(size);
    if (p == NULL) abort();
    memset(p, 1, size);
    free_block(p);
  }
}

/* Frees a foreign block in another process.  Returns 0 if that process ended by a signal and,
 * if a message can be expected, printed it. */
static int refused(void *(*volatile allocate)(size_t), void (*volatile free_block)(void *),
                   int says) {
  int ends[2];
  char said[200] = "";
  if (pipe(ends) != 0) return -1;
  void *p = allocate(100);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    free_block(p);
    _exit(0);
  }
  close(ends[1]);
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return -1;
  if (!says) return 0;
  char expected[sizeof REFUSAL + 30];
  snprintf(expected, sizeof expected, REFUSAL "%p; ", p);
  if (read(ends[0], said, sizeof said - 1) <= 0 || strncmp(said, expected, strlen(expected)) != 0) {
    fprintf(stderr, "said: %s, not: %s\n", said, expected);
    return -1;
  }
  return 0;
}

/* Arguments: one or apart; and yes or no: whether malloc is libmialloc's. */
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
