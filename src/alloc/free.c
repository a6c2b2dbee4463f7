/* SPDX-License-Identifier: MIT */
/* free.c -- freeing when the fast path cannot, and the sizes of blocks. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/checked.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "theap/bin.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"

/* Returns true if tiers from 1 on know that the block is free. */
static bool is_known_free(const mia_page *page, const void *p) {
  return mia_tier_is_checked() && page->size_class < MIA_CLASS_COUNT &&
         !mia_live_is(mia_live_record(page), mia_live_index(page, p));
}

/* Returns the page in which a block begins at the address, whether it is free or not. */
static mia_page *page_at(const char *call, const void *p) {
  mia_page *page = mia_page_of_block(p);
  if (mia_unlikely(page == NULL)) page = mia_page_of(p);
  if (mia_unlikely(page == NULL)) {
    mia_base_misuse_in_call(&(mia_misuse){.call = call, .what = MIA_MISUSE_NO_BLOCK, .address = p});
    return NULL;
  }
  if (mia_likely(mia_page_is_block(page, p))) return page;
  mia_page_misuse_in_call(page, call, MIA_MISUSE_INSIDE, p);
  return NULL;
}

bool mia_alloc_is_stale(const char *call, const mia_page *page, const void *p) {
  if (!mia_page_is_block(page, p) || is_known_free(page, p)) return false;
  mia_page_misuse_in_call(page, call, MIA_MISUSE_STALE, p);
  return true;
}

mia_page *mia_alloc_page_in_call(const char *call, const void *given) {
  const void *p = mia_map_untagged(given);
  mia_page *page = page_at(call, p);
  if (mia_unlikely(page == NULL)) return NULL;
  if (mia_unlikely(!mia_tags_match(page, given)) && mia_alloc_is_stale(call, page, p)) return NULL;
  if (mia_likely(!is_known_free(page, p))) return page;
  mia_page_misuse_in_call(page, call, MIA_MISUSE_USED, p);
  return NULL;
}

void mia_alloc_free_slow(void *p) {
  if (p == NULL) return;
  const void *given = p;
  p = mia_map_untagged(p);
  mia_page *page = page_at("free", p);
  if (mia_unlikely(page == NULL)) return;
  if (mia_tier_is_checked()) {
    mia_checked_free(page, p, given);
    return;
  }
  mia_theap *self = mia_theap_attach_to_free_fast();
  if (MIA_DEBUG) {
    if (page->size_class < MIA_CLASS_COUNT)
      mia_page_poison_freed(page, p, mia_theap_owns(self, page));
    else
      (void)mia_page_require_canary(page, p);
  }
  if (mia_theap_owns(self, page))
    mia_theap_free_own(self, page, p);
  else if (page->size_class >= MIA_CLASS_COUNT || !mia_remote_try_free(self, page, p))
    mia_theap_free_remote(self, page, p);
}

void mia_alloc_free(void *p) {
  if (!mia_fast_free(p)) mia_alloc_free_slow(p);
}

size_t mia_alloc_usable_in(const mia_page *page, const void *p) {
  if (MIA_DEBUG && page->size_class < MIA_CLASS_COUNT && !mia_tier_is_checked())
    mia_page_require_live(page, p);
  return mia_canary_require(page, p);
}

size_t mia_alloc_usable(const void *p) {
  if (p == NULL) return 0;
  const mia_page *page = mia_alloc_page_in_call("malloc_usable_size", p);
  return mia_likely(page != NULL) ? mia_alloc_usable_in(page, mia_map_untagged(p)) : 0;
}

/* Returns true if no block at `p' that was requested with this size, and perhaps resized in place, has so
 * many usable bytes: a block of more than twice the size is replaced when it shrinks (realloc.c).  The
 * block may have been requested with any alignment that its address has.  One that was requested with an
 * offset has a page of its own, whatever its size.  For a small size, the blocks of the largest class are
 * the largest, but for those that larger alignments need. */
static bool is_far_too_large(const mia_page *page, const void *p, size_t usable, size_t size) {
  if (!mia_tier_is_checked() || size >= usable / 2) return false;
  if (page->size_class >= MIA_CLASS_COUNT && page->padding != MIA_SINGLETON_PADDING) return false;
  uintptr_t address = (uintptr_t)mia_map_untagged(p), align = address & -address;
  size_t of = align < MIA_CLASS_SIZE_MAX ? align : MIA_CLASS_SIZE_MAX;
  while (of < align && of <= MIA_SIZE_MAX / 2 && usable > mia_alloc_good_size(size, of)) of *= 2;
  return usable > mia_alloc_good_size(size, of);
}

/* Returns what is wrong with a size and an alignment, or NULL. */
static const char *find_mismatch(const mia_page *page, const void *p, size_t size, size_t align) {
  size_t usable = mia_alloc_usable_in(page, p);
  if (size > usable) return "sized free of a block that is smaller";
  if (!mia_is_power_of_two(align) || !mia_is_aligned(p, align))
    return "sized free of a block that is aligned otherwise";
  if ((MIA_DEBUG && size < usable) || is_far_too_large(page, p, usable, size))
    return "sized free of a block that is larger";
  return NULL;
}

bool mia_alloc_is_sized(const void *p, size_t size, size_t align) {
  if (p == NULL) return true;
  const mia_page *page = mia_alloc_page_in_call("free_sized", p);
  if (page == NULL) return false;
  p = mia_map_untagged(p);
  const char *wrong = find_mismatch(page, p, size, align);
  if (wrong == NULL) return true;
  mia_page_misuse_in_call(page, "free_sized", wrong, p);
  return false;
}
