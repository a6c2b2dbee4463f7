/* SPDX-License-Identifier: MIT */
/* again.c -- a program that is not linked with mialloc opens libmialloc.so, uses it in two
 * threads and closes it, a thousand times, which must leave almost no memory behind.  A block
 * of one round is freed in the next.  The program prints the message of a failed dlopen. */
#include "find.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 1000, WARM = 20, BLOCKS = 100, GROWTH = 1024 * 1024 };

static void *(*take)(size_t);
static void (*give)(void *);

static void *work(void *result) {
  void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = i * 97 + (i == 0 ? 500000 : 1);
    blocks[i] = take(size);
    if (blocks[i] == NULL) return NULL;
    memset(blocks[i], 1, size);
  }
  for (size_t i = 0; i < BLOCKS; i++) give(blocks[i]);
  return result;
}

/* Bytes of address space, and of resident memory. */
typedef struct usage {
  long all, resident;
} usage;

static usage measure(void) {
  usage u = {0, 0};
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &u.all, &u.resident) != 2) exit(EXIT_FAILURE);
  fclose(file);
  u.all *= sysconf(_SC_PAGESIZE);
  u.resident *= sysconf(_SC_PAGESIZE);
  return u;
}

static int open_use_and_close(const char *name, void **kept) {
  pthread_t thread;
  void *result = NULL;
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("dlopen: %s\n", dlerror());
    return 0;
  }
  if (!find(library, "mia_malloc", &take) || !find(library, "mia_free", &give)) return 0;
  give(*kept);
  *kept = take(1000);
  if (*kept == NULL || work(kept) == NULL) return 0;
  if (pthread_create(&thread, NULL, work, kept) != 0) return 0;
  pthread_join(thread, &result);
  return dlclose(library) == 0 && result != NULL;
}

int main(int argc, char **argv) {
  void *kept = NULL;
  usage before = {0, 0};
  if (argc != 2) return EXIT_FAILURE;
  for (int i = 0; i < ROUNDS; i++) {
    if (!open_use_and_close(argv[1], &kept)) return EXIT_FAILURE;
    if (i == WARM) before = measure();
  }
  usage after = measure();
  printf("%ld bytes of address space, %ld of memory\n", after.all - before.all,
         after.resident - before.resident);
  return after.all - before.all < GROWTH && after.resident - before.resident < GROWTH
             ? EXIT_SUCCESS
             : EXIT_FAILURE;
}
