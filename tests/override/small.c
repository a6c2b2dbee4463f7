/* small.c -- the memory of a process that hardly allocates; prints TAP.
 *
 * A process that needs a hundred small blocks of all sizes must not have an OS page for each size.
 * Linked with libmialloc; needs no framework.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tap.h"

enum { BLOCKS = 100, STEP = 10, USUAL_PAGE_SIZE = 4096, MOST_KIB = 156 };

static char text[4096];

/* Returns the private memory of the process that no file backs, in KiB, or 0 if the kernel does not
 * tell.  Allocates nothing. */
static long anonymous_kib(void) {
  static const char name[] = "Anonymous:";
  int fd = open("/proc/self/smaps_rollup", O_RDONLY);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  const char *line = strstr(text, name);
  return line != NULL ? strtol(line + sizeof name - 1, NULL, 10) : 0;
}

static void small_blocks_of_all_sizes(void) {
  static void *blocks[BLOCKS];
  long before = anonymous_kib();
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = (i + 1) * STEP;
    blocks[i] = malloc(size);
    if (blocks[i] != NULL) memset(blocks[i], 1, size);
  }
  long after = anonymous_kib();
  for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
  printf("# %ld KiB before, %ld after\n", before, after);
  tap_ok(after - before <= MOST_KIB, "small blocks of all sizes need few OS pages");
}

int main(void) {
  if (sysconf(_SC_PAGESIZE) != USUAL_PAGE_SIZE || anonymous_kib() == 0 || MIA_DEBUG) {
    puts("1..0 # SKIP measured with OS pages of 4 KiB, and without redzones");
    return 0;
  }
  small_blocks_of_all_sizes();
  return tap_end();
}
