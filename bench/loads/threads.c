/* threads.c -- threads that start, allocate a few blocks and end: a thread per request.
 *
 *   threads COUNT BLOCKS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { BLOCKS_MOST = 1000, AT_A_TIME = 4 };

static size_t blocks;

static void *work(void *arg) {
  void *mine[BLOCKS_MOST];
  uint64_t random = load_seed(((load_thread *)arg)->number);
  for (size_t i = 0; i < blocks; i++) mine[i] = load_take(load_size(&random, 1024));
  for (size_t i = 0; i < blocks; i++) free(mine[i]);
  return NULL;
}

int main(int argc, char **argv) {
  load_thread threads[AT_A_TIME];
  size_t count = load_argument(argc, argv, 1, 20000);
  blocks = load_argument(argc, argv, 2, 50);
  if (blocks > BLOCKS_MOST) load_fail("what arguments?");
  for (size_t n = 0; n < count; n += AT_A_TIME) {
    load_start(threads, AT_A_TIME, work);
    load_join(threads, AT_A_TIME);
  }
  return EXIT_SUCCESS;
}
