/* seed.c -- enough work that the first arena's deadline, an atomic, is set and
 * read; for the build that brings the seed's bug back. */
#include <mialloc.h>
#include <stdio.h>

enum { ROUNDS = 100, SIZE = 200000 };

int main(void) {
  void *blocks[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) blocks[i] = mia_malloc(SIZE);
  for (int i = 0; i < ROUNDS; i++) mia_free(blocks[i]);
  mia_collect(false);
  puts("runs");
  return 0;
}
