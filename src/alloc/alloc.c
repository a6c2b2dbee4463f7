/* alloc.c -- allocating when the fast path has nothing to offer. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "arena/purge.h"
#include "base/bits.h"
#include "local/bin.h"
#include "local/spare.h"
#include "local/stock.h"
#include "local/thread.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

static void *from_class(mia_local *self, unsigned size_class, bool zero) {
  mia_block *block = self->head[size_class];
  if (block == NULL) {
    if (!mia_local_refill(self, size_class)) return NULL;
    block = self->head[size_class];
  }
  self->head[size_class] = block->next;
  if (zero) {
    bool fresh = self->bins[size_class].fresh;
    memset(block, 0, fresh ? sizeof(mia_block) : mia_class_size(size_class));
  }
  return block;
}

/* The most frequent reason to come here: the list is at its end, and the owner
 * has freed blocks of the same page in the meantime. */
static void *relend(mia_local *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_page *page = bin->page;
  if (page == NULL || page->free == NULL || self->head[size_class] != NULL) return NULL;
  mia_block *block = page->free;
  self->head[size_class] = block->next;
  page->free = NULL;
  page->used = page->capacity;
  bin->fresh = false;
  return block;
}

static mia_page *reuse_single(mia_local *self, size_t size, size_t align) {
  if (align > MIA_SLICE_SIZE) return NULL;
  mia_page *page = mia_local_reuse_large(self, mia_slices_of(size > 0 ? size : 1));
  if (page != NULL) mia_page_renew_single(page, size);
  return page;
}

static void *single(mia_local *self, size_t size, size_t align, bool zero) {
  bool is_zero = false;
  mia_page *page = reuse_single(self, size, align);
  if (page == NULL) page = mia_local_make_single(self, size, align, false, &is_zero);
  if (page == NULL) return NULL;
  if (zero && !is_zero) memset(page->start, 0, page->size);
  return page->start;
}

static void *attempt(mia_local *self, size_t size, size_t align, bool zero) {
  if (size <= MIA_CLASS_SIZE_MAX && align <= MIA_BLOCK_ALIGN)
    return from_class(self, mia_class_of(size), zero);
  return single(self, size, align, zero);
}

/* Memory is short: what the threads keep in reserve may be what is missing. */
static void *last_attempt(mia_local *self, size_t size, size_t align, bool zero) {
  mia_local_collect(self);
  mia_local_drop_spares(self);
  (void)mia_arena_purge_now();
  void *p = attempt(self, size, align, zero);
  if (p == NULL) errno = ENOMEM;
  return p;
}

static void *allocate(size_t size, size_t align, bool zero) {
  int error = errno;
  mia_local *self = size <= MIA_SIZE_MAX - MIA_SLICE_SIZE ? mia_local_attach() : NULL;
  if (self == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  mia_local_flush(self);
  void *p = attempt(self, size, align, zero);
  if (p == NULL) p = last_attempt(self, size, align, zero);
  if (p != NULL) errno = error;
  return p;
}

void *mia_alloc_slow(size_t size, bool zero) {
  if (size <= MIA_CLASS_SIZE_MAX && !zero) {
    void *p = relend(mia_local_self, mia_class_of(size));
    if (mia_likely(p != NULL)) return p;
  }
  return allocate(size, 1, zero);
}

/* The list in use knows whether its blocks are zero but for their link. */
void *mia_alloc_zeroed(size_t size) {
  if (mia_likely(size <= MIA_CLASS_SIZE_MAX)) {
    mia_local *self = mia_local_self;
    unsigned size_class = mia_class_of(size);
    if (mia_likely(self->head[size_class] != NULL)) return from_class(self, size_class, true);
  }
  return mia_alloc_slow(size, true);
}

void *mia_alloc_aligned(size_t size, size_t align, bool zero) {
  if (!mia_is_power_of_two(align)) {
    errno = EINVAL;
    return NULL;
  }
  if (align > MIA_ALIGN_MAX || size > MIA_SIZE_MAX) {
    errno = ENOMEM;
    return NULL;
  }
  if (align <= MIA_SLICE_SIZE && size <= MIA_CLASS_SIZE_MAX) {
    /* See class.h: the class of a multiple of `align' is one as well. */
    size_t rounded = mia_align_up(size > 0 ? size : 1, align);
    if (zero) return mia_alloc_zeroed(rounded);
    void *p = mia_fast_malloc(rounded);
    return p != NULL ? p : mia_alloc_slow(rounded, false);
  }
  return allocate(size, align, zero);
}

size_t mia_alloc_good(size_t size) {
  if (size <= MIA_CLASS_SIZE_MAX) return mia_class_size(mia_class_of(size));
  size_t rounded = mia_align_up(size, mia_os_page_size());
  return rounded < size || rounded > MIA_SIZE_MAX ? size : rounded;
}
