/* SPDX-License-Identifier: MIT */
/* static.c -- a static program, for which musl is well suited, with mialloc in it.
 *
 *   musl-gcc -static static.c $(pkg-config --static --cflags --libs mialloc)
 *
 * (of a mialloc that was configured with CC=musl-gcc; on Alpine it is cc -static).
 * malloc is mialloc's, and so are the C library's own calls of it: nothing else is
 * to be done. */
#include <mialloc.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 10000, BLOCKS = 64, LARGEST = 2000 };

/* Blocks of all sizes, each for a while. */
static void *churn(void *seed) {
  unsigned long x = (unsigned long)(size_t)seed;
  void *block[BLOCKS] = {NULL};
  for (int i = 0; i < ROUNDS; i++) {
    x = x * 1103515245u + 12345u;
    void **b = &block[x / 65536 % BLOCKS];
    free(*b);
    *b = malloc(x / 256 % LARGEST);
    if (*b == NULL) return NULL;
  }
  for (int i = 0; i < BLOCKS; i++) free(block[i]);
  return seed;
}

int main(void) {
  pthread_t thread[THREADS];
  char *line = NULL;
  int failed = !mia_is_overriding();
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread[i], NULL, churn, (void *)(size_t)(i + 1)) != 0) return 1;
  for (int i = 0; i < THREADS; i++) {
    void *done;
    if (pthread_join(thread[i], &done) != 0 || done == NULL) failed = 1;
  }
  line = strdup("a block of the C library's");
  if (line == NULL || !mia_any_heap_contains(line)) failed = 1;
  printf("%s: %s\n", line != NULL ? line : "none", failed ? "no" : "mialloc's too");
  free(line);
  return failed;
}
