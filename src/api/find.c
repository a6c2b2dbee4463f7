/* SPDX-License-Identifier: MIT */
/* find.c -- finds the page that any pointer points into. */
#include "base/prelude.h"

#include "api/entry.h"
#include "api/subproc.h"
#include "arena/unload.h"

/* Returns true if `p' points to or into a block of the page, in use or free. */
mia_racy_read static bool page_contains(const mia_page *page, const void *p) {
  return (uintptr_t)p - (uintptr_t)page->start < page->total * page->size;
}

/* The page map has only the first slice of a large page.  So only the nearest page before the
 * slice of `p' can contain it. */
static mia_page *find_large(const mia_arena *arena, const void *p) {
  size_t slice = mia_arena_slice_of(arena, p);
  for (size_t back = 1; back < MIA_SPAN_MAX_SLICES && back <= slice; back++) {
    mia_page *page = mia_page_of(arena->start + ((slice - back) << MIA_SLICE_SHIFT));
    if (page != NULL) return page_contains(page, p) ? page : NULL;
  }
  return NULL;
}

typedef struct search {
  const void *p;
  mia_page *page; /* NULL: not found yet */
} search;

static bool look_at_huge(mia_heap *heap, void *arg) {
  search *s = arg;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (mia_page *page = heap->pages; page != NULL && s->page == NULL; page = page->heap_next)
    if (page->size_class == MIA_CLASS_HUGE && page_contains(page, s->p)) s->page = page;
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return s->page == NULL;
}

/* Huge pages lie in no arena; their heaps link them. */
static mia_page *find_huge(const void *p) {
  search s = {.p = p};
  if (mia_aword_get(&mia_theap_all.pages[MIA_CLASS_HUGE].now) > 0)
    mia_api_each_heap(look_at_huge, &s);
  return s.page;
}

/* Searches the arenas.  Returns false if `p' points into none. */
static bool find_in_arenas(search *s) {
  s->page = mia_page_of(s->p);
  if (s->page != NULL && page_contains(s->page, s->p)) return true;
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) {
    const mia_arena *arena = mia_arena_nth(i);
    if ((uintptr_t)s->p - (uintptr_t)arena->start >= arena->slices << MIA_SLICE_SHIFT) continue;
    s->page = s->page == NULL ? find_large(arena, s->p) : NULL;
    return true;
  }
  return false;
}

mia_page *mia_api_page_around(const void *p) {
  if (p == NULL) return NULL;
  search s = {.p = mia_map_untagged(p)};
  mia_arena_begin_read();
  bool found = find_in_arenas(&s);
  mia_arena_end_read();
  return found ? s.page : find_huge(s.p);
}
