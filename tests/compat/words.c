/* words.c -- a program that uses only malloc and gets mimalloc by including its override
 * header last: counts words in a growing table.
 *
 * Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

#include <mimalloc-override.h>

typedef struct word {
  char *text;
  size_t count;
} word;

typedef struct table {
  word *slots;
  size_t size, used;
} table;

static size_t hash(const char *s) {
  size_t h = 5381;
  while (*s != '\0') h = h * 33 + (unsigned char)*s++;
  return h;
}

static word *find(const table *t, const char *text) {
  size_t i = hash(text) & (t->size - 1);
  while (t->slots[i].text != NULL && strcmp(t->slots[i].text, text) != 0)
    i = (i + 1) & (t->size - 1);
  return &t->slots[i];
}

static bool grow(table *t) {
  table bigger = {NULL, t->size == 0 ? 8 : 2 * t->size, t->used};
  bigger.slots = (word *)calloc(bigger.size, sizeof *bigger.slots);
  if (bigger.slots == NULL) return false;
  for (size_t i = 0; i < t->size; i++)
    if (t->slots[i].text != NULL) *find(&bigger, t->slots[i].text) = t->slots[i];
  free(t->slots);
  *t = bigger;
  return true;
}

static bool add(table *t, const char *text, size_t length) {
  if (2 * t->used >= t->size && !grow(t)) return false;
  char *own = strndup(text, length);
  if (own == NULL) return false;
  word *w = find(t, own);
  w->count++;
  if (w->text == NULL) {
    w->text = own;
    t->used++;
  } else {
    free(own);
  }
  return true;
}

static bool split(table *t, const char *s) {
  while (*s != '\0') {
    size_t n = 0;
    while (isalnum((unsigned char)s[n])) n++;
    if (n > 0 && !add(t, s, n)) return false;
    s += n > 0 ? n : 1;
  }
  return true;
}

/* Returns a text in which each word occurs as often as its number says. */
static char *compose(size_t words) {
  size_t length = 0, room = 16;
  char *text = (char *)malloc(room);
  for (size_t i = 1; text != NULL && i <= words; i++) {
    for (size_t j = 0; text != NULL && j < i; j++) {
      if (room - length < 16) {
        room *= 2;
        char *longer = (char *)realloc(text, room);
        if (longer == NULL) free(text);
        text = longer;
      }
      if (text != NULL) length += (size_t)sprintf(text + length, "w%u, ", (unsigned)i);
    }
  }
  return text;
}

int main(void) {
  static const size_t words = 300;
  table t = {NULL, 0, 0};
  char *text = compose(words), *copy = text != NULL ? strdup(text) : NULL;
  tap_ok(text != NULL && copy != NULL && strcmp(text, copy) == 0, "a text and its copy");
  if (text == NULL || copy == NULL) return EXIT_FAILURE;
  free(text);
  bool counted = split(&t, copy) && t.used == words;
  for (size_t i = 1; counted && i <= words; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%u", (unsigned)i);
    counted = find(&t, name)->count == i;
  }
  tap_ok(counted, "each word is counted");
  tap_ok(mi_any_heap_contains(t.slots) && mi_any_heap_contains(copy) &&
             mi_any_heap_contains(find(&t, "w7")->text),
         "blocks are not the C library's");
  tap_ok(malloc_usable_size(t.slots) >= t.size * sizeof *t.slots, "usable size is sufficient");
  for (size_t i = 0; i < t.size; i++) free(t.slots[i].text);
  free(t.slots);
  free(copy);
  return tap_end();
}
