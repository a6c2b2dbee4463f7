/* batches.c -- many blocks are allocated, then all are freed: the objects of a request, a
 * frame or a pass.
 *
 *   batches SIZE ORDER MILLIONS    ORDER 0: last in, first out; 1: first in, first out
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { BATCH = 1000 };

int main(int argc, char **argv) {
  static void *blocks[BATCH];
  size_t size = load_argument(argc, argv, 1, 64);
  size_t first_first = load_argument(argc, argv, 2, 0);
  size_t batches = load_argument(argc, argv, 3, 10) * 1000000 / BATCH;
  for (size_t n = 0; n < batches; n++) {
    for (size_t i = 0; i < BATCH; i++) blocks[i] = load_take(size);
    for (size_t i = 0; i < BATCH; i++) free(blocks[first_first != 0 ? i : BATCH - 1 - i]);
  }
  return EXIT_SUCCESS;
}
