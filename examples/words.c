/* SPDX-License-Identifier: MIT */
/* words.c -- counts the words that it reads; C, mialloc's own names.
 *
 *   cc words.c $(pkg-config --cflags --libs mialloc) && ./a.out <words.c
 *
 * All words live in one heap and are freed with it, at once.  What a node of the
 * tree really has room for is asked for, so that nothing is wasted. */
#include <mialloc/heap.h>
#include <mialloc/stats.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

typedef struct word {
  struct word *before, *after;
  unsigned long count;
  char text[];
} word;

static word *make(mia_heap *heap, const char *text) {
  word *w = mia_heap_zalloc(heap, sizeof *w + strlen(text) + 1);
  if (w != NULL) strcpy(w->text, text);
  return w;
}

/* Counts a word; false: memory is short. */
static bool count(mia_heap *heap, word **tree, const char *text) {
  while (*tree != NULL) {
    int order = strcmp(text, (*tree)->text);
    if (order == 0) break;
    tree = order < 0 ? &(*tree)->before : &(*tree)->after;
  }
  if (*tree == NULL && (*tree = make(heap, text)) == NULL) return false;
  (*tree)->count++;
  return true;
}

static void print(const word *tree) {
  if (tree == NULL) return;
  print(tree->before);
  printf("%6lu %s\n", tree->count, tree->text);
  print(tree->after);
}

int main(void) {
  mia_heap *heap = mia_heap_new();
  word *tree = NULL;
  char text[LONGEST + 1];
  size_t length = 0;
  int c;
  if (heap == NULL) return 1;
  do {
    c = getchar();
    if (c != EOF && isalpha(c) && length < LONGEST) {
      text[length++] = (char)tolower(c);
      continue;
    }
    text[length] = 0;
    if (length > 0 && !count(heap, &tree, text)) return 1;
    length = 0;
  } while (c != EOF);
  print(tree);

  mia_stats stats = {.size = sizeof stats};
  if (!mia_heap_stats_get(heap, &stats)) return 1;
  fprintf(stderr, "%zu different words in %zu bytes\n", stats.blocks, stats.bytes);
  mia_heap_destroy(heap);
  return 0;
}
