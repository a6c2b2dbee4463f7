/* SPDX-License-Identifier: MIT */
/* embed-user.c -- a program that uses the library of embed.c, and has the C
 * library's malloc.
 *
 *   cc embed-user.c -L. -lembed -Wl,-rpath,. && ./a.out */
#include "embed.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 100000 };

int main(void) {
  embed_list *list = embed_list_new();
  void *mine = malloc(100);
  if (list == NULL || mine == NULL) return 1;
  for (int i = 0; i < ITEMS; i++)
    if (embed_list_push(list, i) != 0) return 1;
  size_t length = embed_list_length(list);
  embed_list_end(list);
  free(mine);
  printf("%zu items came and went\n", length);
  return length == ITEMS ? 0 : 1;
}
