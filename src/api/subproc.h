/* subproc.h -- sub-processes: which heaps are whose. */
#ifndef MIA_API_SUBPROC_H
#define MIA_API_SUBPROC_H

#include "api/world.h"

/* A new heap comes to a sub-process; one that is about to end leaves its own. */
void mia_api_subproc_enter(mia_subproc *subproc, mia_heap *heap);
void mia_api_subproc_leave(mia_heap *heap);

/* Whether a heap is the main one of its sub-process. */
bool mia_api_is_main_heap(const mia_heap *heap);

#endif
