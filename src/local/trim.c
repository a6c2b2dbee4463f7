/* trim.c -- giving back OS pages in pages that nobody allocates from. */
#include "base/prelude.h"

#include "local/bin.h"
#include "local/pool.h"
#include "local/trim.h"
#include "page/trim.h"

void mia_local_trim_own(mia_local *self, bool all) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    for (mia_page *page = bin->others; page != NULL && (all || !bin->warm); page = page->next)
      if (mia_local_grow_older(page) || all) (void)mia_page_trim(page);
    bin->warm = false;
  }
}

static bool is_worth_it(const mia_page *page, mia_trim which) {
  return page->used > 0 && (which != MIA_TRIM_LOOSE || page->used < page->total / 2u);
}

static void trim(mia_local *self, mia_page *page, mia_trim which) {
  mia_page_gather(page);
  if (is_worth_it(page, which)) (void)mia_page_trim(page);
  mia_local_settle(self, page, false);
}

void mia_local_trim_pool(mia_local *self, mia_heap *heap, mia_trim which) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_page *next;
    for (mia_page *page = mia_local_pool_take_for_trim(heap, size_class, which); page != NULL;
         page = next) {
      next = page->next;
      trim(self, page, which);
    }
  }
}
