/* SPDX-License-Identifier: MIT */
/* entry.c -- the entry points, behind their fast paths. */
#include "base/prelude.h"

#include "alloc/checked.h"
#include "api/entry.h"
#include "api/hook.h"
#include "api/options.h"
#include "api/tick.h"
#include "base/fmt.h"
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_SIZE = 128 };

/* ---- out of memory ---- */

/* Reports a request that failed, as the options and the program ask for, and sets errno. */
mia_cold static void report_out_of_memory(size_t size) {
  bool fatal = mia_api_is_on(MIA_OPTION_ABORT_ON_OOM);
  if (fatal || mia_api_is_on(MIA_OPTION_SHOW_ERRORS)) {
    char buffer[MESSAGE_SIZE];
    mia_text t = mia_base_text(buffer, sizeof buffer);
    mia_base_put(&t, "no memory for ");
    mia_base_put_unsigned(&t, size);
    mia_base_put(&t, " bytes");
    mia_api_warn(buffer);
  }
  (void)mia_api_report(ENOMEM);
  if (fatal) abort();
  errno = ENOMEM;
}

void *mia_api_overflow(void) {
  report_out_of_memory(SIZE_MAX);
  return NULL;
}

/* ---- slow paths ---- */

typedef struct request {
  mia_heap *heap; /* NULL: the thread's default heap */
  void *p;        /* the block to resize; NULL: none */
  size_t size;
  size_t align;
  size_t offset;
  bool zero;
  bool exact; /* the usable size must be that of a new block */
  int error;  /* errno before the first try, if there may be a second */
} request;

mia_inline int errno_if_retry(void) { return mia_unlikely(mia_api_has_deferred()) ? errno : 0; }

static void *try_request(const request *r) {
  mia_heap *heap = r->heap != NULL ? r->heap : mia_alloc_heap_default();
  if (r->exact) return mia_alloc_resize_exact(heap, r->p, r->size, r->align);
  if (r->p != NULL) return mia_alloc_resize_in(heap, r->p, r->size, r->align, r->offset, r->zero);
  if (r->heap != NULL || r->align != 1 || r->offset != 0)
    return mia_alloc_in(heap, r->size, r->align, r->offset, r->zero);
  return r->zero ? mia_alloc_zeroed(r->size) : mia_alloc_slow(r->size, false);
}

/* A request failed: lets the program free deferred blocks, then tries again. */
mia_cold static void *retry_after_deferred(request r) {
  if (errno != ENOMEM) return NULL;
  void *p = mia_api_run_deferred(mia_theap_self, true) ? try_request(&r) : NULL;
  if (p == NULL)
    report_out_of_memory(r.size);
  else
    errno = r.error;
  return p;
}

/* Takes the request by value, so that it is built only where it is needed. */
mia_inline void *finish_request(void *p, request r) {
  if (mia_unlikely(p == NULL)) return retry_after_deferred(r);
  mia_api_tick_after_alloc();
  return p;
}

/* Steps 2 to 4 of the ladder (alloc.c). */
mia_inline void *refill_and_take(size_t room, size_t size, bool borrows) {
  void *p = mia_fast_refill(mia_theap_self, room, size);
  if (mia_likely(p != NULL)) {
    mia_api_tick_after_refill();
    return p;
  }
  if (borrows && room <= MIA_CLASS_TABLE_MAX) p = mia_alloc_borrow(room, size);
  if (p == NULL) p = mia_alloc_refill_slow(room, size);
  if (mia_likely(p != NULL)) mia_api_tick_after_alloc();
  return p;
}

/* The last step of the ladder (alloc.c). */
mia_cold static void *malloc_last(size_t size) {
  int error = errno_if_retry();
  void *p = mia_alloc_slow(size, false);
  if (p == NULL) return retry_after_deferred((request){.size = size, .align = 1, .error = error});
  mia_api_tick_after_refill();
  return p;
}

mia_noinline static void *malloc_large(size_t size) {
  void *p = mia_fast_large(mia_theap_self, size);
  if (mia_likely(p != NULL)) return p;
  p = mia_alloc_cached_large(size);
  if (mia_unlikely(p == NULL)) return malloc_last(size);
  mia_api_tick_after_refill();
  return p;
}

mia_noinline static void *malloc_checked_slow(size_t size) {
  void *p = mia_alloc_checked_slow(size);
  if (mia_unlikely(p == NULL)) return malloc_last(size);
  mia_api_tick_after_alloc();
  return p;
}

/* All of malloc in security tiers from 1 on. */
mia_noinline static void *malloc_checked(size_t size) {
  void *p = mia_checked_malloc(size);
  if (mia_unlikely(p == NULL)) return malloc_checked_slow(size);
  mia_api_tick();
  return p;
}

mia_inline void *malloc_slow(size_t size, bool borrows) {
  if (mia_tier_is_checked()) return malloc_checked(size);
  size_t room = mia_canary_fast_room(size);
  if (mia_unlikely(room > MIA_CLASS_SIZE_MAX)) return malloc_large(size);
  void *p = refill_and_take(room, size, borrows);
  return mia_likely(p != NULL) ? p : malloc_last(size);
}

void *mia_api_malloc_slow(size_t size) { return malloc_slow(size, false); }
void *mia_api_borrow_slow(size_t size) { return malloc_slow(size, true); }

void mia_api_free_slow(void *p) {
  mia_alloc_free_slow(p);
  mia_api_tick_after_free();
}

/* Calls nothing, so that it saves no register. */
void mia_api_free_remote(mia_page *page, void *p) {
  if (mia_unlikely(!mia_fast_free_remote(mia_theap_self, page, p))) mia_api_free_other(page, p);
}

void mia_api_free_other(mia_page *page, void *p) {
  if (mia_tier_is_checked())
    mia_checked_free(page, p, p);
  else if (mia_unlikely(!mia_fast_free_other(mia_theap_self, page, p)))
    mia_alloc_free_slow(p);
  mia_api_tick_after_free();
}

void mia_api_free_tagged(mia_page *page, void *given) {
  if (mia_tier_is_checked())
    mia_api_free_slow(given);
  else
    mia_api_free_remote(page, mia_map_untagged(given));
}

void *mia_api_zalloc(size_t size) {
  int error = errno_if_retry();
  void *p = mia_alloc_zeroed(size);
  return finish_request(p, (request){.size = size, .align = 1, .zero = true, .error = error});
}

mia_noinline static void *refill_aligned(size_t size, size_t align) {
  if (mia_tier_is_checked() || !mia_fast_is_aligned_class(size, align)) return NULL;
  return refill_and_take(mia_fast_aligned_room(size, align), size, false);
}

void *mia_api_aligned(size_t size, size_t align, bool zero) {
  void *fast = zero ? NULL : mia_fast_aligned(size, align);
  if (mia_unlikely(fast == NULL) && !zero) fast = refill_aligned(size, align);
  if (mia_likely(fast != NULL)) return fast;
  int error = errno_if_retry();
  void *p = mia_alloc_aligned(size, align, zero);
  return finish_request(p, (request){.size = size, .align = align, .zero = zero, .error = error});
}

void *mia_api_realloc_slow(void *p, size_t size, size_t align) {
  int error = errno_if_retry();
  void *q = mia_alloc_resize(p, size, align);
  return finish_request(q, (request){.p = p, .size = size, .align = align, .error = error});
}

void *mia_api_realloc(void *p, size_t size, size_t align) {
  void *q = align == 1 ? mia_enter_resize_small(p, size) : NULL;
  return mia_likely(q != NULL) ? q : mia_api_realloc_slow(p, size, align);
}

/* ---- allocation from a heap ---- */

void *mia_api_heap_malloc(mia_heap *heap, size_t size, bool zero) {
  int error = errno_if_retry();
  void *p = mia_alloc_heap_malloc(heap, size, zero);
  return finish_request(
      p, (request){.heap = heap, .size = size, .align = 1, .zero = zero, .error = error});
}

void *mia_api_heap_aligned(mia_heap *heap, size_t size, size_t align, size_t offset, bool zero) {
  int error = errno_if_retry();
  void *p = mia_alloc_in(heap, size, align, offset, zero);
  return finish_request(p, (request){.heap = heap,
                                     .size = size,
                                     .align = align,
                                     .offset = offset,
                                     .zero = zero,
                                     .error = error});
}

mia_inline void *resize(request r) {
  r.error = errno_if_retry();
  void *q = mia_alloc_resize_in(r.heap, r.p, r.size, r.align, r.offset, r.zero);
  return finish_request(q, r);
}

void *mia_api_heap_realloc(mia_heap *heap, void *p, size_t size, size_t align, size_t offset) {
  return resize((request){.heap = heap, .p = p, .size = size, .align = align, .offset = offset});
}

void *mia_api_heap_rezalloc(mia_heap *heap, void *p, size_t size, size_t align, size_t offset) {
  return resize((request){
      .heap = heap, .p = p, .size = size, .align = align, .offset = offset, .zero = true});
}

void *mia_api_realloc_exact(void *p, size_t size, size_t align) {
  int error = errno_if_retry();
  void *q = mia_alloc_resize_exact(mia_alloc_heap_default(), p, size, align);
  return finish_request(
      q, (request){.p = p, .size = size, .align = align, .exact = true, .error = error});
}

/* ---- the C library's rules ---- */

mia_cold static void *aligned_keeping_errno(size_t size, size_t align) {
  int error = errno;
  void *p = mia_api_aligned(size, align, false);
  errno = error;
  return p;
}

int mia_api_posix_memalign(void **result, size_t align, size_t size) {
  if (!mia_is_power_of_two(align) || align % sizeof(void *) != 0) return EINVAL;
  void *p = mia_fast_aligned(size, align);
  if (mia_unlikely(p == NULL)) p = refill_aligned(size, align);
  if (mia_unlikely(p == NULL)) p = aligned_keeping_errno(size, align);
  if (p == NULL) return ENOMEM;
  *result = p;
  return 0;
}

void *mia_api_memalign(size_t align, size_t size) {
  size_t rounded = mia_power_above(align);
  if (rounded == 0) { /* no power of two is as large */
    errno = EINVAL;
    return NULL;
  }
  return mia_api_aligned(size, rounded, false);
}

void *mia_api_pvalloc(size_t size) {
  size_t page = mia_os_page_size();
  size_t rounded = mia_align_up(size > 0 ? size : 1, page);
  if (rounded < size) return mia_api_overflow();
  return mia_api_aligned(rounded, page, false);
}

void mia_api_free_sized(void *p, size_t size, size_t align) {
  if (!MIA_DEBUG && mia_likely(mia_fast_free(p))) return;
  if (mia_alloc_is_sized(p, size, align)) mia_enter_free(p);
}

size_t mia_api_memalignment(const void *p) {
  uintptr_t address = (uintptr_t)p;
  return (size_t)(address & -address);
}
