/* SPDX-License-Identifier: MIT */
/* said.h -- what a process wrote to stderr before it ended. */
#ifndef MISUSE_SAID_H
#define MISUSE_SAID_H

#include <stdbool.h>
#include <string.h>
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

#endif
