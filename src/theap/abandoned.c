/* abandoned.c -- the lists of abandoned pages. */
#include "base/prelude.h"

#include "base/bits.h"
#include "page/owner.h"
#include "theap/abandoned.h"

/* The age at which a page is first due to be trimmed, and the age at which it stays. */
enum { DUE_AGE = 2, AGE_MAX = 128 };

static bool is_untrimmed(const mia_page *page) {
  return page->age < DUE_AGE && mia_theap_is_main_page(page);
}

static void link_page(mia_page *page) {
  mia_page **head = &mia_theap_heap_of(page)->abandoned[page->size_class];
  page->prev = NULL;
  page->next = *head;
  if (*head != NULL)
    (*head)->prev = page;
  else
    mia_theap_heap_of(page)->abandoned_last[page->size_class] = page;
  *head = page;
  mia_aword_set(&page->listed, 1);
  mia_aword_add(&mia_theap_heap_of(page)->abandoned_count[page->size_class], 1);
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
  if (heap->trim_next[page->size_class] == page) heap->trim_next[page->size_class] = page->prev;
  mia_aword_sub(&heap->abandoned_count[page->size_class], 1);
  if (is_untrimmed(page)) mia_aword_sub(&mia_theap_all.untrimmed, page->slices);
  /* Last: the thread that has claimed the page and sees 0 may retire it without the lock. */
  mia_aword_set_rel(&page->listed, 0);
}

bool mia_theap_abandon_page(mia_page *page) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  if (mia_aword_get(&page->listed) == 0) link_page(page);
  bool abandoned = mia_owner_abandon(page, page->used);
  if (!abandoned) unlink_page(page);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return abandoned;
}

void mia_theap_unlist_abandoned(mia_page *page) {
  /* Only the caller could list the page, so if it is not listed now it stays so. */
  if (mia_aword_get_acq(&page->listed) == 0) return;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap_unlist_abandoned_locked(page);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

mia_page *mia_theap_take_abandoned(mia_heap *heap, unsigned size_class) {
  if (mia_aword_get(&heap->abandoned_count[size_class]) == 0) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_page *page = heap->abandoned[size_class];
  while (page != NULL) {
    bool claimed = mia_owner_claim(page); /* before unlinking: then it may be retired */
    unlink_page(page);
    if (claimed) break;
    page = heap->abandoned[size_class]; /* a free has claimed it, and will dispose of it */
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return page;
}

/* At AGE_MAX, which is a power of two, a page is due at each visit. */
bool mia_theap_age_page(mia_page *page) {
  if (page->age < AGE_MAX) page->age++;
  return page->age >= DUE_AGE && mia_is_power_of_two(page->age);
}

static bool age_listed_page(mia_page *page) {
  bool was_untrimmed = is_untrimmed(page);
  bool due = mia_theap_age_page(page);
  if (was_untrimmed && due) mia_aword_sub(&mia_theap_all.untrimmed, page->slices);
  return due;
}

static bool should_trim(mia_page *page, mia_trim which) {
  if (which == MIA_TRIM_DUE) return age_listed_page(page);
  return which == MIA_TRIM_ALL || is_untrimmed(page);
}

/* Begins with the page that was listed first: other threads have had the most time to free
 * its blocks.  A page that is taken counts as having been due. */
mia_page *mia_theap_take_abandoned_for_trim(mia_heap *heap, unsigned size_class, mia_trim which,
                                            mia_budget *budget, bool *more) {
  mia_page *taken = NULL, *next;
  *more = false;
  if (mia_aword_get(&heap->abandoned_count[size_class]) == 0) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_page *page = which == MIA_TRIM_DUE ? heap->trim_next[size_class] : NULL;
  if (page == NULL) page = heap->abandoned_last[size_class];
  for (; page != NULL && !mia_budget_is_spent(budget); page = next) {
    next = page->prev;
    mia_budget_spend(budget, MIA_BUDGET_PAGE);
    if (!should_trim(page, which) || !mia_owner_claim(page)) continue;
    mia_budget_spend(budget, page->capacity * MIA_BUDGET_BLOCK);
    unlink_page(page);
    if (page->age < DUE_AGE) page->age = DUE_AGE;
    page->next = taken;
    taken = page;
  }
  if (which == MIA_TRIM_DUE) heap->trim_next[size_class] = page;
  *more = page != NULL;
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
