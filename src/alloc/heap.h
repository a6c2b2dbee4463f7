/* SPDX-License-Identifier: MIT */
/* heap.h -- heaps that the program makes: the implementation of the public functions. */
#ifndef MIA_ALLOC_HEAP_H
#define MIA_ALLOC_HEAP_H

#include "theap/theap.h"

mia_heap *mia_alloc_heap_main(void);

/* Makes a heap, whose pages lie in the arena `only' if that is not NULL.  Returns NULL with errno
 * = ENOMEM if memory is short. */
mia_heap *mia_alloc_heap_new(mia_arena *only);

/* Ends a heap that no thread allocates from any more, other than the main heap.  Deleting moves
 * its live blocks to the heap `to', destroying frees them; both add its counts to those of `to'. */
void mia_alloc_heap_delete(mia_heap *heap, mia_heap *to);
void mia_alloc_heap_destroy(mia_heap *heap, mia_heap *to);

/* Returns the heap of a block, or NULL if `p' is not in a page of ours. */
mia_heap *mia_alloc_heap_of(const void *p);

/* Returns the calling thread's default heap, which serves its calls without a heap argument;
 * makes another heap the default.  The latter returns false if memory is short. */
mia_heap *mia_alloc_heap_default(void);
bool mia_alloc_heap_choose(mia_heap *heap);

/* Allocates a block without a requested alignment, zeroed if `zero'. */
void *mia_alloc_heap_malloc(mia_heap *heap, size_t size, bool zero);

/* Collects the calling thread's pages of the heap and retires the empty ones.  If `trim', trims
 * the thread's pages of the heap and its abandoned pages. */
void mia_alloc_heap_collect(mia_heap *heap, bool trim);

/* An area: the blocks of one page, all of one size. */
typedef struct mia_area {
  void *blocks;           /* the start of the first block */
  size_t reserved;        /* bytes of address space */
  size_t committed;       /* bytes that may have been touched */
  size_t used;            /* live blocks */
  size_t block_size;      /* usable bytes of each */
  size_t full_block_size; /* bytes from one to the next */
} mia_area;

/* Called for each area with block = NULL, then for each live block of the area.  Returns false to
 * end the walk. */
typedef bool mia_visitor(mia_heap *heap, const mia_area *area, void *block, size_t size, void *arg);

/* Walks the pages of a heap and, if `blocks', their live blocks.  Returns false if the visitor
 * ended the walk.  Meanwhile no thread may allocate from the heap or free its blocks, nor may the
 * visitor.  Blocks that other threads have freed but still hold in batches or magazines are seen
 * as live. */
bool mia_alloc_heap_visit(mia_heap *heap, bool blocks, mia_visitor *visit, void *arg);

#endif
