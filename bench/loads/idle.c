/* idle.c -- a program that has freed its memory and waits: an editor, a daemon at night.
 * Prints the memory that it still has after one second with a few small allocations: "rss
 * BYTES".
 *
 *   idle MIB SIZE KEPT    one block in KEPT is not freed; 0: all are
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <time.h>
#include <unistd.h>

enum { SLEEPS = 20, SLEEP_NS = 50000000 };

static size_t resident(void) {
  unsigned long all = 0, here = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL || fscanf(f, "%lu %lu", &all, &here) != 2) load_fail("no /proc/self/statm");
  fclose(f);
  return (size_t)here * (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv) {
  size_t size = load_argument(argc, argv, 2, 1000);
  size_t count = load_argument(argc, argv, 1, 256) * LOAD_MIB / size;
  size_t kept = load_argument(argc, argv, 3, 0);
  void **blocks = load_take(count * sizeof *blocks);
  for (size_t i = 0; i < count; i++) blocks[i] = memset(load_take(size), 1, size);
  for (size_t i = 0; i < count; i++)
    if (kept == 0 || i % kept != 0) free(blocks[i]);
  free(blocks);
  for (int i = 0; i < SLEEPS; i++) {
    nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    free(load_take(100));
  }
  printf("rss %zu\n", resident());
  return EXIT_SUCCESS;
}
