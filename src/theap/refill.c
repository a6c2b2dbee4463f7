/* refill.c -- where the blocks of an empty free list come from. */
#include "base/prelude.h"

#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/magazine.h"
#include "theap/page_cache.h"
#include "theap/pages.h"

enum {
  /* If a page has fewer free blocks than EARLY_MIN when it comes into use, it was reclaimed too
   * early: during the next EARLY_BACKOFF changes of the page in use, none is. */
  EARLY_MIN = 4,
  EARLY_BACKOFF = 255,
  /* A free list is set aside so many times in one tick of the clock. */
  FORCED_MAX = 8
};

static void set_free_list(mia_theap *self, unsigned size_class, mia_block *list) {
  self->free_list[size_class] = list;
  if (self->bins[size_class].forced < FORCED_MAX) self->can_force = true;
}

/* Refills the free list from a page, which comes into use.  Returns false if the page is full. */
static bool refill_from(mia_theap *self, unsigned size_class, mia_page *page) {
  mia_bin *bin = &self->bins[size_class];
  uint32_t count;
  mia_block *list = mia_page_pop_counted(page, &bin->zeroed, &count);
  if (list == NULL) return false;
  mia_count_add(&self->counts.refilled[size_class], count);
  if (MIA_DEBUG) mia_page_check(page);
  set_free_list(self, size_class, list);
  bin->page = page;
  bin->refilled = true;
  return true;
}

/* Abandons the page in use, which is full.  Returns true if blocks of it were freed in the
 * meantime: the page stays in use, and the free list is refilled. */
static bool abandon_full(mia_theap *self, unsigned size_class) {
  mia_page *page = self->bins[size_class].page;
  self->bins[size_class].page = NULL;
  mia_theap_clear_owner(page);
  while (!mia_owner_abandon(page, mia_theap_full_due(page))) {
    mia_page_collect(page);
    if (mia_theap_is_full(page)) continue;
    mia_theap_set_owner(self, page);
    return refill_from(self, size_class, page);
  }
  return false;
}

/* Called when a page comes into use; it may have been reclaimed early. */
static void update_backoff(mia_bin *bin, const mia_page *page) {
  if (page->total - page->used < EARLY_MIN)
    bin->reclaim_backoff = EARLY_BACKOFF;
  else if (bin->reclaim_backoff > 0)
    bin->reclaim_backoff--;
}

/* Returns the page that comes into use next, owned by `self', or NULL if memory is short. */
static mia_page *next_page(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->pages;
  if (page != NULL) {
    mia_theap_remove_page(bin, page);
    update_backoff(bin, page);
    return page;
  }
  page = mia_theap_take_abandoned(mia_theap_heap(self->heap), size_class);
  if (page != NULL) mia_theap_count(self, MIA_EVENT_RECLAIMED);
  if (page == NULL) page = mia_theap_cached_page(self, size_class);
  if (page == NULL) page = mia_theap_make_page(self, size_class);
  if (page != NULL) mia_theap_set_owner(self, page);
  return page;
}

bool mia_theap_force_slow(mia_theap *self, bool new_tick) {
  bool forces = false;
  if (!self->can_force && !new_tick) return false;
  self->can_force = false;
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    if (new_tick) bin->forced = 0;
    if (self->free_list[size_class] == NULL || bin->forced >= FORCED_MAX) continue;
    bin->set_aside = self->free_list[size_class];
    bin->forced++;
    self->free_list[size_class] = NULL;
    forces = true;
  }
  return forces;
}

bool mia_theap_end_forced(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (bin->set_aside == NULL) return false;
  set_free_list(self, size_class, bin->set_aside);
  bin->set_aside = NULL;
  self->tick_countdown = 0;
  return true;
}

/* Takes the first of these: the list that was set aside, the magazine, blocks of the page in use,
 * of another page of the theap, of an abandoned page, of a cached page, of a new page. */
bool mia_theap_refill(mia_theap *self, unsigned size_class) {
  if (mia_theap_end_forced(self, size_class)) return true;
  mia_block *magazine = mia_magazine_use(self, size_class);
  if (magazine != NULL) {
    set_free_list(self, size_class, magazine);
    return true;
  }
  mia_assert(self->free_list[size_class] == NULL && !mia_theap_is_none(self));
  if (MIA_DEBUG) mia_theap_check(self, size_class);
  mia_theap_count(self, MIA_EVENT_REFILL);
  mia_page *page = self->bins[size_class].page;
  if (page != NULL && (refill_from(self, size_class, page) || abandon_full(self, size_class)))
    return true;
  do {
    page = next_page(self, size_class);
    if (page == NULL) return false;
  } while (!refill_from(self, size_class, page));
  return true;
}
