/* resident.h -- how much memory the process has.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_RESIDENT_H
#define MIA_TEST_RESIDENT_H

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* Returns the resident memory of the process in bytes, or 0 if the system does not report
 * it.  Does not allocate: a stdio stream would need a buffer. */
static inline size_t resident_bytes(void) {
  char text[128] = "";
  unsigned long pages = 0;
  int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  if (read(file, text, sizeof text - 1) <= 0 || sscanf(text, "%*u %lu", &pages) != 1) pages = 0;
  (void)close(file);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
