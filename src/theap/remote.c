/* remote.c -- what becomes of a block that is freed by a thread that does not own its page. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/owner.h"
#include "theap/bin_pages.h"
#include "theap/page_cache.h"
#include "theap/remote_cache.h"

/* ---- singleton pages ---- */

/* Frees the block of a singleton page.  Where no other thread can claim the page, that needs no
 * compare-and-swap.  Returns false if another thread has claimed the page to end its heap: that
 * thread disposes of it. */
static bool claim_singleton(const mia_theap *self, mia_page *page) {
  bool alone = !mia_theap_is_none(self) && mia_theap_is_settled_main_page(page);
  if (alone && mia_owner_free_alone(page)) return true;
  mia_singleton_freed freed = mia_owner_free_singleton(page);
  if (freed == MIA_SINGLETON_TWICE) mia_base_misuse("block freed twice", page->start);
  if (freed == MIA_SINGLETON_LEFT) return false;
  page->used = 0;
  return true;
}

void mia_theap_free_singleton(mia_theap *self, mia_page *page) {
  if (claim_singleton(self, page)) mia_theap_cache_page(self, page);
}

/* ---- the outcomes of a remote free ---- */

typedef enum outcome {
  JOIN_BATCH,     /* it joins the batch for its page: no atomic operation */
  FREE_SINGLETON, /* it is all of its page, which is cached or retired */
  FREE_OWN,       /* its page has been reclaimed: no further free needs an atomic operation */
  KEEP,           /* it waits in the magazine, to be allocated by this thread */
  SEND,           /* its page gets it at once: one atomic operation */
  BEGIN_BATCH     /* it is the first of a batch, and the batch of another page is sent */
} outcome;

/* Reclaims a full page at the thread's first free into it, if nobody owns the page and the
 * thread allocates from its class.  The page is used after all others, so that it has collected
 * blocks by then.  Returns false if the page was not reclaimed. */
static bool reclaim_early(mia_theap *self, mia_page *page) {
  if (self->bins[page->size_class].reclaim_backoff > 0 || !mia_theap_can_use(self, page))
    return false;
  if (mia_aword_get(&page->listed) != 0 || !mia_owner_claim(page)) return false;
  mia_page_collect(page);
  mia_theap_reclaim(self, page, mia_theap_add_page_last);
  return true;
}

/* The thread allocates from the class.  A block of a page without an owner is not kept if it can
 * join a batch instead: such a page is reclaimed once enough of it is free. */
static outcome choose_beside_magazine(mia_theap *self, const mia_page *page) {
  mia_remote_cache *cache = &self->remote[page->size_class];
  bool unowned = mia_aword_get(&page->owner) == 0 && mia_remote_is_batched(page->size_class);
  if (!unowned && mia_remote_has_room(cache, page)) return KEEP;
  if (unowned && cache->count > 0) return SEND;
  mia_theap_send_magazine(self, page->size_class);
  return mia_remote_is_batched(page->size_class) ? BEGIN_BATCH : SEND;
}

/* The order matters.  The first comparison fails for all other pages, and reads nothing of the page
 * but its class.  Singleton pages come before all that uses the class as an index of bins.
 * Reclaiming comes before the magazine, because it makes all further frees into the page cheap, and
 * the magazine only this one.  The magazine comes before a batch, because the thread then allocates
 * the block itself.  A thread without a theap has no batch, no page in use and no magazine: it
 * sends its blocks. */
static outcome choose(mia_theap *self, mia_page *page) {
  if (page->size_class >= MIA_CLASS_COUNT) return FREE_SINGLETON;
  const mia_remote_cache *cache = &self->remote[page->size_class];
  if (cache->page == page) return JOIN_BATCH;
  if (mia_aword_get(&page->owner) == 0 && reclaim_early(self, page)) return FREE_OWN;
  if (!mia_remote_can_wait(page)) return SEND;
  if (cache->state != MIA_REMOTE_BATCH) return choose_beside_magazine(self, page);
  if (!mia_remote_is_batched(page->size_class) || mia_theap_is_none(self)) return SEND;
  return BEGIN_BATCH;
}

static void join_batch(mia_theap *self, unsigned size_class, mia_block *block) {
  mia_remote_cache *batch = &self->remote[size_class];
  mia_remote_keep(batch, block);
  if (batch->count >= batch->most) mia_theap_send_batch(self, size_class);
}

void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block) {
  mia_page_require_block(page, block);
  unsigned size_class = page->size_class;
  switch (choose(self, page)) {
  case JOIN_BATCH:
    join_batch(self, size_class, block);
    break;
  case FREE_SINGLETON:
    mia_theap_free_singleton(self, page);
    break;
  case FREE_OWN:
    mia_theap_free_own(self, page, block);
    break;
  case KEEP:
    mia_remote_keep(&self->remote[size_class], block);
    break;
  case SEND:
    mia_theap_send(self, page, block, block, 1);
    break;
  case BEGIN_BATCH:
    if (self->remote[size_class].count > 0) mia_theap_send_batch(self, size_class);
    mia_theap_begin_batch(self, page, block);
    break;
  }
}
