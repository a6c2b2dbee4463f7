/* SPDX-License-Identifier: MIT */
/* fast.h -- the fast paths of malloc and free.
 *
 * They are inlined into every public function, so that no public function calls another.  A fast
 * path that cannot serve a call changes nothing and returns NULL or false; the caller then calls
 * a function of alloc.h, which begins anew.
 *
 * In security tiers from 1 on (arena/tier.h) they serve no call.
 *
 * malloc: one load finds the theap, one the first block of the free list, one the next block.
 * free: two loads find the page, one its owner. */
#ifndef MIA_ALLOC_FAST_H
#define MIA_ALLOC_FAST_H

#include "base/fail.h"
#include "page/canary.h"
#include "page/list.h"
#include "page/poison.h"
#include "theap/bin.h"
#include "theap/page_cache.h"
#include "theap/remote_cache.h"
#include "theap/theap.h"

/* Returns the page of a block in the free list. */
mia_inline const mia_page *mia_fast_page(const mia_theap *theap, unsigned size_class,
                                         const mia_block *block) {
  const mia_bin *bin = &theap->bins[size_class];
  return bin->from_magazine ? mia_page_of(block) : bin->page;
}

/* Debug builds only: aborts if the first block of the free list was written to while it was free.
 * Called before the block leaves the list. */
mia_inline void mia_fast_require_free(const mia_theap *theap, unsigned size_class,
                                      mia_block *block) {
  if (MIA_DEBUG)
    mia_page_require_free(mia_fast_page(theap, size_class, block), block,
                          theap->bins[size_class].zeroed);
}

/* Returns the block, which has left the free list.  Debug builds set its canary and redzone for a
 * request of `size' bytes. */
mia_inline void *mia_fast_set_canary(const mia_theap *theap, unsigned size_class, mia_block *block,
                                     size_t size) {
  if (MIA_DEBUG) mia_page_set_canary(mia_fast_page(theap, size_class, block), block, size);
  return block;
}

/* Takes a block of a theap that has `room' bytes, for a request of `size' bytes.  Returns NULL if
 * the free list is empty, or if `room' is larger than all classes. */
mia_inline void *mia_fast_take_from(mia_theap *theap, size_t room, size_t size) {
  if (mia_unlikely(room > MIA_CLASS_SIZE_MAX)) return NULL;
  unsigned size_class = mia_class_of(room);
  mia_block *block = theap->free_list[size_class];
  if (mia_unlikely(block == NULL)) return NULL;
  mia_fast_require_free(theap, size_class, block);
  mia_block *next = block->next;
  theap->free_list[size_class] = next;
  /* The next allocation reads the link of this block, and the program writes to it. */
  __builtin_prefetch(next, 1);
  return mia_fast_set_canary(theap, size_class, block, size);
}

/* Likewise from the calling thread's theap.  If NULL, the caller must call mia_alloc_slow. */
mia_inline void *mia_fast_take(size_t room, size_t size) {
  return mia_fast_take_from(mia_theap_self, room, size);
}

mia_inline void *mia_fast_malloc(size_t size) {
  return mia_fast_take(mia_canary_fast_room(size), size);
}

/* Returns the bytes that a block needs for a request at a multiple of `align', which is at most a
 * slice.  All blocks of the class of this size are at such multiples (page/class.h). */
mia_inline size_t mia_fast_aligned_room(size_t size, size_t align) {
  return mia_align_up(mia_canary_fast_room(size + (size == 0)), align);
}

/* Returns true if a block of a class can serve the request. */
mia_inline bool mia_fast_is_aligned_class(size_t size, size_t align) {
  return mia_is_power_of_two(align) && align <= MIA_SLICE_SIZE && size <= MIA_CLASS_SIZE_MAX &&
         mia_fast_aligned_room(size, align) <= MIA_CLASS_SIZE_MAX;
}

/* Takes a block at a multiple of `align'.  If NULL, the caller must call mia_alloc_aligned. */
mia_inline void *mia_fast_aligned(size_t size, size_t align) {
  if (mia_unlikely(!mia_fast_is_aligned_class(size, align))) return NULL;
  return mia_fast_take(mia_fast_aligned_room(size, align), size);
}

/* Refills the empty free list from the magazine, or with the blocks that this thread freed into
 * the page in use, and takes a block.  These are the most frequent sources, since a free does not
 * put its block on the free list.  `room' is at most MIA_CLASS_SIZE_MAX.  If NULL, the caller
 * must call mia_alloc_refill_slow or mia_alloc_slow. */
mia_inline void *mia_fast_refill(mia_theap *self, size_t room, size_t size) {
  unsigned size_class = mia_class_of(room);
  mia_bin *bin = &self->bins[size_class];
  if (mia_unlikely(bin->page == NULL) || mia_theap_free_list(self, size_class) != NULL) return NULL;
  if (mia_unlikely(self->remote[size_class].page != NULL)) return NULL; /* a batch waits */
  uint32_t count = 0;
  mia_block *block = mia_remote_become_list(self, size_class);
  if (mia_likely(block == NULL)) block = mia_page_pop_unchecked(bin->page, &count);
  if (mia_unlikely(block == NULL)) return NULL;
  bin->zeroed = false;
  bin->refilled = true;
  mia_fast_require_free(self, size_class, block);
  self->free_list[size_class] = block->next;
  mia_count_add(&self->counts.refilled[size_class], count);
  return mia_fast_set_canary(self, size_class, block, size);
}

/* Takes the large page that was freed last, if it fits.  If NULL, the caller must call
 * mia_alloc_slow.  In debug builds NULL always, because only mia_alloc_slow sets the canary. */
mia_inline void *mia_fast_large(mia_theap *self, size_t size) {
  if (MIA_DEBUG || self->default_heap != NULL) return NULL;
  mia_page *page = mia_cache_take_last_freed(self, size);
  if (mia_unlikely(page == NULL)) return NULL;
  mia_count_add(&self->counts.refilled[MIA_CLASS_LARGE], 1);
  return page->start;
}

/* Returns true if the page's last live block can be freed and the page stays with its owner,
 * because it is the page in use. */
mia_inline bool mia_fast_keeps_empty(const mia_theap *self, const mia_page *page) {
  return page->used == 1 && self->bins[page->size_class].page == page;
}

/* Frees a block of a page that the thread owns.  If false, the caller must call
 * mia_alloc_free_slow. */
mia_inline bool mia_fast_free_own(const mia_theap *self, mia_page *page, void *p) {
  if (MIA_DEBUG && !mia_page_is_block(page, p)) return false;
  /* The last live block, or a block too many: mia_alloc_free_slow finds out which. */
  if (mia_unlikely(page->used <= 1) && (p == page->free || !mia_fast_keeps_empty(self, page)))
    return false;
  mia_block *block = p;
  if (MIA_DEBUG) mia_page_poison_freed(page, block, true);
  block->next = page->free;
  page->free = block;
  page->used--;
  return true;
}

/* Frees a block whose page is known.  If false, the caller must call mia_fast_free_remote. */
mia_inline bool mia_fast_free_of(const mia_theap *self, mia_page *page, void *p) {
  return mia_likely(mia_theap_owns(self, page)) && mia_fast_free_own(self, page, p);
}

/* Likewise for a block whose page is not known, or any other address. */
mia_inline bool mia_fast_free(void *p) {
  p = mia_map_untagged(p);
  mia_page *page = mia_page_of_block(p);
  return mia_likely(page != NULL) && mia_fast_free_of(mia_theap_self, page, p);
}

/* Frees a block of a page that the thread does not own, if that needs no page to be claimed.  If
 * false, the caller must call mia_fast_free_other or mia_alloc_free_slow.  In debug builds both are
 * false always, because mia_alloc_free_slow checks the block first. */
mia_inline bool mia_fast_free_remote(mia_theap *self, mia_page *page, void *p) {
  return !MIA_DEBUG && page->size_class < MIA_CLASS_COUNT && !mia_theap_owns(self, page) &&
         mia_remote_try_free(self, page, p);
}

/* Frees other blocks of pages that the thread does not own, and those of singleton pages.  Not to be called
 * in security tiers from 1 on (alloc/checked.h).  If false, the caller must call mia_alloc_free_slow. */
mia_inline bool mia_fast_free_other(mia_theap *self, mia_page *page, void *p) {
  if (MIA_DEBUG || mia_theap_is_none(self) || mia_theap_owns(self, page)) return false;
  if (mia_unlikely(!mia_page_is_block(page, p))) return false;
  if (page->size_class < MIA_CLASS_COUNT) {
    mia_theap_free_remote(self, page, p);
    return true;
  }
  if (!mia_cache_free_last(self, page)) mia_theap_free_singleton(self, page);
  return true;
}

#endif
