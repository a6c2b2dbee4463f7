/* SPDX-License-Identifier: MIT */
/* seed.c -- enough work that the first arena's atomics are read, written and (by pages of one
 * slice) compared and swapped.  Used by the build that reintroduces this project's first bug,
 * a misaligned 64-bit atomic. */
#include <mialloc.h>
#include <stdio.h>

enum { ROUNDS = 100, SMALL = 8000, LARGE = 200000 };

int main(void) {
  void *blocks[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) blocks[i] = mia_malloc(i % 2 == 0 ? SMALL : LARGE);
  for (int i = 0; i < ROUNDS; i++) mia_free(blocks[i]);
  mia_collect(false);
  puts("runs");
  return 0;
}
