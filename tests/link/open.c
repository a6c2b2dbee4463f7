/* SPDX-License-Identifier: MIT */
/* open.c -- a program that is not linked with mialloc opens libmialloc.so late, uses it in a
 * thread that is older and one that is younger, closes it, and goes on.  A thread that used it
 * ends after that.  The program prints the message of a failed dlopen. */
#include "find.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 1000 };

static void *(*take)(size_t);
static void (*give)(void *);
static pthread_barrier_t opened, used, closed;

static void *work(void *blocks) {
  void **block = blocks;
  for (size_t i = 0; i < BLOCKS; i++) {
    block[i] = take(i + 1);
    if (block[i] == NULL) return NULL;
    memset(block[i], 1, i + 1);
  }
  for (size_t i = 0; i < BLOCKS; i += 2) give(block[i]);
  return blocks;
}

static void *older(void *blocks) {
  (void)pthread_barrier_wait(&opened);
  void *result = work(blocks);
  (void)pthread_barrier_wait(&used);
  (void)pthread_barrier_wait(&closed);
  return result;
}

int main(int argc, char **argv) {
  static void *blocks[3][BLOCKS];
  pthread_t old, young;
  void *result[2] = {NULL, NULL};
  if (argc != 2) return EXIT_FAILURE;
  pthread_barrier_init(&opened, NULL, 2);
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&closed, NULL, 2);
  if (pthread_create(&old, NULL, older, blocks[0]) != 0) return EXIT_FAILURE;
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("dlopen: %s\n", dlerror());
    return EXIT_FAILURE;
  }
  if (!find(library, "mia_malloc", &take) || !find(library, "mia_free", &give)) return EXIT_FAILURE;
  (void)pthread_barrier_wait(&opened);
  if (pthread_create(&young, NULL, work, blocks[1]) != 0) return EXIT_FAILURE;
  pthread_join(young, &result[0]);
  int good = result[0] != NULL && work(blocks[2]) != NULL;
  (void)pthread_barrier_wait(&used);
  dlclose(library);
  (void)pthread_barrier_wait(&closed);
  pthread_join(old, &result[1]);
  return good && result[1] != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
