/* SPDX-License-Identifier: MIT */
/* subproc.h -- sub-processes: which heap belongs to which. */
#ifndef MIA_API_SUBPROC_H
#define MIA_API_SUBPROC_H

#include "api/world.h"

/* Add a new heap to a sub-process; remove a heap that is about to end. */
void mia_api_subproc_enter(mia_subproc *subproc, mia_heap *heap);
void mia_api_subproc_leave(mia_heap *heap);

/* Returns the sub-process of a heap. */
const mia_subproc *mia_api_subproc_of(const mia_heap *heap);

/* Returns the main heap of a sub-process. */
mia_heap *mia_api_main_heap_of(const mia_subproc *subproc);

/* Calls `visit' for every heap of the process, until it returns false.  Meanwhile no heap is
 * added or removed. */
void mia_api_each_heap(mia_heap_visitor *visit, void *arg);

/* Returns true if a heap is the main one of its sub-process. */
bool mia_api_is_main_heap(const mia_heap *heap);

#endif
