/* SPDX-License-Identifier: MIT */
/* meta.h -- memory for mialloc's own structures outside arena heads. */
#ifndef MIA_ARENA_META_H
#define MIA_ARENA_META_H

#include "base/prelude.h"

/* Returns zeroed memory, aligned to the size of a descriptor.  NULL: out of memory, or more than
 * the largest span.  It is never given back: its users keep lists of their unused structures. */
void *mia_arena_meta(size_t size);

#endif
