/* SPDX-License-Identifier: MIT */
/* heap_calls.c -- the public functions of heaps. */
#include "base/prelude.h"

#include "api/entry.h"
#include "api/give_back.h"
#include "api/subproc.h"
#include "api/tick.h"
#include "api/world.h"
#include "page/owner.h"
#include "theap/bin.h"

#include <mialloc/heap.h>

#include <errno.h>

/* ---- creating and ending heaps ---- */

mia_heap *mia_heap_new(void) { return mia_heap_new_in_arena(NULL); }

mia_heap *mia_heap_new_in_arena(mia_arena *arena) {
  mia_heap *heap = mia_alloc_heap_new(arena);
  if (heap != NULL) mia_api_subproc_enter(mia_subproc_current(), heap);
  return heap;
}

/* Returns false if the heap must not end. */
static bool begin_ending(mia_heap *heap) {
  if (heap == NULL || mia_api_is_main_heap(heap)) return false;
  if (heap == mia_alloc_heap_default()) (void)mia_heap_set_default(NULL);
  mia_api_subproc_leave(heap);
  return true;
}

void mia_heap_delete(mia_heap *heap) {
  if (!begin_ending(heap)) return;
  mia_alloc_heap_delete(heap, mia_api_main_heap_of(mia_api_subproc_of(heap)));
  mia_api_tick_after_free();
}

void mia_heap_destroy(mia_heap *heap) {
  if (!begin_ending(heap)) return;
  mia_alloc_heap_destroy(heap, mia_api_main_heap_of(mia_api_subproc_of(heap)));
  mia_api_tick_after_free();
}

void mia_heap_collect(mia_heap *heap, bool force) {
  /* mia_api_purge collects the main heap. */
  if (!force || heap != mia_alloc_heap_main()) mia_alloc_heap_collect(heap, force);
  if (force) (void)mia_api_purge();
}

/* ---- finding heaps ---- */

mia_heap *mia_heap_of(const void *p) {
  const mia_page *page = mia_api_page_around(p);
  return page != NULL ? mia_theap_heap_of(page) : NULL;
}

bool mia_heap_contains(const mia_heap *heap, const void *p) {
  return heap != NULL && mia_heap_of(p) == heap;
}

mia_heap *mia_heap_get_default(void) { return mia_alloc_heap_default(); }

mia_heap *mia_heap_set_default(mia_heap *heap) {
  mia_heap *before = mia_alloc_heap_default();
  /* If this fails for lack of memory, the thread has no heap, so its default was the main one
   * and stays. */
  (void)mia_alloc_heap_choose(heap != NULL ? heap : mia_heap_main());
  return before;
}

/* ---- blocks ---- */

void *mia_heap_malloc(mia_heap *heap, size_t size) {
  return mia_api_heap_malloc(heap, size, false);
}
void *mia_heap_zalloc(mia_heap *heap, size_t size) { return mia_api_heap_malloc(heap, size, true); }

void *mia_heap_calloc(mia_heap *heap, size_t count, size_t size) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_api_heap_malloc(heap, total, true);
}

void *mia_heap_mallocn(mia_heap *heap, size_t count, size_t size) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_api_heap_malloc(heap, total, false);
}

void *mia_heap_malloc_aligned_at(mia_heap *heap, size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_aligned(heap, size, alignment, offset, false);
}
void *mia_heap_malloc_aligned(mia_heap *heap, size_t size, size_t alignment) {
  return mia_api_heap_aligned(heap, size, alignment, 0, false);
}
void *mia_heap_zalloc_aligned_at(mia_heap *heap, size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_aligned(heap, size, alignment, offset, true);
}
void *mia_heap_zalloc_aligned(mia_heap *heap, size_t size, size_t alignment) {
  return mia_api_heap_aligned(heap, size, alignment, 0, true);
}

void *mia_heap_calloc_aligned_at(mia_heap *heap, size_t count, size_t size, size_t alignment,
                                 size_t offset) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_api_heap_aligned(heap, total, alignment, offset, true);
}
void *mia_heap_calloc_aligned(mia_heap *heap, size_t count, size_t size, size_t alignment) {
  return mia_heap_calloc_aligned_at(heap, count, size, alignment, 0);
}

/* ---- resizing ---- */

void *mia_heap_realloc_aligned_at(mia_heap *heap, void *p, size_t size, size_t alignment,
                                  size_t offset) {
  return mia_api_heap_realloc(heap, p, size, alignment, offset);
}
void *mia_heap_realloc_aligned(mia_heap *heap, void *p, size_t size, size_t alignment) {
  return mia_api_heap_realloc(heap, p, size, alignment, 0);
}
void *mia_heap_realloc(mia_heap *heap, void *p, size_t size) {
  return mia_api_heap_realloc(heap, p, size, 1, 0);
}

void *mia_heap_reallocarray(mia_heap *heap, void *p, size_t count, size_t size) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_api_heap_realloc(heap, p, total, 1, 0);
}

void *mia_heap_reallocf(mia_heap *heap, void *p, size_t size) {
  void *q = mia_api_heap_realloc(heap, p, size, 1, 0);
  if (q == NULL) mia_enter_free(p);
  return q;
}

void *mia_heap_rezalloc_aligned_at(mia_heap *heap, void *p, size_t size, size_t alignment,
                                   size_t offset) {
  return mia_api_heap_rezalloc(heap, p, size, alignment, offset);
}
void *mia_heap_rezalloc_aligned(mia_heap *heap, void *p, size_t size, size_t alignment) {
  return mia_api_heap_rezalloc(heap, p, size, alignment, 0);
}
void *mia_heap_rezalloc(mia_heap *heap, void *p, size_t size) {
  return mia_api_heap_rezalloc(heap, p, size, 1, 0);
}

void *mia_heap_recalloc_aligned_at(mia_heap *heap, void *p, size_t count, size_t size,
                                   size_t alignment, size_t offset) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_api_heap_rezalloc(heap, p, total, alignment, offset);
}
void *mia_heap_recalloc_aligned(mia_heap *heap, void *p, size_t count, size_t size,
                                size_t alignment) {
  return mia_heap_recalloc_aligned_at(heap, p, count, size, alignment, 0);
}
void *mia_heap_recalloc(mia_heap *heap, void *p, size_t count, size_t size) {
  return mia_heap_recalloc_aligned_at(heap, p, count, size, 1, 0);
}

/* ---- walking ---- */

typedef struct walk {
  mia_block_visitor *visit;
  void *arg;
  bool abandoned_only;
  bool skipped; /* true: the visitor does not see the current area */
} walk;

static bool visit_one(mia_heap *heap, const mia_area *a, void *block, size_t size, void *arg) {
  walk *w = arg;
  if (block == NULL && w->abandoned_only)
    w->skipped = mia_aword_get(&mia_page_of(a->blocks)->owner) != 0;
  if (w->skipped) return true;
  mia_heap_area area = {.blocks = a->blocks,
                        .reserved = a->reserved,
                        .committed = a->committed,
                        .used = a->used,
                        .block_size = a->block_size,
                        .full_block_size = a->full_block_size};
  return w->visit(heap, &area, block, size, w->arg);
}

bool mia_heap_visit_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit, void *arg) {
  walk w = {.visit = visit, .arg = arg};
  return mia_alloc_heap_visit(heap, blocks, visit_one, &w);
}

bool mia_heap_visit_abandoned_blocks(mia_heap *heap, bool blocks, mia_block_visitor *visit,
                                     void *arg) {
  walk w = {.visit = visit, .arg = arg, .abandoned_only = true};
  return mia_alloc_heap_visit(heap, blocks, visit_one, &w);
}

bool mia_heap_page_is_under_utilized(mia_heap *heap, const void *p, size_t percent) {
  enum { ALL = 100 };
  const mia_page *page = mia_api_page_around(p);
  if (page == NULL || mia_theap_heap_of(page) != heap) return false;
  return (size_t)page->used * ALL < (percent < ALL ? percent : ALL) * page->total;
}
