/* SPDX-License-Identifier: MIT */
/* trim_pages.c -- which pages are trimmed, and when. */
#include "base/prelude.h"

#include "arena/budget.h"
#include "arena/thp.h"
#include "page/trim.h"
#include "theap/abandoned.h"
#include "theap/bin_pages.h"
#include "theap/pages.h"
#include "theap/trim_pages.h"

/* What one step of a visit may spend. */
#define VISIT_BUDGET (2 * MIA_MIB)

/* Giving back single OS pages takes longer than one piece of memory of that size. */
enum { PART_COST = 2 };

static void give_back_parts(mia_page *page, mia_budget *budget) {
  size_t cost = mia_arena_cost_to_end_thp(page->arena, mia_page_span(page),
                                          (size_t)page->slices << MIA_SLICE_SHIFT);
  size_t trimmed = mia_page_trim(page);
  if (trimmed > 0) mia_budget_spend(budget, PART_COST * trimmed + cost);
}

/* Retires a page that the theap owns and does not use.  It was not needed for a while, so it is not
 * cached. */
static void retire_own_page(mia_theap *self, mia_page *page) {
  mia_theap_remove_page(&self->bins[page->size_class], page);
  mia_theap_clear_owner(page);
  mia_theap_retire_page(self, page);
}

/* Trims such a page.  The time grows with the free blocks, which are all visited.  Returns false if the
 * page was empty, and is retired. */
static bool trim_own_page(mia_theap *self, mia_page *page, mia_budget *budget) {
  mia_page_collect(page);
  uint32_t count = page->capacity - page->used - page->trimmed_blocks;
  mia_budget_spend(budget, count * MIA_BUDGET_BLOCK);
  bool stays = page->used > 0;
  if (stays)
    give_back_parts(page, budget);
  else
    retire_own_page(self, page);
  return stays;
}

/* Trims the pages of a bin from number `trim_page' on.  Returns false if the budget did not suffice
 * for all, and the next call is to continue there. */
static bool trim_bin(mia_theap *self, mia_bin *bin, bool all, mia_budget *budget) {
  size_t passed = 0;
  mia_page *next;
  for (mia_page *page = all || !bin->refilled ? bin->pages : NULL; page != NULL; page = next) {
    next = page->next;
    if (passed < self->trim_page) {
      passed++;
      continue;
    }
    if (mia_budget_is_spent(budget)) return false;
    bool due = mia_theap_age_page(page) || all;
    passed += !due || trim_own_page(self, page, budget);
    self->trim_page = passed;
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
  self->trimming = self->trim_class < MIA_CLASS_COUNT;
  if (!self->trimming) self->trim_class = 0;
}

/* An untrimmed page that is mostly in use is not worth the time: few of its OS pages are free. */
static bool is_worthwhile(const mia_page *page, mia_trim which) {
  return which == MIA_TRIM_DUE || page->used < page->total / 2u;
}

/* Lists a page again.  That is no event, and needs no tick: the page was abandoned before. */
static bool relist(mia_page *page) {
  return !mia_theap_is_full(page) && mia_theap_can_allocate_from(page) &&
         mia_theap_abandon_trimmed_page(page);
}

static void trim_abandoned_page(mia_theap *self, mia_page *page, mia_trim which,
                                mia_budget *budget) {
  mia_page_collect(page);
  if (page->used == 0) {
    mia_theap_retire_page(self, page);
    return;
  }
  if (is_worthwhile(page, which)) give_back_parts(page, budget);
  if (!relist(page)) mia_theap_dispose_page(self, page, false);
}

static void trim_list(mia_theap *self, mia_page *list, mia_trim which, mia_budget *budget) {
  mia_page *next;
  for (mia_page *page = list; page != NULL; page = next) {
    next = page->next;
    trim_abandoned_page(self, page, which, budget);
  }
}

/* A thread that has no budget, too, takes the pages in small numbers, so that others find the rest. */
void mia_theap_trim_abandoned(mia_theap *self, mia_trim which, mia_budget *budget) {
  while (mia_theap_is_visiting(which) && !mia_budget_is_spent(budget)) {
    size_t most = budget->left < VISIT_BUDGET ? budget->left : VISIT_BUDGET;
    mia_budget part = {.left = most};
    mia_page *list = mia_theap_visit_abandoned(which, &part);
    mia_budget_spend(budget, most - part.left);
    trim_list(self, list, which, budget);
  }
}

void mia_theap_trim_heap(mia_theap *self, mia_heap *heap) {
  mia_budget budget = MIA_BUDGET_ALL;
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    trim_list(self, mia_theap_take_all_abandoned(heap, size_class), MIA_TRIM_DUE, &budget);
}
