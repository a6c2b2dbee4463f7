/* heap.h -- heaps that a program makes, beside the main one.
 *
 * A thread that allocates from such a heap has a local of its own for it.  Its
 * blocks are freed as another thread's would be, also by that thread: nobody but
 * allocation touches those locals, which is what lets a heap be deleted or
 * destroyed by any thread, as long as none allocates from it any more. */
#ifndef MIA_LOCAL_HEAP_H
#define MIA_LOCAL_HEAP_H

#include "local/local.h"

/* A heap whose memory comes from one arena, or from anywhere if `only' is NULL;
 * NULL: out of memory. */
mia_heap *mia_local_heap_new(mia_arena *only);

/* The local of the thread of `self' for a heap; NULL: out of memory. */
mia_local *mia_local_of_heap(mia_local *self, mia_heap *heap);

/* Ends a heap.  Its blocks become the main heap's, or are gone. */
void mia_local_heap_delete(mia_local *self, mia_heap *heap);
void mia_local_heap_destroy(mia_local *self, mia_heap *heap);

/* Lets go of all that the thread of `self' has of heaps. */
void mia_local_leave_heaps(mia_local *self);

#endif
