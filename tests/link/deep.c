/* SPDX-License-Identifier: MIT */
/* deep.c -- a program opens libraries with RTLD_DEEPBIND, the first of them in several
 * threads at the same time, and exchanges blocks with them.  Usage: deep LIBRARY... */
#include "deep.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8 };
static pthread_barrier_t together;

static int complain(const char *what) {
  printf("deep: %s\n", what);
  return 0;
}

/* In a program that is not position independent, this makes the program itself provide an
 * address for malloc, other than that of its definition. */
static void *(*volatile ours)(size_t) = malloc;

static const void *home(const void *address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* Returns true if the library has the malloc of the object that defines mia_malloc; if that
 * name cannot be found, it is the program. */
static int is_ours(const void *function) {
  const void *mia = dlsym(RTLD_DEFAULT, "mia_malloc");
  return home(function) == home(mia != NULL ? mia : &together);
}

static int exchange(const deep *d) {
  char *theirs = d->take(100);
  if (theirs == NULL) return complain("no block");
  strcpy(theirs, "theirs");
  theirs = realloc(theirs, 10000);
  if (theirs == NULL || malloc_usable_size(theirs) < 10000 || strcmp(theirs, "theirs") != 0)
    return complain("its block cannot be made larger");
  free(theirs);
  char *mine = ours(10);
  if (mine != NULL) mine = d->grow(strcpy(mine, "mine"), 200000);
  if (mine == NULL || malloc_usable_size(mine) < 200000 || strcmp(mine, "mine") != 0)
    return complain("it cannot make ours larger");
  d->give(mine);
  return 1;
}

static int try_library(const char *name, int mode) {
  void *library = dlopen(name, mode | RTLD_DEEPBIND);
  if (library == NULL) return complain(dlerror());
  const deep *d = dlsym(library, "deep_table");
  if (d == NULL) return complain(dlerror());
  int good = (d->work() || complain("its work is wrong")) && exchange(d);
  if (!is_ours(d->which()) || !is_ours(dlsym(library, "malloc")))
    return complain("it has another malloc");
  return dlclose(library) == 0 && good;
}

static void *run(void *name) {
  (void)pthread_barrier_wait(&together);
  return try_library(name, RTLD_NOW) ? name : NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  if (argc < 2 || pthread_barrier_init(&together, NULL, THREADS) != 0) return EXIT_FAILURE;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, run, argv[1]) != 0) return EXIT_FAILURE;
  int good = 1;
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    good &= pthread_join(threads[i], &result) == 0 && result != NULL;
  }
  for (int i = 1; i < argc; i++) good = good && try_library(argv[i], RTLD_LAZY);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
