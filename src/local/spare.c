/* spare.c -- empty pages that threads keep. */
#include "base/prelude.h"

#include "base/fail.h"
#include "local/hot.h"
#include "local/spare.h"
#include "local/stock.h"

enum { AGED = 1 };

mia_static_assert(alignof(mia_descriptor) > AGED, "an address of a page has room for a bit");

static mia_page *page_in(uintptr_t word) { return (mia_page *)(word & ~(uintptr_t)AGED); }

/* Nothing is swapped where nothing can be had: a swap costs as much as the rest
 * of an allocation. */
static mia_page *take(mia_aword *slot) {
  return mia_aword_get(slot) != 0 ? page_in(mia_aword_swap_acq(slot, 0)) : NULL;
}

static mia_aword *large_slot(mia_local *self, size_t slices) {
  return &self->spares[MIA_CLASS_COUNT + slices - 1];
}

static mia_aword *slot_of(mia_local *self, const mia_page *page) {
  if (mia_local_is_none(self) || mia_local_heap_of(page) != mia_local_heap(self->heap)) return NULL;
  if (page->size_class < MIA_CLASS_COUNT)
    return page->slices == 1 ? &self->spares[page->size_class] : NULL;
  if (page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_LOCAL_LARGE_SPARES &&
      page->lead == MIA_GUARD_LEAD)
    return large_slot(self, page->slices);
  return NULL;
}

static void drop(mia_local *self, mia_aword *slot) {
  mia_page *page = take(slot);
  if (page != NULL) mia_local_retire(self, page);
}

/* The newest stays, and of the others the smaller ones. */
static void drop_large(mia_local *self, size_t newest) {
  size_t kept = newest;
  for (size_t slices = 1; slices <= MIA_LOCAL_LARGE_SPARES; slices++) {
    mia_aword *slot = large_slot(self, slices);
    if (slices == newest || mia_aword_get(slot) == 0) continue;
    if (kept + slices > MIA_LOCAL_LARGE_SPARES)
      drop(self, slot);
    else
      kept += slices;
  }
  self->large_spares = kept;
}

void mia_local_keep(mia_local *self, mia_page *page) {
  mia_assert(page->used == 0 && mia_aword_get(&page->owner) == 0);
  mia_aword *slot = slot_of(self, page);
  size_t large = page->size_class == MIA_CLASS_LARGE ? page->slices : 0;
  if (slot != NULL) {
    mia_page_hide(page);
    /* Not acquired: only the owner puts pages here, so what comes back is his. */
    page = page_in(mia_aword_swap_rel(slot, (uintptr_t)page));
    if (page == NULL) self->large_spares += large;
  }
  if (page != NULL) mia_local_retire(self, page);
  if (slot != NULL && self->large_spares > MIA_LOCAL_LARGE_SPARES) drop_large(self, large);
}

void mia_local_cool(mia_local *self) {
  mia_page *page = self->hot;
  if (page == NULL) return;
  self->hot = NULL;
  mia_local_keep(self, page);
}

mia_page *mia_local_reuse(mia_local *self, unsigned size_class) {
  mia_page *page = take(&self->spares[size_class]);
  if (page == NULL) return NULL;
  mia_page_show(page);
  mia_local_count(self, MIA_EVENT_REUSED);
  return page;
}

mia_page *mia_local_reuse_large(mia_local *self, size_t slices) {
  if (slices > MIA_LOCAL_LARGE_SPARES) return NULL;
  if (self->hot != NULL && self->hot->slices == slices) mia_local_cool(self);
  mia_page *page = take(large_slot(self, slices));
  if (page == NULL) return NULL;
  self->large_spares -= slices;
  mia_local_count(self, MIA_EVENT_REUSED);
  return page;
}

static void drop_or_age(mia_local *self, mia_aword *slot) {
  uintptr_t was = mia_aword_get(slot);
  if ((was & AGED) != 0)
    drop(self, slot);
  else if (was != 0)
    mia_aword_cas(slot, &was, was | AGED);
}

void mia_local_drop_own_spares(mia_local *self) {
  mia_local_cool(self);
  for (size_t i = 0; i < MIA_LOCAL_SPARES; i++) drop(self, &self->spares[i]);
}

static void each_spare(mia_local *self, void (*action)(mia_local *, mia_aword *)) {
  mia_local *other = (mia_local *)mia_aword_get_acq(&mia_local_all.all);
  for (; other != NULL; other = other->all)
    for (size_t i = 0; i < MIA_LOCAL_SPARES; i++) action(self, &other->spares[i]);
}

void mia_local_drop_spares(mia_local *self) { each_spare(self, drop); }
void mia_local_age_spares(mia_local *self) { each_spare(self, drop_or_age); }

bool mia_local_has_spares(void) {
  const mia_local *local = (const mia_local *)mia_aword_get_acq(&mia_local_all.all);
  for (; local != NULL; local = local->all)
    for (size_t i = 0; i < MIA_LOCAL_SPARES; i++)
      if (mia_aword_get(&local->spares[i]) != 0) return true;
  return false;
}
