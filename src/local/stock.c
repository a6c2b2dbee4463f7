/* stock.c -- pages from the arenas and back, counted. */
#include "base/prelude.h"

#include "local/stock.h"

void mia_local_tally_up(mia_tally *tally) {
  mia_aword_raise(&tally->peak, mia_aword_add(&tally->now, 1) + 1);
}

void mia_local_tally_down(mia_tally *tally) { mia_aword_sub(&tally->now, 1); }

/* The local of a thread that has none is shared and stays as it is. */
static void stir(mia_local *self) {
  if (!mia_local_is_none(self)) self->stirred = true;
}

static mia_page *note_made(mia_local *self, mia_page *page) {
  if (page == NULL) return NULL;
  mia_local_tally_up(&mia_local_all.pages[page->size_class]);
  stir(self);
  return page;
}

mia_page *mia_local_make(mia_local *self, unsigned size_class) {
  return note_made(self, mia_page_make(size_class));
}

mia_page *mia_local_make_single(mia_local *self, size_t size, size_t align, bool huge, bool *zero) {
  return note_made(self, mia_page_make_single(size, align, huge, zero));
}

void mia_local_retire(mia_local *self, mia_page *page) {
  mia_local_tally_down(&mia_local_all.pages[page->size_class]);
  stir(self);
  mia_page_retire(page);
}
