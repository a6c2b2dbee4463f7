/* mialloc/compat/mimalloc.h -- mimalloc's interface (version 3.6, and what only version 2 had),
 * on mialloc.
 *
 * The flags of the pkg-config module mialloc-mimalloc put this directory into the search path,
 * so that a program that includes <mimalloc.h> is built with mialloc.  Each function does what
 * its counterpart in mialloc.h, mialloc/heap.h and mialloc/stats.h does; a comment here
 * describes any difference.  All functions are inline: the library contains no symbol called
 * mi_*.  mimalloc's profiler, whose functions are not in its header, has no counterpart.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIMALLOC_H
#define MIMALLOC_H

#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <stdint.h>

/* The version of mimalloc that this header provides: major * 10000 + minor * 100 + patch. */
#define MI_MALLOC_VERSION 30600

/* In mimalloc, the greatest size that the functions named small accept.  Here they accept any
 * size. */
#define MI_SMALL_WSIZE_MAX 128
#define MI_SMALL_SIZE_MAX (MI_SMALL_WSIZE_MAX * sizeof(size_t))

/* The linkage of all functions of this interface. */
#define MI_INLINE static inline

/* The macros of mimalloc's declarations, for programs that use them in their own. */
#ifdef __cplusplus
#define mi_attr_noexcept noexcept
#else
#define mi_attr_noexcept
#endif
#define mi_cdecl
#define mi_decl_export
#define mi_decl_restrict
#define mi_decl_nodiscard __attribute__((warn_unused_result))
#define mi_decl_align(a) __attribute__((aligned(a)))
#define mi_attr_malloc __attribute__((malloc))
#define mi_attr_alloc_size(s) __attribute__((alloc_size(s)))
#define mi_attr_alloc_size2(s1, s2) __attribute__((alloc_size(s1, s2)))
#define mi_attr_alloc_align(p) __attribute__((alloc_align(p)))

#ifdef __cplusplus
extern "C" {
#endif

/* ---- types ---- */

/* Distinct types, because programs declare them before they include this header and because C++
 * puts types into the names of functions.  A mi_heap_t * is a mia_heap *. */
typedef struct mi_heap_s mi_heap_t;
typedef struct mi_theap_s mi_theap_t;
typedef void *mi_arena_id_t;
typedef struct {
  void *_mi_subproc_id; /* a mia_subproc * */
} mi_subproc_id_t;

/* See mia_heap_area. */
typedef struct mi_heap_area_s {
  void *blocks;
  size_t reserved;
  size_t committed;
  size_t used;
  size_t block_size;
  size_t full_block_size;
  void *reserved1;
} mi_heap_area_t;

/* Functions that a program registers, and visitors: see the types with corresponding names in
 * mialloc.h and mialloc/heap.h. */
typedef mia_deferred_free_function mi_deferred_free_fun;
typedef mia_output_function mi_output_fun;
typedef mia_error_function mi_error_fun;
typedef bool mi_block_visit_fun(const mi_heap_t *heap, const mi_heap_area_t *area, void *block,
                                size_t block_size, void *arg);
typedef bool mi_heap_visit_fun(mi_heap_t *heap, void *arg);
typedef mia_commit_function mi_commit_fun_t;

/* The options that have a counterpart in mialloc act like that one (mialloc(7)); the others are
 * only names, with mimalloc's values. */
typedef enum mi_option_e {
  mi_option_show_errors = 0,
  mi_option_show_stats = 1,
  mi_option_verbose = 2,
  mi_option_deprecated_eager_commit = 3,
  mi_option_arena_eager_commit = 4,
  mi_option_purge_decommits = 5,
  mi_option_allow_large_os_pages = 6,
  mi_option_reserve_huge_os_pages = 7,
  mi_option_reserve_huge_os_pages_at = 8,
  mi_option_reserve_os_memory = 9,
  mi_option_deprecated_segment_cache = 10,
  mi_option_deprecated_page_reset = 11,
  mi_option_deprecated_abandoned_page_purge = 12,
  mi_option_deprecated_segment_reset = 13,
  mi_option_deprecated_eager_commit_delay = 14,
  mi_option_purge_delay = 15,
  mi_option_use_numa_nodes = 16,
  mi_option_disallow_os_alloc = 17,
  mi_option_os_tag = 18,
  mi_option_max_errors = 19,
  mi_option_max_warnings = 20,
  mi_option_deprecated_max_segment_reclaim = 21,
  mi_option_destroy_on_exit = 22,
  mi_option_arena_reserve = 23,
  mi_option_arena_purge_mult = 24,
  mi_option_deprecated_purge_extend_delay = 25,
  mi_option_disallow_arena_alloc = 26,
  mi_option_retry_on_oom = 27,
  mi_option_deprecated_visit_abandoned = 28,
  mi_option_guarded_min = 29,
  mi_option_guarded_max = 30,
  mi_option_unsafe_guarded_precise = 31,
  mi_option_guarded_sample_rate = 32,
  mi_option_guarded_sample_seed = 33,
  mi_option_generic_collect = 34,
  mi_option_page_reclaim_on_free = 35,
  mi_option_page_full_retain = 36,
  mi_option_page_max_candidates = 37,
  mi_option_max_vabits = 38,
  mi_option_pagemap_commit = 39,
  mi_option_page_commit_on_demand = 40,
  mi_option_page_max_reclaim = 41,
  mi_option_page_cross_thread_max_reclaim = 42,
  mi_option_allow_thp = 43,
  mi_option_arena_purge_min_size = 44,
  mi_option_arena_max_object_size = 45,
  mi_option_arena_is_numa_local = 46,
  mi_option_stats_merge_on_collect = 47,
  mi_option_profile_alloc_interval = 48,
  mi_option_profile_inuse_interval = 49,
  mi_option_profile_time_interval = 50,
  mi_option_profile_sample_rate = 51,
  mi_option_stats_merge_threshold = 52,
  mi_option_arena_purge_immediate_size = 53,
  _mi_option_last = 54,
  /* older names */
  mi_option_visit_abandoned = mi_option_deprecated_visit_abandoned,
  mi_option_guarded_precise = mi_option_unsafe_guarded_precise,
  mi_option_minimal_purge_size = mi_option_arena_purge_min_size,
  mi_option_large_os_pages = mi_option_allow_large_os_pages,
  mi_option_eager_region_commit = mi_option_arena_eager_commit,
  mi_option_reset_decommits = mi_option_purge_decommits,
  mi_option_reset_delay = mi_option_purge_delay,
  mi_option_limit_os_alloc = mi_option_disallow_os_alloc
} mi_option_t;

/* ---- adapters: not part of mimalloc's interface ---- */

/* Convert a pointer to a heap between the two types. */
MI_INLINE mia_heap *mia_mi_heap(const mi_heap_t *heap) { return (mia_heap *)(uintptr_t)heap; }
MI_INLINE mi_heap_t *mia_mi_from(const mia_heap *heap) { return (mi_heap_t *)(uintptr_t)heap; }

/* A theap is represented by its heap. */
MI_INLINE mia_heap *mia_mi_theap_heap(const mi_theap_t *theap) {
  return (mia_heap *)(uintptr_t)theap;
}

/* Convert a sub-process between the two types. */
MI_INLINE mia_subproc *mia_mi_subproc(mi_subproc_id_t id) {
  return (mia_subproc *)id._mi_subproc_id;
}
MI_INLINE mi_subproc_id_t mia_mi_subproc_id(mia_subproc *subproc) {
  mi_subproc_id_t id;
  id._mi_subproc_id = subproc;
  return id;
}

/* Calls a visitor of mimalloc's type as one of mialloc's type. */
typedef struct mia_mi_visit {
  mi_block_visit_fun *blocks;
  mi_heap_visit_fun *heaps;
  void *arg;
  bool visits_blocks;
} mia_mi_visit;

MI_INLINE bool mia_mi_visit_block(const mia_heap *heap, const mia_heap_area *area, void *block,
                                  size_t size, void *arg) {
  const mia_mi_visit *visit = (const mia_mi_visit *)arg;
  mi_heap_area_t its;
  its.blocks = area->blocks;
  its.reserved = area->reserved;
  its.committed = area->committed;
  its.used = area->used;
  its.block_size = area->block_size;
  its.full_block_size = area->full_block_size;
  its.reserved1 = NULL;
  return visit->blocks(mia_mi_from(heap), &its, block, size, visit->arg);
}

MI_INLINE bool mia_mi_visit_heap(mia_heap *heap, void *arg) {
  const mia_mi_visit *visit = (const mia_mi_visit *)arg;
  return visit->heaps(mia_mi_from(heap), visit->arg);
}

MI_INLINE bool mia_mi_visit_abandoned(mia_heap *heap, void *arg) {
  const mia_mi_visit *visit = (const mia_mi_visit *)arg;
  return mia_heap_visit_abandoned_blocks(heap, visit->visits_blocks, mia_mi_visit_block, arg);
}

/* Builds an adapter for a visitor. */
MI_INLINE mia_mi_visit mia_mi_visiting(mi_block_visit_fun *blocks, mi_heap_visit_fun *heaps,
                                       bool visits_blocks, void *arg) {
  mia_mi_visit visit;
  visit.blocks = blocks;
  visit.heaps = heaps;
  visit.arg = arg;
  visit.visits_blocks = visits_blocks;
  return visit;
}

/* ---- Standard functions ---- */

MI_INLINE void *mi_malloc(size_t size) mi_attr_noexcept { return mia_malloc(size); }

MI_INLINE void *mi_calloc(size_t count, size_t size) mi_attr_noexcept {
  return mia_calloc(count, size);
}

MI_INLINE void *mi_realloc(void *p, size_t newsize) mi_attr_noexcept {
  return mia_realloc(p, newsize);
}

MI_INLINE void *mi_expand(void *p, size_t newsize) mi_attr_noexcept {
  return mia_expand(p, newsize);
}

MI_INLINE void mi_free(void *p) mi_attr_noexcept { mia_free(p); }

MI_INLINE char *mi_strdup(const char *s) mi_attr_noexcept { return mia_strdup(s); }

MI_INLINE char *mi_strndup(const char *s, size_t n) mi_attr_noexcept { return mia_strndup(s, n); }

MI_INLINE char *mi_realpath(const char *fname, char *resolved_name) mi_attr_noexcept {
  return mia_realpath(fname, resolved_name);
}

/* ---- Extended ---- */

/* The functions for small blocks are the general ones. */
MI_INLINE void *mi_malloc_small(size_t size) mi_attr_noexcept { return mia_malloc(size); }

MI_INLINE void *mi_zalloc_small(size_t size) mi_attr_noexcept { return mia_zalloc(size); }

MI_INLINE void *mi_zalloc(size_t size) mi_attr_noexcept { return mia_zalloc(size); }

MI_INLINE void *mi_mallocn(size_t count, size_t size) mi_attr_noexcept {
  return mia_mallocn(count, size);
}

MI_INLINE void *mi_reallocn(void *p, size_t count, size_t size) mi_attr_noexcept {
  return mia_reallocarray(p, count, size);
}

MI_INLINE void *mi_reallocf(void *p, size_t newsize) mi_attr_noexcept {
  return mia_reallocf(p, newsize);
}

MI_INLINE size_t mi_usable_size(const void *p) mi_attr_noexcept { return mia_usable_size(p); }

MI_INLINE size_t mi_good_size(size_t size) mi_attr_noexcept { return mia_good_size(size); }

/* The functions for small blocks, for blocks of this thread, and for pointers that are not NULL
 * are the general ones. */
MI_INLINE void mi_free_small(void *p) mi_attr_noexcept { mia_free(p); }
MI_INLINE void mi_free_small_nonnull(void *p) mi_attr_noexcept { mia_free(p); }
MI_INLINE void mi_free_small_local(void *p) mi_attr_noexcept { mia_free(p); }
MI_INLINE void mi_free_small_local_nonnull(void *p) mi_attr_noexcept { mia_free(p); }

/* Returns the number of words, of sizeof(size_t) bytes each, that a block of `size' bytes needs. */
MI_INLINE size_t mi_wsize_from_size(size_t size) mi_attr_noexcept {
  return size / sizeof(size_t) + (size % sizeof(size_t) != 0 ? 1 : 0);
}

/* mi_malloc_small and mi_zalloc_small whose argument counts words. */
MI_INLINE void *mi_wmalloc_small(size_t wsize) mi_attr_noexcept {
  return mia_mallocn(wsize, sizeof(size_t));
}

MI_INLINE void *mi_wzalloc_small(size_t wsize) mi_attr_noexcept {
  return mia_calloc(wsize, sizeof(size_t));
}

/* The functions for sizes that the compiler knows are the general ones. */
MI_INLINE void *mi_malloc_csize(size_t size) mi_attr_noexcept { return mia_malloc(size); }

MI_INLINE void *mi_zalloc_csize(size_t size) mi_attr_noexcept { return mia_zalloc(size); }

MI_INLINE void mi_free_csize(void *p, size_t size) mi_attr_noexcept { mia_free_sized(p, size); }

MI_INLINE void mi_free_csize_nonnull(void *p, size_t size) mi_attr_noexcept {
  mia_free_sized(p, size);
}

MI_INLINE void mi_free_csize_aligned(void *p, size_t size, size_t aligned) mi_attr_noexcept {
  mia_free_aligned_sized(p, aligned, size);
}

MI_INLINE void mi_free_csize_aligned_nonnull(void *p, size_t size,
                                             size_t aligned) mi_attr_noexcept {
  mia_free_aligned_sized(p, aligned, size);
}

/* Returns 0: mialloc does not tell which thread has a page. */
MI_INLINE size_t mi_thread_id_of(const void *p) mi_attr_noexcept {
  (void)p;
  return 0;
}

/* ---- Aligned ---- */

MI_INLINE void *mi_malloc_aligned(size_t size, size_t alignment) mi_attr_noexcept {
  return mia_malloc_aligned(size, alignment);
}

MI_INLINE void *mi_malloc_aligned_at(size_t size, size_t alignment,
                                     size_t offset) mi_attr_noexcept {
  return mia_malloc_aligned_at(size, alignment, offset);
}

MI_INLINE void *mi_zalloc_aligned(size_t size, size_t alignment) mi_attr_noexcept {
  return mia_zalloc_aligned(size, alignment);
}

MI_INLINE void *mi_zalloc_aligned_at(size_t size, size_t alignment,
                                     size_t offset) mi_attr_noexcept {
  return mia_zalloc_aligned_at(size, alignment, offset);
}

MI_INLINE void *mi_calloc_aligned(size_t count, size_t size, size_t alignment) mi_attr_noexcept {
  return mia_calloc_aligned(count, size, alignment);
}

MI_INLINE void *mi_calloc_aligned_at(size_t count, size_t size, size_t alignment,
                                     size_t offset) mi_attr_noexcept {
  return mia_calloc_aligned_at(count, size, alignment, offset);
}

MI_INLINE void *mi_realloc_aligned(void *p, size_t newsize, size_t alignment) mi_attr_noexcept {
  return mia_realloc_aligned(p, newsize, alignment);
}

MI_INLINE void *mi_realloc_aligned_at(void *p, size_t newsize, size_t alignment,
                                      size_t offset) mi_attr_noexcept {
  return mia_realloc_aligned_at(p, newsize, alignment, offset);
}

/* ---- Zeroed and resized ---- */

MI_INLINE void *mi_rezalloc(void *p, size_t newsize) mi_attr_noexcept {
  return mia_rezalloc(p, newsize);
}

MI_INLINE void *mi_recalloc(void *p, size_t newcount, size_t size) mi_attr_noexcept {
  return mia_recalloc(p, newcount, size);
}

MI_INLINE void *mi_rezalloc_aligned(void *p, size_t newsize, size_t alignment) mi_attr_noexcept {
  return mia_rezalloc_aligned(p, newsize, alignment);
}

MI_INLINE void *mi_rezalloc_aligned_at(void *p, size_t newsize, size_t alignment,
                                       size_t offset) mi_attr_noexcept {
  return mia_rezalloc_aligned_at(p, newsize, alignment, offset);
}

MI_INLINE void *mi_recalloc_aligned(void *p, size_t newcount, size_t size,
                                    size_t alignment) mi_attr_noexcept {
  return mia_recalloc_aligned(p, newcount, size, alignment);
}

MI_INLINE void *mi_recalloc_aligned_at(void *p, size_t newcount, size_t size, size_t alignment,
                                       size_t offset) mi_attr_noexcept {
  return mia_recalloc_aligned_at(p, newcount, size, alignment, offset);
}

MI_INLINE void *mi_heap_rezalloc(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept {
  return mia_heap_rezalloc(mia_mi_heap(heap), p, newsize);
}

MI_INLINE void *mi_heap_recalloc(mi_heap_t *heap, void *p, size_t newcount,
                                 size_t size) mi_attr_noexcept {
  return mia_heap_recalloc(mia_mi_heap(heap), p, newcount, size);
}

MI_INLINE void *mi_heap_rezalloc_aligned(mi_heap_t *heap, void *p, size_t newsize,
                                         size_t alignment) mi_attr_noexcept {
  return mia_heap_rezalloc_aligned(mia_mi_heap(heap), p, newsize, alignment);
}

MI_INLINE void *mi_heap_rezalloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize,
                                            size_t alignment, size_t offset) mi_attr_noexcept {
  return mia_heap_rezalloc_aligned_at(mia_mi_heap(heap), p, newsize, alignment, offset);
}

MI_INLINE void *mi_heap_recalloc_aligned(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                                         size_t alignment) mi_attr_noexcept {
  return mia_heap_recalloc_aligned(mia_mi_heap(heap), p, newcount, size, alignment);
}

MI_INLINE void *mi_heap_recalloc_aligned_at(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                                            size_t alignment, size_t offset) mi_attr_noexcept {
  return mia_heap_recalloc_aligned_at(mia_mi_heap(heap), p, newcount, size, alignment, offset);
}

/* ---- Blocks and their usable size ---- */

MI_INLINE void *mi_umalloc(size_t size, size_t *block_size) mi_attr_noexcept {
  return mia_malloc_at_least(size, block_size);
}

MI_INLINE void *mi_ucalloc(size_t count, size_t size, size_t *block_size) mi_attr_noexcept {
  return mia_calloc_at_least(count, size, block_size);
}

MI_INLINE void *mi_urealloc(void *p, size_t newsize, size_t *block_size_pre,
                            size_t *block_size_post) mi_attr_noexcept {
  return mia_realloc_at_least(p, newsize, block_size_pre, block_size_post);
}

MI_INLINE void mi_ufree(void *p, size_t *block_size) mi_attr_noexcept {
  mia_free_usable(p, block_size);
}

MI_INLINE void *mi_umalloc_aligned(size_t size, size_t alignment,
                                   size_t *block_size) mi_attr_noexcept {
  return mia_malloc_aligned_at_least(size, alignment, block_size);
}

MI_INLINE void *mi_uzalloc_aligned(size_t size, size_t alignment,
                                   size_t *block_size) mi_attr_noexcept {
  return mia_zalloc_aligned_at_least(size, alignment, block_size);
}

MI_INLINE void *mi_umalloc_small(size_t size, size_t *block_size) mi_attr_noexcept {
  return mia_malloc_at_least(size, block_size);
}

MI_INLINE void *mi_uzalloc_small(size_t size, size_t *block_size) mi_attr_noexcept {
  return mia_zalloc_at_least(size, block_size);
}

/* ---- Heaps ---- */

MI_INLINE mi_heap_t *mi_heap_new(void) { return mia_mi_from(mia_heap_new()); }

MI_INLINE void mi_heap_delete(mi_heap_t *heap) { mia_heap_delete(mia_mi_heap(heap)); }

MI_INLINE void mi_heap_destroy(mi_heap_t *heap) { mia_heap_destroy(mia_mi_heap(heap)); }

/* Does nothing: the OS places memory where it is first touched. */
MI_INLINE void mi_heap_set_numa_affinity(mi_heap_t *heap, int numa_node) {
  (void)heap;
  (void)numa_node;
}

MI_INLINE void mi_heap_collect(mi_heap_t *heap, bool force) {
  mia_heap_collect(mia_mi_heap(heap), force);
}

MI_INLINE mi_heap_t *mi_heap_main(void) { return mia_mi_from(mia_heap_main()); }

MI_INLINE mi_heap_t *mi_heap_of(const void *p) { return mia_mi_from(mia_heap_of(p)); }

MI_INLINE bool mi_heap_contains(const mi_heap_t *heap, const void *p) {
  return mia_heap_contains(mia_mi_heap(heap), p);
}

MI_INLINE bool mi_any_heap_contains(const void *p) { return mia_any_heap_contains(p); }

MI_INLINE void *mi_heap_malloc(mi_heap_t *heap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_heap(heap), size);
}

MI_INLINE void *mi_heap_zalloc(mi_heap_t *heap, size_t size) mi_attr_noexcept {
  return mia_heap_zalloc(mia_mi_heap(heap), size);
}

MI_INLINE void *mi_heap_calloc(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept {
  return mia_heap_calloc(mia_mi_heap(heap), count, size);
}

MI_INLINE void *mi_heap_mallocn(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept {
  return mia_heap_mallocn(mia_mi_heap(heap), count, size);
}

MI_INLINE void *mi_heap_malloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_heap(heap), size);
}

MI_INLINE void *mi_heap_zalloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept {
  return mia_heap_zalloc(mia_mi_heap(heap), size);
}

MI_INLINE void *mi_heap_realloc(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept {
  return mia_heap_realloc(mia_mi_heap(heap), p, newsize);
}

MI_INLINE void *mi_heap_reallocn(mi_heap_t *heap, void *p, size_t count,
                                 size_t size) mi_attr_noexcept {
  return mia_heap_reallocarray(mia_mi_heap(heap), p, count, size);
}

MI_INLINE void *mi_heap_reallocf(mi_heap_t *heap, void *p, size_t newsize) mi_attr_noexcept {
  return mia_heap_reallocf(mia_mi_heap(heap), p, newsize);
}

MI_INLINE char *mi_heap_strdup(mi_heap_t *heap, const char *s) mi_attr_noexcept {
  return mia_heap_strdup(mia_mi_heap(heap), s);
}

MI_INLINE char *mi_heap_strndup(mi_heap_t *heap, const char *s, size_t n) mi_attr_noexcept {
  return mia_heap_strndup(mia_mi_heap(heap), s, n);
}

MI_INLINE char *mi_heap_realpath(mi_heap_t *heap, const char *fname,
                                 char *resolved_name) mi_attr_noexcept {
  return mia_heap_realpath(mia_mi_heap(heap), fname, resolved_name);
}

MI_INLINE void *mi_heap_malloc_aligned(mi_heap_t *heap, size_t size,
                                       size_t alignment) mi_attr_noexcept {
  return mia_heap_malloc_aligned(mia_mi_heap(heap), size, alignment);
}

MI_INLINE void *mi_heap_malloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                                          size_t offset) mi_attr_noexcept {
  return mia_heap_malloc_aligned_at(mia_mi_heap(heap), size, alignment, offset);
}

MI_INLINE void *mi_heap_zalloc_aligned(mi_heap_t *heap, size_t size,
                                       size_t alignment) mi_attr_noexcept {
  return mia_heap_zalloc_aligned(mia_mi_heap(heap), size, alignment);
}

MI_INLINE void *mi_heap_zalloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                                          size_t offset) mi_attr_noexcept {
  return mia_heap_zalloc_aligned_at(mia_mi_heap(heap), size, alignment, offset);
}

MI_INLINE void *mi_heap_calloc_aligned(mi_heap_t *heap, size_t count, size_t size,
                                       size_t alignment) mi_attr_noexcept {
  return mia_heap_calloc_aligned(mia_mi_heap(heap), count, size, alignment);
}

MI_INLINE void *mi_heap_calloc_aligned_at(mi_heap_t *heap, size_t count, size_t size,
                                          size_t alignment, size_t offset) mi_attr_noexcept {
  return mia_heap_calloc_aligned_at(mia_mi_heap(heap), count, size, alignment, offset);
}

MI_INLINE void *mi_heap_realloc_aligned(mi_heap_t *heap, void *p, size_t newsize,
                                        size_t alignment) mi_attr_noexcept {
  return mia_heap_realloc_aligned(mia_mi_heap(heap), p, newsize, alignment);
}

MI_INLINE void *mi_heap_realloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize,
                                           size_t alignment, size_t offset) mi_attr_noexcept {
  return mia_heap_realloc_aligned_at(mia_mi_heap(heap), p, newsize, alignment, offset);
}

MI_INLINE void *mi_heap_alloc_new(mi_heap_t *heap, size_t size) {
  return mia_heap_alloc_new(mia_mi_heap(heap), size);
}

MI_INLINE void *mi_heap_alloc_new_n(mi_heap_t *heap, size_t count, size_t size) {
  return mia_heap_alloc_new_n(mia_mi_heap(heap), count, size);
}

/* ---- Walking over blocks ---- */

MI_INLINE bool mi_heap_visit_blocks(mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor,
                                    void *arg) {
  mia_mi_visit visit = mia_mi_visiting(visitor, NULL, visit_blocks, arg);
  return mia_heap_visit_blocks(mia_mi_heap(heap), visit_blocks, mia_mi_visit_block, &visit);
}

MI_INLINE bool mi_heap_visit_abandoned_blocks(mi_heap_t *heap, bool visit_blocks,
                                              mi_block_visit_fun *visitor, void *arg) {
  mia_mi_visit visit = mia_mi_visiting(visitor, NULL, visit_blocks, arg);
  return mia_heap_visit_abandoned_blocks(mia_mi_heap(heap), visit_blocks, mia_mi_visit_block,
                                         &visit);
}

/* ---- Arenas ---- */

/* Returns true if malloc is mialloc's. */
MI_INLINE bool mi_is_redirected(void) mi_attr_noexcept { return mia_is_overriding(); }

MI_INLINE int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes,
                                                  size_t timeout_msecs) mi_attr_noexcept {
  return mia_reserve_huge_pages_interleave(pages, numa_nodes, timeout_msecs);
}

/* mimalloc's arguments as the flags of mialloc/heap.h. */
MI_INLINE unsigned mia_mi_arena_flags(bool exclusive, bool committed, bool large, bool pinned,
                                      bool zeroed) {
  return (exclusive ? (unsigned)MIA_ARENA_IS_EXCLUSIVE : 0) |
         (committed ? (unsigned)MIA_ARENA_IS_COMMITTED : 0) |
         (large ? (unsigned)MIA_ARENA_IS_LARGE : 0) | (pinned ? (unsigned)MIA_ARENA_IS_PINNED : 0) |
         (zeroed ? (unsigned)MIA_ARENA_IS_ZEROED : 0);
}

MI_INLINE int mi_reserve_huge_os_pages_at(size_t pages, int numa_node,
                                          size_t timeout_msecs) mi_attr_noexcept {
  return mia_reserve_huge_pages(pages, numa_node, timeout_msecs, 0, NULL);
}

MI_INLINE int mi_reserve_os_memory(size_t size, bool commit, bool allow_large) mi_attr_noexcept {
  return mia_reserve_memory(size, mia_mi_arena_flags(false, commit, allow_large, false, false),
                            NULL);
}

MI_INLINE bool mi_manage_os_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                   bool is_zero, int numa_node) mi_attr_noexcept {
  (void)numa_node;
  return mia_manage_memory(start, size,
                           mia_mi_arena_flags(false, is_committed, false, is_pinned, is_zero), NULL,
                           NULL, NULL) == 0;
}

MI_INLINE void mi_debug_show_arenas(void) mi_attr_noexcept { mia_arenas_print(NULL, NULL); }

MI_INLINE void mi_arenas_print(void) mi_attr_noexcept { mia_arenas_print(NULL, NULL); }

MI_INLINE size_t mi_arena_min_alignment(void) { return mia_arena_min_alignment(); }

MI_INLINE size_t mi_arena_min_size(void) { return mia_arena_min_size(); }

/* Returns the size of the largest request: mialloc has no other limit for what an arena holds. */
MI_INLINE size_t mi_arena_max_object_size(void) { return PTRDIFF_MAX; }

MI_INLINE void mi_arenas_purge(void) mi_attr_noexcept { (void)mia_purge(); }

MI_INLINE void *mi_arena_area(mi_arena_id_t arena_id, size_t *size) {
  return mia_arena_area((mia_arena *)arena_id, size);
}

MI_INLINE int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                             bool exclusive,
                                             mi_arena_id_t *arena_id) mi_attr_noexcept {
  mia_arena *arena = NULL;
  int error = mia_reserve_huge_pages(pages, numa_node, timeout_msecs,
                                     mia_mi_arena_flags(exclusive, false, false, false, false),
                                     &arena);
  if (arena_id != NULL) *arena_id = arena;
  return error;
}

MI_INLINE int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large, bool exclusive,
                                      mi_arena_id_t *arena_id) mi_attr_noexcept {
  mia_arena *arena = NULL;
  int error = mia_reserve_memory(
      size, mia_mi_arena_flags(exclusive, commit, allow_large, false, false), &arena);
  if (arena_id != NULL) *arena_id = arena;
  return error;
}

MI_INLINE bool mi_manage_os_memory_ex(void *start, size_t size, bool is_committed, bool is_pinned,
                                      bool is_zero, int numa_node, bool exclusive,
                                      mi_arena_id_t *arena_id) mi_attr_noexcept {
  (void)numa_node;
  mia_arena *arena = NULL;
  bool managed = mia_manage_memory(
                     start, size,
                     mia_mi_arena_flags(exclusive, is_committed, false, is_pinned, is_zero), NULL,
                     NULL, &arena) == 0;
  if (arena_id != NULL) *arena_id = arena;
  return managed;
}

MI_INLINE bool mi_arena_contains(mi_arena_id_t arena_id, const void *p) {
  return mia_arena_contains((mia_arena *)arena_id, p);
}

MI_INLINE mi_heap_t *mi_heap_new_in_arena(mi_arena_id_t arena_id) {
  return mia_mi_from(mia_heap_new_in_arena((mia_arena *)arena_id));
}

/* ---- Sub-processes ---- */

MI_INLINE mi_subproc_id_t mi_subproc_main(void) { return mia_mi_subproc_id(mia_subproc_main()); }

MI_INLINE mi_subproc_id_t mi_subproc_current(void) {
  return mia_mi_subproc_id(mia_subproc_current());
}

MI_INLINE mi_subproc_id_t mi_subproc_new(void) { return mia_mi_subproc_id(mia_subproc_new()); }

MI_INLINE void mi_subproc_destroy(mi_subproc_id_t subproc) {
  mia_subproc_destroy(mia_mi_subproc(subproc));
}

MI_INLINE void mi_subproc_add_current_thread(mi_subproc_id_t subproc) {
  mia_subproc_add_current_thread(mia_mi_subproc(subproc));
}

MI_INLINE bool mi_subproc_visit_heaps(mi_subproc_id_t subproc, mi_heap_visit_fun *visitor,
                                      void *arg) {
  mia_mi_visit visit = mia_mi_visiting(NULL, visitor, false, arg);
  return mia_subproc_visit_heaps(mia_mi_subproc(subproc), mia_mi_visit_heap, &visit);
}

/* ---- Theaps: a thread's handles of heaps ---- */

/* A theap is represented by its heap. */
MI_INLINE mi_theap_t *mi_heap_theap(mi_heap_t *heap) { return (mi_theap_t *)(void *)heap; }

MI_INLINE mi_theap_t *mi_theap_set_default(mi_theap_t *theap) {
  return mi_heap_theap(mia_mi_from(mia_heap_set_default(mia_mi_theap_heap(theap))));
}

MI_INLINE mi_theap_t *mi_theap_get_default(void) {
  return mi_heap_theap(mia_mi_from(mia_heap_get_default()));
}

MI_INLINE void mi_theap_collect(mi_theap_t *theap, bool force) mi_attr_noexcept {
  mia_heap_collect(mia_mi_theap_heap(theap), force);
}

MI_INLINE void *mi_theap_malloc(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_zalloc(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_zalloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_calloc(mi_theap_t *theap, size_t count, size_t size) mi_attr_noexcept {
  return mia_heap_calloc(mia_mi_theap_heap(theap), count, size);
}

MI_INLINE void *mi_theap_malloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_zalloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_zalloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_malloc_aligned(mi_theap_t *theap, size_t size,
                                        size_t alignment) mi_attr_noexcept {
  return mia_heap_malloc_aligned(mia_mi_theap_heap(theap), size, alignment);
}

MI_INLINE void *mi_theap_realloc(mi_theap_t *theap, void *p, size_t newsize) mi_attr_noexcept {
  return mia_heap_realloc(mia_mi_theap_heap(theap), p, newsize);
}

MI_INLINE void *mi_theap_rezalloc(mi_theap_t *theap, void *p, size_t newsize) mi_attr_noexcept {
  return mia_heap_rezalloc(mia_mi_theap_heap(theap), p, newsize);
}

MI_INLINE void *mi_theap_zalloc_aligned(mi_theap_t *theap, size_t size,
                                        size_t alignment) mi_attr_noexcept {
  return mia_heap_zalloc_aligned(mia_mi_theap_heap(theap), size, alignment);
}

MI_INLINE void *mi_theap_wmalloc_small(mi_theap_t *theap, size_t wsize) mi_attr_noexcept {
  return mia_heap_mallocn(mia_mi_theap_heap(theap), wsize, sizeof(size_t));
}

MI_INLINE void *mi_theap_wzalloc_small(mi_theap_t *theap, size_t wsize) mi_attr_noexcept {
  return mia_heap_calloc(mia_mi_theap_heap(theap), wsize, sizeof(size_t));
}

MI_INLINE void *mi_theap_malloc_csize(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_zalloc_csize(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_zalloc(mia_mi_theap_heap(theap), size);
}

MI_INLINE void *mi_theap_alloc_new(mi_theap_t *theap, size_t size) {
  return mi_heap_alloc_new(mia_mi_from(mia_mi_theap_heap(theap)), size);
}

MI_INLINE void *mi_theap_alloc_new_n(mi_theap_t *theap, size_t count, size_t size) {
  return mi_heap_alloc_new_n(mia_mi_from(mia_mi_theap_heap(theap)), count, size);
}

/* Returns NULL at once if memory is short: it does not call the new-handler. */
MI_INLINE void *mi_theap_alloc_new_nothrow(mi_theap_t *theap, size_t size) mi_attr_noexcept {
  return mia_heap_malloc(mia_mi_theap_heap(theap), size);
}

/* Give back what the calling thread keeps in the heap and does not need.  The blocks stay, and
 * the theap stays valid as long as its heap: no other step would make them another thread's. */
MI_INLINE void mi_theap_delete(mi_theap_t *theap) mi_attr_noexcept {
  mia_heap_collect(mia_mi_theap_heap(theap), false);
}
MI_INLINE void mi_theap_quiescent_abandon(mi_theap_t *theap) mi_attr_noexcept {
  mia_heap_collect(mia_mi_theap_heap(theap), false);
}

/* Does nothing: the debug build of mialloc fills whole blocks. */
MI_INLINE void mi_heap_set_debug_fill_preserve(mi_heap_t *heap, size_t preserve) {
  (void)heap;
  (void)preserve;
}

/* Returns the counterpart of an option; MIA_OPTION_NONE if there is none. */
MI_INLINE mia_option mia_mi_option(mi_option_t option) {
  switch (option) {
  case mi_option_show_errors:
    return MIA_OPTION_SHOW_ERRORS;
  case mi_option_show_stats:
    return MIA_OPTION_SHOW_STATS;
  case mi_option_verbose:
    return MIA_OPTION_VERBOSE;
  case mi_option_reserve_os_memory:
    return MIA_OPTION_RESERVE_MEMORY;
  case mi_option_allow_large_os_pages:
    return MIA_OPTION_LARGE_PAGES;
  case mi_option_reserve_huge_os_pages:
    return MIA_OPTION_RESERVE_HUGE_PAGES;
  case mi_option_reserve_huge_os_pages_at:
    return MIA_OPTION_RESERVE_HUGE_PAGES_AT;
  case mi_option_purge_delay:
    return MIA_OPTION_PURGE_DELAY;
  case mi_option_allow_thp:
    return MIA_OPTION_THP;
  case mi_option_max_errors:
  case mi_option_max_warnings:
    return MIA_OPTION_MAX_WARNINGS;
  default:
    return MIA_OPTION_NONE;
  }
}

/* ---- Options ---- */

/* Returns 0 for an option without a counterpart in mialloc; setting such an option does
 * nothing. */
MI_INLINE long mi_option_get(mi_option_t option) { return mia_option_get(mia_mi_option(option)); }

MI_INLINE void mi_option_set(mi_option_t option, long value) {
  (void)mia_option_set(mia_mi_option(option), value);
}

MI_INLINE void mi_option_set_default(mi_option_t option, long value) {
  (void)mia_option_set_default(mia_mi_option(option), value);
}

MI_INLINE bool mi_option_is_enabled(mi_option_t option) { return mi_option_get(option) != 0; }

MI_INLINE void mi_option_enable(mi_option_t option) { mi_option_set(option, 1); }

MI_INLINE void mi_option_disable(mi_option_t option) { mi_option_set(option, 0); }

MI_INLINE void mi_option_set_enabled(mi_option_t option, bool enable) {
  mi_option_set(option, enable ? 1 : 0);
}

MI_INLINE void mi_option_set_enabled_default(mi_option_t option, bool enable) {
  mi_option_set_default(option, enable ? 1 : 0);
}

MI_INLINE long mi_option_get_clamp(mi_option_t option, long min, long max) {
  long value = mi_option_get(option);
  return value < min ? min : value > max ? max : value;
}

MI_INLINE size_t mi_option_get_size(mi_option_t option) {
  long value = mi_option_get(option);
  const mia_option_info *about = mia_option_describe(mia_mi_option(option));
  if (value <= 0) return 0;
  return about->type == MIA_OPTION_IS_SIZE ? (size_t)value * 1024 : (size_t)value;
}

/* ---- The process ---- */

MI_INLINE void mi_register_deferred_free(mi_deferred_free_fun *deferred_free,
                                         void *arg) mi_attr_noexcept {
  mia_register_deferred_free(deferred_free, arg);
}

MI_INLINE void mi_register_output(mi_output_fun *out, void *arg) mi_attr_noexcept {
  mia_register_output(out, arg);
}

MI_INLINE void mi_register_error(mi_error_fun *fun, void *arg) { mia_register_error(fun, arg); }

MI_INLINE void mi_collect(bool force) mi_attr_noexcept { mia_collect(force); }

/* Returns the version of mimalloc that this header provides, not that of mialloc. */
MI_INLINE int mi_version(void) { return MI_MALLOC_VERSION; }

MI_INLINE void mi_options_print(void) mi_attr_noexcept { mia_options_print(); }

MI_INLINE void mi_process_info_print(void) mi_attr_noexcept { mia_process_print_out(NULL, NULL); }

MI_INLINE void mi_options_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept {
  mia_options_print_out(out, arg);
}

MI_INLINE void mi_process_info_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept {
  mia_process_print_out(out, arg);
}

MI_INLINE void mi_process_info(size_t *elapsed_msecs, size_t *user_msecs, size_t *system_msecs,
                               size_t *current_rss, size_t *peak_rss, size_t *current_commit,
                               size_t *peak_commit, size_t *page_faults) mi_attr_noexcept {
  mia_stats stats;
  stats.size = sizeof stats;
  if (!mia_stats_get(&stats)) return;
  if (elapsed_msecs != NULL) *elapsed_msecs = (size_t)stats.elapsed_ms;
  if (user_msecs != NULL) *user_msecs = (size_t)stats.user_ms;
  if (system_msecs != NULL) *system_msecs = (size_t)stats.system_ms;
  if (current_rss != NULL) *current_rss = stats.rss;
  if (peak_rss != NULL) *peak_rss = stats.rss_peak;
  if (current_commit != NULL) *current_commit = stats.committed;
  if (peak_commit != NULL)
    *peak_commit = stats.used_peak > stats.committed ? stats.used_peak : stats.committed;
  if (page_faults != NULL) *page_faults = (size_t)stats.faults_major;
}

/* Do nothing: the library starts and ends by itself. */
MI_INLINE void mi_process_init(void) mi_attr_noexcept {}
MI_INLINE void mi_process_done(void) mi_attr_noexcept {}

MI_INLINE void mi_thread_init(void) mi_attr_noexcept { mia_thread_init(); }

MI_INLINE void mi_thread_done(void) mi_attr_noexcept { mia_thread_done(); }

/* Does nothing: no thread, in a thread pool or not, keeps memory that others could use. */
MI_INLINE void mi_thread_set_in_threadpool(void) mi_attr_noexcept {}

MI_INLINE void mi_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept {
  mia_stats_print_out(out, arg);
}

/* ---- Names of other libraries ---- */

MI_INLINE void mi_cfree(void *p) mi_attr_noexcept { mia_free(p); }

MI_INLINE void *mi__expand(void *p, size_t newsize) mi_attr_noexcept {
  return mia_expand(p, newsize);
}

MI_INLINE size_t mi_malloc_size(const void *p) mi_attr_noexcept { return mia_usable_size(p); }

MI_INLINE size_t mi_malloc_good_size(size_t size) mi_attr_noexcept { return mia_good_size(size); }

MI_INLINE size_t mi_malloc_usable_size(const void *p) mi_attr_noexcept {
  return mia_usable_size(p);
}

MI_INLINE int mi_posix_memalign(void **p, size_t alignment, size_t size) {
  return mia_posix_memalign(p, alignment, size);
}

MI_INLINE void *mi_memalign(size_t alignment, size_t size) mi_attr_noexcept {
  return mia_memalign(alignment, size);
}

MI_INLINE void *mi_valloc(size_t size) mi_attr_noexcept { return mia_valloc(size); }

MI_INLINE void *mi_pvalloc(size_t size) mi_attr_noexcept { return mia_pvalloc(size); }

MI_INLINE void *mi_aligned_alloc(size_t alignment, size_t size) mi_attr_noexcept {
  return mia_aligned_alloc(alignment, size);
}

MI_INLINE void *mi_reallocarray(void *p, size_t count, size_t size) mi_attr_noexcept {
  return mia_reallocarray(p, count, size);
}

MI_INLINE int mi_reallocarr(void *ptrp, size_t count, size_t size) mi_attr_noexcept {
  return mia_reallocarr(ptrp, count, size);
}

MI_INLINE void *mi_aligned_recalloc(void *p, size_t newcount, size_t size,
                                    size_t alignment) mi_attr_noexcept {
  return mia_recalloc_aligned(p, newcount, size, alignment);
}

MI_INLINE void *mi_aligned_offset_recalloc(void *p, size_t newcount, size_t size, size_t alignment,
                                           size_t offset) mi_attr_noexcept {
  return mia_recalloc_aligned_at(p, newcount, size, alignment, offset);
}

MI_INLINE void mi_free_size(void *p, size_t size) mi_attr_noexcept { mia_free_sized(p, size); }

MI_INLINE void mi_free_size_aligned(void *p, size_t size, size_t alignment) mi_attr_noexcept {
  mia_free_aligned_sized(p, alignment, size);
}

MI_INLINE void mi_free_aligned(void *p, size_t alignment) mi_attr_noexcept {
  (void)alignment;
  mia_free(p);
}

MI_INLINE int mi_dupenv_s(char **buf, size_t *size, const char *name) mi_attr_noexcept {
  return mia_dupenv_s(buf, size, name);
}

MI_INLINE int mi_wdupenv_s(wchar_t **buf, size_t *size, const wchar_t *name) mi_attr_noexcept {
  return mia_wdupenv_s(buf, size, name);
}

MI_INLINE wchar_t *mi_wcsdup(const wchar_t *s) mi_attr_noexcept { return mia_wcsdup(s); }

MI_INLINE unsigned char *mi_mbsdup(const unsigned char *s) mi_attr_noexcept {
  return mia_mbsdup(s);
}

MI_INLINE void *mi_new(size_t size) { return mia_new(size); }

MI_INLINE void *mi_new_aligned(size_t size, size_t alignment) {
  return mia_new_aligned(size, alignment);
}

MI_INLINE void *mi_new_nothrow(size_t size) mi_attr_noexcept { return mia_new_nothrow(size); }

MI_INLINE void *mi_new_aligned_nothrow(size_t size, size_t alignment) mi_attr_noexcept {
  return mia_new_aligned_nothrow(size, alignment);
}

MI_INLINE void *mi_new_n(size_t count, size_t size) { return mia_new_n(count, size); }

MI_INLINE void *mi_new_realloc(void *p, size_t newsize) { return mia_new_realloc(p, newsize); }

MI_INLINE void *mi_new_reallocn(void *p, size_t newcount, size_t size) {
  return mia_new_reallocn(p, newcount, size);
}

/* ---- Experimental ---- */

/* Do nothing: mialloc does not guard sampled blocks. */
MI_INLINE void mi_theap_guarded_set_sample_rate(mi_theap_t *theap, size_t sample_rate,
                                                size_t seed) {
  (void)theap;
  (void)sample_rate;
  (void)seed;
}
MI_INLINE void mi_theap_guarded_set_size_bound(mi_theap_t *theap, size_t min, size_t max) {
  (void)theap;
  (void)min;
  (void)max;
}

MI_INLINE bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                bool is_zero, int numa_node, bool exclusive,
                                mi_commit_fun_t *commit_fun, void *commit_fun_arg,
                                mi_arena_id_t *arena_id) mi_attr_noexcept {
  (void)numa_node;
  mia_arena *arena = NULL;
  bool managed = mia_manage_memory(
                     start, size,
                     mia_mi_arena_flags(exclusive, is_committed, false, is_pinned, is_zero),
                     commit_fun, commit_fun_arg, &arena) == 0;
  if (arena_id != NULL) *arena_id = arena;
  return managed;
}

MI_INLINE bool mi_unsafe_heap_page_is_under_utilized(mi_heap_t *heap, void *p,
                                                     size_t perc_threshold) mi_attr_noexcept {
  return mia_heap_page_is_under_utilized(mia_mi_heap(heap), p, perc_threshold);
}

/* ---- Deprecated ---- */

MI_INLINE bool mi_check_owned(const void *p) { return mia_any_heap_contains(p); }

MI_INLINE void mi_thread_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept {
  mia_stats stats;
  stats.size = sizeof stats;
  if (mia_thread_stats_get(&stats)) mia_stats_print_as(&stats, out, arg);
}

MI_INLINE bool mi_is_in_heap_region(const void *p) mi_attr_noexcept {
  return mia_is_in_heap_region(p);
}

MI_INLINE bool mi_theap_visit_blocks(const mi_theap_t *theap, bool visit_blocks,
                                     mi_block_visit_fun *visitor, void *arg) {
  mia_mi_visit visit = mia_mi_visiting(visitor, NULL, visit_blocks, arg);
  return mia_heap_visit_blocks(mia_mi_theap_heap(theap), visit_blocks, mia_mi_visit_block, &visit);
}

MI_INLINE int mi_reserve_huge_os_pages(size_t pages, double max_secs,
                                       size_t *pages_reserved) mi_attr_noexcept {
  mia_arena *arena = NULL;
  size_t size = 0;
  int error = mia_reserve_huge_pages(pages, -1, max_secs > 0 ? (size_t)(max_secs * 1000) : 0, 0,
                                     &arena);
  if (error == 0) (void)mia_arena_area(arena, &size);
  if (pages_reserved != NULL) *pages_reserved = size >> 30;
  return error;
}

/* Returns all memory that can be returned. */
MI_INLINE void mi_collect_reduce(size_t target_thread_owned) mi_attr_noexcept {
  (void)target_thread_owned;
  mia_collect(true);
}

/* Does nothing: counters are never reset.  Take the difference of two readings. */
MI_INLINE void mi_stats_reset(void) mi_attr_noexcept {}

/* Does nothing: statistics are summed on request. */
MI_INLINE void mi_stats_merge(void) mi_attr_noexcept {}

MI_INLINE void mi_stats_print(void *out) mi_attr_noexcept {
  (void)out;
  mia_stats_print();
}

/* ---- Removed after version 2 ---- */

MI_INLINE mi_heap_t *mi_heap_set_default(mi_heap_t *heap) {
  return mia_mi_from(mia_heap_set_default(mia_mi_heap(heap)));
}

MI_INLINE mi_heap_t *mi_heap_get_default(void) { return mia_mi_from(mia_heap_get_default()); }

MI_INLINE mi_heap_t *mi_heap_get_backing(void) { return mia_mi_from(mia_heap_main()); }

MI_INLINE bool mi_heap_contains_block(mi_heap_t *heap, const void *p) {
  return mia_heap_contains(mia_mi_heap(heap), p);
}

MI_INLINE bool mi_heap_check_owned(mi_heap_t *heap, const void *p) {
  return mia_heap_contains(mia_mi_heap(heap), p);
}

MI_INLINE void mi_subproc_delete(mi_subproc_id_t subproc) {
  mia_subproc_destroy(mia_mi_subproc(subproc));
}

/* Visits all heaps of the sub-process; the tag is ignored. */
MI_INLINE bool mi_abandoned_visit_blocks(mi_subproc_id_t subproc_id, int heap_tag,
                                         bool visit_blocks, mi_block_visit_fun *visitor,
                                         void *arg) {
  mia_mi_visit visit = mia_mi_visiting(visitor, NULL, visit_blocks, arg);
  (void)heap_tag;
  return mia_subproc_visit_heaps(mia_mi_subproc(subproc_id), mia_mi_visit_abandoned, &visit);
}

/* Do nothing: mialloc does not guard sampled blocks. */
MI_INLINE void mi_heap_guarded_set_sample_rate(mi_heap_t *heap, size_t sample_rate, size_t seed) {
  (void)heap;
  (void)sample_rate;
  (void)seed;
}
MI_INLINE void mi_heap_guarded_set_size_bound(mi_heap_t *heap, size_t min, size_t max) {
  (void)heap;
  (void)min;
  (void)max;
}

/* Any heap can be destroyed; the tag is ignored. */
MI_INLINE mi_heap_t *mi_heap_new_ex(int heap_tag, bool allow_destroy, mi_arena_id_t arena_id) {
  (void)heap_tag;
  (void)allow_destroy;
  return mia_mi_from(mia_heap_new_in_arena((mia_arena *)arena_id));
}

#ifdef __cplusplus
}
#endif

/* ---- blocks for objects of a type ---- */

#define mi_malloc_tp(tp) ((tp *)mi_malloc(sizeof(tp)))
#define mi_zalloc_tp(tp) ((tp *)mi_zalloc(sizeof(tp)))
#define mi_calloc_tp(tp, n) ((tp *)mi_calloc(n, sizeof(tp)))
#define mi_mallocn_tp(tp, n) ((tp *)mi_mallocn(n, sizeof(tp)))
#define mi_reallocn_tp(tp, p, n) ((tp *)mi_reallocn(p, n, sizeof(tp)))
#define mi_recalloc_tp(tp, p, n) ((tp *)mi_recalloc(p, n, sizeof(tp)))
#define mi_heap_malloc_tp(tp, hp) ((tp *)mi_heap_malloc(hp, sizeof(tp)))
#define mi_heap_zalloc_tp(tp, hp) ((tp *)mi_heap_zalloc(hp, sizeof(tp)))
#define mi_heap_calloc_tp(tp, hp, n) ((tp *)mi_heap_calloc(hp, n, sizeof(tp)))
#define mi_heap_mallocn_tp(tp, hp, n) ((tp *)mi_heap_mallocn(hp, n, sizeof(tp)))
#define mi_heap_reallocn_tp(tp, hp, p, n) ((tp *)mi_heap_reallocn(hp, p, n, sizeof(tp)))
#define mi_heap_recalloc_tp(tp, hp, p, n) ((tp *)mi_heap_recalloc(hp, p, n, sizeof(tp)))

/* ---- C++ ---- */

#ifdef __cplusplus
#include "mimalloc-stl.h"
#endif

#endif
