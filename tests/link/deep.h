/* deep.h -- what a program and a library that it loads with RTLD_DEEPBIND do with
 * each other's blocks. */
#ifndef DEEP_H
#define DEEP_H

#include <stddef.h>

typedef struct deep {
  int (*work)(void);                       /* blocks stay in the library; 0: something was wrong */
  void *(*take)(size_t size);              /* malloc */
  void (*give)(void *block);               /* free */
  void *(*grow)(void *block, size_t size); /* realloc */
  void *(*which)(void);                    /* the malloc that it is bound to */
} deep;

/* What such a library defines, as `deep_table'. */
extern const deep deep_table;

#endif
