/* arrays.c -- arrays that are grown by realloc and written as they grow: vectors,
 * string buffers, files read into memory.
 *
 *   arrays GROWTH LARGEST ROUNDS    GROWTH in percent, or 0: by 64 KiB; LARGEST in KiB
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { STEP = 64 * 1024, SMALLEST = 16, ARRAYS = 4 };

int main(int argc, char **argv) {
  size_t growth = load_argument(argc, argv, 1, 150);
  size_t largest = load_argument(argc, argv, 2, 65536) * LOAD_KIB;
  size_t rounds = load_argument(argc, argv, 3, 10);
  for (size_t n = 0; n < rounds; n++) {
    char *array[ARRAYS] = {NULL};
    size_t size = 0;
    while (size < largest) {
      size_t more = growth == 0 ? size + STEP : size * growth / 100 + SMALLEST;
      if (more > largest) more = largest;
      for (int i = 0; i < ARRAYS; i++) {
        array[i] = load_checked(realloc(array[i], more));
        memset(array[i] + size, i, more - size);
      }
      size = more;
    }
    for (int i = 0; i < ARRAYS; i++) free(array[i]);
  }
  return EXIT_SUCCESS;
}
