/* SPDX-License-Identifier: MIT */
/* said.h -- what a process wrote to stderr before it ended. */
#ifndef MISUSE_SAID_H
#define MISUSE_SAID_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Removes what an emulator adds when a signal ends the process. */
static inline void remove_emulator(char *text) {
  char *at = strstr(text, "qemu: uncaught target signal");
  if (at != NULL) *at = 0;
}

/* Stores in `text', of `size' bytes, what comes from a pipe.  Reads all of it, so that no process waits
 * for that. */
static inline void read_said(int from, char *text, size_t size) {
  size_t length = 0;
  ssize_t n;
  char rest[256];
  do {
    bool room = length < size - 1;
    n = read(from, room ? text + length : rest, room ? size - 1 - length : sizeof rest);
    if (room && n > 0) length += (size_t)n;
  } while (n > 0);
  text[length] = 0;
  remove_emulator(text);
}

/* Runs a function in a process of its own, which leaves no core.  Stores what that writes to stderr, and
 * returns its status, or -1. */
static inline int run_and_read(void (*run)(void *), void *arg, char *text, size_t size) {
  const struct rlimit no_core = {0, 0};
  int ends[2], status = -1;
  if (pipe(ends) != 0) return -1;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    run(arg);
    _exit(EXIT_SUCCESS);
  }
  close(ends[1]);
  read_said(ends[0], text, size);
  close(ends[0]);
  return waitpid(child, &status, 0) == child ? status : -1;
}

#endif
