/* SPDX-License-Identifier: MIT */
/* entry.h -- the entry points: what all public names of one function do.
 *
 * Each name inlines the fast path.  If that fails, a function out of line continues, which also
 * runs a tick if pages came or went. */
#ifndef MIA_API_ENTRY_H
#define MIA_API_ENTRY_H

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/heap.h"
#include "api/hook.h"
#include "api/tick.h"
#include "base/bits.h"

mia_noinline void *mia_api_malloc_slow(size_t size);
mia_noinline void *mia_api_borrow_slow(size_t size);
mia_noinline void mia_api_free_slow(void *p);
mia_noinline void mia_api_free_remote(mia_page *page, void *p);
mia_noinline void mia_api_free_other(mia_page *page, void *p);
mia_noinline void mia_api_free_tagged(mia_page *page, void *given);
mia_cold void *mia_api_overflow(void);

mia_inline void *mia_enter_malloc(size_t size) {
  void *p = mia_fast_malloc(size);
  return mia_likely(p != NULL) ? p : mia_api_malloc_slow(size);
}

/* Likewise for the names of others, which do not promise the usable size that mia_good_size returns. */
mia_inline void *mia_enter_borrow(size_t size) {
  void *p = mia_fast_malloc(size);
  return mia_likely(p != NULL) ? p : mia_api_borrow_slow(size);
}

mia_inline void mia_enter_free(void *given) {
  void *p = mia_map_untagged(given);
  mia_page *page = mia_page_of_block(p);
  if (mia_unlikely(page == NULL))
    mia_api_free_slow(p);
  else if (mia_unlikely(!mia_fast_free_of(mia_theap_self, page, p))) {
    if (MIA_MEMORY_TAGS && given != p)
      mia_api_free_tagged(page, given);
    else
      mia_api_free_remote(page, p);
  }
}

void *mia_api_zalloc(size_t size);
void *mia_api_aligned(size_t size, size_t align, bool zero);
void *mia_api_realloc(void *p, size_t size, size_t align);
mia_noinline void *mia_api_realloc_slow(void *p, size_t size, size_t align);
void *mia_api_realloc_exact(void *p, size_t size, size_t align);

/* Allocate from a heap; (p + offset) is the multiple of `align'.  The last function leaves
 * zeros behind the contents that it keeps. */
void *mia_api_heap_malloc(mia_heap *heap, size_t size, bool zero);
void *mia_api_heap_aligned(mia_heap *heap, size_t size, size_t align, size_t offset, bool zero);
void *mia_api_heap_realloc(mia_heap *heap, void *p, size_t size, size_t align, size_t offset);
void *mia_api_heap_rezalloc(mia_heap *heap, void *p, size_t size, size_t align, size_t offset);

/* Returns the page of the block, in use or free, that `p' points to or into; NULL if `p' points
 * into no block of ours. */
mia_page *mia_api_page_around(const void *p);

/* The functions for which the C library has special rules. */
int mia_api_posix_memalign(void **result, size_t align, size_t size);
void *mia_api_memalign(size_t align, size_t size);
void *mia_api_pvalloc(size_t size);
void mia_api_free_sized(void *p, size_t size, size_t align);
size_t mia_api_memalignment(const void *p);

mia_inline void *mia_enter_calloc(size_t count, size_t size) {
  size_t total;
  if (mia_unlikely(!mia_product(count, size, &total))) return mia_api_overflow();
  return mia_api_zalloc(total);
}

mia_inline void *mia_enter_reallocarray(void *p, size_t count, size_t size) {
  size_t total;
  if (mia_unlikely(!mia_product(count, size, &total))) return mia_api_overflow();
  return mia_api_realloc(p, total, 1);
}

/* Returns NULL if mia_api_realloc_slow must serve the request. */
mia_inline void *mia_enter_resize_small(void *p, size_t size) {
  void *q = mia_alloc_resize_small(p, size);
  if (mia_likely(q != NULL)) mia_api_tick_after_alloc();
  return q;
}

#endif
