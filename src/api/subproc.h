/* subproc.h -- sub-processes: which heaps are whose. */
#ifndef MIA_API_SUBPROC_H
#define MIA_API_SUBPROC_H

#include "api/world.h"

/* A new heap comes to a sub-process; one that is about to end leaves its own. */
void mia_api_subproc_enter(mia_subproc *subproc, mia_heap *heap);
void mia_api_subproc_leave(mia_heap *heap);

/* The sub-process of a heap. */
const mia_subproc *mia_api_subproc_of(const mia_heap *heap);

/* The main heap of a sub-process. */
mia_heap *mia_api_main_heap_of(const mia_subproc *subproc);

/* Calls `visit' for every heap of the process, until it returns false; no heap
 * comes or goes meanwhile. */
void mia_api_each_heap(mia_heap_visitor *visit, void *arg);

/* Whether a heap is the main one of its sub-process. */
bool mia_api_is_main_heap(const mia_heap *heap);

#endif
