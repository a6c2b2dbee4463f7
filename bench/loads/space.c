/* space.c -- small and medium blocks in a process that uses much address space: a database
 * with large buffers that it has allocated but not touched.
 *
 *   space GIB THOUSANDS    GIB: of untouched blocks
 *
 * Prints the wall-clock time of all steps: "work SECONDS".  A step allocates a block of 8 KiB,
 * which stays, and replaces a block of 1.1 MB.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../clock.h"
#include "load.h"

enum { BUFFERS_MOST = 1 << 16, TABLE = 1000, SMALL = 8192, MIDDLE = 1100000, BUFFERS_A_GIB = 64 };

int main(int argc, char **argv) {
  static void *buffers[BUFFERS_MOST], *table[TABLE];
  size_t count = load_argument(argc, argv, 1, 1) * BUFFERS_A_GIB;
  size_t steps = load_argument(argc, argv, 2, 20) * 1000;
  if (count > BUFFERS_MOST) load_fail("what arguments?");
  for (size_t i = 0; i < count; i++)
    buffers[i] = load_checked(malloc(1024 * LOAD_MIB / BUFFERS_A_GIB));
  void **small = load_take(steps * sizeof *small);
  uint64_t random = load_seed(0);
  double start = clock_seconds();
  for (size_t i = 0; i < steps; i++) {
    void **entry = &table[(size_t)(load_random(&random) >> 20) % TABLE];
    free(*entry);
    *entry = load_checked(malloc(MIDDLE));
    small[i] = load_take(SMALL);
  }
  printf("work %.6f\n", clock_seconds() - start);
  for (size_t i = 0; i < TABLE; i++) free(table[i]);
  for (size_t i = 0; i < steps; i++) free(small[i]);
  for (size_t i = 0; i < count; i++) free(buffers[i]);
  free(small);
  return EXIT_SUCCESS;
}
