/* SPDX-License-Identifier: MIT */
/* embed.c -- a library with an allocator of its own inside.
 *
 *   cc -shared -fPIC -o libembed.so embed.c -Wl,--exclude-libs,ALL \
 *     $(pkg-config --cflags mialloc-api) -l:libmialloc-api.a -Wl,-z,nodelete
 *
 * A library must not choose its user's malloc: so it takes libmialloc-api, which
 * has none.  Nor should it show names that are not its own: hence the archive, and
 * --exclude-libs.  (The archive has to be position independent: configure
 * --with-pic, as distributions do.)  nodelete: threads that used the allocator end
 * in it, even after a dlclose. */
#include "embed.h"

#include <mialloc/heap.h>

struct embed_list {
  mia_heap *heap; /* of the list and all its items */
  struct item *first;
  size_t length;
};

struct item {
  struct item *next;
  int value;
};

embed_list *embed_list_new(void) {
  mia_heap *heap = mia_heap_new();
  if (heap == NULL) return NULL;
  embed_list *list = mia_heap_zalloc(heap, sizeof *list);
  if (list == NULL)
    mia_heap_destroy(heap);
  else
    list->heap = heap;
  return list;
}

int embed_list_push(embed_list *list, int value) {
  struct item *item = mia_heap_malloc(list->heap, sizeof *item);
  if (item == NULL) return -1;
  *item = (struct item){list->first, value};
  list->first = item;
  list->length++;
  return 0;
}

size_t embed_list_length(const embed_list *list) { return list->length; }

/* The heap goes, and with it whatever the list had. */
void embed_list_end(embed_list *list) {
  if (list != NULL) mia_heap_destroy(list->heap);
}
