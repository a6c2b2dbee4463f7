/* alloc.c -- allocating when the fast path has nothing to offer. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "arena/purge.h"
#include "base/bits.h"
#include "base/zero.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/heap_table.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>
#include <string.h>

static void *from_class(mia_theap *self, unsigned size_class, size_t size, bool zero) {
  mia_block *block = self->free_list[size_class];
  if (block == NULL) {
    if (!mia_theap_refill(self, size_class)) return NULL;
    block = self->free_list[size_class];
  }
  mia_fast_require_free(self, size_class, block);
  self->free_list[size_class] = block->next;
  if (zero) {
    bool fresh = self->bins[size_class].zeroed;
    size_t own = mia_class_size(size_class) - MIA_REDZONE_SIZE;
    memset(block, 0, fresh ? sizeof(mia_block) : own);
    mia_assert(mia_base_is_zero(block, own));
  }
  return mia_fast_set_canary(self, size_class, block, size);
}

/* What is asked for, start + offset a multiple of align; at least a byte, unless
 * a guard comes with it. */
typedef struct request {
  size_t size;
  size_t align;
  size_t offset;
  bool zero;
} request;

/* With a guard a block may be one of no bytes. */
static size_t some(size_t size) { return MIA_DEBUG || size > 0 ? size : 1; }

/* A page in reserve, for one block of `room' bytes. */
static mia_page *reuse_single(mia_theap *local, size_t room) {
  mia_page *page = mia_theap_cached_large(local, MIA_SINGLETON_PADDING + room);
  if (page != NULL) mia_page_reuse_singleton(page, room);
  return page;
}

/* The one block of a page, for a request of `size' bytes. */
static void *lend_single(mia_theap *local, const mia_page *page, size_t size) {
  mia_count_add(&local->counts.refilled[page->size_class], 1);
  if (MIA_DEBUG) mia_page_set_canary(page, page->start, size);
  return page->start;
}

static void *single(mia_theap *local, const request *r) {
  bool zero = false;
  size_t room = mia_canary_room(r->size);
  mia_page *page = NULL;
  if (r->align <= MIA_SINGLETON_ALIGN && r->offset == 0) page = reuse_single(local, room);
  if (page == NULL) {
    mia_singleton_request wanted = {.size = room,
                                    .align = r->align,
                                    .offset = r->offset,
                                    .redzone = MIA_DEBUG,
                                    .zeroed = r->zero};
    page = mia_theap_make_singleton(local, &wanted, &zero);
  }
  if (page == NULL) return NULL;
  if (r->zero && !zero) memset(page->start, 0, page->size);
  mia_assert(!r->zero || mia_base_is_zero(page->start, page->size));
  return lend_single(local, page, r->size);
}

/* See class.h: the class of a multiple of `align' is one as well. */
static void *attempt(mia_theap *local, const request *r) {
  size_t room = mia_canary_room(r->size);
  if (room <= MIA_CLASS_SIZE_MAX && r->align <= MIA_SLICE_SIZE && r->offset == 0) {
    size_t rounded = mia_align_up(room, r->align);
    if (rounded <= MIA_CLASS_SIZE_MAX)
      return from_class(local, mia_class_of(rounded), r->size, r->zero);
  }
  return single(local, r);
}

/* ---- memory is short ---- */

/* What threads keep is slices of arenas.  They are no address space to map a block of
 * its own with; but they count as used, where a limit leaves no room beside them. */
static bool could_be_served_by_what_is_kept(const request *r) {
  size_t limit = mia_aword_get(&mia_arena_all.limit);
  if (limit == 0) return mia_page_fits_span(r->size, r->align);
  if (r->size > limit) return false;
  return mia_page_fits_span(r->size, r->align) ||
         mia_aword_get(&mia_arena_all.used) > limit - r->size;
}

static void *last_attempt(mia_theap *self, mia_theap *local, const request *r) {
  if (!could_be_served_by_what_is_kept(r)) return NULL;
  mia_theap_collect(self);
  if (local != self) mia_theap_collect(local);
  mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  void *p = attempt(local, r);
  /* Programs that bring memory may commit no more of it than so much. */
  return p == NULL && mia_arena_purge_external() > 0 ? attempt(local, r) : p;
}

/* For a thread that can have no local, as that wants memory too: what is asked for may
 * still be had. */
static void *allocate_shared(const request *r) {
  mia_theap *shared = mia_theap_take_shared();
  void *p = attempt(shared, r);
  if (p == NULL) p = last_attempt(shared, shared, r);
  mia_theap_abandon(shared);
  mia_theap_give_shared();
  return p;
}

/* ---- everything else ---- */

static void *allocate_in(mia_theap *self, mia_heap *heap, const request *r) {
  mia_theap *local = mia_theap_of_heap(self, heap);
  if (local == NULL) return NULL;
  mia_theap_flush_batches(self);
  void *p = attempt(local, r);
  if (p == NULL) p = last_attempt(self, local, r);
  if (local != self && local->tick_requested) {
    local->tick_requested = false;
    mia_theap_request_tick(self);
  }
  if (self->default_heap != NULL) mia_theap_return_pages(self);
  return p;
}

static void *allocate(mia_heap *heap, const request *r) {
  int error = errno;
  void *p = NULL;
  if (r->size <= MIA_SIZE_MAX - MIA_SLICE_SIZE) {
    mia_theap *self = mia_theap_attach();
    if (self != NULL)
      p = allocate_in(self, heap, r);
    else if (heap == mia_theap_main_heap())
      p = allocate_shared(r);
  }
  errno = p != NULL ? error : ENOMEM;
  return p;
}

void *mia_alloc_refill(size_t room, size_t size) {
  mia_theap *self = mia_theap_self;
  void *p = mia_fast_refill(self, room, size);
  if (p != NULL || mia_theap_is_none(self) || self->default_heap != NULL) return p;
  int error = errno;
  mia_theap_flush_batches(self);
  p = from_class(self, mia_class_of(room), size, false);
  errno = error;
  return p;
}

void *mia_alloc_cached_large(size_t size) {
  mia_theap *self = mia_theap_self;
  size_t room = mia_canary_room(size);
  if (self->default_heap != NULL ||
      room > MIA_THEAP_CACHED_LARGE * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING)
    return NULL;
  mia_page *page = reuse_single(self, room);
  return page != NULL ? lend_single(self, page, size) : NULL;
}

void *mia_alloc_slow(size_t size, bool zero) {
  if (!zero) {
    size_t room = mia_canary_room(size);
    void *p = room <= MIA_CLASS_SIZE_MAX ? mia_alloc_refill(room, size)
                                         : mia_alloc_cached_large(size);
    if (mia_likely(p != NULL)) return p;
  }
  return allocate(mia_theap_default_heap(mia_theap_self),
                  &(request){.size = some(size), .align = 1, .zero = zero});
}

/* The list in use knows whether its blocks are zero but for their link. */
void *mia_alloc_zeroed(size_t size) {
  size_t room = mia_canary_room(size);
  if (mia_likely(room <= MIA_CLASS_SIZE_MAX)) {
    mia_theap *self = mia_theap_self;
    unsigned size_class = mia_class_of(room);
    if (mia_likely(self->free_list[size_class] != NULL))
      return from_class(self, size_class, size, true);
  }
  return mia_alloc_slow(size, true);
}

void *mia_alloc_in(mia_heap *heap, size_t size, size_t align, size_t offset, bool zero) {
  if (!mia_is_power_of_two(align)) {
    errno = EINVAL;
    return NULL;
  }
  if (align > MIA_ALIGN_MAX || size > MIA_SIZE_MAX) {
    errno = ENOMEM;
    return NULL;
  }
  return allocate(
      heap,
      &(request){.size = some(size), .align = align, .offset = offset & (align - 1), .zero = zero});
}

void *mia_alloc_aligned(size_t size, size_t align, bool zero) {
  if (!zero && mia_fast_is_aligned_class(size, align)) {
    void *p = mia_fast_aligned(size, align);
    if (p == NULL) p = mia_alloc_refill(mia_fast_aligned_room(size, align), size);
    if (mia_likely(p != NULL)) return p;
  }
  return mia_alloc_in(mia_theap_default_heap(mia_theap_self), size, align, 0, zero);
}

size_t mia_alloc_good(size_t size, size_t align) {
  if (MIA_DEBUG) return size; /* what is beyond is guarded */
  if (size <= MIA_CLASS_SIZE_MAX && align <= MIA_SLICE_SIZE) {
    size_t class_size = mia_align_up(size > 0 ? size : 1, align);
    if (class_size <= MIA_CLASS_SIZE_MAX) return mia_class_size(mia_class_of(class_size));
  }
  bool huge = align > MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT >> 1;
  size_t least = huge ? MIA_SLICE_SIZE : size > 0 ? size : 1; /* page.c has the rule */
  size_t rounded = mia_align_up(size > least ? size : least, mia_os_page_size());
  return rounded < size || rounded > MIA_SIZE_MAX ? size : rounded;
}
