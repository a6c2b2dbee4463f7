/* stock.c -- pages from the arenas and back, counted. */
#include "base/prelude.h"

#include "base/peak.h"
#include "theap/abandoned.h"
#include "theap/pages.h"

#include <errno.h>

void mia_theap_count_up(mia_peak_count *tally) {
  mia_aword_raise(&tally->peak, mia_aword_add(&tally->now, 1) + 1);
}

void mia_theap_count_down(mia_peak_count *tally) { mia_aword_sub(&tally->now, 1); }

/* The local of a thread that has none is shared and stays as it is. */
static void stir(mia_theap *self) {
  if (!mia_theap_is_none(self)) mia_theap_request_tick(self);
}

/* Pages of the main heap are found through the arenas, but for huge ones. */
static bool is_enlisted(const mia_page *page) {
  return !mia_theap_is_main_page(page) || page->size_class == MIA_CLASS_HUGE;
}

static mia_page *note_made(mia_theap *self, mia_page *page) {
  if (page == NULL) return NULL;
  mia_theap_set_heap(page, mia_theap_heap(self->heap));
  if (is_enlisted(page)) {
    mia_os_lock(&mia_theap_all.abandoned_lock);
    mia_theap_add_heap_page(mia_theap_heap(self->heap), page);
    mia_os_unlock(&mia_theap_all.abandoned_lock);
  }
  mia_theap_count_up(&mia_theap_all.pages[page->size_class]);
  mia_theap_count(self, MIA_EVENT_MADE);
  stir(self);
  return page;
}

mia_page *mia_theap_make_page(mia_theap *self, unsigned size_class) {
  return note_made(
      self, mia_page_make(size_class, mia_theap_heap(self->heap)->arena, (uintptr_t)self->heap));
}

mia_page *mia_theap_make_singleton(mia_theap *self, const mia_singleton_request *wanted,
                                   bool *zero) {
  mia_singleton_request single = *wanted;
  single.arena = mia_theap_heap(self->heap)->arena;
  single.heap = (uintptr_t)self->heap;
  return note_made(self, mia_page_make_singleton(&single, zero));
}

mia_page *mia_theap_detach_singleton(mia_theap *self, mia_page *from) {
  if (mia_theap_heap(self->heap)->arena != NULL) return NULL;
  return note_made(self, mia_page_detach_singleton(from));
}

void mia_theap_retire_page(mia_theap *self, mia_page *page) {
  int error = errno;
  if (is_enlisted(page)) {
    mia_os_lock(&mia_theap_all.abandoned_lock);
    mia_theap_remove_heap_page(page);
    mia_os_unlock(&mia_theap_all.abandoned_lock);
  }
  mia_theap_count_down(&mia_theap_all.pages[page->size_class]);
  mia_theap_count(self, MIA_EVENT_RETIRED);
  stir(self);
  mia_page_retire(page);
  errno = error;
}
