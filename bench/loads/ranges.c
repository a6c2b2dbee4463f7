/* ranges.c -- blocks of equally likely sizes in a range are replaced at random: images, messages,
 * buffers of files.
 *
 *   ranges ENTRIES LOW HIGH STEPS FILL    sizes from LOW to HIGH bytes; STEPS replacements; FILL 1:
 *          each block is written from end to end, 0: at both ends
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

static size_t low, high, fill;

static void *entry(uint64_t *random) {
  size_t size = low + (load_random(random) >> 20) % (high - low + 1);
  void *block = load_take(size);
  return fill != 0 ? memset(block, 1, size) : block;
}

int main(int argc, char **argv) {
  size_t entries = load_argument(argc, argv, 1, 100);
  low = load_argument(argc, argv, 2, 32768);
  high = load_argument(argc, argv, 3, 131072);
  size_t steps = load_argument(argc, argv, 4, 2000000);
  fill = load_argument(argc, argv, 5, 0);
  if (entries == 0 || low == 0 || high < low) load_fail("what arguments?");
  uint64_t random = load_seed(0);
  void **table = load_take(entries * sizeof *table);
  for (size_t i = 0; i < entries; i++) table[i] = entry(&random);
  for (size_t n = 0; n < steps; n++) {
    size_t i = (load_random(&random) >> 20) % entries;
    free(table[i]);
    table[i] = entry(&random);
  }
  for (size_t i = 0; i < entries; i++) free(table[i]);
  free(table);
  return EXIT_SUCCESS;
}
