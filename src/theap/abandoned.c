/* SPDX-License-Identifier: MIT */
/* abandoned.c -- the lists of abandoned pages. */
#include "base/prelude.h"

#include "arena/node.h"
#include "base/bits.h"
#include "page/owner.h"
#include "theap/abandoned.h"

/* The age at which a page is first due to be trimmed, and the age from which it goes back to half. */
enum { DUE_AGE = 2, AGE_MAX = 128 };

static bool is_untrimmed(const mia_page *page) {
  return page->age < DUE_AGE && mia_theap_is_main_page(page);
}

/* ---- visits ---- */

static void go_on(mia_abandoned_visit *visit) {
  if (visit->next == visit->last) {
    visit->next = NULL;
    visit->size_class++;
  } else {
    visit->next = visit->next->prev;
  }
}

/* Called before a page leaves its list. */
static void leave_out(mia_abandoned_visit *visit, const mia_page *page) {
  if (visit->next == NULL) return;
  if (visit->next == page)
    go_on(visit);
  else if (visit->last == page)
    visit->last = page->next;
}

/* Returns the next page of a visit, or NULL at its end. */
static mia_page *next_page(mia_abandoned_visit *visit) {
  const mia_heap *heap = mia_theap_main_heap();
  while (visit->next == NULL && visit->size_class < MIA_CLASS_COUNT) {
    visit->next = heap->abandoned_last[visit->size_class];
    visit->last = heap->abandoned[visit->size_class];
    if (visit->next == NULL) visit->size_class++;
  }
  mia_page *page = visit->next;
  if (page != NULL) go_on(visit);
  return page;
}

/* ---- lists ---- */

/* Links a page, last if it was trimmed, else first.  A page that is listed already keeps its place. */
static void link_page(mia_page *page, bool trimmed) {
  if (mia_aword_get(&page->listed) != 0) return;
  mia_heap *heap = mia_theap_heap_of(page);
  mia_page **first = &heap->abandoned[page->size_class];
  mia_page **last = &heap->abandoned_last[page->size_class];
  page->prev = trimmed ? *last : NULL;
  page->next = trimmed ? NULL : *first;
  *(page->prev != NULL ? &page->prev->next : first) = page;
  *(page->next != NULL ? &page->next->prev : last) = page;
  mia_aword_set(&page->listed, 1);
  mia_aword_add(&heap->abandoned_count[page->size_class], 1);
  if (is_untrimmed(page)) mia_aword_add(&mia_theap_all.untrimmed, page->slices);
}

static void unlink_page(mia_page *page) {
  mia_heap *heap = mia_theap_heap_of(page);
  if (page->prev != NULL)
    page->prev->next = page->next;
  else
    heap->abandoned[page->size_class] = page->next;
  if (page->next != NULL)
    page->next->prev = page->prev;
  else
    heap->abandoned_last[page->size_class] = page->prev;
  for (int i = 0; i < MIA_ABANDONED_VISITS; i++) leave_out(&mia_theap_all.visits[i], page);
  mia_aword_sub(&heap->abandoned_count[page->size_class], 1);
  if (is_untrimmed(page)) mia_aword_sub(&mia_theap_all.untrimmed, page->slices);
  /* Last: the thread that has claimed the page and sees 0 may retire it without the lock. */
  mia_aword_set_rel(&page->listed, 0);
}

static bool abandon(mia_page *page, bool trimmed) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  link_page(page, trimmed);
  bool abandoned = mia_owner_abandon(page, page->used);
  if (!abandoned) unlink_page(page);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return abandoned;
}

bool mia_theap_abandon_page(mia_page *page) { return abandon(page, false); }
bool mia_theap_abandon_trimmed_page(mia_page *page) { return abandon(page, true); }

void mia_theap_unlist_abandoned(mia_page *page) {
  /* Only the caller could list the page, so if it is not listed now it stays so. */
  if (mia_aword_get_acq(&page->listed) == 0) return;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap_unlist_abandoned_locked(page);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

/* A look at a page costs a cache miss.  A far page with free blocks is better than another page. */
enum { LOOKS_MAX = 8 };

/* Returns the page to take, or NULL if there are none.  It is the head of the list: trimmed pages come
 * last, and the newest of the others is in this processor's cache most likely.  With several nodes,
 * another page may be nearer. */
static mia_page *choose_page(const mia_heap *heap, unsigned size_class, unsigned node) {
  mia_page *head = heap->abandoned[size_class], *page = head;
  for (int i = 0; page != NULL && i < LOOKS_MAX; i++, page = page->next)
    if (mia_arena_is_near(page->arena, node)) return page;
  return head;
}

mia_page *mia_theap_take_abandoned(mia_heap *heap, unsigned size_class, unsigned node) {
  if (mia_aword_get(&heap->abandoned_count[size_class]) == 0) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_page *page;
  while ((page = choose_page(heap, size_class, node)) != NULL) {
    bool claimed = mia_owner_claim(page); /* before unlinking: then it may be retired */
    unlink_page(page);
    if (claimed) break;
    /* Otherwise a free has claimed it, and will dispose of it. */
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return page;
}

bool mia_theap_age_page(mia_page *page) {
  if (++page->age == AGE_MAX) page->age = AGE_MAX / 2;
  return page->age >= DUE_AGE && mia_is_power_of_two(page->age);
}

static bool age_listed_page(mia_page *page) {
  bool was_untrimmed = is_untrimmed(page);
  bool due = mia_theap_age_page(page);
  if (was_untrimmed && due) mia_aword_sub(&mia_theap_all.untrimmed, page->slices);
  return due;
}

/* Takes a page that the caller has claimed for trimming, and appends it to a list.  The page counts as
 * having been due.  Returns the link behind it. */
static mia_page **take_claimed(mia_page *page, mia_page **link) {
  unlink_page(page);
  if (page->age < DUE_AGE) page->age = DUE_AGE;
  page->next = NULL;
  *link = page;
  return &page->next;
}

void mia_theap_begin_visit(mia_trim which) {
  mia_abandoned_visit *visit = &mia_theap_all.visits[which];
  if (mia_aword_get(&visit->under_way) != 0) return;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  if (mia_aword_get(&visit->under_way) == 0) {
    visit->size_class = 0;
    mia_aword_set(&visit->under_way, 1);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

/* What it costs to collect and trim a page that the caller has claimed. */
static size_t cost_of(const mia_page *page) {
  uint32_t listed = page->capacity - page->used - page->trimmed_blocks;
  return (listed + mia_owner_count_remote(page)) * MIA_BUDGET_BLOCK;
}

mia_page *mia_theap_visit_abandoned(mia_trim which, mia_budget *budget) {
  mia_abandoned_visit *visit = &mia_theap_all.visits[which];
  mia_page *taken = NULL, **link = &taken, *page = NULL;
  if (mia_aword_get(&visit->under_way) == 0) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  while (!mia_budget_is_spent(budget) && (page = next_page(visit)) != NULL) {
    mia_budget_spend(budget, MIA_BUDGET_PAGE);
    bool due = which == MIA_TRIM_DUE ? age_listed_page(page) : is_untrimmed(page);
    if (!due || !mia_owner_claim(page)) continue;
    mia_budget_spend(budget, cost_of(page));
    link = take_claimed(page, link);
  }
  if (visit->size_class == MIA_CLASS_COUNT) mia_aword_set(&visit->under_way, 0);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return taken;
}

mia_page *mia_theap_take_all_abandoned(mia_heap *heap, unsigned size_class) {
  mia_page *taken = NULL, **link = &taken, *next;
  if (mia_aword_get(&heap->abandoned_count[size_class]) == 0) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (mia_page *page = heap->abandoned_last[size_class]; page != NULL; page = next) {
    next = page->prev;
    if (mia_owner_claim(page)) link = take_claimed(page, link);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return taken;
}

/* ---- all pages of a heap ---- */

void mia_theap_add_heap_page(mia_heap *heap, mia_page *page) {
  mia_theap_set_heap(page, heap);
  page->heap_prev = NULL;
  page->heap_next = heap->pages;
  if (heap->pages != NULL) heap->pages->heap_prev = page;
  heap->pages = page;
}

void mia_theap_remove_heap_page(mia_page *page) {
  if (page->heap_prev != NULL)
    page->heap_prev->heap_next = page->heap_next;
  else
    mia_theap_heap_of(page)->pages = page->heap_next;
  if (page->heap_next != NULL) page->heap_next->heap_prev = page->heap_prev;
}

void mia_theap_unlist_abandoned_locked(mia_page *page) {
  if (mia_aword_get(&page->listed) != 0) unlink_page(page);
}
