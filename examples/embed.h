/* SPDX-License-Identifier: MIT */
/* embed.h -- what the library of embed.c offers: no word of mialloc. */
#ifndef EMBED_H
#define EMBED_H

#include <stddef.h>

typedef struct embed_list embed_list;

embed_list *embed_list_new(void);                 /* NULL: memory is short */
int embed_list_push(embed_list *list, int value); /* 0, or -1: memory is short */
size_t embed_list_length(const embed_list *list);
void embed_list_end(embed_list *list);

#endif
