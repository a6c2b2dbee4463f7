/* SPDX-License-Identifier: MIT */
/* checked.h -- security tiers from 1 on: what malloc and free do where the thread has what they need.
 * The fast paths of fast.h serve no call in these tiers, so each call comes here by its slow path. */
#ifndef MIA_ALLOC_CHECKED_H
#define MIA_ALLOC_CHECKED_H

#include "page/canary.h"
#include "page/tail.h"
#include "theap/bin.h"
#include "theap/checked.h"
#include "theap/thread.h"

enum { MIA_CHECKED_CANARY = MIA_DEBUG ? MIA_CANARY_SIZE : MIA_TIER_CANARY_SIZE };

/* Allocates from the page in use of the main heap's theap, if that has a block: a thread without a theap,
 * or with another default heap, has no such page.  If NULL, the caller must call
 * mia_alloc_checked_slow. */
mia_inline void *mia_checked_malloc(size_t size) {
  if (mia_unlikely(size > MIA_CLASS_SIZE_MAX - MIA_CHECKED_CANARY)) return NULL;
  mia_page *page;
  unsigned size_class = mia_class_of(size + (size == 0) + MIA_CHECKED_CANARY);
  void *p = mia_theap_checked_take(mia_theap_self, size_class, &page);
  if (mia_unlikely(p == NULL)) return NULL;
  mia_canary_set_checked(page, p, size);
  return p;
}

/* Likewise from any page or cached large page.  If NULL, errno is unchanged, and the caller must call
 * mia_alloc_slow. */
mia_noinline void *mia_alloc_checked_slow(size_t size);

/* Reports that a pointer has another tag than the block, if there is a live one.  Returns true if there is,
 * and the user wants the process to go on. */
mia_cold bool mia_alloc_is_stale(const char *call, const mia_page *page, const void *p);

/* Frees a block.  `given' is its address as the program gave it, which may have a tag.  If `p' is none,
 * reports that, and returns if the user wants the process to go on. */
mia_inline void mia_checked_free(mia_page *page, void *p, const void *given) {
  if (mia_unlikely(!mia_tags_match(page, given)) && mia_alloc_is_stale("free", page, p)) return;
  if (mia_likely(page->size_class < MIA_CLASS_COUNT)) {
    mia_theap_checked_free(mia_theap_self, page, p);
    return;
  }
  if (mia_unlikely(!mia_page_is_block(page, p))) {
    mia_page_misuse_in_call(page, "free", MIA_MISUSE_INSIDE, p);
    return;
  }
  mia_canary_require_checked(page, p);
  mia_page_wipe_from(page, mia_tier_is_hardened() ? 0 : page->size - MIA_TIER_CANARY_SIZE);
  mia_theap_free_singleton(mia_theap_attach_to_free_fast(), page);
}

#endif
