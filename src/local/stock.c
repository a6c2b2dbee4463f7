/* stock.c -- pages from the arenas and back, counted. */
#include "base/prelude.h"

#include "base/peak.h"
#include "local/pool.h"
#include "local/stock.h"

#include <errno.h>

void mia_local_tally_up(mia_tally *tally) {
  mia_aword_raise(&tally->peak, mia_aword_add(&tally->now, 1) + 1);
}

void mia_local_tally_down(mia_tally *tally) { mia_aword_sub(&tally->now, 1); }

/* The local of a thread that has none is shared and stays as it is. */
static void stir(mia_local *self) {
  if (!mia_local_is_none(self)) mia_local_stir(self);
}

/* Pages of the main heap are found through the arenas, but for huge ones. */
static bool is_enlisted(const mia_page *page) {
  return !mia_local_is_main(page) || page->size_class == MIA_CLASS_HUGE;
}

static mia_page *note_made(mia_local *self, mia_page *page) {
  if (page == NULL) return NULL;
  mia_local_set_heap(page, mia_local_heap(self->heap));
  if (is_enlisted(page)) {
    mia_os_lock(&mia_local_all.pool_lock);
    mia_local_enlist(mia_local_heap(self->heap), page);
    mia_os_unlock(&mia_local_all.pool_lock);
  }
  mia_local_tally_up(&mia_local_all.pages[page->size_class]);
  mia_local_count(self, MIA_EVENT_MADE);
  stir(self);
  return page;
}

mia_page *mia_local_make(mia_local *self, unsigned size_class) {
  return note_made(
      self, mia_page_make(size_class, mia_local_heap(self->heap)->only, (uintptr_t)self->heap));
}

mia_page *mia_local_make_single(mia_local *self, const mia_single *wanted, bool *zero) {
  mia_single single = *wanted;
  single.only = mia_local_heap(self->heap)->only;
  single.heap = (uintptr_t)self->heap;
  return note_made(self, mia_page_make_single(&single, zero));
}

mia_page *mia_local_detach_single(mia_local *self, mia_page *from) {
  if (mia_local_heap(self->heap)->only != NULL) return NULL;
  return note_made(self, mia_page_detach_single(from));
}

void mia_local_retire(mia_local *self, mia_page *page) {
  int error = errno;
  if (is_enlisted(page)) {
    mia_os_lock(&mia_local_all.pool_lock);
    mia_local_delist(page);
    mia_os_unlock(&mia_local_all.pool_lock);
  }
  mia_local_tally_down(&mia_local_all.pages[page->size_class]);
  mia_local_count(self, MIA_EVENT_RETIRED);
  stir(self);
  mia_page_retire(page);
  errno = error;
}
