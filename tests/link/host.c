/* SPDX-License-Identifier: MIT */
/* host.c -- a program with mialloc opens a plug-in that has its own mialloc.  Blocks of malloc
 * pass between them, and threads use both. */
#include "find.h"
#include "plugin.h"

#include <mialloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4 };

static __typeof__(plugin_work) *plug_work;
static __typeof__(plugin_text) *plug_text;
static __typeof__(plugin_drop) *plug_drop;

static void *work(void *unused) {
  (void)unused;
  char *theirs = plug_text();
  if (theirs == NULL || strcmp(theirs, "from the plug-in") != 0 || !plug_work()) return NULL;
  free(theirs);
  char *mine = strdup("from the program");
  size_t usable = mia_usable_size(mine);
  if (mine == NULL || usable <= strlen(mine) || mia_good_size(usable) != usable) return NULL;
  plug_drop(mine);
  return &plug_work;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    printf("dlopen: %s\n", dlerror());
    return EXIT_FAILURE;
  }
  if (!find(library, "plugin_work", &plug_work) || !find(library, "plugin_text", &plug_text) ||
      !find(library, "plugin_drop", &plug_drop))
    return EXIT_FAILURE;
  int good = work(NULL) != NULL;
  for (int i = 0; i < THREADS; i++) good &= pthread_create(&threads[i], NULL, work, NULL) == 0;
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    good &= pthread_join(threads[i], &result) == 0 && result != NULL;
  }
  dlclose(library);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
