/* SPDX-License-Identifier: MIT */
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
 * thread disposes of it.  Returns false too if the block is free already. */
static bool claim_singleton(const mia_theap *self, mia_page *page) {
  bool alone = !mia_theap_is_none(self) && mia_theap_is_settled_main_page(page);
  if (alone && mia_owner_free_alone(page)) return true;
  mia_singleton_freed freed = mia_owner_free_singleton(page);
  if (freed == MIA_SINGLETON_TWICE)
    mia_page_misuse_in_call(page, "free", MIA_MISUSE_TWICE, page->start);
  if (freed != MIA_SINGLETON_CLAIMED) return false;
  page->used = 0;
  return true;
}

void mia_theap_free_singleton(mia_theap *self, mia_page *page) {
  if (claim_singleton(self, page)) mia_theap_cache_put(self, page);
}

/* ---- the outcomes of a remote free ---- */

/* What becomes of a block that cannot join what waits.  In the order in which they are considered:
 * reclaiming the page makes all further frees into it cheap, a magazine only this one; and a block
 * that this thread allocates again needs no atomic operation in either direction. */
typedef enum outcome {
  RECLAIM,    /* its page is claimed, if that is still possible, and owned */
  KEEP,       /* it waits in the magazine, to be allocated by this thread */
  SEND,       /* its page gets it at once */
  SEND_ALL,   /* likewise, after the magazine, which has no room, was sent */
  BEGIN_BATCH /* what waits is sent, and the block is the first of a new batch */
} outcome;

/* Returns true if the thread should own a full page from its first free into it on, without waiting
 * for more: nobody owns the page, and the thread allocates from its class.  Without this, replacement
 * at random in a table takes 2.5 to 4 times as long. */
static bool can_reclaim_early(const mia_theap *self, const mia_page *page) {
  const mia_bin *bin = &self->bins[page->size_class];
  return mia_theap_is_in_use(bin) && bin->reclaim_backoff == 0 &&
         mia_aword_get(&page->owner) == 0 && mia_aword_get(&page->listed) == 0 &&
         mia_theap_can_use(self, page);
}

/* The thread allocates from the class.  A block of a page without an owner is not kept if there
 * are batches for its class: such a page is reclaimed once enough of it is free. */
static outcome choose_beside_magazine(const mia_theap *self, const mia_page *page) {
  const mia_remote_cache *cache = &self->remote[page->size_class];
  bool batched = mia_remote_is_batched(page->size_class);
  if (batched && mia_aword_get(&page->owner) == 0) return SEND;
  if (cache->count < cache->most) return KEEP;
  return batched ? BEGIN_BATCH : SEND_ALL;
}

/* A thread without a theap has no page in use, and nothing that waits: it sends its blocks. */
mia_inline outcome choose(const mia_theap *self, const mia_page *page, bool reclaims) {
  if (reclaims && can_reclaim_early(self, page)) return RECLAIM;
  if (mia_theap_is_none(self) || !mia_remote_can_wait(page)) return SEND;
  if (mia_remote_is_magazine(&self->remote[page->size_class]))
    return choose_beside_magazine(self, page);
  return mia_remote_is_batched(page->size_class) ? BEGIN_BATCH : SEND;
}

/* Chooses again after another thread has claimed the page. */
mia_cold static outcome choose_without_reclaim(const mia_theap *self, const mia_page *page) {
  return choose(self, page, false);
}

/* The page is used after all others, so that it has collected blocks by then.  Returns false if
 * another thread has claimed it. */
static bool reclaim(mia_theap *self, mia_page *page) {
  if (!mia_owner_claim(page)) return false;
  mia_page_collect(page);
  mia_theap_reclaim(self, page, mia_theap_add_page_last);
  return true;
}

bool mia_theap_reclaim_early(mia_theap *self, mia_page *page) {
  return can_reclaim_early(self, page) && reclaim(self, page);
}

/* Frees a block of a class that does not join what waits. */
static void free_apart(mia_theap *self, mia_page *page, mia_block *block) {
  unsigned size_class = page->size_class;
  outcome what = choose(self, page, true);
  if (what == RECLAIM && !reclaim(self, page)) what = choose_without_reclaim(self, page);
  switch (what) {
  case RECLAIM:
    mia_theap_free_own(self, page, block);
    break;
  case KEEP:
    mia_remote_add(&self->remote[size_class], page, block);
    break;
  case SEND:
    mia_theap_send(self, page, block, block, 1);
    break;
  case SEND_ALL:
    mia_theap_send_remote(self, size_class);
    mia_theap_send(self, page, block, block, 1);
    break;
  case BEGIN_BATCH:
    mia_theap_send_remote(self, size_class);
    mia_theap_begin_batch(self, page, block);
    break;
  }
}

void mia_theap_free_remote(mia_theap *self, mia_page *page, mia_block *block) {
  if (page->size_class >= MIA_CLASS_COUNT)
    mia_theap_free_singleton(self, page);
  else
    free_apart(self, page, block);
}
