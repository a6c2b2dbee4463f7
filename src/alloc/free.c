/* SPDX-License-Identifier: MIT */
/* free.c -- freeing when the fast path cannot, and the sizes of blocks. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "theap/bin.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"

void mia_alloc_free_slow(void *p) {
  if (p == NULL) return;
  p = mia_map_untagged(p);
  mia_page *page = mia_page_require_of(p);
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

size_t mia_alloc_usable(const void *p) {
  if (p == NULL) return 0;
  p = mia_map_untagged(p);
  const mia_page *page = mia_page_require_of(p);
  if (MIA_DEBUG) {
    mia_page_require_block(page, p);
    if (page->size_class < MIA_CLASS_COUNT) mia_page_require_live(page, p);
    return mia_page_require_canary(page, p);
  }
  return page->size;
}

void mia_alloc_require_size(const void *p, size_t size, size_t align) {
  if (p == NULL) return;
  size_t usable = mia_alloc_usable(p);
  if (size > usable) mia_base_misuse("sized free of a block that is smaller", p);
  if (MIA_DEBUG && size < usable) mia_base_misuse("sized free of a block that is larger", p);
  if (!mia_is_power_of_two(align) || !mia_is_aligned(p, align))
    mia_base_misuse("sized free of a block that is aligned otherwise", p);
}
