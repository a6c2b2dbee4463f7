/* page_cache.c -- the empty pages that theaps keep. */
#include "base/prelude.h"

#include "base/bits.h"
#include "base/fail.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/recent.h"

/* The lowest bit of a slot: the list was there at the last visit of the purger. */
enum { AGED = 1 };

/* Reading a byte of the slots counts in a budget as so many bytes given back. */
enum { SLOT_COST = 16 };

mia_static_assert(alignof(mia_descriptor) > AGED, "an address of a page has room for a bit");

static mia_page *page_in(uintptr_t word) { return (mia_page *)(word & ~(uintptr_t)AGED); }

/* Takes the list of a slot.  An empty slot is not swapped, because a swap costs as much as the
 * rest of an allocation. */
static uintptr_t take(mia_aword *slot) {
  return mia_aword_get(slot) != 0 ? mia_aword_swap_acq(slot, 0) : 0;
}

/* Release: a thread that takes the list sees all writes to its pages. */
static void put(mia_aword *slot, uintptr_t word) { mia_aword_set_rel(slot, word); }

static mia_aword *large_slot(mia_theap *self, size_t slices) {
  return &self->cache[MIA_CLASS_COUNT + slices - 1];
}

static bool can_cache(const mia_theap *self, const mia_page *page) {
  if (mia_theap_is_none(self) || mia_theap_heap_of(page) != mia_theap_heap(self->heap) ||
      !mia_theap_can_allocate_from(page))
    return false;
  if (page->size_class < MIA_CLASS_COUNT) return page->slices == 1;
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_THEAP_CACHED_LARGE &&
         page->padding == MIA_SINGLETON_PADDING;
}

static void retire_all(mia_theap *self, mia_page *page) {
  while (page != NULL) {
    mia_page *next = page->next;
    mia_theap_retire_page(self, page);
    page = next;
  }
}

static void retire_list(mia_theap *self, mia_aword *slot) { retire_all(self, page_in(take(slot))); }

static void set_large_count(mia_theap *self, size_t slices, size_t count) {
  self->cached_large_slices += (count - self->cached_large[slices - 1]) * slices;
  self->cached_large[slices - 1] = (uint8_t)count;
}

/* Returns the number of slices of which most slices are cached, or 0 for none.  The page that
 * was just cached, of `newest' slices, does not count. */
static size_t most_cached(const mia_theap *self, size_t newest) {
  size_t most = 0, found = 0;
  for (size_t slices = 1; slices <= MIA_THEAP_CACHED_LARGE; slices++) {
    size_t count = self->cached_large[slices - 1] - (slices == newest);
    if (count * slices < most || count == 0) continue;
    most = count * slices;
    found = slices;
  }
  return found;
}

/* Retires the oldest page of a list.  For that, takes the list and puts the rest back. */
static void retire_oldest(mia_theap *self, size_t slices) {
  mia_aword *slot = large_slot(self, slices);
  uintptr_t word = take(slot);
  mia_page *page = page_in(word), *before = NULL;
  size_t count = 0;
  for (; page != NULL && page->next != NULL; page = page->next) {
    before = page;
    count++;
  }
  set_large_count(self, slices, count);
  if (page == NULL) return;
  if (before != NULL) {
    before->next = NULL;
    put(slot, word);
  }
  mia_theap_retire_page(self, page);
}

/* Retires large pages until few enough slices are cached. */
static void retire_excess_large(mia_theap *self, size_t newest) {
  size_t slices;
  while (self->cached_large_slices > MIA_THEAP_CACHED_LARGE &&
         (slices = most_cached(self, newest)) > 0)
    retire_oldest(self, slices);
}

/* Between `take' and `put' the slot stays 0, because no other thread stores an address there. */
static void cache_large(mia_theap *self, mia_page *page) {
  size_t slices = page->slices;
  mia_page_hide_singleton(page);
  mia_aword *slot = large_slot(self, slices);
  uintptr_t word = take(slot);
  page->next = page_in(word);
  if ((word & AGED) != 0) {
    retire_all(self, page->next);
    page->next = NULL;
  }
  set_large_count(self, slices, page->next != NULL ? self->cached_large[slices - 1] + 1u : 1);
  put(slot, (uintptr_t)page);
  if (self->cached_large_slices > MIA_THEAP_CACHED_LARGE) retire_excess_large(self, slices);
}

static void set_count(mia_theap *self, unsigned size_class, size_t count) {
  size_t before = self->cached[size_class];
  self->cached_more -= before > 1 ? before - 1 : 0;
  self->cached_more += count > 1 ? count - 1 : 0;
  self->cached[size_class] = (uint8_t)count;
}

void mia_theap_recount_cache(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    if (mia_aword_get(&self->cache[size_class]) == 0) set_count(self, size_class, 0);
  for (size_t slices = 1; slices <= MIA_THEAP_CACHED_LARGE; slices++)
    if (mia_aword_get(large_slot(self, slices)) == 0) set_large_count(self, slices, 0);
}

/* Returns the pages that stay behind a newly cached page of a class; `word' was in the slot.
 * Retires an aged list, or one page if too many are cached. */
static mia_page *make_room(mia_theap *self, unsigned size_class, uintptr_t word) {
  mia_page *others = page_in(word);
  if (others == NULL || (word & AGED) != 0) {
    retire_all(self, others);
    set_count(self, size_class, 1);
    return NULL;
  }
  if (self->cached_more < MIA_THEAP_CACHED_MORE) {
    set_count(self, size_class, self->cached[size_class] + 1u);
    return others;
  }
  mia_page *next = others->next;
  mia_theap_retire_page(self, others);
  return next;
}

static void cache_small(mia_theap *self, mia_page *page) {
  mia_aword *slot = &self->cache[page->size_class];
  mia_page_hide(page);
  page->next = make_room(self, page->size_class, take(slot));
  put(slot, (uintptr_t)page);
}

void mia_theap_cache_page(mia_theap *self, mia_page *page) {
  mia_assert(page->used == 0 && mia_aword_get(&page->owner) == 0);
  bool small = page->size_class < MIA_CLASS_COUNT;
  if (small && page->free != NULL) mia_page_require_link(page, page->free);
  if (!can_cache(self, page)) {
    mia_theap_retire_page(self, page);
    return;
  }
  if (small)
    cache_small(self, page);
  else
    cache_large(self, page);
}

void mia_theap_cache_recent(mia_theap *self) {
  mia_page *page = self->recent;
  if (page == NULL) return;
  self->recent = NULL;
  mia_theap_cache_page(self, page);
}

mia_page *mia_theap_cached_page(mia_theap *self, unsigned size_class) {
  mia_aword *slot = &self->cache[size_class];
  uintptr_t word = take(slot);
  mia_page *page = page_in(word);
  if (page == NULL) return NULL;
  set_count(self, size_class, page->next != NULL ? self->cached[size_class] - 1u : 0);
  if (page->next != NULL) put(slot, (uintptr_t)page->next | (word & AGED));
  mia_page_show(page);
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

/* Compares two pages for a block of `size' bytes by how many of their bytes were written.  Of
 * pages that were written far enough, the one written least has the shortest tail; of others,
 * the one written farthest has the fewest page faults.  Returns true if `touched' is better
 * than `than'. */
static bool is_better_fit(size_t touched, size_t than, size_t size) {
  if ((touched >= size) != (than >= size)) return touched >= size;
  return touched >= size ? touched < than : touched > than;
}

/* Takes the best page for `size' bytes out of a list, which is not empty. */
static mia_page *take_best_fit(mia_page **list, size_t size) {
  mia_page **best = list;
  size = mia_align_up(size, MIA_OS_PAGE_MIN);
  for (mia_page **at = list; *at != NULL && (*best)->touched != size; at = &(*at)->next)
    if (is_better_fit((*at)->touched, (*best)->touched, size)) best = at;
  mia_page *page = *best;
  *best = page->next;
  return page;
}

mia_page *mia_theap_cached_large(mia_theap *self, size_t size) {
  size_t slices = mia_slices_of(size);
  if (slices > MIA_THEAP_CACHED_LARGE) return NULL;
  if (self->recent != NULL && self->recent->slices == slices) mia_theap_cache_recent(self);
  mia_aword *slot = large_slot(self, slices);
  uintptr_t word = take(slot);
  mia_page *list = page_in(word);
  if (list == NULL) return NULL;
  mia_page *page = list, *others = list->next;
  if (others != NULL) {
    page = take_best_fit(&list, size);
    others = list;
    put(slot, (uintptr_t)others | (word & AGED));
  }
  set_large_count(self, slices, others != NULL ? self->cached_large[slices - 1] - 1u : 0);
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

static void retire_or_age(mia_theap *self, mia_aword *slot) {
  uintptr_t was = mia_aword_get(slot);
  if ((was & AGED) != 0)
    retire_list(self, slot);
  else if (was != 0)
    mia_aword_cas(slot, &was, was | AGED);
}

void mia_theap_flush_cache(mia_theap *self) {
  mia_theap_cache_recent(self);
  for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++) retire_list(self, &self->cache[i]);
}

static void each_slot_of(mia_theap *self, mia_theap *other,
                         void (*action)(mia_theap *, mia_aword *)) {
  for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++) action(self, &other->cache[i]);
}

/* Sets the theap where the next call continues, and returns the previous one. */
static mia_theap *swap_turn(mia_theap *turn) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap *was = mia_theap_all.cache_turn;
  mia_theap_all.cache_turn = turn;
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return was;
}

/* Applies an action to the slots of all theaps.  Two threads that do so at the same time may
 * visit the same theaps, which does no harm. */
static void each_slot(mia_theap *self, void (*action)(mia_theap *, mia_aword *),
                      mia_budget *budget) {
  mia_theap *other = swap_turn(NULL);
  if (other == NULL || budget->left == SIZE_MAX)
    other = (mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; other != NULL && !mia_budget_is_spent(budget); other = other->all) {
    each_slot_of(self, other, action);
    mia_budget_spend(budget, MIA_THEAP_CACHE_SLOTS * sizeof(mia_aword) * SLOT_COST);
  }
  if (other != NULL) (void)swap_turn(other);
}

void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget) {
  each_slot(self, retire_list, budget);
}
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget) {
  each_slot(self, retire_or_age, budget);
}

bool mia_theap_has_cached_page(void) {
  const mia_theap *theap = (const mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; theap != NULL; theap = theap->all)
    for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++)
      if (mia_aword_get(&theap->cache[i]) != 0) return true;
  return false;
}
