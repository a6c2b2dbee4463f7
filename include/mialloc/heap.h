/* mialloc/heap.h -- heaps, arenas and sub-processes.
 *
 * A heap is what blocks belong to.  The main heap serves who names none; a
 * program may make others, to free all blocks of a kind at once, to have them
 * in memory of its choice, or to count and find them.  Any thread may allocate
 * from any heap, at any time and without a lock; its blocks are freed as all
 * others are.  What mialloc.h says of every function is true here as well; and:
 *  - a heap argument is a heap that has not ended; not NULL unless said so;
 *  - a heap that ends (mia_heap_delete, mia_heap_destroy) is in nobody's use
 *    any more: the caller sees to it;
 *  - a form named mia_heap_X does what mia_X does, with a block of that heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_HEAP_H
#define MIALLOC_HEAP_H

#include <mialloc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a heap, an arena and a sub-process are to a program: something to point to. */
typedef struct mia_heap mia_heap;
typedef struct mia_arena mia_arena;
typedef struct mia_subproc mia_subproc;

/* ---- heaps come and go -------------------------------------------------------- */

/* The main heap of the calling thread's sub-process.  It never ends. */
MIA_API mia_heap *mia_heap_main(void);

/* A heap in the calling thread's sub-process; the second form has its memory
 * from one arena only, or from any if that is NULL.  NULL and ENOMEM.  In an arena a
 * block has 32 MiB at the most (8 MiB where pointers have 32 bits): of a heap with an
 * arena of its own a larger request is refused with ENOMEM, however much is free. */
MIA_API mia_heap *mia_heap_new(void) MIA_WARN_UNUSED;
MIA_API mia_heap *mia_heap_new_in_arena(mia_arena *arena) MIA_WARN_UNUSED;

/* Ends a heap; its blocks live on in the main heap of its sub-process.  They may be
 * freed by other threads meanwhile.  NULL and a main heap: nothing happens. */
MIA_API void mia_heap_delete(mia_heap *heap);

/* Ends a heap and frees all its blocks, in a time that depends on the number of
 * its pages, not of its blocks.  NULL and a main heap: nothing happens. */
MIA_API void mia_heap_destroy(mia_heap *heap);

/* mia_collect for what the calling thread has of a heap. */
MIA_API void mia_heap_collect(mia_heap *heap, bool force);

/* The heap of the block that `p', which may be any pointer, points to or into; NULL
 * if that is none of this library.  A free block that a page still has room for
 * is the heap's as one in use is; a large one is gone once it is freed. */
MIA_API mia_heap *mia_heap_of(const void *p);

/* Whether that is this heap.  False for NULL and for what is not the library's. */
MIA_API bool mia_heap_contains(const mia_heap *heap, const void *p);

/* The heap that mia_malloc, malloc and all other forms that name none take from
 * in the calling thread: the main one at first.  Setting one returns the one
 * before; NULL sets the main one.  It ends as default when the heap ends in this
 * thread.  Such forms are slower with another than the main heap. */
MIA_API mia_heap *mia_heap_get_default(void);
MIA_API mia_heap *mia_heap_set_default(mia_heap *heap);

/* ---- blocks ----------------------------------------------------------------------- */

/* A block; the same with all bits zero; for `count' objects, zero or not. */
MIA_API void *mia_heap_malloc(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_zalloc(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_calloc(mia_heap *heap, size_t count, size_t size) MIA_MALLOC MIA_SIZED2(2, 3)
    MIA_WARN_UNUSED;
MIA_API void *mia_heap_mallocn(mia_heap *heap, size_t count, size_t size)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* Another size for `p', a block of any heap: in place it stays in its heap, else
 * it is then in this one. */
MIA_API void *mia_heap_realloc(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_reallocarray(mia_heap *heap, void *p, size_t count, size_t size)
    MIA_SIZED2(3, 4) MIA_WARN_UNUSED;
MIA_API void *mia_heap_reallocf(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_rezalloc(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_recalloc(mia_heap *heap, void *p, size_t count, size_t size) MIA_SIZED2(3, 4)
    MIA_WARN_UNUSED;

/* Aligned blocks. */
MIA_API void *mia_heap_malloc_aligned(mia_heap *heap, size_t size, size_t alignment)
    MIA_MALLOC MIA_SIZED(2) MIA_ALIGNED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_zalloc_aligned(mia_heap *heap, size_t size, size_t alignment)
    MIA_MALLOC MIA_SIZED(2) MIA_ALIGNED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_calloc_aligned(mia_heap *heap, size_t count, size_t size, size_t alignment)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_ALIGNED(4) MIA_WARN_UNUSED;
MIA_API void *mia_heap_realloc_aligned(mia_heap *heap, void *p, size_t size, size_t alignment)
    MIA_SIZED(3) MIA_ALIGNED(4) MIA_WARN_UNUSED;
MIA_API void *mia_heap_rezalloc_aligned(mia_heap *heap, void *p, size_t size, size_t alignment)
    MIA_SIZED(3) MIA_ALIGNED(4) MIA_WARN_UNUSED;
MIA_API void *mia_heap_recalloc_aligned(mia_heap *heap, void *p, size_t count, size_t size,
                                        size_t alignment) MIA_SIZED2(3, 4) MIA_ALIGNED(5)
    MIA_WARN_UNUSED;

/* Blocks of which the byte at `offset' is aligned, as mia_malloc_aligned_at. */
MIA_API void *mia_heap_malloc_aligned_at(mia_heap *heap, size_t size, size_t alignment,
                                         size_t offset) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_zalloc_aligned_at(mia_heap *heap, size_t size, size_t alignment,
                                         size_t offset) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_calloc_aligned_at(mia_heap *heap, size_t count, size_t size,
                                         size_t alignment, size_t offset)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_realloc_aligned_at(mia_heap *heap, void *p, size_t size, size_t alignment,
                                          size_t offset) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_rezalloc_aligned_at(mia_heap *heap, void *p, size_t size, size_t alignment,
                                           size_t offset) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_recalloc_aligned_at(mia_heap *heap, void *p, size_t count, size_t size,
                                           size_t alignment, size_t offset) MIA_SIZED2(3, 4)
    MIA_WARN_UNUSED;

/* Strings. */
MIA_API char *mia_heap_strdup(mia_heap *heap, const char *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_heap_strndup(mia_heap *heap, const char *s, size_t n) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_heap_realpath(mia_heap *heap, const char *name, char *resolved) MIA_WARN_UNUSED;

/* As operator new. */
MIA_API void *mia_heap_alloc_new(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2)
    MIA_WARN_UNUSED;
MIA_API void *mia_heap_alloc_new_n(mia_heap *heap, size_t count, size_t size)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* ---- walking over blocks -------------------------------------------------------------- */

/* Some blocks of one size, side by side. */
typedef struct mia_heap_area {
  void *blocks;           /* where they start */
  size_t reserved;        /* bytes that it has room for */
  size_t committed;       /* bytes that were ever used */
  size_t used;            /* blocks in use */
  size_t block_size;      /* usable bytes of each */
  size_t full_block_size; /* bytes from one to the next */
  void *reserved1;        /* NULL */
} mia_heap_area;

/* Is called for an area with `block' NULL, and then for each of its blocks in
 * use; returns false to end the walk. */
typedef bool mia_block_visitor(const mia_heap *heap, const mia_heap_area *area, void *block,
                               size_t size, void *arg);

/* Walks over the areas of a heap in which there are blocks in use, those of
 * threads that have ended included, and with `blocks' over these.  False: the
 * visitor ended it.  Meanwhile nobody, the visitor included, allocates from the
 * heap or frees blocks of it.  Of the main heap, the last few blocks that another
 * thread freed (32 at most) may be seen as well: it still has them. */
MIA_API bool mia_heap_visit_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit,
                                   void *arg);

/* The same for those areas only that no thread allocates from. */
MIA_API bool mia_heap_visit_abandoned_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit,
                                             void *arg);

/* Whether less than `percent' of the page that `p' points into is in use, so that
 * moving its blocks elsewhere would give memory back.  False if `p' does
 * not point to or into a block of the heap. */
MIA_API bool mia_heap_page_is_under_utilized(mia_heap *heap, const void *p, size_t percent);

/* ---- arenas -------------------------------------------------------------------------------- */

/* An arena is a range of address space that pages lie in.  The library reserves
 * arenas as it needs them; these functions add others, which stay until unloaded.
 * An exclusive one serves only the heaps that were made for it.  A program may have
 * 3,584 at a time, those that were unloaded counted where they were not exclusive.  0
 * and the arena in *arena, if that is not NULL; or ENOMEM, with NULL there. */

/* Reserves `size' bytes.  `commit': all of them are accessible at once, and no
 * later step of the library can fail, or it is ENOMEM; they cost memory where they
 * are touched.  Without, a system that does not let a process have so much gives
 * address space, which is made accessible where it is needed.  `large': in OS
 * pages of 2 MiB, of those that the system has set aside (they are had at once and
 * never given back); where there are not so many, in such as the kernel makes
 * (transparent huge pages), so that more may be resident than was touched. */
MIA_API int mia_reserve_memory(size_t size, bool commit, bool large, bool exclusive,
                               mia_arena **arena);

/* Reserves `pages' OS pages of 1 GiB, of those that the system has set aside, if
 * possible on a NUMA node (below 0: any), and looks for no more once `timeout_ms'
 * have passed (0: there is no end).  They come one by one, are had at once and
 * never given back; if fewer are to be had, or in time, than `pages', the arena
 * has those (mia_arena_area tells).  Without any: ENOMEM, or ETIMEDOUT.  The second
 * form spreads them evenly over the nodes from 0 to `nodes' - 1, an arena for each
 * (0: any node, one arena), and ends at the first node that gives none: what came
 * before it stays. */
MIA_API int mia_reserve_huge_pages(size_t pages, int node, size_t timeout_ms, bool exclusive,
                                   mia_arena **arena);
MIA_API int mia_reserve_huge_pages_interleave(size_t pages, size_t nodes, size_t timeout_ms);

/* Makes memory accessible (`commit') or gives it back; in the first case *is_zero
 * is set where it reads as zero.  False: it cannot be done.  The library calls it
 * in the middle of an allocation or a purge, with locks held, and from several
 * threads for different memory at a time: it may call the system, and nothing of
 * this library but mia_option_get, malloc and free included. */
typedef bool mia_commit_function(bool commit, void *start, size_t size, bool *is_zero, void *arg);

/* Makes the program's own memory an arena; it is the library's from then on.  It
 * has mia_arena_min_size() bytes at least, and is cut to multiples of
 * mia_arena_min_alignment().  `committed': it is accessible; `pinned': it cannot
 * be given back; `zero': it reads as zero; `node': its NUMA node, or below 0.
 * `commit' is called where memory that is not accessible is needed, or where some that
 * is is not needed any more; NULL: the OS makes it accessible, and it is never given
 * back.  False: it cannot be used. */
MIA_API bool mia_manage_memory(void *start, size_t size, bool committed, bool pinned, bool zero,
                               int node, bool exclusive, mia_commit_function *commit, void *arg,
                               mia_arena **arena);

/* Takes an exclusive arena out of use, for ever: `arena' is nothing any more, what
 * was reserved is unmapped, and memory that the program brought is its own again,
 * with any content and as accessible as it was left.  False and EBUSY, nothing
 * changed: a heap that was made for it has not ended, blocks in it are in use (of
 * a heap that was deleted; or a thread has some ready to hand out, until it calls
 * mia_collect), or it is not an exclusive arena: in others the library may have
 * data of its own.  Nobody walks over the blocks of a main heap meanwhile. */
MIA_API bool mia_arena_unload(mia_arena *arena);

/* Where an arena starts, and its size in *size, if that is not NULL. */
MIA_API void *mia_arena_area(const mia_arena *arena, size_t *size);

/* Whether `p', which may be any pointer, points into an arena. */
MIA_API bool mia_arena_contains(const mia_arena *arena, const void *p);

/* What an arena is a multiple of, and the smallest one. */
MIA_API size_t mia_arena_min_alignment(void);
MIA_API size_t mia_arena_min_size(void);

/* Writes what the arenas hold: to `out', or, if that is NULL, where messages go. */
MIA_API void mia_arenas_print(mia_output_function *out, void *arg);

/* ---- sub-processes ----------------------------------------------------------------------- */

/* The sub-process that is there from the start, and the calling thread's. */
MIA_API mia_subproc *mia_subproc_main(void);
MIA_API mia_subproc *mia_subproc_current(void);

/* A sub-process: heaps of its own, a main one among them.  NULL and ENOMEM. */
MIA_API mia_subproc *mia_subproc_new(void) MIA_WARN_UNUSED;

/* Ends a sub-process and destroys its heaps, with all their blocks; no thread may
 * be in it but the caller, which is in the main one then.  NULL and the main one:
 * nothing happens. */
MIA_API void mia_subproc_destroy(mia_subproc *subproc);

/* Moves the calling thread: from now on its default heap, and the heaps that it
 * makes, are of that sub-process.  Blocks stay where they are. */
MIA_API void mia_subproc_add_current_thread(mia_subproc *subproc);

/* Returns false to end the walk. */
typedef bool mia_heap_visitor(mia_heap *heap, void *arg);

/* Walks over the heaps of a sub-process, the main one first.  False: the visitor
 * ended it, or memory is short (ENOMEM).  A heap that ends meanwhile may be
 * visited still. */
MIA_API bool mia_subproc_visit_heaps(mia_subproc *subproc, mia_heap_visitor *visit, void *arg);

#ifdef __cplusplus
}
#endif
#endif
