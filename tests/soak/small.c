/* small.c -- the memory of a process that hardly allocates; prints TAP.
 *
 * A process that needs a hundred small blocks of all sizes must not have an OS page for each size.
 * Calls malloc itself, as such processes do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "soak.h"

/* Redzones take memory of debug builds. */
enum { BLOCKS = 100, STEP = 10, MOST_PAGES = MIA_DEBUG ? 78 : 39 };

/* Returns the memory of the process that no file backs, in bytes.  Allocates nothing. */
static size_t anonymous(void) {
  char text[2048];
  unsigned long number = 0;
  const char *at = NULL;
  if (resident_read("/proc/self/smaps_rollup", text, sizeof text))
    at = strstr(text, "\nAnonymous:");
  if (at != NULL && sscanf(at, " Anonymous: %lu kB", &number) == 1) return (size_t)number * KIB;
  fputs("Bail out! no size of anonymous memory in /proc/self\n", stdout);
  exit(EXIT_FAILURE);
}

int main(void) {
  static void *blocks[BLOCKS];
  size_t before = anonymous(), most = MOST_PAGES * (size_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = (i + 1) * STEP;
    blocks[i] = malloc(size);
    if (blocks[i] != NULL) memset(blocks[i], 1, size);
  }
  size_t more = soak_above(anonymous(), before);
  for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
  tap_ok(soak_within(more, most) || RESIDENT_BY_ASSERTIONS(), "small blocks of all sizes: %zu KiB",
         more / KIB);
  return tap_end();
}
