/* heap.h -- heaps that a program makes: what the public functions are made of. */
#ifndef MIA_ALLOC_HEAP_H
#define MIA_ALLOC_HEAP_H

#include "theap/theap.h"

mia_heap *mia_alloc_heap_main(void);

/* NULL and ENOMEM: out of memory. */
mia_heap *mia_alloc_heap_new(mia_arena *only);

/* Ends a heap that nobody allocates from any more; its blocks become those of
 * `to', or are gone.  Not the main heap. */
void mia_alloc_heap_delete(mia_heap *heap, mia_heap *to);
void mia_alloc_heap_destroy(mia_heap *heap, mia_heap *to);

/* The heap of a block; NULL if `p' is not in a page of ours. */
mia_heap *mia_alloc_heap_of(const void *p);

/* The heap of who names none, in the calling thread; and another one from now
 * on: false, out of memory. */
mia_heap *mia_alloc_heap_default(void);
bool mia_alloc_heap_choose(mia_heap *heap);

/* A block that need not be aligned beyond its size. */
void *mia_alloc_heap_malloc(mia_heap *heap, size_t size, bool zero);

/* Gathers, and retires what is empty of what the calling thread has of it; trims
 * that if wanted, and what no thread has. */
void mia_alloc_heap_collect(mia_heap *heap, bool trim);

/* Some blocks of one size. */
typedef struct mia_area {
  void *blocks;           /* where they start */
  size_t reserved;        /* bytes of address space */
  size_t committed;       /* bytes that may have been touched */
  size_t used;            /* blocks in use */
  size_t block_size;      /* usable bytes of each */
  size_t full_block_size; /* bytes from one to the next */
} mia_area;

/* Is called with block = NULL for an area, and then for each block in use; ends
 * the walk by returning false. */
typedef bool mia_visitor(mia_heap *heap, const mia_area *area, void *block, size_t size, void *arg);

/* Walks the pages of a heap, and their blocks if `blocks'.  False: the visitor
 * ended it.  Nobody may allocate from the heap or free its blocks meanwhile, the
 * visitor included; blocks that other threads freed and not yet sent home are
 * seen as in use. */
bool mia_alloc_heap_visit(mia_heap *heap, bool blocks, mia_visitor *visit, void *arg);

#endif
