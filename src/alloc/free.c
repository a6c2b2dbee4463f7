/* free.c -- freeing when the fast path cannot, and the sizes of blocks. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "theap/bin.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"

mia_page *mia_alloc_page_in_call(const char *call, const void *p) {
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

void mia_alloc_free_slow(void *p) {
  if (p == NULL) return;
  p = mia_map_untagged(p);
  mia_page *page = mia_alloc_page_in_call("free", p);
  if (mia_unlikely(page == NULL)) return;
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
  if (!MIA_DEBUG) return page->size;
  if (page->size_class < MIA_CLASS_COUNT) mia_page_require_live(page, p);
  return mia_page_require_canary(page, p);
}

size_t mia_alloc_usable(const void *p) {
  if (p == NULL) return 0;
  p = mia_map_untagged(p);
  const mia_page *page = mia_alloc_page_in_call("malloc_usable_size", p);
  return mia_likely(page != NULL) ? mia_alloc_usable_in(page, p) : 0;
}

/* Returns what is wrong with a size and an alignment, or NULL. */
static const char *find_mismatch(const void *p, size_t usable, size_t size, size_t align) {
  if (size > usable) return "sized free of a block that is smaller";
  if (MIA_DEBUG && size < usable) return "sized free of a block that is larger";
  if (!mia_is_power_of_two(align) || !mia_is_aligned(p, align))
    return "sized free of a block that is aligned otherwise";
  return NULL;
}

bool mia_alloc_is_sized(const void *p, size_t size, size_t align) {
  if (p == NULL) return true;
  p = mia_map_untagged(p);
  const mia_page *page = mia_alloc_page_in_call("free_sized", p);
  if (page == NULL) return false;
  const char *wrong = find_mismatch(p, mia_alloc_usable_in(page, p), size, align);
  if (wrong == NULL) return true;
  mia_page_misuse_in_call(page, "free_sized", wrong, p);
  return false;
}
