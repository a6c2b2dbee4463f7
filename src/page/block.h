/* block.h -- a block: the program's memory, or while it is free a link of a list. */
#ifndef MIA_PAGE_BLOCK_H
#define MIA_PAGE_BLOCK_H

#include "base/prelude.h"

/* Overlays the start of a free block.  The rest of the block keeps its old content. */
typedef struct mia_block {
  struct mia_block *next;
} mia_block;

#endif
