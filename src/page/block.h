/* block.h -- a user's memory, and what it holds while it is free. */
#ifndef MIA_PAGE_BLOCK_H
#define MIA_PAGE_BLOCK_H

#include "base/prelude.h"

/* A free block is a link in a list; the rest of it is whatever it was. */
typedef struct mia_block {
  struct mia_block *next;
} mia_block;

#endif
