/* meta.h -- memory for our own structures outside arena heads. */
#ifndef MIA_ARENA_META_H
#define MIA_ARENA_META_H

#include "base/prelude.h"

/* Zeroed memory, aligned to a descriptor; NULL when there is none, and for more than
 * the largest span.  It is never given back: its users keep their own lists of spares. */
void *mia_arena_meta(size_t size);

#endif
