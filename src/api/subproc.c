/* SPDX-License-Identifier: MIT */
/* subproc.c -- sub-processes. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/heap.h"
#include "api/subproc.h"
#include "arena/arena.h"
#include "arena/meta.h"
#include "base/bits.h"
#include "os/os.h"
#include "theap/thread.h"

#include <errno.h>

/* ---- which heap belongs to which sub-process ---- */

mia_subproc *mia_subproc_main(void) { return &mia_api_all.main; }

mia_subproc *mia_subproc_current(void) {
  mia_subproc *subproc = mia_theap_self->subproc;
  return subproc != NULL ? subproc : mia_subproc_main();
}

mia_heap *mia_api_main_heap_of(const mia_subproc *subproc) {
  return subproc->main != NULL ? subproc->main : mia_alloc_heap_main();
}

mia_heap *mia_heap_main(void) { return mia_api_main_heap_of(mia_subproc_current()); }

bool mia_api_is_main_heap(const mia_heap *heap) {
  return heap == mia_alloc_heap_main() || (heap->subproc != NULL && heap->subproc->main == heap);
}

const mia_subproc *mia_api_subproc_of(const mia_heap *heap) {
  return heap->subproc != NULL ? heap->subproc : &mia_api_all.main;
}

void mia_api_subproc_enter(mia_subproc *subproc, mia_heap *heap) {
  mia_os_lock(&mia_api_all.subprocs);
  heap->subproc = subproc;
  heap->prev = NULL;
  heap->next = subproc->heaps;
  if (heap->next != NULL) heap->next->prev = heap;
  subproc->heaps = heap;
  mia_os_unlock(&mia_api_all.subprocs);
}

void mia_api_subproc_leave(mia_heap *heap) {
  mia_os_lock(&mia_api_all.subprocs);
  if (heap->prev != NULL)
    heap->prev->next = heap->next;
  else
    heap->subproc->heaps = heap->next;
  if (heap->next != NULL) heap->next->prev = heap->prev;
  mia_os_unlock(&mia_api_all.subprocs);
}

/* ---- creating and ending ---- */

/* Creates a sub-process.  The caller holds [lock:subprocs]. */
static mia_subproc *make_subproc(void) {
  mia_subproc *subproc = mia_arena_meta(sizeof *subproc);
  if (subproc == NULL) return NULL;
  subproc->next = mia_api_all.main.next;
  mia_api_all.main.next = subproc;
  return subproc;
}

static mia_subproc *take_unused_or_new(void) {
  mia_os_lock(&mia_api_all.subprocs);
  mia_subproc *subproc = mia_api_all.unused_subprocs;
  if (subproc != NULL)
    mia_api_all.unused_subprocs = subproc->unused;
  else
    subproc = make_subproc();
  mia_os_unlock(&mia_api_all.subprocs);
  return subproc;
}

static void recycle(mia_subproc *subproc) {
  mia_os_lock(&mia_api_all.subprocs);
  subproc->unused = mia_api_all.unused_subprocs;
  mia_api_all.unused_subprocs = subproc;
  mia_os_unlock(&mia_api_all.subprocs);
}

mia_subproc *mia_subproc_new(void) {
  mia_subproc *subproc = take_unused_or_new();
  if (subproc == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  mia_heap *heap = mia_alloc_heap_new(NULL);
  if (heap == NULL) {
    recycle(subproc);
    return NULL;
  }
  subproc->main = heap;
  mia_api_subproc_enter(subproc, heap);
  return subproc;
}

void mia_subproc_destroy(mia_subproc *subproc) {
  if (subproc == NULL || subproc == mia_subproc_main()) return;
  if (subproc == mia_subproc_current()) mia_subproc_add_current_thread(mia_subproc_main());
  while (subproc->heaps != NULL) {
    mia_heap *heap = subproc->heaps;
    mia_api_subproc_leave(heap);
    mia_alloc_heap_destroy(heap, mia_alloc_heap_main());
  }
  recycle(subproc);
}

void mia_subproc_add_current_thread(mia_subproc *subproc) {
  mia_theap *self = mia_theap_attach();
  if (self == NULL) return;
  self->subproc = subproc != mia_subproc_main() ? subproc : NULL;
  (void)mia_alloc_heap_choose(mia_api_main_heap_of(subproc));
}

/* ---- walking ---- */

void mia_api_each_heap(mia_heap_visitor *visit, void *arg) {
  bool going_on = visit(mia_alloc_heap_main(), arg);
  mia_os_lock(&mia_api_all.subprocs);
  for (const mia_subproc *s = &mia_api_all.main; s != NULL; s = s->next)
    for (mia_heap *heap = s->heaps; going_on && heap != NULL; heap = heap->next)
      going_on = visit(heap, arg);
  mia_os_unlock(&mia_api_all.subprocs);
}

/* Stores up to `room' heaps of a sub-process, without its main heap.  Returns how many there
 * are. */
static size_t list_heaps(const mia_subproc *subproc, mia_heap **heaps, size_t room) {
  size_t count = 0;
  const mia_heap *main = mia_api_main_heap_of(subproc);
  mia_os_lock(&mia_api_all.subprocs);
  for (mia_heap *heap = subproc->heaps; heap != NULL; heap = heap->next) {
    if (heap == main) continue;
    if (count < room) heaps[count] = heap;
    count++;
  }
  mia_os_unlock(&mia_api_all.subprocs);
  return count;
}

/* The list is no block, as the visitor may count the blocks. */
bool mia_subproc_visit_heaps(mia_subproc *subproc, mia_heap_visitor *visit, void *arg) {
  mia_heap **heaps = NULL;
  size_t size = 0, count;
  while ((count = list_heaps(subproc, heaps, size / sizeof *heaps)) > size / sizeof *heaps) {
    if (heaps != NULL) (void)mia_os_release(heaps, size);
    size = mia_align_up(count * sizeof *heaps, mia_os_page_size());
    heaps = mia_os_reserve(size, true);
    if (heaps == NULL) {
      errno = ENOMEM;
      return false;
    }
  }
  bool going_on = visit(mia_api_main_heap_of(subproc), arg);
  for (size_t i = 0; going_on && i < count; i++) going_on = visit(heaps[i], arg);
  if (heaps != NULL) (void)mia_os_release(heaps, size);
  return going_on;
}
