/* ladder.c -- blocks of growing sizes, some of which stay: programs whose objects change over
 * a long time.  Each step allocates blocks of one size until so many bytes are alive, then
 * frees all but one in each stretch of memory.
 *
 *   ladder LIVE STRETCH    bytes alive at a time, in MiB; one block stays in STRETCH KiB
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { SMALLEST = 24, LARGEST = 4096, BLOCKS_MOST = 1 << 22 };

int main(int argc, char **argv) {
  size_t live_most = load_argument(argc, argv, 1, 48) * LOAD_MIB;
  size_t stretch = load_argument(argc, argv, 2, 64) * LOAD_KIB;
  void **blocks = load_take(BLOCKS_MOST * sizeof *blocks);
  void **stay = load_take(BLOCKS_MOST * sizeof *stay);
  size_t staying = 0, live = 0;
  for (size_t size = SMALLEST; size <= LARGEST; size = size * 3 / 2) {
    size_t count = 0;
    for (; live + size <= live_most && count < BLOCKS_MOST; live += size, count++) {
      blocks[count] = memset(load_take(size), 1, size);
    }
    size_t every = stretch / size;
    for (size_t i = 0; i < count; i++) {
      if (i % every == 0 && staying < BLOCKS_MOST) {
        stay[staying++] = blocks[i];
      } else {
        free(blocks[i]);
        live -= size;
      }
    }
  }
  for (size_t i = 0; i < staying; i++) free(stay[i]);
  free(stay);
  free(blocks);
  return EXIT_SUCCESS;
}
