/* spare.c -- empty pages that threads keep. */
#include "base/prelude.h"

#include "base/bits.h"
#include "base/fail.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/recent.h"

enum { AGED = 1 };

/* Looking at so many bytes of slots takes as long as giving that many times more back. */
enum { SLOT_COST = 16 };

mia_static_assert(alignof(mia_descriptor) > AGED, "an address of a page has room for a bit");

static mia_page *page_in(uintptr_t word) { return (mia_page *)(word & ~(uintptr_t)AGED); }

/* Nothing is swapped where nothing can be had: a swap costs as much as the rest
 * of an allocation. */
static uintptr_t take(mia_aword *slot) {
  return mia_aword_get(slot) != 0 ? mia_aword_swap_acq(slot, 0) : 0;
}

/* What was done to the pages comes before it is seen where they are. */
static void put(mia_aword *slot, uintptr_t word) { mia_aword_set_rel(slot, word); }

static mia_aword *large_slot(mia_theap *self, size_t slices) {
  return &self->cache[MIA_CLASS_COUNT + slices - 1];
}

static bool can_keep(const mia_theap *self, const mia_page *page) {
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

static void drop(mia_theap *self, mia_aword *slot) { retire_all(self, page_in(take(slot))); }

static void set_large(mia_theap *self, size_t slices, size_t count) {
  self->cached_large_slices += (count - self->cached_large[slices - 1]) * slices;
  self->cached_large[slices - 1] = (uint8_t)count;
}

/* Where most is kept, a page more than the one that is the newest. */
static size_t most_kept(const mia_theap *self, size_t newest) {
  size_t most = 0, found = 0;
  for (size_t slices = 1; slices <= MIA_THEAP_CACHED_LARGE; slices++) {
    size_t count = self->cached_large[slices - 1] - (slices == newest);
    if (count * slices < most || count == 0) continue;
    most = count * slices;
    found = slices;
  }
  return found;
}

/* The oldest of a list that is taken and comes back. */
static void drop_last(mia_theap *self, size_t slices) {
  mia_aword *slot = large_slot(self, slices);
  uintptr_t word = take(slot);
  mia_page *page = page_in(word), *before = NULL;
  size_t count = 0;
  for (; page != NULL && page->next != NULL; page = page->next) {
    before = page;
    count++;
  }
  set_large(self, slices, count);
  if (page == NULL) return;
  if (before != NULL) {
    before->next = NULL;
    put(slot, word);
  }
  mia_theap_retire_page(self, page);
}

static void drop_large(mia_theap *self, size_t newest) {
  size_t slices;
  while (self->cached_large_slices > MIA_THEAP_CACHED_LARGE &&
         (slices = most_kept(self, newest)) > 0)
    drop_last(self, slices);
}

/* Between the taking and the putting the slot is empty to all: nobody else puts. */
static void keep_large(mia_theap *self, mia_page *page) {
  size_t slices = page->slices;
  mia_page_hide_singleton(page);
  mia_aword *slot = large_slot(self, slices);
  uintptr_t word = take(slot);
  page->next = page_in(word);
  if ((word & AGED) != 0) {
    retire_all(self, page->next);
    page->next = NULL;
  }
  set_large(self, slices, page->next != NULL ? self->cached_large[slices - 1] + 1u : 1);
  put(slot, (uintptr_t)page);
  if (self->cached_large_slices > MIA_THEAP_CACHED_LARGE) drop_large(self, slices);
}

static void set_kept(mia_theap *self, unsigned size_class, size_t count) {
  size_t before = self->cached[size_class];
  self->cached_more -= before > 1 ? before - 1 : 0;
  self->cached_more += count > 1 ? count - 1 : 0;
  self->cached[size_class] = (uint8_t)count;
}

void mia_theap_recount_cache(mia_theap *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    if (mia_aword_get(&self->cache[size_class]) == 0) set_kept(self, size_class, 0);
  for (size_t slices = 1; slices <= MIA_THEAP_CACHED_LARGE; slices++)
    if (mia_aword_get(large_slot(self, slices)) == 0) set_large(self, slices, 0);
}

/* What follows a page that becomes a spare; what is old, or too much, goes. */
static mia_page *others_kept(mia_theap *self, unsigned size_class, uintptr_t word) {
  mia_page *others = page_in(word);
  if (others == NULL || (word & AGED) != 0) {
    retire_all(self, others);
    set_kept(self, size_class, 1);
    return NULL;
  }
  if (self->cached_more < MIA_THEAP_CACHED_MORE) {
    set_kept(self, size_class, self->cached[size_class] + 1u);
    return others;
  }
  mia_page *next = others->next;
  mia_theap_retire_page(self, others);
  return next;
}

static void keep_one(mia_theap *self, mia_page *page) {
  mia_aword *slot = &self->cache[page->size_class];
  mia_page_hide(page);
  page->next = others_kept(self, page->size_class, take(slot));
  put(slot, (uintptr_t)page);
}

void mia_theap_cache_page(mia_theap *self, mia_page *page) {
  mia_assert(page->used == 0 && mia_aword_get(&page->owner) == 0);
  bool small = page->size_class < MIA_CLASS_COUNT;
  if (small && page->free != NULL) mia_page_require_link(page, page->free);
  if (!can_keep(self, page)) {
    mia_theap_retire_page(self, page);
    return;
  }
  if (small)
    keep_one(self, page);
  else
    keep_large(self, page);
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
  set_kept(self, size_class, page->next != NULL ? self->cached[size_class] - 1u : 0);
  if (page->next != NULL) put(slot, (uintptr_t)page->next | (word & AGED));
  mia_page_show(page);
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

/* Whether of two pages, of which so many bytes were written, the first is the better
 * one for `size': the least that is enough leaves the shortest tail, and else the most
 * needs the fewest page faults. */
static bool is_better(size_t touched, size_t than, size_t size) {
  if ((touched >= size) != (than >= size)) return touched >= size;
  return touched >= size ? touched < than : touched > than;
}

/* Takes the best page for `size' bytes out of a list. */
static mia_page *take_best(mia_page **list, size_t size) {
  mia_page **best = list;
  size = mia_align_up(size, MIA_OS_PAGE_MIN);
  for (mia_page **at = list; *at != NULL && (*best)->touched != size; at = &(*at)->next)
    if (is_better((*at)->touched, (*best)->touched, size)) best = at;
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
    page = take_best(&list, size);
    others = list;
    put(slot, (uintptr_t)others | (word & AGED));
  }
  set_large(self, slices, others != NULL ? self->cached_large[slices - 1] - 1u : 0);
  mia_theap_count(self, MIA_EVENT_REUSED);
  return page;
}

static void drop_or_age(mia_theap *self, mia_aword *slot) {
  uintptr_t was = mia_aword_get(slot);
  if ((was & AGED) != 0)
    drop(self, slot);
  else if (was != 0)
    mia_aword_cas(slot, &was, was | AGED);
}

void mia_theap_flush_cache(mia_theap *self) {
  mia_theap_cache_recent(self);
  for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++) drop(self, &self->cache[i]);
}

static void each_of(mia_theap *self, mia_theap *other, void (*action)(mia_theap *, mia_aword *)) {
  for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++) action(self, &other->cache[i]);
}

static mia_theap *swap_turn(mia_theap *turn) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap *was = mia_theap_all.cache_turn;
  mia_theap_all.cache_turn = turn;
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return was;
}

/* Two threads that do so at once go through the same locals: harmless. */
static void each_spare(mia_theap *self, void (*action)(mia_theap *, mia_aword *),
                       mia_budget *budget) {
  mia_theap *other = swap_turn(NULL);
  if (other == NULL || budget->left == SIZE_MAX)
    other = (mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; other != NULL && !mia_budget_is_spent(budget); other = other->all) {
    each_of(self, other, action);
    mia_budget_spend(budget, MIA_THEAP_CACHE_SLOTS * sizeof(mia_aword) * SLOT_COST);
  }
  if (other != NULL) (void)swap_turn(other);
}

void mia_theap_flush_all_caches(mia_theap *self, mia_budget *budget) {
  each_spare(self, drop, budget);
}
void mia_theap_age_all_caches(mia_theap *self, mia_budget *budget) {
  each_spare(self, drop_or_age, budget);
}

bool mia_theap_has_cached_page(void) {
  const mia_theap *local = (const mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; local != NULL; local = local->all)
    for (size_t i = 0; i < MIA_THEAP_CACHE_SLOTS; i++)
      if (mia_aword_get(&local->cache[i]) != 0) return true;
  return false;
}
