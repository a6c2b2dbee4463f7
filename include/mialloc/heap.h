/* mialloc/heap.h -- heaps, arenas and sub-processes.
 *
 * Every block belongs to a heap.  Functions without a heap argument use the calling thread's
 * default heap, initially the main heap.  A program may create other heaps, to free all their
 * blocks at once, to place them in memory of its choice, or to count and find them.  Any thread
 * may allocate from any heap, at any time and without a lock.  The functions that free any
 * other block free theirs too.  The rules at the top of mialloc.h hold here as well, and:
 *  - A heap argument is a heap that has not ended.  It is not NULL, unless a comment allows
 *    that.
 *  - When a heap ends (mia_heap_delete, mia_heap_destroy), no other thread may use it any more;
 *    the caller ensures this.  Other threads may free blocks of a heap during mia_heap_delete.
 *  - A function named mia_heap_X does what mia_X does, with a block of that heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_HEAP_H
#define MIALLOC_HEAP_H

#include <mialloc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Heaps, arenas and sub-processes are opaque to a program. */
typedef struct mia_heap mia_heap;
typedef struct mia_arena mia_arena;
typedef struct mia_subproc mia_subproc;

/* ---- creating and ending heaps ------------------------------------------- */

/* Returns the main heap of the calling thread's sub-process.  It never ends. */
MIA_API mia_heap *mia_heap_main(void);

/* Creates a heap in the calling thread's sub-process.  The second function takes all memory of
 * the heap from `arena', or from any arena if that is NULL.  Returns NULL and sets errno to
 * ENOMEM if memory is short.
 *
 * A block in an arena has 32 MiB at most (8 MiB with 32-bit pointers).  A heap with an arena of
 * its own therefore refuses larger requests with ENOMEM, however much of the arena is free. */
MIA_API mia_heap *mia_heap_new(void) MIA_WARN_UNUSED;
MIA_API mia_heap *mia_heap_new_in_arena(mia_arena *arena) MIA_WARN_UNUSED;

/* Ends a heap and moves its blocks to the main heap of its sub-process.  Other threads may free
 * these blocks during the call.  Does nothing for NULL and for a main heap. */
MIA_API void mia_heap_delete(mia_heap *heap);

/* Ends a heap and frees all its blocks.  The time depends on the number of its pages, not of
 * its blocks.  Does nothing for NULL and for a main heap. */
MIA_API void mia_heap_destroy(mia_heap *heap);

/* mia_collect for the part of a heap that belongs to the calling thread. */
MIA_API void mia_heap_collect(mia_heap *heap, bool force);

/* Returns the heap of the block that `p', which may be any pointer, points to or into; NULL if
 * there is no such block in this library.  While its page exists, a small block that was freed
 * still belongs to the heap; a large block is unknown once it is freed. */
MIA_API mia_heap *mia_heap_of(const void *p);

/* Returns true if mia_heap_of(p) is this heap.  Returns false for NULL and for a pointer that
 * is not into a block of the library. */
MIA_API bool mia_heap_contains(const mia_heap *heap, const void *p);

/* The default heap of the calling thread: mia_malloc, malloc and all other functions without a
 * heap argument allocate from it.  Initially it is the main heap.  mia_heap_set_default returns
 * the previous default heap; NULL sets the main heap.  If memory is short, the default stays as
 * it was, which mia_heap_get_default shows.  If the thread deletes or destroys its default heap,
 * the main heap becomes the default again.
 * Functions without a heap argument are slower if the default is not the main heap. */
MIA_API mia_heap *mia_heap_get_default(void);
MIA_API mia_heap *mia_heap_set_default(mia_heap *heap);

/* ---- blocks ---------------------------------------------------------------- */

/* Return a block of a heap: as mia_malloc, mia_zalloc, mia_calloc and mia_mallocn do. */
MIA_API void *mia_heap_malloc(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_zalloc(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_heap_calloc(mia_heap *heap, size_t count, size_t size) MIA_MALLOC MIA_SIZED2(2, 3)
    MIA_WARN_UNUSED;
MIA_API void *mia_heap_mallocn(mia_heap *heap, size_t count, size_t size)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* Resize `p', a block of any heap.  If it is resized in place, it stays in its heap; otherwise
 * the new block belongs to `heap'. */
MIA_API void *mia_heap_realloc(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_reallocarray(mia_heap *heap, void *p, size_t count, size_t size)
    MIA_SIZED2(3, 4) MIA_WARN_UNUSED;
MIA_API void *mia_heap_reallocf(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_rezalloc(mia_heap *heap, void *p, size_t size) MIA_SIZED(3) MIA_WARN_UNUSED;
MIA_API void *mia_heap_recalloc(mia_heap *heap, void *p, size_t count, size_t size) MIA_SIZED2(3, 4)
    MIA_WARN_UNUSED;

/* Aligned blocks, under the rules of mia_malloc_aligned. */
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

/* Blocks in which the byte at `offset' is aligned, under the rules of mia_malloc_aligned_at. */
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

/* Strings, as mia_strdup, mia_strndup and mia_realpath return them. */
MIA_API char *mia_heap_strdup(mia_heap *heap, const char *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_heap_strndup(mia_heap *heap, const char *s, size_t n) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_heap_realpath(mia_heap *heap, const char *name, char *resolved) MIA_WARN_UNUSED;

/* mia_new and mia_new_n for a heap. */
MIA_API void *mia_heap_alloc_new(mia_heap *heap, size_t size) MIA_MALLOC MIA_SIZED(2)
    MIA_WARN_UNUSED;
MIA_API void *mia_heap_alloc_new_n(mia_heap *heap, size_t count, size_t size)
    MIA_MALLOC MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* ---- walking over blocks --------------------------------------------------- */

/* An area: adjacent blocks of one size. */
typedef struct mia_heap_area {
  void *blocks;           /* start of the first block */
  size_t reserved;        /* bytes for which the area has room */
  size_t committed;       /* bytes that were ever used */
  size_t used;            /* number of blocks in use */
  size_t block_size;      /* usable bytes of each block */
  size_t full_block_size; /* bytes from one block to the next */
  void *unused;           /* NULL */
} mia_heap_area;

/* Receives an area with `block' NULL, and then each block of the area that is in use.  `size'
 * is the usable size of the block; for an area, that of each of its blocks.  With memory tags
 * (MIALLOC_SECURE=3), `block' has its tag, and the addresses in the area have none.  Returns false to
 * end the walk. */
typedef bool mia_block_visitor(const mia_heap *heap, const mia_heap_area *area, void *block,
                               size_t size, void *arg);

/* Walks over the areas of a heap that have blocks in use, including those that threads which
 * have ended left behind; if `blocks' is true, also over these blocks.  Returns false if the
 * visitor ended the walk.  During the walk no thread may allocate from the heap or free its
 * blocks, nor may the visitor.  During a walk over the main heap no other thread may call the
 * library at all, also not for other heaps, and MIALLOC_BACKGROUND_PURGE must be off: what they
 * give back to the OS changes free blocks.  In the main heap, some blocks that a thread has freed may
 * be visited as well, because that thread still holds them: of each size at most 510 blocks, and
 * 64 KiB. */
MIA_API bool mia_heap_visit_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit,
                                   void *arg);

/* mia_heap_visit_blocks for only those areas from which no thread allocates. */
MIA_API bool mia_heap_visit_abandoned_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit,
                                             void *arg);

/* Returns true if less than `percent' percent of the page that `p' points into is in use, so
 * that moving its blocks elsewhere would return memory.  Returns false if `p' does not point to
 * or into a block of the heap. */
MIA_API bool mia_heap_page_is_under_utilized(mia_heap *heap, const void *p, size_t percent);

/* ---- arenas ---------------------------------------------------------------- */

/* An arena is a reserved range of address space that contains pages.  The library reserves
 * arenas as it needs them; these functions add others, which stay until they are unloaded.  An
 * exclusive arena serves only the heaps that were created in it.  A process may have 3,584
 * arenas at a time, the library's own included; an unloaded arena still counts unless it was
 * exclusive.  The functions that return int return 0 and store the arena in *arena, or return an
 * error number (ENOMEM unless a comment names another) and store NULL there; `arena' may be
 * NULL. */

/* What an arena is; the functions take any of these that they describe, combined by `|', or 0.
 * Other bits are an error: EINVAL. */
typedef enum mia_arena_flag {
  MIA_ARENA_IS_EXCLUSIVE = 1, /* serves only the heaps that are created in it */
  MIA_ARENA_IS_COMMITTED = 2, /* all of its memory is accessible */
  MIA_ARENA_IS_LARGE = 4,     /* in OS pages of 2 MiB */
  MIA_ARENA_IS_PINNED = 8,    /* its memory cannot be given back */
  MIA_ARENA_IS_ZEROED = 16    /* its memory reads as zero */
} mia_arena_flag;

/* Reserves `size' bytes.  `flags' are EXCLUSIVE, COMMITTED and LARGE.
 *
 * COMMITTED: all of the arena is accessible at once, so that no later step of the library can
 * fail; if that is not possible, the result is ENOMEM.  The bytes cost memory only when they
 * are touched.  Without it, if the system does not grant so much accessible memory, the library
 * reserves address space and makes it accessible where it is needed.
 *
 * LARGE: the arena consists of OS pages of 2 MiB that the system has set aside.  These are
 * allocated at once and never given back.  If the system has too few, the arena uses
 * transparent huge pages, and more memory may be resident than was touched. */
MIA_API int mia_reserve_memory(size_t size, unsigned flags, mia_arena **arena);

/* Reserves `pages' OS pages of 1 GiB that the system has set aside, on the NUMA node `node' if
 * possible (any node if it is negative).  They are allocated one by one, at once, and never
 * given back.  The search ends when `timeout_ms' milliseconds have passed (0: no limit).  If
 * fewer than `pages' are available, or arrive in time, the arena has those; mia_arena_area
 * returns its size.  Without any page, returns ENOMEM or ETIMEDOUT.  `flags' is EXCLUSIVE or 0.
 *
 * The second function spreads the pages evenly over the nodes from 0 to `nodes' - 1, with one
 * arena for each node (0: one arena, on any node).  It ends at the first node that provides
 * none; earlier arenas stay. */
MIA_API int mia_reserve_huge_pages(size_t pages, int node, size_t timeout_ms, unsigned flags,
                                   mia_arena **arena);
MIA_API int mia_reserve_huge_pages_interleave(size_t pages, size_t nodes, size_t timeout_ms);

/* Makes memory accessible if `commit' is true; otherwise gives it back.  When it makes memory
 * accessible, it sets *is_zero if that memory reads as zero.  Returns false on failure.  The
 * library calls it in the middle of an allocation or a purge, with locks held, and from several
 * threads at a time for different memory.  It may call the system, but no function of this
 * library except mia_option_get; malloc and free are excluded too. */
typedef bool mia_commit_function(bool commit, void *start, size_t size, bool *is_zero, void *arg);

/* Makes an arena of memory of the program (an external arena).  From then on the memory is the
 * library's.  mia_arena_min_size() bytes are enough wherever it starts; the arena is cut to
 * multiples of mia_arena_min_alignment().
 *
 * `flags' are EXCLUSIVE, COMMITTED, PINNED and ZEROED.  `commit' is called when memory that is
 * not accessible is needed, or when accessible memory is no longer needed.  If it is NULL, the
 * OS makes the memory accessible, and it is never given back.  Returns EINVAL if an arena
 * cannot lie there. */
MIA_API int mia_manage_memory(void *start, size_t size, unsigned flags, mia_commit_function *commit,
                              void *arg, mia_arena **arena);

/* Takes an exclusive arena out of use permanently; `arena' becomes invalid.  Address space that
 * the library reserved is unmapped.  Memory of an external arena belongs to the program again,
 * with unspecified content and as accessible as the library left it.  During the call no thread
 * may walk over the blocks of a main heap.
 *
 * Returns false, sets errno to EBUSY and changes nothing if:
 *  - a heap that was created in the arena has not ended;
 *  - blocks in the arena are in use: blocks of a heap that was deleted, or free blocks that a
 *    thread still holds to allocate from, until it calls mia_collect;
 *  - the arena is not exclusive: it may contain data of the library. */
MIA_API bool mia_arena_unload(mia_arena *arena);

/* Returns the start of an arena, and stores its size in *size unless `size' is NULL. */
MIA_API void *mia_arena_area(const mia_arena *arena, size_t *size);

/* Returns true if `p', which may be any pointer, points into the arena. */
MIA_API bool mia_arena_contains(const mia_arena *arena, const void *p);

/* Return the alignment of every arena, and the bytes of memory that are enough for an arena of
 * one slice. */
MIA_API size_t mia_arena_min_alignment(void);
MIA_API size_t mia_arena_min_size(void);

/* Writes the contents of the arenas as text, to `out'; if that is NULL, to stderr or to the
 * function that mia_register_output registered. */
MIA_API void mia_arenas_print(mia_output_function *out, void *arg);

/* ---- sub-processes --------------------------------------------------------- */

/* Return the sub-process that exists from the start, and that of the calling thread. */
MIA_API mia_subproc *mia_subproc_main(void);
MIA_API mia_subproc *mia_subproc_current(void);

/* Creates a sub-process: a set of heaps, with a main heap of its own.  Returns NULL and sets
 * errno to ENOMEM if memory is short. */
MIA_API mia_subproc *mia_subproc_new(void) MIA_WARN_UNUSED;

/* Ends a sub-process and destroys its heaps with all their blocks.  No thread but the caller
 * may be in it; the caller moves to the main sub-process.  Does nothing for NULL and for the
 * main sub-process. */
MIA_API void mia_subproc_destroy(mia_subproc *subproc);

/* Moves the calling thread to a sub-process: from now on its default heap, and the heaps that
 * it creates, belong to that sub-process.  Existing blocks stay where they are. */
MIA_API void mia_subproc_add_current_thread(mia_subproc *subproc);

/* Receives a heap.  Returns false to end the walk. */
typedef bool mia_heap_visitor(mia_heap *heap, void *arg);

/* Walks over the heaps of a sub-process, the main one first.  Returns false if the visitor
 * ended the walk, or if memory is short (ENOMEM).  A heap that ends during the walk may still
 * be visited. */
MIA_API bool mia_subproc_visit_heaps(mia_subproc *subproc, mia_heap_visitor *visit, void *arg);

#ifdef __cplusplus
}
#endif
#endif
