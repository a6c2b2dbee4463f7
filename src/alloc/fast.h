/* fast.h -- malloc and free where nothing is out of the ordinary.
 *
 * Inlined into every public entry point, so that none calls another.  What does
 * not fit here is refused, and taken up from the start by the cold functions of
 * alloc.h.
 *
 * malloc: one load finds the thread's list, one its first block, one the next.
 * free: two loads find the page, one its owner. */
#ifndef MIA_ALLOC_FAST_H
#define MIA_ALLOC_FAST_H

#include "base/fail.h"
#include "page/canary.h"
#include "page/poison.h"
#include "theap/bin.h"
#include "theap/magazine.h"
#include "theap/recent.h"
#include "theap/theap.h"

/* The page that lent a block of the list in use. */
mia_inline const mia_page *mia_fast_page(const mia_theap *local, unsigned size_class,
                                         const mia_block *block) {
  const mia_bin *bin = &local->bins[size_class];
  return bin->from_magazine ? mia_page_of(block) : bin->page;
}

/* Debug builds look at a block before it is handed out; its list is not moved on yet. */
mia_inline void mia_fast_require_free(const mia_theap *local, unsigned size_class,
                                      mia_block *block) {
  if (MIA_DEBUG)
    mia_page_require_free(mia_fast_page(local, size_class, block), block,
                          local->bins[size_class].zeroed);
}

/* And lay a guard around one that was taken off the list, for a request of `size'
 * bytes. */
mia_inline void *mia_fast_set_canary(const mia_theap *local, unsigned size_class, mia_block *block,
                                     size_t size) {
  if (MIA_DEBUG) mia_page_set_canary(mia_fast_page(local, size_class, block), block, size);
  return block;
}

/* A block of a local that has `room' bytes for a request of `size', or NULL: its list
 * is at its end, or no list has such blocks. */
mia_inline void *mia_fast_take_from(mia_theap *local, size_t room, size_t size) {
  if (mia_unlikely(room > MIA_CLASS_SIZE_MAX)) return NULL;
  unsigned size_class = mia_class_of(room);
  mia_block *block = local->free_list[size_class];
  if (mia_unlikely(block == NULL)) return NULL;
  mia_fast_require_free(local, size_class, block);
  mia_block *next = block->next;
  local->free_list[size_class] = next;
  /* The next allocation reads its link, and the program writes to it. */
  __builtin_prefetch(next, 1);
  return mia_fast_set_canary(local, size_class, block, size);
}

/* The same of the calling thread's; NULL: ask mia_alloc_slow. */
mia_inline void *mia_fast_take(size_t room, size_t size) {
  return mia_fast_take_from(mia_theap_self, room, size);
}

mia_inline void *mia_fast_malloc(size_t size) { return mia_fast_take(mia_canary_room(size), size); }

/* What blocks at multiples of `align', which is at most a slice, need for a request:
 * then their class has no others (class.h). */
mia_inline size_t mia_fast_aligned_room(size_t size, size_t align) {
  return mia_align_up(mia_canary_room(size + (size == 0)), align);
}

mia_inline bool mia_fast_is_aligned_class(size_t size, size_t align) {
  return mia_is_power_of_two(align) && align <= MIA_SLICE_SIZE && size <= MIA_CLASS_SIZE_MAX &&
         mia_fast_aligned_room(size, align) <= MIA_CLASS_SIZE_MAX;
}

/* NULL: ask mia_alloc_aligned. */
mia_inline void *mia_fast_aligned(size_t size, size_t align) {
  if (mia_unlikely(!mia_fast_is_aligned_class(size, align))) return NULL;
  return mia_fast_take(mia_fast_aligned_room(size, align), size);
}

/* The most frequent reason why a list is at its end is that what was freed meanwhile
 * is not on it: the stash, or blocks of the same page.  `room' is a class's.
 * NULL: ask mia_alloc_slow. */
mia_inline void *mia_fast_refill(mia_theap *self, size_t room, size_t size) {
  unsigned size_class = mia_class_of(room);
  mia_bin *bin = &self->bins[size_class];
  if (mia_unlikely(bin->page == NULL) || mia_theap_free_list(self, size_class) != NULL) return NULL;
  uint32_t count = 0;
  mia_block *block = mia_magazine_use(self, size_class);
  if (mia_likely(block == NULL)) block = mia_page_pop_free(bin->page, &count);
  if (mia_unlikely(block == NULL)) return NULL;
  bin->zeroed = false;
  bin->refilled = true;
  mia_fast_require_free(self, size_class, block);
  self->free_list[size_class] = block->next;
  mia_count_add(&self->counts.refilled[size_class], count);
  return mia_fast_set_canary(self, size_class, block, size);
}

/* A large block, or NULL: ask mia_alloc_slow.  Debug builds guard it there. */
mia_inline void *mia_fast_large(mia_theap *self, size_t size) {
  if (MIA_DEBUG || self->default_heap != NULL) return NULL;
  mia_page *page = mia_recent_take(self, size);
  if (mia_unlikely(page == NULL)) return NULL;
  mia_count_add(&self->counts.refilled[MIA_CLASS_LARGE], 1);
  return page->start;
}

/* Whether a page may have no block in use and still stay with its owner: lists are
 * lent from it. */
mia_inline bool mia_fast_keeps_empty(const mia_theap *self, const mia_page *page) {
  return page->used == 1 && self->bins[page->size_class].page == page;
}

/* Of a page of one's own.  False: ask mia_alloc_free_slow. */
mia_inline bool mia_fast_free_own(const mia_theap *self, mia_page *page, void *p) {
  if (MIA_DEBUG) mia_page_require_block(page, p);
  /* The last block in use, or more than all of them: the cold function tells. */
  if (mia_unlikely(page->used <= 1) && (p == page->free || !mia_fast_keeps_empty(self, page)))
    return false;
  mia_block *block = p;
  if (MIA_DEBUG) mia_page_poison_freed(page, block, true);
  block->next = page->free;
  page->free = block;
  page->used--;
  return true;
}

/* Of a page that is known.  False: ask mia_fast_free_other. */
mia_inline bool mia_fast_free_of(const mia_theap *self, mia_page *page, void *p) {
  return mia_likely(mia_theap_owns_on_fast_path(self, page)) && mia_fast_free_own(self, page, p);
}

mia_inline bool mia_fast_free(void *p) {
  p = mia_map_untagged(p);
  mia_page *page = mia_page_of_block(p);
  return mia_likely(page != NULL) && mia_fast_free_of(mia_theap_self, page, p);
}

/* What is frequent of the rest.  Debug builds look at the block first, as the function
 * does that is to be asked if this is false: mia_alloc_free_slow. */
mia_inline bool mia_fast_free_other(void *p) {
  if (MIA_DEBUG) return false;
  p = mia_map_untagged(p);
  mia_page *page = mia_page_of_block(p);
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(page == NULL)) return false;
  if (page->size_class >= MIA_CLASS_COUNT)
    return page->start == p &&
           (mia_recent_free(self, page) || mia_theap_free_singleton(self, page));
  if (self->exchanging == 0) return false;
  return mia_magazine_exchange(self, page, p) ||
         (mia_theap_owns(self, page) && mia_fast_free_own(self, page, p));
}

#endif
