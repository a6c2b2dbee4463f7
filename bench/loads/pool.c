/* pool.c -- a thread has ended and half of its blocks were freed; another thread works beside
 * them: a server after the rush hour.
 *
 *   pool MIB THOUSANDS    MIB: allocated by the thread that ended
 *
 * Prints the wall-clock time of all steps: "work SECONDS".  A step replaces one of ten
 * thousand small blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../clock.h"
#include "load.h"

enum { SIZE = 1000, TABLE = 10000, TOP = 4096 };

static void **left;
static size_t count;

static void *fill(void *arg) {
  for (size_t i = 0; i < count; i++) left[i] = load_take(SIZE);
  return arg;
}

int main(int argc, char **argv) {
  static void *table[TABLE];
  count = load_argument(argc, argv, 1, 16) * LOAD_MIB / SIZE;
  size_t steps = load_argument(argc, argv, 2, 2000) * 1000;
  left = load_take(count * sizeof *left);
  load_thread thread;
  load_start(&thread, 1, fill);
  load_join(&thread, 1);
  for (size_t i = 0; i < count; i += 2) free(left[i]);
  uint64_t random = load_seed(0);
  double start = clock_seconds();
  for (size_t i = 0; i < steps; i++) {
    void **entry = &table[(size_t)(load_random(&random) >> 20) % TABLE];
    free(*entry);
    *entry = load_take(load_size(&random, TOP));
  }
  printf("work %.6f\n", clock_seconds() - start);
  for (size_t i = 0; i < TABLE; i++) free(table[i]);
  for (size_t i = 1; i < count; i += 2) free(left[i]);
  free(left);
  return EXIT_SUCCESS;
}
