/* buffers.c -- large buffers are written completely and freed; a few are alive at a time:
 * images, messages, blocks of files.
 *
 *   buffers SMALLEST LARGEST LIVE GIB    sizes in KiB; GIB: written in total
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { LIVE_MOST = 256 };

int main(int argc, char **argv) {
  static void *blocks[LIVE_MOST];
  size_t smallest = load_argument(argc, argv, 1, 64) * LOAD_KIB;
  size_t largest = load_argument(argc, argv, 2, 4096) * LOAD_KIB;
  size_t live = load_argument(argc, argv, 3, 4);
  size_t total = load_argument(argc, argv, 4, 4) * LOAD_KIB * LOAD_MIB;
  uint64_t random = load_seed(0);
  if (live > LIVE_MOST || live == 0 || largest < smallest) load_fail("what arguments?");
  for (size_t written = 0, n = 0; written < total; n++) {
    size_t size = smallest + (size_t)(load_random(&random) >> 10) % (largest - smallest + 1);
    free(blocks[n % live]);
    blocks[n % live] = memset(load_take(size), (int)n, size);
    written += size;
  }
  for (size_t i = 0; i < live; i++) free(blocks[i]);
  return EXIT_SUCCESS;
}
