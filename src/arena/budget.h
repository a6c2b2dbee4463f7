/* SPDX-License-Identifier: MIT */
/* budget.h -- how much memory one call may give back to the OS.
 *
 * The time that a program waits when it frees a block must not grow with the amount of
 * memory that the process has to give back.  So each tick has a budget, and the next tick
 * continues where this one stopped.  A budget is counted in bytes given back to the OS.
 * Other work is counted as the number of bytes that would take as long. */
#ifndef MIA_ARENA_BUDGET_H
#define MIA_ARENA_BUDGET_H

#include "base/layout.h"

typedef struct mia_budget {
  size_t left;
} mia_budget;

#define MIA_BUDGET_ALL \
  { .left = SIZE_MAX }

/* What other work counts as: reading the bits of a region, reading a page's descriptor, visiting
 * a block, which is a cache miss where blocks were freed in random order, and splitting a large OS
 * page. */
#define MIA_BUDGET_REGION ((size_t)4 * 1024)
#define MIA_BUDGET_PAGE ((size_t)1024)
#define MIA_BUDGET_BLOCK ((size_t)2048)
#define MIA_BUDGET_SPLIT MIA_MIB

mia_inline bool mia_budget_is_unbounded(const mia_budget *b) { return b->left == SIZE_MAX; }
mia_inline bool mia_budget_is_spent(const mia_budget *b) { return b->left == 0; }

mia_inline void mia_budget_spend(mia_budget *b, size_t bytes) {
  if (!mia_budget_is_unbounded(b)) b->left -= bytes < b->left ? bytes : b->left;
}

#endif
