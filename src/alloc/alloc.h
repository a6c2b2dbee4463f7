/* alloc.h -- allocating, resizing and freeing blocks: what the public functions
 * are made of.  NULL results come with errno = ENOMEM unless said otherwise. */
#ifndef MIA_ALLOC_ALLOC_H
#define MIA_ALLOC_ALLOC_H

#include "base/prelude.h"
#include "theap/theap.h"

/* A block of `size' bytes, whatever it takes; with `zero' all bits of its usable
 * size are zero. */
mia_cold void *mia_alloc_slow(size_t size, bool zero);
void *mia_alloc_zeroed(size_t size);

/* A block of `room' bytes, a class's, for a request of `size', where the list of the
 * thread's own heap is at its end.  NULL: errno is as before, ask mia_alloc_slow. */
mia_apart void *mia_alloc_refill(size_t room, size_t size);

/* One beyond the classes, where the page of one that was freed is in reserve; else NULL. */
void *mia_alloc_cached_large(size_t size);

/* A block at a multiple of `align'; EINVAL if that is no power of two. */
void *mia_alloc_aligned(size_t size, size_t align, bool zero);

/* The same of a heap, p + offset being that multiple. */
void *mia_alloc_in(mia_heap *heap, size_t size, size_t align, size_t offset, bool zero);

/* Frees anything; keeps errno. */
mia_apart void mia_alloc_free_slow(void *p);
void mia_alloc_free(void *p);

/* Another size, contents kept, at a multiple of `align'. */
void *mia_alloc_resize(void *p, size_t size, size_t align);

/* The same with p + offset at that multiple, and in a heap if it has to move; with
 * `zero' all of its usable size behind what was kept is zero. */
void *mia_alloc_resize_in(mia_heap *heap, void *p, size_t size, size_t align, size_t offset,
                          bool zero);

/* The same without both, and of the usable size that a new block would have. */
void *mia_alloc_resize_exact(mia_heap *heap, void *p, size_t size, size_t align);

/* The most frequent cases without an alignment: a new block, by programs that have no
 * other function for it; a block of a class that stays, or goes to one of another, of
 * which there are free ones.  NULL: it is another case, ask mia_alloc_resize. */
void *mia_alloc_resize_small(void *p, size_t size);

/* Makes a block's usable size at least `size', where it is.  False: not possible. */
bool mia_alloc_extend(void *p, size_t size);

/* The usable size of a block; aborts if `p' is not one, 0 for NULL. */
size_t mia_alloc_usable(const void *p);

/* The usable size that a request for a block at a multiple of `align' would have. */
size_t mia_alloc_good(size_t size, size_t align);

/* Aborts if `p' cannot have been requested with that size and alignment; debug
 * builds know the size to the byte. */
void mia_alloc_require_size(const void *p, size_t size, size_t align);

#endif
