/* zeroed.c -- calloc of mixed sizes, of which the caller uses a part: tables, matrices, the
 * objects of languages that promise zeroed memory.
 *
 *   zeroed TOP THOUSANDS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { LIVE = 2000 };

int main(int argc, char **argv) {
  static void *blocks[LIVE];
  size_t top = load_argument(argc, argv, 1, 65536);
  size_t steps = load_argument(argc, argv, 2, 2000) * 1000;
  uint64_t random = load_seed(0);
  for (size_t n = 0; n < steps; n++) {
    size_t slot = (size_t)(load_random(&random) >> 20) % LIVE;
    size_t size = load_size(&random, top);
    free(blocks[slot]);
    blocks[slot] = load_use(calloc(1, size), size);
  }
  for (size_t i = 0; i < LIVE; i++) free(blocks[i]);
  return EXIT_SUCCESS;
}
