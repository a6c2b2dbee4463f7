/* SPDX-License-Identifier: MIT */
/* use.c -- a program with mialloc, however it was linked.  Exit status 0 if malloc is
 * mialloc's in every thread. */
#include <mialloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, BLOCKS = 1000 };

static int is_ours(const void *p, size_t size) {
  size_t usable = mia_usable_size(p);
  return p != NULL && usable >= size && mia_good_size(usable) == usable;
}

/* Some blocks are left to the end of the thread. */
static void *work(void *unused) {
  static __thread void *blocks[BLOCKS];
  size_t good = 0;
  (void)unused;
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = i % 2 == 0 ? malloc(i) : mia_malloc(i);
    good += (size_t)is_ours(blocks[i], i);
    if (i > 0) memset(blocks[i], 1, i);
  }
  for (size_t i = 0; i < BLOCKS; i++) i % 3 == 0 ? mia_free(blocks[i]) : free(blocks[i]);
  return good == BLOCKS ? strdup("good") : NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  int good = 1;
  for (int i = 0; i < THREADS; i++) good &= pthread_create(&threads[i], NULL, work, NULL) == 0;
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    good &= pthread_join(threads[i], &result) == 0 && result != NULL;
    free(result);
  }
  if (!good) puts("malloc is not ours");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
