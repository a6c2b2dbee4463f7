/* SPDX-License-Identifier: MIT */
/* deep.h -- what a program and a library that it opens with RTLD_DEEPBIND do with each
 * other's blocks. */
#ifndef DEEP_H
#define DEEP_H

#include <stddef.h>

typedef struct deep {
  int (*work)(void);                       /* uses blocks inside of the library; 0: an error */
  void *(*take)(size_t size);              /* malloc */
  void (*give)(void *block);               /* free */
  void *(*grow)(void *block, size_t size); /* realloc */
  void *(*which)(void);                    /* returns the malloc that the library is bound to */
} deep;

/* The table that such a library defines. */
extern const deep deep_table;

#endif
