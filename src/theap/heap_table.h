/* heap.h -- heaps that a program makes, beside the main one.
 *
 * A thread that allocates from such a heap has a local of its own for it.  Its
 * blocks are freed as another thread's would be, also by that thread: nobody but
 * allocation touches those locals, which is what lets a heap be deleted or
 * destroyed by any thread, as long as none allocates from it any more. */
#ifndef MIA_THEAP_HEAP_TABLE_H
#define MIA_THEAP_HEAP_TABLE_H

#include "theap/theap.h"

/* A heap whose memory comes from one arena, or from anywhere if `only' is NULL;
 * NULL: out of memory. */
mia_heap *mia_theap_heap_new(mia_arena *only);

/* The local of the thread of `self' for a heap; NULL: out of memory. */
mia_theap *mia_theap_of_heap(mia_theap *self, mia_heap *heap);

/* Ends a heap.  Its blocks become those of another, or are gone; what it counted
 * the other goes on with in any case. */
void mia_theap_heap_delete(mia_theap *self, mia_heap *heap, mia_heap *to);
void mia_theap_heap_destroy(mia_theap *self, mia_heap *heap, mia_heap *to);

/* Adds to sums[i] the blocks of class i that were ever lent for a heap, which is
 * not the main one: what is left of all is that one's. */
void mia_theap_count_heaps(mia_heap *heap, unsigned long long sums[MIA_CLASS_KINDS]);

/* Lets go of all that the thread of `self' has of heaps. */
void mia_theap_leave_heaps(mia_theap *self);

#endif
