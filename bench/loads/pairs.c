/* pairs.c -- each block is freed directly after its allocation: temporary objects of a
 * function, such as a formatted message or an iterator.
 *
 *   pairs SIZE MILLIONS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

int main(int argc, char **argv) {
  size_t size = load_argument(argc, argv, 1, 64);
  size_t pairs = load_argument(argc, argv, 2, 20) * 1000000;
  for (size_t i = 0; i < pairs; i++) free(load_take(size));
  return EXIT_SUCCESS;
}
