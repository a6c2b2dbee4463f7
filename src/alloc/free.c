/* free.c -- freeing when the fast path cannot, and the sizes of blocks. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/checked.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "theap/bin.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"

void mia_alloc_free_slow(void *p) {
  if (p == NULL) return;
  p = mia_map_untagged(p);
  mia_page *page = mia_page_require_of(p);
  if (mia_tier_is_checked()) {
    mia_checked_free(page, p);
    return;
  }
  mia_theap *self = mia_theap_attach_to_free_fast();
  if (MIA_DEBUG) {
    mia_page_require_block(page, p);
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

static void require_live(const mia_page *page, const void *p) {
  if (mia_tier_is_checked())
    mia_live_require(page, p);
  else
    mia_page_require_live(page, p);
}

size_t mia_alloc_usable(const void *p) {
  if (p == NULL) return 0;
  p = mia_map_untagged(p);
  const mia_page *page = mia_page_require_of(p);
  if (MIA_DEBUG || mia_tier_is_checked()) {
    mia_page_require_block(page, p);
    if (page->size_class < MIA_CLASS_COUNT) require_live(page, p);
  }
  return mia_canary_require(page, p);
}

/* Returns true if no block at `p' that was requested with this size, and perhaps resized in place, has so
 * many usable bytes: a block of more than twice the size is replaced when it shrinks (realloc.c).  The
 * block may have been requested with any alignment that its address has. */
static bool is_far_too_large(const void *p, size_t usable, size_t size) {
  if (!mia_tier_is_checked() || size >= usable / 2) return false;
  uintptr_t address = (uintptr_t)mia_map_untagged(p), align = address & -address;
  if (align > MIA_CLASS_SIZE_MAX)
    align = MIA_CLASS_SIZE_MAX; /* the largest blocks for small sizes */
  return usable > mia_alloc_good_size(size, align);
}

void mia_alloc_require_size(const void *p, size_t size, size_t align) {
  if (p == NULL) return;
  size_t usable = mia_alloc_usable(p);
  if (size > usable) mia_base_misuse("sized free of a block that is smaller", p);
  if (!mia_is_power_of_two(align) || !mia_is_aligned(p, align))
    mia_base_misuse("sized free of a block that is aligned otherwise", p);
  if ((MIA_DEBUG && size < usable) || is_far_too_large(p, usable, size))
    mia_base_misuse("sized free of a block that is larger", p);
}
