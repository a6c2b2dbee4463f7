/* SPDX-License-Identifier: MIT */
/* deep_library.c -- a library to be opened with RTLD_DEEPBIND.  It allocates with the C
 * library's allocating functions, and with functions that call them inside the C library. */
#include "deep.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Uses blocks that the C library allocated for the caller. */
static int from_libc(void) {
  char *line = NULL, *text = NULL, *printed = NULL;
  size_t size = 0, length = 0;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL || fprintf(out, "%0500d\n", 7) != 501 || fclose(out) != 0) return 0;
  FILE *in = fmemopen(text, length, "r");
  if (in == NULL || getline(&line, &size, in) != 501 || strcmp(line, text) != 0) return 0;
  (void)fclose(in);
  char *copy = strdup(line), *folder = getcwd(NULL, 0), *root = realpath("/", NULL);
  if (asprintf(&printed, "%s%s", copy, root) != 502 || folder == NULL) return 0;
  copy = realloc(copy, 5000);
  if (copy == NULL || strcmp(copy, text) != 0) return 0;
  char *all[] = {line, text, printed, copy, folder, root};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
  return 1;
}

static int from_malloc(void) {
  enum { KINDS = 7 };
  void *blocks[KINDS] = {malloc(100), calloc(10, 10),    aligned_alloc(64, 128),
                         NULL,        memalign(256, 10), reallocarray(NULL, 10, 10),
                         valloc(10)};
  if (posix_memalign(&blocks[3], 1024, 100) != 0) return 0;
  for (size_t i = 0; i < KINDS; i++) {
    if (blocks[i] == NULL || malloc_usable_size(blocks[i]) < 10) return 0;
    memset(blocks[i], 1, malloc_usable_size(blocks[i]));
    free(blocks[i]);
  }
  return 1;
}

static int work(void) { return from_libc() && from_malloc(); }
static void *take(size_t size) { return malloc(size); }
static void give(void *block) { free(block); }
static void *grow(void *block, size_t size) { return realloc(block, size); }
static void *which(void) { return (void *)(uintptr_t)malloc; }

const deep deep_table = {work, take, give, grow, which};
