/* SPDX-License-Identifier: MIT */
/* alloc.c -- allocating when the fast path returns NULL.
 *
 * One miss of malloc goes down this ladder.  Unless memory is short, it takes each step once:
 *   1. mia_fast_malloc       the free list of the class
 *   2. mia_fast_refill       the magazine, or the blocks that the owner freed in the page in use:
 *                            almost every miss, inline in the entry point
 *   3. mia_alloc_borrow      a block of a larger class, for malloc and new only
 *   4. mia_alloc_refill_slow all sources, in the order of mia_theap_refill, down to a new page
 *   5. mia_alloc_slow        the same for a thread without a theap, or with another default heap;
 *                            and if memory is short, again after all caches were flushed
 * A large request has mia_fast_large (the page freed last) and mia_alloc_cached_large (the page
 * cache) as steps 2 to 4.  Requests with an alignment beyond the class's, with zeroing or for
 * a heap go to step 5, which relies on no earlier one. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/checked.h"
#include "alloc/fast.h"
#include "arena/purge.h"
#include "base/bits.h"
#include "base/zero.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/clock.h"
#include "theap/heap_table.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>
#include <string.h>

/* Allocates as allocate_small does, in security tiers from 1 on. */
static void *allocate_checked(mia_theap *self, unsigned size_class, size_t size, bool zero) {
  mia_page *page = NULL;
  void *p = mia_theap_checked_take(self, size_class, &page);
  if (p == NULL && mia_theap_checked_page(self, size_class) != NULL)
    p = mia_theap_checked_take(self, size_class, &page);
  if (p == NULL) return NULL;
  if (zero && !mia_tier_is_hardened()) memset(p, 0, page->size - MIA_REDZONE_SIZE);
  mia_canary_set_checked(page, p, size);
  return p;
}

/* Allocates a block of a class for a request of `size' bytes.  If `zero', the whole usable size
 * reads as zero. */
static void *allocate_small(mia_theap *self, unsigned size_class, size_t size, bool zero) {
  if (mia_tier_is_checked()) return allocate_checked(self, size_class, size, zero);
  mia_block *block = self->free_list[size_class];
  if (block == NULL) {
    if (!mia_theap_refill(self, size_class)) return NULL;
    block = self->free_list[size_class];
  }
  mia_fast_require_free(self, size_class, block);
  self->free_list[size_class] = block->next;
  if (zero) {
    bool zeroed = self->bins[size_class].zeroed;
    size_t usable = mia_class_size(size_class) - MIA_REDZONE_SIZE;
    memset(block, 0, zeroed ? sizeof(mia_block) : usable);
    mia_assert(mia_base_is_zero(block, usable));
  }
  return mia_fast_set_canary(self, size_class, block, size);
}

/* A request: start + offset is a multiple of align.  The size is at least 1, in debug builds 0
 * too. */
typedef struct request {
  size_t size;
  size_t align;
  size_t offset;
  bool zero;
} request;

/* In debug builds, a block of 0 bytes has its canary, and so an address of its own. */
static size_t nonzero(size_t size) { return MIA_DEBUG || size > 0 ? size : 1; }

/* Returns a cached large page, its block live with `room' bytes, or NULL. */
static mia_page *take_cached_large(mia_theap *theap, size_t room) {
  mia_page *page = mia_theap_cache_take_large(theap, MIA_SINGLETON_PADDING + room);
  if (page != NULL) mia_page_reuse_singleton(page, room);
  return page;
}

/* Counts the block of a singleton page, sets its canary for a request of `size' bytes, and returns
 * it. */
static void *finish_singleton(mia_theap *theap, const mia_page *page, size_t size) {
  mia_count_add(&theap->counts.refilled[page->size_class], 1);
  mia_canary_set(page, page->start, size);
  return page->start;
}

/* Allocates a block with a page of its own. */
static void *allocate_singleton(mia_theap *theap, const request *r) {
  bool zero = false;
  size_t room = mia_canary_room(r->size);
  mia_page *page = NULL;
  if (r->align <= MIA_SINGLETON_ALIGN && r->offset == 0) page = take_cached_large(theap, room);
  if (page == NULL) {
    mia_singleton_request wanted = {.size = room,
                                    .align = r->align,
                                    .offset = r->offset,
                                    .redzone = MIA_DEBUG,
                                    .zeroed = r->zero};
    page = mia_theap_make_singleton(theap, &wanted, &zero);
  }
  if (page == NULL) return NULL;
  if (r->zero && !zero) memset(page->start, 0, page->size);
  mia_assert(!r->zero || mia_base_is_zero(page->start, page->size));
  return finish_singleton(theap, page, r->size);
}

/* Tries to allocate from what the theap, the abandoned pages, the arenas and the OS have.  A size
 * rounded up to a multiple of `align' has a class whose blocks are all at multiples of `align'
 * (page/class.h). */
static void *allocate_once(mia_theap *theap, const request *r) {
  size_t room = mia_canary_room(r->size);
  if (room <= MIA_CLASS_SIZE_MAX && r->align <= MIA_SLICE_SIZE && r->offset == 0) {
    size_t rounded = mia_align_up(room, r->align);
    if (rounded <= MIA_CLASS_SIZE_MAX)
      return allocate_small(theap, mia_class_of(rounded), r->size, r->zero);
  }
  return allocate_singleton(theap, r);
}

/* ---- memory is short ---- */

/* Returns true if the request may succeed once all cached pages are retired.  That makes slices
 * of arenas free, which a huge block cannot use.  But if there is a limit, it also lowers the
 * amount in use, which may make room for a huge block. */
static bool may_fit_after_flush(const request *r) {
  size_t limit = mia_aword_get(&mia_arena_all.limit);
  if (limit == 0) return mia_page_fits_span(r->size, r->align);
  if (r->size > limit) return false;
  return mia_page_fits_span(r->size, r->align) ||
         mia_aword_get(&mia_arena_all.used) > limit - r->size;
}

/* The last try: collects what this thread keeps, retires all cached pages, and allocates again. */
static void *allocate_after_flush(mia_theap *self, mia_theap *theap, const request *r) {
  if (!may_fit_after_flush(r)) return NULL;
  mia_theap_collect(self);
  if (theap != self) mia_theap_collect(theap);
  mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  void *p = allocate_once(theap, r);
  /* The program may allow only a part of an external arena to be committed at a time: purging
   * lets other slices be committed. */
  if (p == NULL && mia_arena_purge_external() > 0) p = allocate_once(theap, r);
  return p == NULL && mia_arena_free_parked(r->size) ? allocate_once(theap, r) : p;
}

/* Allocates for a thread for whose theap memory is missing: the request may still succeed. */
static void *allocate_shared(const request *r) {
  mia_theap *shared = mia_theap_take_shared();
  void *p = allocate_once(shared, r);
  if (p == NULL) p = allocate_after_flush(shared, shared, r);
  mia_theap_abandon(shared);
  mia_theap_give_shared();
  return p;
}

/* ---- all requests ---- */

/* Allocates from a heap for the thread whose theap for the main heap is `self'.  A tick that the
 * theap of another heap requests is run by the main heap's.  While the thread has another default
 * heap, the main heap's theap keeps no free list, so that mia_fast_malloc always fails. */
static void *allocate_from_heap(mia_theap *self, mia_heap *heap, const request *r) {
  mia_theap *theap = mia_theap_of_heap(self, heap);
  if (theap == NULL) return NULL;
  mia_theap_flush_batches(self);
  void *p = allocate_once(theap, r);
  if (p == NULL) p = allocate_after_flush(self, theap, r);
  mia_clock_pass_on(theap, self);
  if (self->default_heap != NULL) mia_theap_return_pages(self);
  return p;
}

/* Attaches a theap to the thread first.  Sets errno to ENOMEM on failure, and else keeps it. */
static void *allocate(mia_heap *heap, const request *r) {
  int error = errno;
  void *p = NULL;
  if (r->size <= MIA_SIZE_MAX - MIA_SLICE_SIZE) {
    mia_theap *self = mia_theap_attach();
    if (self != NULL)
      p = allocate_from_heap(self, heap, r);
    else if (heap == mia_theap_main_heap())
      p = allocate_shared(r);
  }
  errno = p != NULL ? error : ENOMEM;
  return p;
}

void *mia_alloc_refill_slow(size_t room, size_t size) {
  mia_theap *self = mia_theap_self;
  if (mia_theap_is_none(self) || self->default_heap != NULL) return NULL;
  int error = errno;
  void *p = allocate_small(self, mia_class_of(room), size, false);
  errno = error;
  return p;
}

void *mia_alloc_refill(size_t room, size_t size) {
  void *p = mia_fast_refill(mia_theap_self, room, size);
  return mia_likely(p != NULL) ? p : mia_alloc_refill_slow(room, size);
}

enum {
  /* So many blocks of a class, and bytes, are borrowed, which bounds what they waste.  With more, a
   * thread would take the slow path too often. */
  BORROWED_MAX = 32,
  BORROWED_MAX_BYTES = MIA_OS_PAGE_MIN
};

/* A page of a class for a few blocks would have an OS page of its own for them.  The lender is the
 * class of a power of two, so that its blocks are aligned as those of the other class would be. */
void *mia_alloc_borrow(size_t room, size_t size) {
  mia_theap *self = mia_theap_self;
  unsigned size_class = mia_class_of(room);
  mia_bin *bin = &self->bins[size_class];
  if (bin->page != NULL || bin->pages != NULL || bin->borrowed >= BORROWED_MAX ||
      self->default_heap != NULL || mia_theap_is_none(self))
    return NULL;
  size_t wanted = mia_class_size(size_class), lent = mia_power_above(wanted);
  if (lent == wanted || (bin->borrowed + 1u) * wanted > BORROWED_MAX_BYTES) return NULL;
  bin->borrowed++;
  int error = errno;
  void *p = allocate_small(self, mia_class_of(lent), size, false);
  errno = error;
  return p;
}

void *mia_alloc_cached_large(size_t size) {
  mia_theap *self = mia_theap_self;
  size_t room = mia_canary_room(size);
  if (self->default_heap != NULL ||
      room > MIA_CACHE_LARGE_SLICES * MIA_SLICE_SIZE - MIA_SINGLETON_PADDING)
    return NULL;
  mia_page *page = take_cached_large(self, room);
  return page != NULL ? finish_singleton(self, page, size) : NULL;
}

void *mia_alloc_checked_slow(size_t size) {
  mia_theap *self = mia_theap_self;
  size_t room = mia_canary_room(size);
  if (mia_theap_is_none(self) || self->default_heap != NULL) return NULL;
  if (room > MIA_CLASS_SIZE_MAX) return mia_alloc_cached_large(size);
  int error = errno;
  void *p = allocate_checked(self, mia_class_of(room), size, false);
  errno = error;
  return p;
}

void *mia_alloc_slow(size_t size, bool zero) {
  return allocate(mia_theap_default_heap(mia_theap_self),
                  &(request){.size = nonzero(size), .align = 1, .zero = zero});
}

/* The bin knows whether the blocks of its free list read as zero behind their links. */
void *mia_alloc_zeroed(size_t size) {
  size_t room = mia_canary_fast_room(size);
  if (mia_likely(room <= MIA_CLASS_SIZE_MAX)) {
    mia_theap *self = mia_theap_self;
    unsigned size_class = mia_class_of(room);
    if (mia_likely(self->free_list[size_class] != NULL))
      return allocate_small(self, size_class, size, true);
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
  return allocate(heap, &(request){.size = nonzero(size),
                                   .align = align,
                                   .offset = offset & (align - 1),
                                   .zero = zero});
}

void *mia_alloc_aligned(size_t size, size_t align, bool zero) {
  return mia_alloc_in(mia_theap_default_heap(mia_theap_self), size, align, 0, zero);
}

size_t mia_alloc_good_size(size_t size, size_t align) {
  if (MIA_DEBUG) return size; /* the usable size is the requested one */
  size_t canary = mia_canary_size(), room = mia_canary_room(size);
  if (room <= MIA_CLASS_SIZE_MAX && align <= MIA_SLICE_SIZE) {
    size_t class_size = mia_align_up(room > 0 ? room : 1, align);
    if (class_size <= MIA_CLASS_SIZE_MAX) return mia_class_size(mia_class_of(class_size)) - canary;
  }
  bool huge = align > MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT >> 1;
  size_t least = huge ? MIA_SLICE_SIZE : room > 0 ? room : 1; /* as page.c does */
  size_t rounded = mia_align_up(room > least ? room : least, mia_os_page_size());
  bool too_large = rounded < room || rounded > MIA_SIZE_MAX || align > MIA_ALIGN_MAX;
  return too_large ? size : rounded - canary;
}
