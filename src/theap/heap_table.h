/* SPDX-License-Identifier: MIT */
/* heap_table.h -- heaps that the program makes, and each thread's table of them.
 *
 * A thread that allocates from such a heap has a separate theap for it, which it finds in its
 * table by the heap's id.  All frees into such a heap are remote frees, even by the thread that
 * allocated the block.  So only allocation uses these theaps, and any thread may delete or
 * destroy a heap from which no thread allocates any more. */
#ifndef MIA_THEAP_HEAP_TABLE_H
#define MIA_THEAP_HEAP_TABLE_H

#include "theap/theap.h"

/* Makes a heap whose pages lie in the arena `only' or, if that is NULL, in any arena that is not
 * exclusive.  Returns NULL if memory is short. */
mia_heap *mia_theap_heap_new(mia_arena *only);

/* Returns the theap for a heap of the thread whose theap for the main heap is `self'.  Returns
 * NULL if memory is short. */
mia_theap *mia_theap_of_heap(mia_theap *self, mia_heap *heap);

/* Ends a heap other than the main heap.  Deleting moves its live blocks to the heap `to';
 * destroying frees them.  In both cases `to' takes over the counts. */
void mia_theap_heap_delete(mia_theap *self, mia_heap *heap, mia_heap *to);
void mia_theap_heap_destroy(mia_theap *self, mia_heap *heap, mia_heap *to);

/* Adds to sums[i] the blocks of class i that were ever put into free lists for a heap other than
 * the main heap.  The count of the main heap is the rest of the total. */
void mia_theap_count_heaps(mia_heap *heap, unsigned long long sums[MIA_CLASS_KINDS]);

/* Gives back the theaps that the thread of `self' has for heaps other than the main heap. */
void mia_theap_leave_heaps(mia_theap *self);

#endif
