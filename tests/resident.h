/* resident.h -- how much memory the process has.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_RESIDENT_H
#define MIA_TEST_RESIDENT_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Reads the file's start into `text'.  Does not allocate: a stdio stream would need a buffer. */
static inline bool resident_read(const char *name, char *text, size_t size) {
  int file = open(name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, text, size - 1);
  (void)close(file);
  if (length <= 0) return false;
  text[length] = '\0';
  return true;
}

/* Returns the resident memory of the process in bytes, or 0 if the system does not report it.
 * smaps_rollup counts the pages; statm adds up what each processor has told so far, and lacks
 * the last pages of each. */
static inline size_t resident_bytes(void) {
  char text[1024];
  unsigned long number = 0;
  if (resident_read("/proc/self/smaps_rollup", text, sizeof text)) {
    const char *rss = strstr(text, "\nRss:");
    if (rss != NULL && sscanf(rss, " Rss: %lu kB", &number) == 1) return (size_t)number * 1024;
  }
  if (resident_read("/proc/self/statm", text, sizeof text) && sscanf(text, "%*u %lu", &number) == 1)
    return (size_t)number * (size_t)sysconf(_SC_PAGESIZE);
  return 0;
}

#endif
