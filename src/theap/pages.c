/* SPDX-License-Identifier: MIT */
/* pages.c -- makes and retires pages for a theap, and counts them. */
#include "base/prelude.h"

#include "arena/thp.h"
#include "arena/tier.h"
#include "base/peak.h"
#include "theap/abandoned.h"
#include "theap/clock.h"
#include "theap/pages.h"

#include <errno.h>

void mia_theap_count_up(mia_peak_count *count) {
  mia_aword_raise(&count->peak, mia_aword_add(&count->now, 1) + 1);
}

void mia_theap_count_down(mia_peak_count *count) { mia_aword_sub(&count->now, 1); }

/* The OS answers in a tenth of a microsecond.  To make a page takes two uses. */
enum { NODE_USES = 32 };

unsigned mia_theap_ask_node(mia_theap *self) {
  if (mia_theap_is_none(self)) return MIA_NODE_ANY;
  if (self->node_uses == 0) {
    self->node_uses = NODE_USES;
    self->node = mia_arena_ask_node();
  }
  self->node_uses--;
  return self->node;
}

static mia_page *register_page(mia_theap *self, mia_page *page) {
  if (page == NULL) return NULL;
  mia_theap_set_heap(page, mia_theap_heap(self->heap));
  if (mia_theap_is_in_heap_list(page)) {
    mia_os_lock(&mia_theap_all.abandoned_lock);
    mia_theap_add_heap_page(mia_theap_heap(self->heap), page);
    mia_os_unlock(&mia_theap_all.abandoned_lock);
  }
  mia_theap_count_up(&mia_theap_all.pages[page->size_class]);
  mia_theap_count(self, MIA_EVENT_MADE);
  mia_clock_request_if_any(self);
  return page;
}

/* Returns true if a class has many pages for each thread.  Only one or so for each thread is not
 * full, or soon will be.  Without this, eight threads that pass 5,000 blocks each on have 2.4 of the
 * memory; with 4 pages, 64 threads with 1 MiB each have 1.25. */
static bool has_many_pages(unsigned size_class) {
  enum { MANY = 16 };
  return mia_aword_get(&mia_theap_all.pages[size_class].now) >
         MANY * mia_aword_get(&mia_theap_all.attached.now);
}

/* Of a block that is larger than an OS page, a program may write as little as it likes: 16 KiB buffers
 * with 200 bytes in them would have three times the memory. */
static bool is_dense(const mia_page *page) { return page->size <= MIA_OS_PAGE_MIN; }

/* Heaps of the program may have few blocks in each page. */
static bool will_be_filled(const mia_theap *self, const mia_page *page) {
  return mia_theap_heap(self->heap) == mia_theap_main_heap() && is_dense(page) &&
         mia_arena_may_begin_thp(page->arena) && has_many_pages(page->size_class);
}

static void note(const mia_page *page) {
  if (is_dense(page))
    mia_arena_note_filled(page->slices);
  else
    mia_arena_note_sparse(page->slices);
}

mia_page *mia_theap_make_page(mia_theap *self, unsigned size_class) {
  mia_page *page = mia_page_make(size_class, mia_theap_heap(self->heap)->arena,
                                 mia_theap_node(self), (uintptr_t)self->heap);
  if (page == NULL) return NULL;
  note(page);
  if (will_be_filled(self, page))
    mia_arena_begin_thp(page->arena, mia_page_span(page), page->slices);
  return register_page(self, page);
}

/* In tiers from 2 on, a block of several slices lies between guards if that is possible, unless there are
 * many such blocks: each takes up to three of the mappings that the kernel allows a process. */
static bool wants_guards(const mia_singleton_request *wanted) {
  enum { SLICES = 2, MOST = 1000 };
  return mia_tier_is_hardened() && wanted->arena == NULL &&
         wanted->size >= SLICES * MIA_SLICE_SIZE &&
         mia_aword_get(&mia_theap_all.pages[MIA_CLASS_HUGE].now) < MOST;
}

mia_page *mia_theap_make_singleton(mia_theap *self, const mia_singleton_request *wanted,
                                   bool *zero) {
  mia_singleton_request request = *wanted;
  request.arena = mia_theap_heap(self->heap)->arena;
  request.node = mia_theap_node(self);
  request.heap = (uintptr_t)self->heap;
  bool is_guarded = wants_guards(&request);
  request.huge |= is_guarded;
  mia_page *page = mia_page_make_singleton(&request, zero);
  if (page == NULL && is_guarded) {
    request.huge = wanted->huge;
    page = mia_page_make_singleton(&request, zero);
  }
  if (page != NULL && page->size_class == MIA_CLASS_LARGE) mia_arena_note_sparse(page->slices);
  return register_page(self, page);
}

mia_page *mia_theap_detach_singleton(mia_theap *self, mia_page *from) {
  if (mia_theap_heap(self->heap)->arena != NULL) return NULL;
  return register_page(self, mia_page_detach_singleton(from));
}

void mia_theap_retire_page(mia_theap *self, mia_page *page) {
  int error = errno;
  if (mia_theap_is_in_heap_list(page)) {
    mia_os_lock(&mia_theap_all.abandoned_lock);
    mia_theap_remove_heap_page(page);
    mia_os_unlock(&mia_theap_all.abandoned_lock);
  }
  mia_theap_count_down(&mia_theap_all.pages[page->size_class]);
  mia_theap_count(self, MIA_EVENT_RETIRED);
  mia_clock_request_if_any(self);
  mia_page_retire(page);
  errno = error;
}
