/* aligned.c -- blocks aligned to cache lines and OS pages: vectors for SIMD, queues
 * between threads, buffers for direct input and output.
 *
 *   aligned ALIGNMENT TOP THOUSANDS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { LIVE = 4000 };

int main(int argc, char **argv) {
  static void *blocks[LIVE];
  size_t alignment = load_argument(argc, argv, 1, 64);
  size_t top = load_argument(argc, argv, 2, 2048);
  size_t steps = load_argument(argc, argv, 3, 8000) * 1000;
  uint64_t random = load_seed(0);
  for (size_t n = 0; n < steps; n++) {
    size_t slot = (size_t)(load_random(&random) >> 20) % LIVE;
    size_t size = load_size(&random, top);
    free(blocks[slot]);
    if (posix_memalign(&blocks[slot], alignment, size) != 0) load_fail("out of memory");
    (void)load_use(blocks[slot], size);
  }
  for (size_t i = 0; i < LIVE; i++) free(blocks[i]);
  return EXIT_SUCCESS;
}
