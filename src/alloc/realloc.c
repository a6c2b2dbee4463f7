/* realloc.c -- changing the size of a block. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "base/zero.h"
#include "page/canary.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>
#include <string.h>

/* A large block that has to move in order to grow to this size, or beyond, gets
 * a mapping of its own: growing goes on, and then costs no copying. */
#define HUGE_BY_GROWTH (8 * MIA_MIB)

/* Blocks that grow have room for the next time from this size on. */
enum { SLACK_MIN = 256 };

enum { CAPACITY_MIN = MIA_DEBUG ? MIA_CANARY_SIZE : MIA_BLOCK_MIN };

/* Worth keeping at a smaller size: at least half of it would be used, or there
 * is no smaller block. */
static bool fits(size_t capacity, size_t size) {
  return size <= capacity && (size >= capacity / 2 || capacity <= CAPACITY_MIN);
}

/* What a block is to become; [const]. */
typedef struct request {
  mia_heap *heap; /* if it has to move */
  size_t size;
  size_t align;
  size_t offset;
  bool zero;
  bool exact; /* the usable size is to be as a new block's */
} request;

static size_t kept(size_t usable, size_t size) { return usable < size ? usable : size; }

static void clear(char *p, size_t from, size_t to) {
  if (from < to) memset(p + from, 0, to - from);
}

/* Growing so much, it is cheaper to begin with a block that is zero, of which
 * the new part need not be touched. */
static bool is_growth_large(size_t usable, size_t size) {
  return size > MIA_CLASS_SIZE_MAX && size / 2 >= usable;
}

static void *move(const request *r, void *p, size_t usable) {
  bool zero = r->zero && is_growth_large(usable, r->size);
  char *to = mia_alloc_in(r->heap, r->size, r->align, r->offset, zero);
  if (to == NULL) return NULL;
  size_t keep = kept(usable, r->size);
  memcpy(to, p, keep);
  if (r->zero && !zero) clear(to, keep, mia_alloc_usable(to));
  mia_alloc_free(p);
  return to;
}

/* A block as large that is a mapping of its own, with the content of another. */
static mia_page *make_mapping(mia_heap *heap, mia_page *from, bool *moved) {
  bool zero;
  mia_theap *self = mia_theap_attach();
  mia_theap *local = self != NULL ? mia_theap_of_heap(self, heap) : NULL;
  if (local == NULL) return NULL;
  mia_page *page = mia_theap_detach_singleton(local, from);
  *moved = page != NULL;
  if (page == NULL) {
    mia_singleton_request wanted = {
        .size = from->size, .align = 1, .huge = true, .redzone = MIA_DEBUG};
    page = mia_theap_make_singleton(local, &wanted, &zero);
    if (page == NULL) return NULL;
    /* Not NULL.  NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    memcpy(page->start, from->start, from->size);
  }
  self->tick_requested = true;
  mia_count_add(&local->counts.refilled[page->size_class], 1);
  return page;
}

/* What it held, its edge too, may be elsewhere. */
static void discard(const mia_page *page) {
  if (MIA_DEBUG) mia_page_set_canary(page, page->start, 0);
  mia_alloc_free(page->start);
}

/* What is beyond a block that is to read as zero has to stay zero: there is none. */
static bool resize_to(const request *r, mia_page *page, bool may_move, size_t *clean) {
  if (r->exact && !MIA_DEBUG)
    return page->padding == 0 &&
           mia_page_resize_singleton(page, mia_alloc_good(r->size, r->align), may_move, clean);
  size_t room = mia_canary_room(r->size);
  size_t good = r->zero ? room : mia_page_good_resize(page, room);
  return mia_page_resize_singleton(page, good, may_move, clean) ||
         (good != room && mia_page_resize_singleton(page, room, may_move, clean));
}

/* Its OS pages can be moved to as much memory as they were in, and no more: that then
 * grows. */
static void *move_to_mapping(const request *r, mia_page *page, size_t *clean) {
  bool moved;
  size_t size = page->size;
  mia_page *to = make_mapping(r->heap, page, &moved);
  if (to == NULL) return NULL;
  bool grown = resize_to(r, to, true, clean);
  if (!grown && moved) { /* a copy is sure to come back */
    memcpy(mia_page_span(page), mia_page_span(to), page->padding + size);
    page->size = size;
  }
  void *p = grown ? to->start : NULL;
  discard(grown ? page : to);
  return p;
}

/* The one block of a page at another size; NULL: not without copying it to
 * where any block could be.  From *clean on it is new and zero. */
static void *resize_single(const request *r, mia_page *page, size_t *clean) {
  size_t room = mia_canary_room(r->size);
  if (room <= MIA_CLASS_SIZE_MAX) return NULL;
  bool may_move = r->align <= MIA_BLOCK_ALIGN && r->offset == 0;
  int error = errno;
  void *p = resize_to(r, page, may_move, clean) ? page->start : NULL;
  if (p == NULL && may_move && room > page->size && room >= HUGE_BY_GROWTH)
    p = move_to_mapping(r, page, clean);
  errno = error;
  return p;
}

/* A block that was aligned behind a header may lie at any byte: what is resized
 * without an offset is aligned like others. */
static bool is_placed(const request *r, const mia_page *page, const char *p) {
  if (!mia_is_aligned(p + r->offset, r->align)) return false;
  return page->padding == 0 || r->offset > 0 || mia_is_aligned(p, MIA_BLOCK_ALIGN);
}

/* Whether a block is not to be resized, or cannot be, but by moving. */
static bool stays(const request *r, const mia_page *page) {
  if (!fits(mia_canary_capacity(page), r->size)) return false;
  return !r->exact || MIA_DEBUG || page->size == mia_alloc_good(r->size, r->align);
}

static void *resize(const request *r, void *p) {
  size_t usable = mia_alloc_usable(p);
  mia_page *page = mia_page_require_of(p);
  mia_page_require_block(page, p);
  if (!is_placed(r, page, p)) return move(r, p, usable);
  if (page->size_class >= MIA_CLASS_COUNT) {
    size_t clean;
    void *q = resize_single(r, page, &clean);
    if (q != NULL && r->zero) clear(q, kept(usable, r->size), clean);
    if (MIA_DEBUG && q != NULL) mia_page_set_canary(mia_page_of(q), q, r->size);
    if (q != NULL) return q;
  }
  if (!stays(r, page)) return move(r, p, usable);
  if (r->zero) clear(p, kept(usable, r->size), mia_canary_capacity(page));
  if (MIA_DEBUG) mia_page_set_canary(page, p, r->size);
  return p;
}

void *mia_alloc_resize_in(mia_heap *heap, void *p, size_t size, size_t align, size_t offset,
                          bool zero) {
  if (p == NULL || !mia_is_power_of_two(align) || size > MIA_SIZE_MAX - MIA_SLICE_SIZE)
    return mia_alloc_in(heap, size, align, offset, zero); /* which says what is wrong */
  p = mia_map_untagged(p);
  size_t keep = MIA_DEBUG && zero ? kept(mia_alloc_usable(p), size) : 0;
  char *q = resize(&(request){heap, size, align, offset, zero, false}, p);
  mia_assert(!zero || q == NULL || mia_base_is_zero(q + keep, mia_alloc_usable(q) - keep));
  return q;
}

void *mia_alloc_resize_exact(mia_heap *heap, void *p, size_t size, size_t align) {
  if (p == NULL || !mia_is_power_of_two(align) || size > MIA_SIZE_MAX - MIA_SLICE_SIZE)
    return mia_alloc_in(heap, size, align, 0, false);
  return resize(&(request){heap, size, align, 0, false, true}, mia_map_untagged(p));
}

/* What grows little by little moves half as often with room for the next time.  That
 * of small blocks would not be worth the memory. */
static size_t with_slack(const mia_page *page, size_t size) {
  size_t capacity = page->size, more = capacity + capacity / 4;
  if (capacity < SLACK_MIN || size <= capacity || size >= more) return size;
  return more <= MIA_CLASS_SIZE_MAX ? more : size;
}

void *mia_alloc_resize_small(void *p, size_t size) {
  if (MIA_DEBUG || size - 1 >= MIA_CLASS_SIZE_MAX) return NULL;
  if (p == NULL) return mia_fast_take(size, size);
  p = mia_map_untagged(p);
  mia_page *page = mia_page_of_block(p);
  if (page == NULL || page->size_class >= MIA_CLASS_COUNT) return NULL;
  mia_page_require_block(page, p);
  if (fits(page->size, size)) return p;
  size_t room = with_slack(page, size);
  void *to = mia_fast_take(room, size);
  if (mia_unlikely(to == NULL)) to = mia_alloc_refill(room, size);
  if (mia_unlikely(to == NULL)) return NULL;
  memcpy(to, p, kept(page->size, size));
  if (mia_unlikely(!mia_fast_free_of(mia_theap_self, page, p))) mia_alloc_free_slow(p);
  return to;
}

void *mia_alloc_resize(void *p, size_t size, size_t align) {
  void *q = align == 1 ? mia_alloc_resize_small(p, size) : NULL;
  if (q != NULL) return q;
  return mia_alloc_resize_in(mia_theap_default_heap(mia_theap_self), p, size, align, 0, false);
}

bool mia_alloc_extend(void *p, size_t size) {
  if (size <= mia_alloc_usable(p)) return true;
  p = mia_map_untagged(p);
  mia_page *page = mia_page_require_of(p);
  if (size > MIA_SIZE_MAX - MIA_SLICE_SIZE) return false;
  size_t room = mia_canary_room(size);
  bool fits_now = room <= page->size;
  int error = errno;
  size_t clean;
  if (!fits_now &&
      (page->size_class < MIA_CLASS_COUNT || !mia_page_resize_singleton(page, room, false, &clean)))
    return false;
  errno = error;
  if (MIA_DEBUG) mia_page_set_canary(page, p, size);
  return true;
}
