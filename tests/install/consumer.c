/* SPDX-License-Identifier: MIT */
/* A program that uses only what is installed; C and C++. Its argument says whether malloc
 * must be mialloc's: yes or no.  It prints the version. */
#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#include <mialloc/allocator.h>
#include <vector>

static int own_language(int overriding) {
  std::vector<int, mialloc::allocator<int>> numbers(1000, 7);
  if (!mia_any_heap_contains(&numbers[0])) return 0;
  int *volatile number = new int(7);
  int good = mia_any_heap_contains(number) == (overriding != 0);
  delete number;
  return good;
}
#else
static int own_language(int overriding) {
  char *volatile text = strdup("of the C library");
  int good = text != NULL && mia_any_heap_contains(text) == (overriding != 0);
  free(text);
  return good;
}
#endif

int main(int count, char **arguments) {
  int overriding = count == 2 && strcmp(arguments[1], "yes") == 0;
  char *p = (char *)mia_malloc(100);
  mia_heap *heap = mia_heap_new();
  if (p == NULL || mia_usable_size(p) < 100 || heap == NULL) return 1;
  strcpy(p, mia_version_string());
  if (mia_version() != MIA_VERSION) return 2;
  if (mia_is_overriding() != (overriding != 0)) return 3;
  if (mia_heap_malloc(heap, 100) == NULL) return 4;
  if (!own_language(overriding)) return 5;
  mia_heap_destroy(heap);
  puts(p);
  mia_free(p);
  return 0;
}
