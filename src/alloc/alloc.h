/* SPDX-License-Identifier: MIT */
/* alloc.h -- allocating, resizing and freeing blocks: the parts of the public functions.  A
 * function that returns NULL sets errno to ENOMEM unless its comment says otherwise. */
#ifndef MIA_ALLOC_ALLOC_H
#define MIA_ALLOC_ALLOC_H

#include "base/prelude.h"
#include "theap/theap.h"

/* Allocates `size' bytes by all means: alloc.c lists them.  If `zero', and in mia_alloc_zeroed,
 * the whole usable size is zero. */
mia_cold void *mia_alloc_slow(size_t size, bool zero);
void *mia_alloc_zeroed(size_t size);

/* Allocates a block for a request of `size' bytes that needs `room' bytes, at most
 * MIA_CLASS_SIZE_MAX, when the free list in the main heap's theap is empty.  The first function
 * is for callers that have tried mia_fast_refill.  Returns NULL with errno unchanged if the
 * caller must call mia_alloc_slow. */
mia_noinline void *mia_alloc_refill_slow(size_t room, size_t size);
mia_noinline void *mia_alloc_refill(size_t room, size_t size);

/* Likewise, for at most MIA_CLASS_TABLE_MAX bytes, but takes the block of a larger class.  Returns NULL
 * too if the theap has a page of this class, or has borrowed enough of its blocks.  The usable size is
 * larger than that of other new blocks. */
void *mia_alloc_borrow(size_t room, size_t size);

/* Allocates a block larger than the classes in a cached page.  Returns NULL with errno unchanged
 * if no page fits. */
void *mia_alloc_cached_large(size_t size);

/* Allocates a block at a multiple of `align'.  Returns NULL with errno = EINVAL if that is not a
 * power of two. */
void *mia_alloc_aligned(size_t size, size_t align, bool zero);

/* Likewise from a heap; p + offset is the multiple of `align'. */
void *mia_alloc_in(mia_heap *heap, size_t size, size_t align, size_t offset, bool zero);

/* Frees any block, or nothing for NULL, and keeps errno.  mia_alloc_free tries the fast path
 * first. */
mia_noinline void mia_alloc_free_slow(void *p);
void mia_alloc_free(void *p);

/* Changes the size of a block and keeps its content, up to the smaller size.  The result is at a
 * multiple of `align'. */
void *mia_alloc_resize(void *p, size_t size, size_t align);

/* Likewise with p + offset at a multiple of `align'.  If the block has to move, it moves to `heap'.
 * If `zero', its usable size behind the kept content is zero. */
void *mia_alloc_resize_in(mia_heap *heap, void *p, size_t size, size_t align, size_t offset,
                          bool zero);

/* Likewise without offset and zeroing; the usable size is then that of a new block. */
void *mia_alloc_resize_exact(mia_heap *heap, void *p, size_t size, size_t align);

/* The most frequent cases of mia_alloc_resize without an alignment.  If p is NULL, allocates.  A
 * block of a class stays or moves to another class, if that has free blocks at hand.  Returns NULL
 * with nothing done in all other cases: the caller must call mia_alloc_resize. */
void *mia_alloc_resize_small(void *p, size_t size);

/* Makes the usable size of a block at least `size' without moving it.  Returns false if that is
 * not possible. */
bool mia_alloc_extend(void *p, size_t size);

/* Returns the usable size of a block, or 0 for NULL.  If `p' is not a block, reports that, and
 * returns 0 if the user wants the process to go on. */
size_t mia_alloc_usable(const void *p);

/* Returns the page of a block that the C function `call' received, as the program gave it: the address may
 * have a tag.  If it is not that of a block, reports that, and returns NULL if the user wants the process
 * to go on. */
mia_page *mia_alloc_page_in_call(const char *call, const void *given);

/* Returns the usable size of a block of the page. */
size_t mia_alloc_usable_in(const mia_page *page, const void *p);

/* Returns the usable size that a new block of `size' bytes at a multiple of `align' would have. */
size_t mia_alloc_good_size(size_t size, size_t align);

/* Returns true if the block may have been requested with this size and alignment.  Otherwise reports
 * that, and returns false if the user wants the process to go on.  Debug builds know the requested
 * size to the byte. */
bool mia_alloc_is_sized(const void *p, size_t size, size_t align);

#endif
