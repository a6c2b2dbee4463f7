/* SPDX-License-Identifier: MIT */
/* realloc.c -- changing the size of a block. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "base/zero.h"
#include "page/canary.h"
#include "theap/clock.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>
#include <string.h>

/* A large block that must move to grow to this size or beyond becomes a huge block: it will
 * probably grow again, and in a mapping of its own that needs no copying. */
#define HUGE_BY_GROWTH (8 * MIA_MIB)

/* From this size on, blocks that grow get some room to grow again. */
enum { SLACK_MIN = 256 };

enum { CAPACITY_MIN = MIA_DEBUG ? MIA_CANARY_SIZE : MIA_BLOCK_MIN };

/* Returns true if `size' bytes fit a block of `capacity' bytes and use at least half of it, or
 * there is no smaller block.  If every block that shrinks moved, arrays that grow by half would take
 * 1.3 of the time. */
static bool is_worth_keeping(size_t capacity, size_t size) {
  return size <= capacity && (size >= capacity / 2 || capacity <= CAPACITY_MIN);
}

/* What a block is resized to. */
typedef struct resize_request {
  mia_heap *heap; /* of the new block, if one is needed */
  size_t size;
  size_t align;
  size_t offset;
  bool zero;
  bool exact; /* the usable size shall be the one that a new block would have */
} resize_request;

static size_t kept_bytes(size_t usable, size_t size) { return usable < size ? usable : size; }

static void clear(char *p, size_t from, size_t to) {
  if (from < to) memset(p + from, 0, to - from);
}

/* Returns true if the block grows so much that a new block that is all zero is cheaper: its new
 * part need not be touched. */
static bool is_growth_large(size_t usable, size_t size) {
  return size > MIA_CLASS_SIZE_MAX && size / 2 >= usable;
}

/* Returns the size for a block that is copied to grow: one that grows by less than a quarter gets a
 * quarter more, and so is copied half as often. */
static size_t with_quarter(size_t capacity, size_t size) {
  size_t more = capacity + capacity / 4;
  return size > capacity && size < more ? more : size;
}

/* In tiers from 2 on a large block cannot grow where it is. */
static size_t size_to_copy_to(const resize_request *r, size_t usable) {
  if (MIA_DEBUG || r->exact || r->size <= MIA_CLASS_SIZE_MAX || !mia_tier_is_hardened())
    return r->size;
  size_t size = with_quarter(usable, r->size);
  return size <= MIA_SIZE_MAX - MIA_SLICE_SIZE ? size : r->size;
}

static void *move_by_copy(const resize_request *r, void *p, size_t usable) {
  bool zero = r->zero && is_growth_large(usable, r->size);
  size_t size = size_to_copy_to(r, usable);
  int error = errno;
  char *to = mia_alloc_in(r->heap, size, r->align, r->offset, zero);
  if (to == NULL && size != r->size) {
    errno = error;
    to = mia_alloc_in(r->heap, r->size, r->align, r->offset, zero);
  }
  if (to == NULL) return NULL;
  size_t keep = kept_bytes(usable, r->size);
  memcpy(to, mia_tags_address(p), keep);
  if (r->zero && !zero) clear(to, keep, mia_alloc_usable(to));
  mia_alloc_free(mia_tags_address(p));
  return to;
}

/* Makes a huge page with the size and the content of a large page.  Sets *detached if the OS
 * pages were moved, and clears it if the content was copied. */
static mia_page *make_huge_page(mia_heap *heap, mia_page *from, bool *detached) {
  bool zero;
  mia_theap *self = mia_theap_attach();
  mia_theap *theap = self != NULL ? mia_theap_of_heap(self, heap) : NULL;
  if (theap == NULL) return NULL;
  mia_page *page = mia_theap_detach_singleton(theap, from);
  *detached = page != NULL;
  if (page == NULL) {
    mia_singleton_request wanted = {
        .size = from->size, .align = 1, .huge = true, .redzone = MIA_DEBUG};
    page = mia_theap_make_singleton(theap, &wanted, &zero);
    if (page == NULL) return NULL;
    /* page->start is not NULL.  NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    memcpy(page->start, from->start, from->size);
  }
  mia_clock_request(self);
  mia_count_add(&theap->counts.refilled[page->size_class], 1);
  return page;
}

/* Frees the block that a move left over.  Its content and its redzone may have moved away with
 * the OS pages, so debug builds write canary and redzone anew. */
static void free_leftover(const mia_page *page) {
  mia_canary_set(page, page->start, 0);
  mia_alloc_free(page->start);
}

/* Resizes a singleton block within its page, or by moving its mapping.  Tries a size with room to
 * grow first, but not for a zeroed block: what it then grows into would have to be zero. */
static bool resize_page(const resize_request *r, mia_page *page, bool may_move, size_t *zero_from) {
  if (r->exact && !MIA_DEBUG)
    return page->padding == 0 &&
           mia_page_resize_singleton(page,
                                     mia_alloc_good_size(r->size, r->align) + mia_canary_size(),
                                     may_move, zero_from);
  size_t room = mia_canary_room(r->size);
  size_t good = r->zero ? room : mia_page_good_resize(page, room);
  return mia_page_resize_singleton(page, good, may_move, zero_from) ||
         (good != room && mia_page_resize_singleton(page, room, may_move, zero_from));
}

/* Moves a large block to a huge page and resizes it there: OS pages can only be moved to a
 * mapping as large as the memory that they were in, which then grows.  If that fails, the block
 * goes back to its old page. */
static void *move_to_huge_page(const resize_request *r, mia_page *page, size_t *zero_from) {
  bool detached;
  size_t size = page->size;
  mia_page *to = make_huge_page(r->heap, page, &detached);
  if (to == NULL) return NULL;
  bool resized = resize_page(r, to, true, zero_from);
  if (!resized && detached) { /* copying cannot fail */
    memcpy(mia_page_span(page), mia_page_span(to), page->padding + size);
    page->size = size;
  }
  void *p = resized ? to->start : NULL;
  free_leftover(resized ? page : to);
  return p;
}

/* Resizes the block of a singleton page, which stays larger than all classes.  Returns NULL if that
 * needs copying.  From *zero_from on, the block is new memory that reads as zero. */
static void *resize_singleton(const resize_request *r, mia_page *page, size_t *zero_from) {
  size_t room = mia_canary_room(r->size);
  bool may_move = r->align <= MIA_BLOCK_ALIGN && r->offset == 0;
  int error = errno;
  void *p = resize_page(r, page, may_move, zero_from) ? page->start : NULL;
  if (p == NULL && may_move && room > page->size && room >= HUGE_BY_GROWTH &&
      !mia_tier_is_hardened())
    p = move_to_huge_page(r, page, zero_from);
  errno = error;
  return p;
}

/* ---- the decision ---- */

/* What becomes of a block.  The first line that applies decides:
 *   it lies at an address that the request does not allow                 COPY
 *   it is larger than all classes and stays so                            RESIZE
 *   the request fits and uses at least half of it, or it is the smallest
 *   (if the size is to be exact: it is what a new block would have)       STAY
 *   all others                                                            COPY
 * If resizing turns out to be impossible, the lines below it decide. */
typedef enum action {
  STAY,   /* the block serves the request as it is */
  RESIZE, /* its page shrinks or grows, or its OS pages move to another address */
  COPY    /* its content is copied to a new block */
} action;

/* A block that was requested with an offset may lie at any byte; resized without an offset it must
 * be aligned as every block is. */
static bool is_placed(const resize_request *r, const mia_page *page, const char *p) {
  if (!mia_is_aligned(p + r->offset, r->align)) return false;
  return page->padding == 0 || r->offset > 0 || mia_is_aligned(p, MIA_BLOCK_ALIGN);
}

static action stay_or_copy(const resize_request *r, const mia_page *page) {
  if (!is_worth_keeping(mia_canary_capacity(page), r->size)) return COPY;
  bool has_size = MIA_DEBUG || mia_canary_capacity(page) == mia_alloc_good_size(r->size, r->align);
  return r->exact && !has_size ? COPY : STAY;
}

static action decide(const resize_request *r, const mia_page *page, const char *p) {
  if (!is_placed(r, page, p)) return COPY;
  if (page->size_class >= MIA_CLASS_COUNT && mia_canary_room(r->size) > MIA_CLASS_SIZE_MAX)
    return RESIZE;
  return stay_or_copy(r, page);
}

/* A block that grew had its canary where its content is now.  The program must not find it there: it would
 * know what the canary is. */
static void set_canary_anew(const mia_page *page, char *p, size_t before, size_t size) {
  if (!MIA_DEBUG && before < mia_canary_capacity(page)) memset(p + before, 0, mia_canary_size());
  mia_canary_set(page, p, size);
}

/* Returns the block that serves the request where it lies now.  Its usable size was `before'; from
 * `zero_from' on it reads as zero. */
static void *finish(const resize_request *r, void *p, size_t before, size_t zero_from) {
  p = mia_tags_address(p);
  if (r->zero) clear(p, kept_bytes(before, r->size), zero_from);
  if (MIA_DEBUG || mia_tier_is_checked()) set_canary_anew(mia_page_of(p), p, before, r->size);
  return p;
}

static void *resize(const resize_request *r, void *given) {
  mia_page *page = mia_alloc_page_in_call("realloc", given);
  if (mia_unlikely(page == NULL)) {
    errno = EINVAL;
    return NULL;
  }
  void *p = mia_map_untagged(given);
  size_t usable = mia_alloc_usable_in(page, p), zero_from;
  action what = decide(r, page, p);
  bool may_stay = what == RESIZE && !r->exact && r->size <= mia_canary_capacity(page);
  if (what == RESIZE) {
    void *q = resize_singleton(r, page, &zero_from);
    if (q != NULL) return finish(r, q, usable, zero_from);
    what = stay_or_copy(r, page);
  }
  if (what == COPY) {
    int error = errno;
    void *q = move_by_copy(r, p, usable);
    if (q != NULL || !may_stay) return q;
    errno = error;
  }
  return finish(r, p, usable, mia_canary_capacity(page));
}

void *mia_alloc_resize_in(mia_heap *heap, void *p, size_t size, size_t align, size_t offset,
                          bool zero) {
  if (p == NULL || !mia_is_power_of_two(align) || size > MIA_SIZE_MAX - MIA_SLICE_SIZE)
    return mia_alloc_in(heap, size, align, offset, zero); /* sets errno if these are wrong */
  size_t keep = MIA_DEBUG && zero ? kept_bytes(mia_alloc_usable(p), size) : 0;
  char *q = resize(&(resize_request){heap, size, align, offset, zero, false}, p);
  mia_assert(!zero || q == NULL || mia_base_is_zero(q + keep, mia_alloc_usable(q) - keep));
  return q;
}

void *mia_alloc_resize_exact(mia_heap *heap, void *p, size_t size, size_t align) {
  if (p == NULL || !mia_is_power_of_two(align) || size > MIA_SIZE_MAX - MIA_SLICE_SIZE)
    return mia_alloc_in(heap, size, align, 0, false);
  return resize(&(resize_request){heap, size, align, 0, false, true}, p);
}

/* Returns the size for a block of a class that grows: without the quarter, small arrays that grow take
 * 1.5 of the time.  For blocks of less than SLACK_MIN it is not worth the memory. */
static size_t with_slack(const mia_page *page, size_t size) {
  size_t more = with_quarter(page->size, size);
  return page->size >= SLACK_MIN && more <= MIA_CLASS_SIZE_MAX ? more : size;
}

void *mia_alloc_resize_small(void *p, size_t size) {
  if (MIA_DEBUG || size - 1 >= MIA_CLASS_SIZE_MAX) return NULL;
  if (p == NULL) return mia_fast_take(size, size);
  if (mia_tier_is_checked()) return NULL;
  p = mia_map_untagged(p);
  mia_page *page = mia_page_of_block(p);
  if (page == NULL || page->size_class >= MIA_CLASS_COUNT || !mia_page_is_block(page, p))
    return NULL;
  if (is_worth_keeping(page->size, size)) return p;
  size_t room = with_slack(page, size);
  void *to = mia_fast_take(room, size);
  if (mia_unlikely(to == NULL)) to = mia_alloc_refill(room, size);
  if (mia_unlikely(to == NULL)) return NULL;
  memcpy(to, p, kept_bytes(page->size, size));
  if (mia_unlikely(!mia_fast_free_of(mia_theap_self, page, p)) &&
      !mia_fast_free_remote(mia_theap_self, page, p))
    mia_alloc_free_slow(p);
  return to;
}

void *mia_alloc_resize(void *p, size_t size, size_t align) {
  void *q = align == 1 ? mia_alloc_resize_small(p, size) : NULL;
  if (q != NULL) return q;
  return mia_alloc_resize_in(mia_theap_default_heap(mia_theap_self), p, size, align, 0, false);
}

bool mia_alloc_extend(void *p, size_t size) {
  if (p == NULL) return size == 0;
  mia_page *page = mia_alloc_page_in_call("realloc", p);
  if (mia_unlikely(page == NULL)) return false;
  p = mia_map_untagged(p);
  size_t usable = mia_alloc_usable_in(page, p);
  if (size <= usable) return true;
  if (size > MIA_SIZE_MAX - MIA_SLICE_SIZE) return false;
  size_t room = mia_canary_room(size);
  bool fits_now = room <= page->size;
  int error = errno;
  size_t zero_from;
  if (!fits_now && (page->size_class < MIA_CLASS_COUNT ||
                    !mia_page_resize_singleton(page, room, false, &zero_from)))
    return false;
  errno = error;
  if (MIA_DEBUG || mia_tier_is_checked()) set_canary_anew(page, mia_tags_address(p), usable, size);
  return true;
}
