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
#include <sys/mman.h>
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

/* Returns true if memory that is only read becomes resident.  Most kernels show one page of zeroes
 * everywhere instead. */
static inline bool resident_when_read(void) {
  enum { SIZE = 4 * 1024 * 1024, STEP = 4096 };
  void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  volatile const char *bytes = (volatile const char *)memory;
  size_t before = resident_bytes(), after;
  for (size_t at = 0; at < SIZE; at += STEP) (void)bytes[at];
  after = resident_bytes();
  (void)munmap(memory, SIZE);
  return after > before + SIZE / 2;
}

/* Returns true if the library's assertions make memory resident: debug builds read what has to be zero.
 * Then only builds without assertions can show how little memory a process has. */
#define RESIDENT_BY_ASSERTIONS() (MIA_DEBUG && resident_when_read())

#endif
