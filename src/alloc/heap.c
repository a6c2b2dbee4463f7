/* SPDX-License-Identifier: MIT */
/* heap.c -- heaps that the program makes. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/heap.h"
#include "arena/unload.h"
#include "page/live.h"
#include "page/owner.h"
#include "page/trim.h"
#include "theap/bin.h"
#include "theap/clock.h"
#include "theap/heap_table.h"
#include "theap/thread.h"
#include "theap/trim_pages.h"

#include <errno.h>

mia_heap *mia_alloc_heap_main(void) { return mia_theap_main_heap(); }

mia_heap *mia_alloc_heap_new(mia_arena *only) {
  mia_heap *heap = mia_theap_heap_new(only);
  if (heap == NULL) errno = ENOMEM;
  return heap;
}

void mia_alloc_heap_delete(mia_heap *heap, mia_heap *to) {
  mia_theap_heap_delete(mia_theap_self, heap, to);
}

void mia_alloc_heap_destroy(mia_heap *heap, mia_heap *to) {
  mia_theap_heap_destroy(mia_theap_self, heap, to);
}

mia_heap *mia_alloc_heap_of(const void *p) {
  const mia_page *page = mia_page_of(p);
  return page != NULL ? mia_theap_heap_of(page) : NULL;
}

mia_heap *mia_alloc_heap_default(void) { return mia_theap_default_heap(mia_theap_self); }

bool mia_alloc_heap_choose(mia_heap *heap) {
  mia_theap *self = mia_theap_attach();
  if (self == NULL) return false;
  self->default_heap = heap != mia_theap_main_heap() ? heap : NULL;
  if (self->default_heap != NULL) mia_theap_return_pages(self);
  return true;
}

/* Tries the free list of the thread's theap for the heap first. */
void *mia_alloc_heap_malloc(mia_heap *heap, size_t size, bool zero) {
  mia_theap *self = mia_theap_self;
  size_t room = mia_canary_fast_room(size);
  if (!zero && room <= MIA_CLASS_SIZE_MAX && !mia_theap_is_none(self)) {
    mia_theap *theap = mia_theap_of_heap(self, heap);
    void *p = theap != NULL ? mia_fast_take_from(theap, room, size) : NULL;
    if (p != NULL) return p;
  }
  return mia_alloc_in(heap, size, 1, 0, zero);
}

void mia_alloc_heap_collect(mia_heap *heap, bool trim) {
  mia_budget budget = MIA_BUDGET_ALL;
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) {
    mia_theap *theap = mia_theap_of_heap(self, heap);
    if (theap != NULL) mia_theap_collect(theap);
    if (theap != NULL && trim) mia_theap_trim_own(theap, true, &budget);
    if (theap != NULL) mia_clock_pass_on(theap, self);
  }
  if (trim) mia_theap_trim_heap(self, heap);
}

/* ---- walking ---- */

typedef struct walk {
  mia_heap *heap;
  bool blocks;
  mia_visitor *visit;
  void *arg;
} walk;

enum { WORD_BITS = sizeof(uintptr_t) * CHAR_BIT };

/* A bit for each block of a page that is not in use. */
typedef struct free_set {
  uintptr_t words[MIA_SLICE_SIZE / MIA_BLOCK_MIN / WORD_BITS];
} free_set;

mia_static_assert(MIA_CLASS_SLICES_MAX *MIA_SLICE_SIZE / (MIA_SLICE_SIZE / 8) <=
                      MIA_SLICE_SIZE / MIA_BLOCK_MIN,
                  "a page of one slice can have more blocks than any other");

static void add(free_set *set, size_t i) {
  set->words[i / WORD_BITS] |= (uintptr_t)1 << i % WORD_BITS;
}

/* Checks each link: a list that the program wrote to may leave the page or never end. */
static void mark_list(const mia_page *page, const mia_block *list, free_set *set) {
  const mia_block *before = list;
  for (size_t count = 0; list != NULL; before = list, list = list->next) {
    size_t i = (size_t)((const char *)list - page->start) / page->size;
    if (i >= page->capacity) mia_page_misuse(page, MIA_MISUSE_WRITTEN, before);
    if (count++ == page->capacity) mia_page_misuse(page, MIA_MISUSE_TWICE, list);
    add(set, i);
  }
}

static void mark_not_live(const mia_page *page, free_set *set) {
  const mia_record *record = mia_live_record(page);
  for (uint32_t i = 0; i < page->capacity; i++)
    if (!mia_live_is(record, i)) add(set, i);
}

/* No thread frees blocks of the heap during the walk, so the lists do not change. */
static void mark_free(const mia_page *page, free_set *set) {
  if (mia_tier_is_checked()) {
    mark_not_live(page, set);
    return;
  }
  mark_list(page, page->free, set);
  mark_list(page, mia_owner_list(page, mia_aword_get(&page->remote)), set);
  const mia_theap *owner = (const mia_theap *)mia_aword_get(&page->owner);
  if (owner != NULL && owner->bins[page->size_class].page == page &&
      !owner->bins[page->size_class].from_magazine)
    mark_list(page, mia_theap_free_list(owner, page->size_class), set);
}

static void mark_trimmed(const mia_page *page, free_set *set) {
  for (size_t i = 0; page->trimmed_blocks > 0 && i < page->capacity; i++)
    if (mia_page_is_trimmed(page, page->start + i * page->size)) add(set, i);
}

static bool is_free(const free_set *set, size_t i) {
  return (set->words[i / WORD_BITS] >> i % WORD_BITS & 1) != 0;
}

static size_t count_used(const mia_page *page, const free_set *set) {
  if (page->size_class >= MIA_CLASS_COUNT) return page->used;
  size_t used = 0;
  for (size_t i = 0; i < page->capacity; i++) used += !is_free(set, i);
  return used;
}

/* A block may be free although the walk sees it as live: then returns the largest usable size
 * that it can have. */
static size_t usable_of(const mia_page *page, const void *block) {
  bool is_poisoned = page->size_class < MIA_CLASS_COUNT && !mia_tier_is_checked() &&
                     mia_page_is_poisoned(page, block);
  bool has_canary = MIA_DEBUG && !is_poisoned;
  return has_canary ? mia_page_require_canary(page, block) : mia_canary_capacity(page);
}

static bool visit_page(const walk *w, mia_page *page) {
  free_set set = {0};
  if (page->size_class < MIA_CLASS_COUNT) {
    mark_free(page, &set);
    mark_trimmed(page, &set);
  }
  mia_area area = {.blocks = page->start,
                   .reserved = page->total * page->size,
                   .committed = page->capacity * page->size,
                   .used = count_used(page, &set),
                   .block_size = mia_canary_capacity(page),
                   .full_block_size = page->size};
  if (area.used == 0) return true;
  if (!w->visit(w->heap, &area, NULL, area.block_size, w->arg)) return false;
  for (size_t i = 0; w->blocks && i < page->capacity; i++) {
    if (is_free(&set, i)) continue;
    char *block = page->start + i * page->size;
    size_t usable = usable_of(page, block);
    if (!w->visit(w->heap, &area, mia_tags_address(block), usable, w->arg)) return false;
  }
  return true;
}

/* Returns the first page of a heap that begins in the arena's slice *slice or a later one, or
 * NULL, and sets *slice to the slice where the page begins.  A descriptor describes a page if the
 * page map has it.  The arena is protected from unloading only during the search: one that
 * has a page of the heap is not unloaded. */
mia_racy_read static mia_page *find_page(size_t nth, const mia_heap *heap, size_t *slice) {
  mia_page *found = NULL;
  mia_arena_begin_read();
  const mia_arena *arena = mia_arena_nth(nth);
  for (size_t i = *slice; i < arena->slices && found == NULL; i++) {
    mia_page *page = mia_map_page_set_at(arena->start + (i << MIA_SLICE_SHIFT));
    *slice = i;
    if (page == NULL || mia_theap_heap_of(page) != heap || page->arena != arena) continue;
    if (mia_arena_slice_of(arena, page->start) == i) found = page; /* its first slice */
  }
  mia_arena_end_read();
  return found;
}

static bool visit_arena(const walk *w, size_t nth) {
  mia_page *page;
  for (size_t i = 0; (page = find_page(nth, w->heap, &i)) != NULL; i++)
    if (!visit_page(w, page)) return false;
  return true;
}

bool mia_alloc_heap_visit(mia_heap *heap, bool blocks, mia_visitor *visit, void *arg) {
  walk w = {.heap = heap, .blocks = blocks, .visit = visit, .arg = arg};
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) mia_theap_flush_remote(self);
  for (mia_page *page = heap->pages; page != NULL; page = page->heap_next)
    if (!visit_page(&w, page)) return false;
  if (heap != mia_theap_main_heap()) return true;
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (!visit_arena(&w, i)) return false;
  return true;
}
