/* SPDX-License-Identifier: MIT */
/* spawn.c -- a program with busy threads starts other programs: by vfork, posix_spawn, system
 * and popen.
 *
 * A child of vfork shares the parent's memory.  It may only call exec or _exit, but many
 * programs also allocate there, beside the parent's running threads.  The heap must stay
 * consistent. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for vfork */
#endif
#include <mialloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2, BLOCKS = 400, CHILDREN = 100 };

extern char **environ;

static int stop;

static int fill(char **blocks, size_t seed) {
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = (seed + i * 97) % 2500 + 1;
    free(blocks[i]);
    blocks[i] = malloc(size);
    size_t usable = mia_usable_size(blocks[i]);
    if (usable < size || mia_good_size(usable) != usable) return 0;
    memset(blocks[i], (int)(i & 127), size);
  }
  return 1;
}

static int are_unchanged(char **blocks) {
  for (size_t i = 0; i < BLOCKS; i++)
    if (blocks[i][0] != (char)(i & 127)) return 0;
  return 1;
}

static void *churn(void *unused) {
  char *blocks[BLOCKS] = {0};
  size_t good = 1;
  (void)unused;
  for (size_t round = 0; good && !__atomic_load_n(&stop, __ATOMIC_RELAXED); round++)
    good = fill(blocks, round) && are_unchanged(blocks);
  for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
  return good ? &stop : NULL;
}

static int ended_well(pid_t child) {
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int by_vfork(int allocate) {
  static char *volatile left; /* a block that the child leaves to the parent */
  pid_t child = vfork();
  if (child == 0) {
    if (allocate) {
      char *p = malloc(700);
      left = malloc(80);
      free(realloc(p, 5000));
    }
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
  }
  free(left);
  left = NULL;
  return ended_well(child);
}

static int by_spawn(void) {
  char *arguments[] = {(char *)"true", NULL};
  posix_spawn_file_actions_t actions;
  pid_t child = -1;
  if (posix_spawn_file_actions_init(&actions) != 0) return 0;
  int error = posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", 0, 0);
  if (error == 0) error = posix_spawnp(&child, "true", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 && ended_well(child);
}

static int by_popen(void) {
  char text[16] = "";
  FILE *pipe = popen("echo spoken", "r");
  if (pipe == NULL || fgets(text, sizeof text, pipe) == NULL) return 0;
  return pclose(pipe) == 0 && strcmp(text, "spoken\n") == 0 && system("exit 3") == 3 << 8;
}

int main(void) {
  static char *blocks[BLOCKS];
  pthread_t threads[THREADS];
  int good = 1;
  for (int i = 0; i < THREADS; i++) good &= pthread_create(&threads[i], NULL, churn, NULL) == 0;
  for (int i = 0; good && i < CHILDREN; i++) {
    good = fill(blocks, (size_t)i * 7) && by_vfork(i % 2) && by_spawn() && are_unchanged(blocks);
    if (i % 10 == 0) good = good && by_popen();
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    good &= pthread_join(threads[i], &result) == 0 && result != NULL;
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
