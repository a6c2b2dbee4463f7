/* trim_pages.c -- which pages are trimmed, and when. */
#include "base/prelude.h"

#include "arena/budget.h"
#include "page/trim.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/trim_pages.h"

/* Giving back single OS pages takes longer than one piece of memory of that size. */
enum { PART_COST = 2 };

static void give_back_parts(mia_page *page, mia_budget *budget) {
  mia_budget_spend(budget, PART_COST * mia_page_trim(page));
}

/* The time to trim a page grows with its free blocks, which are all visited. */
static void trim_own_page(mia_page *page, mia_budget *budget) {
  uint32_t count = page->capacity - page->used;
  mia_budget_spend(budget, count * MIA_BUDGET_BLOCK);
  give_back_parts(page, budget);
}

/* Trims the pages of a bin from number `trim_page' on.  Returns false if the budget did not suffice
 * for all, and the next call is to continue there. */
static bool trim_bin(mia_theap *self, mia_bin *bin, bool all, mia_budget *budget) {
  size_t number = 0;
  for (mia_page *page = all || !bin->refilled ? bin->pages : NULL; page != NULL;
       page = page->next) {
    if (number++ < self->trim_page) continue;
    if (mia_budget_is_spent(budget)) return false;
    if (mia_theap_age_page(page) || all) trim_own_page(page, budget);
    self->trim_page = number;
  }
  self->trim_page = 0;
  bin->refilled = false;
  return true;
}

void mia_theap_trim_own(mia_theap *self, bool all, mia_budget *budget) {
  if (all) self->trim_class = self->trim_page = 0;
  while (self->trim_class < MIA_CLASS_COUNT &&
         trim_bin(self, &self->bins[self->trim_class], all, budget))
    self->trim_class++;
  if (self->trim_class == MIA_CLASS_COUNT) self->trim_class = 0;
}

/* Returns true if a page, which is collected, should be trimmed. */
static bool is_worthwhile(const mia_page *page, mia_trim which) {
  return page->used > 0 && (which != MIA_TRIM_UNTRIMMED || page->used < page->total / 2u);
}

static void trim_and_dispose(mia_theap *self, mia_page *page, mia_trim which, mia_budget *budget) {
  mia_page_collect(page);
  if (is_worthwhile(page, which)) give_back_parts(page, budget);
  mia_theap_dispose_page(self, page, false);
}

/* Trims the abandoned pages of a class.  Returns false if the budget did not suffice: the next
 * thread that trims continues there. */
static bool trim_class(mia_theap *self, mia_heap *heap, unsigned size_class, mia_trim which,
                       mia_budget *budget) {
  mia_page *next;
  bool more;
  mia_page *page = mia_theap_take_abandoned_for_trim(heap, size_class, which, budget, &more);
  for (; page != NULL; page = next) {
    next = page->next;
    trim_and_dispose(self, page, which, budget);
  }
  return !more;
}

bool mia_theap_trim_abandoned(mia_theap *self, mia_heap *heap, mia_trim which, mia_budget *budget) {
  size_t size_class = which == MIA_TRIM_ALL ? 0 : mia_aword_get(&heap->trim_class);
  while (size_class < MIA_CLASS_COUNT && !mia_budget_is_spent(budget) &&
         trim_class(self, heap, (unsigned)size_class, which, budget))
    size_class++;
  bool done = size_class == MIA_CLASS_COUNT;
  if (which != MIA_TRIM_ALL) mia_aword_set(&heap->trim_class, done ? 0 : size_class);
  return done;
}
