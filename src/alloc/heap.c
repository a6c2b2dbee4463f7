/* heap.c -- heaps that a program makes. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "alloc/heap.h"
#include "page/owner.h"
#include "page/trim.h"
#include "theap/bin.h"
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

/* A list that is not at its end needs nothing but the thread's local. */
void *mia_alloc_heap_malloc(mia_heap *heap, size_t size, bool zero) {
  mia_theap *self = mia_theap_self;
  size_t room = mia_canary_room(size);
  if (!zero && room <= MIA_CLASS_SIZE_MAX && !mia_theap_is_none(self)) {
    mia_theap *local = mia_theap_of_heap(self, heap);
    void *p = local != NULL ? mia_fast_take_from(local, room, size) : NULL;
    if (p != NULL) return p;
  }
  return mia_alloc_in(heap, size, 1, 0, zero);
}

void mia_alloc_heap_collect(mia_heap *heap, bool trim) {
  mia_budget budget = MIA_BUDGET_ALL;
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) {
    mia_theap *local = mia_theap_of_heap(self, heap);
    if (local != NULL) mia_theap_collect(local);
    if (local != NULL && trim) mia_theap_trim_own(local, true, &budget);
  }
  if (trim) (void)mia_theap_trim_abandoned(self, heap, MIA_TRIM_ALL, &budget);
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
                  "a page of several slices has fewer blocks than one of one");

static void add(free_set *set, size_t i) {
  set->words[i / WORD_BITS] |= (uintptr_t)1 << i % WORD_BITS;
}

/* A list that the program wrote to ends anywhere, or nowhere. */
static void mark(const mia_page *page, const mia_block *list, free_set *set) {
  const mia_block *before = list;
  for (size_t count = 0; list != NULL; before = list, list = list->next) {
    size_t i = (size_t)((const char *)list - page->start) / page->size;
    if (i >= page->capacity) mia_base_misuse("block written to after it was freed", before);
    if (count++ == page->capacity) mia_base_misuse("block freed twice", list);
    add(set, i);
  }
}

/* Nobody frees meanwhile: what others freed before is known. */
static void mark_free(const mia_page *page, free_set *set) {
  mark(page, page->free, set);
  mark(page, mia_owner_list(page, mia_aword_get(&page->remote)), set);
  const mia_theap *owner = (const mia_theap *)mia_aword_get(&page->owner);
  if (owner != NULL && owner->bins[page->size_class].page == page &&
      !owner->bins[page->size_class].from_magazine)
    mark(page, mia_theap_free_list(owner, page->size_class), set);
}

static void mark_away(const mia_page *page, free_set *set) {
  for (size_t i = 0; page->trimmed_blocks > 0 && i < page->capacity; i++)
    if (mia_page_is_away(page, page->start + i * page->size)) add(set, i);
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

/* Of a block that is free and seen as in use: the most that it could have. */
static size_t usable_of(const mia_page *page, const void *block) {
  bool guarded = MIA_DEBUG &&
                 !(page->size_class < MIA_CLASS_COUNT && mia_page_is_poisoned(page, block));
  return guarded ? mia_page_require_canary(page, block) : mia_canary_capacity(page);
}

static bool visit_page(const walk *w, mia_page *page) {
  free_set set = {0};
  if (page->size_class < MIA_CLASS_COUNT) {
    mark_free(page, &set);
    mark_away(page, &set);
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
    if (!w->visit(w->heap, &area, block, usable_of(page, block), w->arg)) return false;
  }
  return true;
}

/* The first page of a heap that begins in an arena's slice *slice or behind; NULL: there
 * is none.  A descriptor is a page's if the page map says so.  Only while it is looked
 * for may the arena go: one that has a page of the heap stays. */
mia_glance static mia_page *find_page(size_t nth, const mia_heap *heap, size_t *slice) {
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
