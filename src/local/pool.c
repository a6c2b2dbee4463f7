/* pool.c -- pages that have room and no owner, by class. */
#include "base/prelude.h"

#include "local/pool.h"
#include "page/owner.h"

static void link_page(mia_page *page) {
  mia_page **head = &mia_local_all.pool[page->size_class];
  page->prev = NULL;
  page->next = *head;
  if (*head != NULL) (*head)->prev = page;
  *head = page;
  mia_aword_set(&page->listed, 1);
  mia_aword_add(&mia_local_all.pooled[page->size_class], 1);
}

static void unlink_page(mia_page *page) {
  if (page->prev != NULL)
    page->prev->next = page->next;
  else
    mia_local_all.pool[page->size_class] = page->next;
  if (page->next != NULL) page->next->prev = page->prev;
  mia_aword_sub(&mia_local_all.pooled[page->size_class], 1);
  /* Last: who has the page and sees this may retire it without the lock. */
  mia_aword_set_rel(&page->listed, 0);
}

bool mia_local_pool_put(mia_page *page) {
  mia_os_lock(&mia_local_all.pool_lock);
  if (mia_aword_get(&page->listed) == 0) link_page(page);
  bool dropped = mia_owner_drop(page, page->used);
  if (!dropped) unlink_page(page);
  mia_os_unlock(&mia_local_all.pool_lock);
  return dropped;
}

void mia_local_pool_remove(mia_page *page) {
  /* Only who has the page lists it: not listed now is not listed. */
  if (mia_aword_get_acq(&page->listed) == 0) return;
  mia_os_lock(&mia_local_all.pool_lock);
  if (mia_aword_get(&page->listed) != 0) unlink_page(page);
  mia_os_unlock(&mia_local_all.pool_lock);
}

mia_page *mia_local_pool_take(unsigned size_class) {
  if (mia_aword_get(&mia_local_all.pooled[size_class]) == 0) return NULL;
  mia_os_lock(&mia_local_all.pool_lock);
  mia_page *page = mia_local_all.pool[size_class];
  while (page != NULL) {
    bool claimed = mia_owner_claim(page); /* first: unlinked, it may be gone */
    unlink_page(page);
    if (claimed) break;
    page = mia_local_all.pool[size_class]; /* it was claimed by a free, which sees to it */
  }
  mia_os_unlock(&mia_local_all.pool_lock);
  return page;
}
