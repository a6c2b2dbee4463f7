/* warm.c -- touches and releases memory before a run is timed.  A virtual machine may have to
 * get the memory from its host first, which would be counted as time of the run.
 *
 *   warm MIB
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <sys/mman.h>

int main(int argc, char **argv) {
  size_t size = load_argument(argc, argv, 1, 64) * LOAD_MIB;
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) load_fail("no memory to warm");
  memset(p, 1, size);
  return munmap(p, size) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
