/* SPDX-License-Identifier: MIT */
/* page_cache.c -- the empty pages that theaps keep. */
#include "base/prelude.h"

#include "base/bits.h"
#include "base/fail.h"
#include "page/list.h"
#include "theap/clock.h"
#include "theap/page_cache.h"
#include "theap/pages.h"

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

static void retire_all(mia_theap *self, mia_page *page) {
  while (page != NULL) {
    mia_page *next = page->next;
    mia_theap_retire_page(self, page);
    page = next;
  }
}

static void retire_list(mia_theap *self, mia_aword *slot) { retire_all(self, page_in(take(slot))); }

/* ---- slots ---- */

static size_t slot_of_large(size_t slices) { return MIA_CLASS_COUNT + slices - 1; }

static size_t slot_of(const mia_page *page) {
  return page->size_class < MIA_CLASS_COUNT ? page->size_class : slot_of_large(page->slices);
}

static bool has_slot(const mia_page *page) {
  if (page->size_class < MIA_CLASS_COUNT) return page->slices == 1;
  return page->size_class == MIA_CLASS_LARGE && page->slices <= MIA_CACHE_LARGE_SLICES &&
         page->padding == MIA_SINGLETON_PADDING;
}

/* Returns what `count' pages in a slot are charged, in slices: large pages all, pages of a class all
 * but the first. */
static size_t charge(size_t slot, size_t count) {
  if (slot >= MIA_CLASS_COUNT) return count * (slot - MIA_CLASS_COUNT + 1);
  return count > 1 ? count - 1 : 0;
}

/* The same for one more page than the slot has. */
mia_inline size_t charge_of_next(const mia_page_cache *cache, size_t slot) {
  return slot >= MIA_CLASS_COUNT ? slot - MIA_CLASS_COUNT + 1 : cache->counts[slot] > 0;
}

mia_inline size_t *sum_of(mia_page_cache *cache, size_t slot) {
  return slot < MIA_CLASS_COUNT ? &cache->small_charge : &cache->large_charge;
}

mia_inline void count_put(mia_page_cache *cache, size_t slot) {
  *sum_of(cache, slot) += charge_of_next(cache, slot);
  cache->counts[slot]++;
}

static void count_none(mia_page_cache *cache, size_t slot) {
  *sum_of(cache, slot) -= charge(slot, cache->counts[slot]);
  cache->counts[slot] = 0;
}

/* `rest' is what is left of the list. */
mia_inline void count_taken(mia_page_cache *cache, size_t slot, const mia_page *rest) {
  if (rest == NULL && cache->counts[slot] > 1) count_none(cache, slot);
  if (cache->counts[slot] == 0) return;
  cache->counts[slot]--;
  *sum_of(cache, slot) -= charge_of_next(cache, slot);
}

/* ---- the bound ---- */

/* Returns the slot with the highest charge of those for pages of the same kind as in `slot'. */
static size_t fullest_slot(const mia_page_cache *cache, size_t slot) {
  size_t fullest = slot < MIA_CLASS_COUNT ? 0 : MIA_CLASS_COUNT;
  size_t end = slot < MIA_CLASS_COUNT ? MIA_CLASS_COUNT : MIA_CACHE_SLOTS;
  for (size_t i = fullest + 1; i < end; i++)
    if (charge(i, cache->counts[i]) > charge(fullest, cache->counts[fullest])) fullest = i;
  return fullest;
}

/* Retires the oldest page of a slot.  For that, takes the list and puts the rest back. */
static void retire_oldest(mia_theap *self, size_t slot) {
  uintptr_t word = take(&self->cache.slots[slot]);
  mia_page *page = page_in(word), *before = NULL;
  count_none(&self->cache, slot);
  if (page == NULL) return;
  for (; page->next != NULL; page = page->next) {
    before = page;
    count_put(&self->cache, slot);
  }
  if (before != NULL) {
    before->next = NULL;
    put(&self->cache.slots[slot], word);
  }
  mia_theap_retire_page(self, page);
}

/* Retires pages until one more may be put into a slot.  Each step lowers the sum. */
static void make_room(mia_theap *self, size_t slot) {
  mia_page_cache *cache = &self->cache;
  while (mia_unlikely(*sum_of(cache, slot) + charge_of_next(cache, slot) > MIA_CACHE_CHARGE_MAX))
    retire_oldest(self, fullest_slot(cache, slot));
}

/* ---- caching a page ---- */

/* Puts a hidden page into its slot.  If the list there is aged, it is retired.  Between `take' and
 * `put' the slot stays 0, because no other thread stores an address there. */
static void put_page(mia_theap *self, mia_page *page) {
  size_t slot = slot_of(page);
  mia_page_cache *cache = &self->cache;
  mia_aword *at = &cache->slots[slot];
  if ((mia_aword_get(at) & AGED) != 0) retire_list(self, at);
  if (mia_aword_get(at) == 0 && cache->counts[slot] > 0) count_none(cache, slot);
  make_room(self, slot);
  page->next = page_in(take(at));
  count_put(cache, slot);
  put(at, (uintptr_t)page);
}

static void put_last_freed(mia_theap *self) {
  mia_page *page = self->cache.last_freed;
  self->cache.last_freed = NULL;
  if (page != NULL) put_page(self, page);
}

static bool can_cache(const mia_theap *self, const mia_page *page) {
  return !mia_theap_is_none(self) && has_slot(page) &&
         mia_theap_heap_of(page) == mia_theap_heap(self->heap) && mia_theap_can_allocate_from(page);
}

void mia_theap_cache_put(mia_theap *self, mia_page *page) {
  mia_assert(page->used == 0 && mia_aword_get(&page->owner) == 0);
  if (page->size_class < MIA_CLASS_COUNT && page->free != NULL) mia_page_require_link(page);
  if (!can_cache(self, page)) {
    mia_theap_retire_page(self, page);
    return;
  }
  mia_page_hide(page);
  mia_clock_note_cached(self);
  if (!mia_cache_is_last_freed_kind(page)) {
    put_page(self, page);
    return;
  }
  put_last_freed(self);
  self->cache.last_freed = page;
}

/* ---- taking a page ---- */

mia_page *mia_theap_cache_take(mia_theap *self, unsigned size_class) {
  mia_page_cache *cache = &self->cache;
  uintptr_t word = take(&cache->slots[size_class]);
  mia_page *page = page_in(word);
  if (page == NULL) return NULL;
  count_taken(cache, size_class, page->next);
  if (page->next != NULL) put(&cache->slots[size_class], (uintptr_t)page->next | (word & AGED));
  mia_page_show(page);
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

/* Compares two pages for a block of `size' bytes by how many of their bytes were written.  Of
 * pages that were written far enough, the one written least has the shortest tail; of others,
 * the one written farthest has the fewest page faults.  Returns true if `touched' is better
 * than `than'.  In a table of 100 blocks of 33 to 130 KB that are written, that saves a third of
 * the page faults and a seventh of the time. */
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

mia_page *mia_theap_cache_take_large(mia_theap *self, size_t size) {
  size_t slices = mia_slices_of(size);
  if (slices > MIA_CACHE_LARGE_SLICES) return NULL;
  mia_page_cache *cache = &self->cache;
  if (cache->last_freed != NULL && cache->last_freed->slices == slices) put_last_freed(self);
  size_t slot = slot_of_large(slices);
  uintptr_t word = take(&cache->slots[slot]);
  mia_page *list = page_in(word);
  if (list == NULL) return NULL;
  mia_page *page = take_best_fit(&list, size);
  count_taken(cache, slot, list);
  if (list != NULL) put(&cache->slots[slot], (uintptr_t)list | (word & AGED));
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

/* ---- all pages ---- */

static void retire_or_age(mia_theap *self, mia_aword *slot) {
  uintptr_t was = mia_aword_get(slot);
  if ((was & AGED) != 0)
    retire_list(self, slot);
  else if (was != 0)
    mia_aword_cas(slot, &was, was | AGED);
}

void mia_theap_flush_cache(mia_theap *self) {
  put_last_freed(self);
  for (size_t i = 0; i < MIA_CACHE_SLOTS; i++) {
    retire_list(self, &self->cache.slots[i]);
    count_none(&self->cache, i);
  }
}

void mia_theap_settle_cache(mia_theap *self) {
  put_last_freed(self);
  for (size_t i = 0; i < MIA_CACHE_SLOTS; i++)
    if (mia_aword_get(&self->cache.slots[i]) == 0) count_none(&self->cache, i);
}

static void each_slot_of(mia_theap *self, mia_theap *other,
                         void (*action)(mia_theap *, mia_aword *)) {
  for (size_t i = 0; i < MIA_CACHE_SLOTS; i++) action(self, &other->cache.slots[i]);
}

/* Sets the theap where the next call continues, and returns the previous one. */
static mia_theap *swap_turn(mia_theap *turn) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap *was = mia_theap_all.cache_turn;
  mia_theap_all.cache_turn = turn;
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return was;
}

/* Applies an action to the slots of all theaps.  Returns false if the budget did not suffice.  Two
 * threads that do so at the same time may visit the same theaps, which does no harm. */
static bool each_slot(mia_theap *self, void (*action)(mia_theap *, mia_aword *),
                      mia_budget *budget) {
  mia_theap *other = swap_turn(NULL);
  if (other == NULL || mia_budget_is_unbounded(budget))
    other = (mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; other != NULL && !mia_budget_is_spent(budget); other = other->all) {
    each_slot_of(self, other, action);
    mia_budget_spend(budget, MIA_CACHE_SLOTS * sizeof(mia_aword) * SLOT_COST);
  }
  if (other != NULL) (void)swap_turn(other);
  return other == NULL;
}

void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget) {
  (void)each_slot(self, retire_list, budget);
}
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget) {
  bool done = each_slot(self, retire_or_age, budget);
  mia_aword_set(&mia_theap_all.aging_caches, !done);
}

bool mia_theap_has_cached_page(void) {
  const mia_theap *theap = (const mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; theap != NULL; theap = theap->all)
    for (size_t i = 0; i < MIA_CACHE_SLOTS; i++)
      if (mia_aword_get(&theap->cache.slots[i]) != 0) return true;
  return false;
}
