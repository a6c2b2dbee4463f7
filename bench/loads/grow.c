/* grow.c -- a heap that grows by small blocks: an interpreter that loads a program, a parser that
 * builds a tree.  Names go into a table that doubles; nodes of several sizes hang from each
 * other; one block in five is freed soon after.  Little is freed at the end.
 *
 *   grow MIB TIMES    MIB in blocks, TIMES in a row; what was before is freed first
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { SOON = 64, ONE_IN = 5, NAME_MOST = 64, TABLE_FIRST = 1024 };

typedef struct node node;
struct node {
  node *before;
  char *name;
};

typedef struct heap {
  node **table;
  size_t count, room, bytes;
} heap;

static void *take(heap *h, size_t size) {
  h->bytes += size;
  return load_take(size);
}

/* Adds a node to the table, which doubles when it is full. */
static void add(heap *h, node *n) {
  if (h->count == h->room) {
    h->room = h->room == 0 ? TABLE_FIRST : h->room * 2;
    h->table = load_checked(realloc(h->table, h->room * sizeof(node *)));
  }
  h->table[h->count++] = n;
}

static void grow(heap *h, size_t bytes, uint64_t *random) {
  void *soon[SOON] = {NULL};
  while (h->bytes < bytes) {
    size_t size = sizeof(node) + load_size(random, 256);
    node *n = take(h, size);
    size_t length = 1 + (load_random(random) >> 20) % NAME_MOST;
    *n = (node){.before = h->count > 0 ? h->table[h->count - 1] : NULL,
                .name = memset(take(h, length), 'x', length)};
    add(h, n);
    if ((load_random(random) >> 20) % ONE_IN == 0) {
      void **place = &soon[(load_random(random) >> 20) % SOON];
      free(*place);
      *place = load_take(size);
    }
  }
  for (size_t i = 0; i < SOON; i++) free(soon[i]);
}

static void drop(heap *h) {
  for (size_t i = h->count; i > 0; i--) {
    free(h->table[i - 1]->name);
    free(h->table[i - 1]);
  }
  free(h->table);
}

int main(int argc, char **argv) {
  size_t bytes = load_argument(argc, argv, 1, 100) * LOAD_MIB;
  size_t times = load_argument(argc, argv, 2, 1);
  uint64_t random = load_seed(0);
  for (size_t n = 1; n <= times; n++) {
    heap h = {NULL, 0, 0, 0};
    grow(&h, bytes, &random);
    if (n < times) drop(&h);
  }
  return EXIT_SUCCESS;
}
