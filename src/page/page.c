/* SPDX-License-Identifier: MIT */
/* page.c -- making pages, taking blocks from them, resizing and retiring them. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/guard.h"
#include "arena/huge.h"
#include "arena/meta.h"
#include "arena/node.h"
#include "base/bits.h"
#include "base/fail.h"
#include "base/zero.h"
#include "map/pagemap.h"
#include "os/lock.h"
#include "os/os.h"
#include "page/canary.h"
#include "page/list.h"
#include "page/live.h"
#include "page/owner.h"
#include "page/page.h"
#include "page/poison.h"
#include "page/tail.h"
#include "page/trim.h"

/* A page is extended by EXTEND_BYTES at a time, but by at least EXTEND_MIN blocks: a free list
 * of one block would be empty after each allocation.  Memory that was used before is extended
 * by as many blocks as the page has, if that is more. */
#define EXTEND_BYTES MIA_OS_PAGE_MIN
enum { EXTEND_MIN = 2 };

/* The page map has one entry for each slice: two mappings of this size never begin in one. */
#define HUGE_MIN MIA_SLICE_SIZE

/* The descriptors of huge pages, which lie in no arena. */
static struct {
  mia_lock lock;
  mia_page *unused;     /* [lock] linked by next */
  mia_page *unreleased; /* [lock] likewise: of mappings that the kernel refused to unmap */
} huge = {.lock = MIA_LOCK_INIT(MIA_RANK_HUGE)};
mia_assert_object_aligned(huge, mia_lock);

mia_static_assert(MIA_CLASS_COUNT <= (int)MIA_KIND_LARGE, "each class is a kind of its own");

/* ---- making ---- */

/* A request for the span of a page.  It is small, as it is on the stack while the span is taken. */
typedef struct span_request {
  mia_arena *only; /* NULL: any arena that is not exclusive, ... */
  unsigned node;   /* ... if possible near this node */
  uint16_t kind;   /* of the span: arena/parked.h */
  uint8_t align;   /* the binary logarithm */
} span_request;

static size_t slices_of(const span_request *r) {
  return r->kind < MIA_KIND_LARGE ? mia_class_slices(r->kind) : r->kind - MIA_KIND_LARGE + 1u;
}

static bool take_slices(const span_request *r, size_t more, mia_span *span) {
  size_t slices = slices_of(r) + more, align = (size_t)1 << r->align;
  return r->only != NULL ? mia_arena_take_in(r->only, slices, align, span)
                         : mia_arena_take_near(r->node, slices, align, span);
}

static bool take_guarded(const span_request *r, mia_span *span) {
  if (r->only != NULL || slices_of(r) == MIA_SPAN_MAX_SLICES || !mia_arena_draw_guard())
    return false;
  if (!take_slices(r, 1, span)) return false;
  mia_arena_guard_end(span);
  return true;
}

static bool take_span(const span_request *r, mia_span *span) {
  return mia_arena_unpark(r->kind, r->only, (size_t)1 << r->align, span) || take_guarded(r, span) ||
         take_slices(r, 0, span);
}

/* Not inline, as its variables would be on the stack while the span is taken. */
mia_noinline static mia_page *make_in(const mia_span *span, unsigned size_class, uintptr_t heap) {
  size_t size = mia_class_size(size_class);
  size_t padding = mia_canary_padding(size);
  mia_page *page = (mia_page *)mia_arena_descriptor(span);
  *page = (mia_page){.total = (uint16_t)(((span->slices << MIA_SLICE_SHIFT) - padding) / size),
                     .size_class = (uint8_t)size_class,
                     .zero = span->zero,
                     .exclusive = span->arena->exclusive,
                     .padding = (uint32_t)padding,
                     .size = size,
                     .start = span->start + padding,
                     .arena = span->arena,
                     .slices = (uint16_t)span->slices,
                     .heap = {heap}};
  mia_owner_begin_claimed(page);
  mia_page_show(page);
  return page;
}

mia_page *mia_page_make(unsigned size_class, mia_arena *only, unsigned node, uintptr_t heap) {
  mia_span span;
  const span_request request = {only, node, (uint16_t)size_class, MIA_SLICE_SHIFT};
  return take_span(&request, &span) ? make_in(&span, size_class, heap) : NULL;
}

static mia_page *make_large(size_t size, const mia_singleton_request *wanted, bool *zero) {
  mia_span span;
  const span_request request = {wanted->arena, wanted->node,
                                (uint16_t)mia_kind_large(mia_slices_of(size)),
                                (uint8_t)mia_high_bit(wanted->align)};
  if (!take_span(&request, &span)) return NULL;
  mia_page *page = (mia_page *)mia_arena_descriptor(&span);
  *page = (mia_page){.size_class = MIA_CLASS_LARGE,
                     .exclusive = span.arena->exclusive,
                     .start = span.start,
                     .arena = span.arena,
                     .touched = span.zero ? 0 : (uint32_t)(span.slices << MIA_SLICE_SHIFT),
                     .slices = (uint16_t)span.slices,
                     .heap = {wanted->heap}};
  *zero = span.zero;
  return page;
}

static void push(mia_page **list, mia_page *page) {
  page->next = *list;
  *list = page;
}

static mia_page *pop(mia_page **list) {
  mia_page *page = *list;
  if (page != NULL) *list = page->next;
  return page;
}

/* Unmaps what could not be unmapped before.  The kernel refuses to split a mapping while the
 * process has as many mappings as it may have.  [lock] */
static void retry_release(void) {
  while (mia_unlikely(huge.unreleased != NULL)) {
    const mia_page *page = huge.unreleased;
    if (!mia_arena_huge_release(mia_page_span(page), page->padding + page->size)) return;
    push(&huge.unused, pop(&huge.unreleased));
  }
}

static mia_page *take_huge_descriptor(void) {
  mia_os_lock(&huge.lock);
  retry_release();
  mia_page *page = pop(&huge.unused);
  if (page == NULL) page = mia_arena_meta(sizeof *page);
  mia_os_unlock(&huge.lock);
  return page;
}

static void give_huge_descriptor(mia_page *page, bool gone) {
  mia_os_lock(&huge.lock);
  if (gone) retry_release();
  push(gone ? &huge.unused : &huge.unreleased, page);
  mia_os_unlock(&huge.lock);
}

static mia_page *make_huge(size_t size, size_t padding, const mia_singleton_request *wanted,
                           bool *zero) {
  mia_page *page = take_huge_descriptor();
  if (page == NULL) return NULL;
  char *start = mia_arena_huge_take(
      &(mia_huge){
          .size = size, .align = wanted->align, .padding = padding, .zeroed = wanted->zeroed},
      zero);
  if (start == NULL) {
    give_huge_descriptor(page, true);
    return NULL;
  }
  *page = (mia_page){.size_class = MIA_CLASS_HUGE, .start = start};
  return page;
}

/* Returns the bytes before the block that its offset needs, and room for its redzone. */
static size_t padding_for(const mia_singleton_request *wanted) {
  size_t padding = -wanted->offset & (wanted->align - 1);
  if (!wanted->redzone || mia_canary_fits(padding) || wanted->align > MIA_SLICE_SIZE)
    return padding;
  return padding + (wanted->align > MIA_SINGLETON_PADDING ? wanted->align : MIA_SINGLETON_PADDING);
}

static void begin_singleton(mia_page *page, size_t padding, size_t size) {
  page->total = 1;
  page->capacity = 1;
  page->padding = (uint32_t)padding;
  page->start += padding;
  mia_page_reuse_singleton(page, size);
}

bool mia_page_fits_span(size_t size, size_t align) {
  const size_t span_max = MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT;
  return size <= span_max && align <= span_max / 2;
}

mia_page *mia_page_make_singleton(const mia_singleton_request *wanted, bool *zero) {
  size_t padding = padding_for(wanted);
  size_t size = mia_align_up(padding + (wanted->size > 0 ? wanted->size : 1), mia_os_page_size());
  *zero = true;
  bool large = !wanted->huge && mia_page_fits_span(size, wanted->align);
  if (!large && wanted->arena != NULL) return NULL;
  if (!large && size < padding + HUGE_MIN)
    size = mia_align_up(padding + HUGE_MIN, mia_os_page_size());
  mia_page *page = large ? make_large(size, wanted, zero) : make_huge(size, padding, wanted, zero);
  if (page != NULL) begin_singleton(page, padding, size - padding);
  return page;
}

/* A new size that is smaller than the old one by less than the smallest OS page keeps the old
 * one, without a call of mia_os_page_size. */
void mia_page_reuse_singleton(mia_page *page, size_t size) {
  if (size > page->size || page->size - size >= MIA_OS_PAGE_MIN)
    page->size = mia_align_up(page->padding + size, mia_os_page_size()) - page->padding;
  page->free = NULL;
  if (page->size_class == MIA_CLASS_LARGE &&
      page->padding + page->size + page->tail != page->touched)
    mia_page_update_tail(page, page->touched);
  mia_owner_begin_singleton(page);
}

static void set_map(const mia_page *page, const mia_page *to) {
  if (page->slices == 1 || page->size_class >= MIA_CLASS_COUNT)
    mia_map_set_slice(page->start, to);
  else
    mia_map_set_page(page->start, page->slices, to);
}

void mia_page_hide(const mia_page *page) { set_map(page, NULL); }

void mia_page_show(const mia_page *page) { set_map(page, page); }

mia_page *mia_page_require_slow(const void *p) {
  mia_page *page = mia_page_of(p);
  if (page == NULL) mia_base_misuse(MIA_MISUSE_NO_BLOCK, p);
  mia_page_require_block(page, p);
  return page;
}

/* ---- retiring ---- */

static void retire_huge(mia_page *page) {
  bool gone = mia_arena_huge_give(mia_page_span(page), page->padding + page->size, !page->grown);
  give_huge_descriptor(page, gone);
}

static void retire_span(mia_page *page) {
  bool large = page->size_class == MIA_CLASS_LARGE;
  if (large) mia_page_uncount_tail(page);
  const mia_span span = {
      .arena = page->arena, .start = mia_page_span(page), .slices = page->slices};
  size_t touched = page->padding + page->capacity * page->size;
  if (!mia_arena_park(&span, large ? mia_kind_large(span.slices) : page->size_class))
    mia_arena_give(span.arena, span.start, span.slices, touched);
}

void mia_page_retire(mia_page *page) {
  mia_assert(page->used == 0 && mia_aword_get(&page->listed) == 0);
  mia_page_hide(page);
  if (page->size_class == MIA_CLASS_HUGE)
    retire_huge(page);
  else
    retire_span(page);
}

/* ---- free blocks ---- */

static void poison_all(const mia_page *page, mia_block *list) {
  for (; list != NULL; list = list->next) mia_page_poison(page, list);
}

/* Returns true if an extension has as many blocks as the page has already.  That makes fewer of them:
 * otherwise pairs of 16 bytes take 1.1 of the time.  Memory that was never used is extended in small
 * steps, as each step may cost page faults. */
static bool doubles(const mia_page *page) { return !page->zero; }

/* Returns the number of blocks of the next extension. */
mia_inline uint32_t next_extension(const mia_page *page) {
  uint32_t left = page->total - page->capacity;
  uint32_t count = (uint32_t)(EXTEND_BYTES / page->size);
  if (count < EXTEND_MIN) count = EXTEND_MIN;
  if (doubles(page) && count < page->capacity) count = page->capacity;
  return count < left ? count : left;
}

/* Tiers from 2 on choose among all blocks of an extension: it fills a cell at the least. */
static uint32_t next_hardened(const mia_page *page) {
  uint32_t left = page->total - page->capacity;
  size_t least = page->size < EXTEND_BYTES ? EXTEND_BYTES / page->size : 1;
  uint32_t count = (uint32_t)mia_align_up(least, MIA_CELL_BITS);
  return count < left ? count : left;
}

bool mia_page_extend(mia_page *page) {
  bool is_hardened = mia_tier_is_hardened();
  uint32_t count = is_hardened ? next_hardened(page) : next_extension(page);
  if (is_hardened && !page->zero)
    memset(page->start + page->capacity * page->size, 0, count * page->size);
  page->capacity += count;
  return count > 0;
}

static mia_block *extend(mia_page *page) {
  uint32_t count = next_extension(page);
  if (count == 0) return NULL;
  char *at = page->start + (size_t)page->capacity * page->size;
  mia_block *first = (void *)at;
  mia_block *block = first;
  mia_assert(!page->zero || mia_base_is_zero(at, count * page->size));
  for (uint32_t i = 1; i < count; i++) {
    at += page->size;
    block->next = (void *)at;
    block = block->next;
  }
  block->next = NULL;
  if (MIA_DEBUG && !page->zero) poison_all(page, first);
  page->capacity += count;
  page->used += count;
  return first;
}

mia_block *mia_page_pop_counted(mia_page *page, bool *zeroed, uint32_t *count) {
  if (page->free == NULL && mia_owner_has_remote(page)) mia_page_collect(page);
  if (page->free == NULL && page->trimmed_pages != 0) mia_page_restore(page);
  *zeroed = false;
  page->age = 0;
  if (page->free != NULL && mia_page_is_check_due(page)) mia_page_require_list(page);
  mia_block *list = mia_page_pop_free(page, count);
  if (list != NULL) return list;
  *zeroed = page->zero;
  *count = page->used;
  list = extend(page);
  *count = page->used - *count;
  return list;
}

mia_block *mia_page_pop_blocks(mia_page *page, bool *zeroed) {
  uint32_t count;
  return mia_page_pop_counted(page, zeroed, &count);
}

/* A list that a double free has closed has no end. */
static mia_block *last_of(const mia_page *page, mia_block *list, uint32_t *count) {
  *count = 1;
  while (list->next != NULL) {
    if (mia_unlikely(++*count > page->capacity)) mia_page_misuse(page, MIA_MISUSE_TWICE, list);
    list = list->next;
  }
  return list;
}

void mia_page_push_list(mia_page *page, mia_block *list) {
  if (list == NULL) return;
  uint32_t count;
  if (MIA_DEBUG) poison_all(page, list);
  if (page->free != NULL) mia_page_require_link(page);
  last_of(page, list, &count)->next = page->free;
  page->free = list;
  page->used -= count;
}

void mia_page_collect(mia_page *page) {
  if (mia_tier_is_checked()) {
    mia_page_collect_live(page);
    return;
  }
  uint32_t count;
  mia_block *list = mia_owner_collect(page, &count);
  if (list == NULL) return;
  if (page->free != NULL) {
    uint32_t walked;
    mia_page_require_link(page);
    last_of(page, list, &walked)->next = page->free;
    if (mia_unlikely(walked != count)) mia_page_misuse(page, MIA_MISUSE_TWICE, list);
  }
  page->free = list;
  page->used -= count;
}

/* ---- the block of a singleton page ---- */

static bool resize_large(mia_page *page, size_t size, size_t *zero_from) {
  char *span = mia_page_span(page);
  size_t slices = mia_slices_of(page->padding + size);
  if (slices > MIA_SPAN_MAX_SLICES) return false;
  if (slices < page->slices) {
    mia_arena_give(page->arena, span + (slices << MIA_SLICE_SHIFT), page->slices - slices,
                   (page->slices - slices) << MIA_SLICE_SHIFT);
  } else if (slices > page->slices) {
    bool zero;
    if (!mia_arena_extend(page->arena, span, page->slices, slices, &zero)) return false;
    if (zero)
      *zero_from = ((size_t)page->slices << MIA_SLICE_SHIFT) - page->padding;
    else
      page->touched = (uint32_t)(slices << MIA_SLICE_SHIFT);
  }
  page->slices = (uint16_t)slices;
  if (page->touched > slices << MIA_SLICE_SHIFT)
    page->touched = (uint32_t)(slices << MIA_SLICE_SHIFT);
  return true;
}

/* The old entry leaves the page map before the kernel can give the address to another mapping. */
static bool resize_huge(mia_page *page, size_t size, bool may_move, size_t *zero_from) {
  if (size < HUGE_MIN) return false;
  mia_page_hide(page);
  char *span = mia_arena_huge_resize(mia_page_span(page), page->padding + page->size, page->padding,
                                     page->padding + size, may_move);
  if (span != NULL) page->start = span + page->padding;
  mia_page_show(page);
  if (size > page->size) *zero_from = page->size;
  page->grown |= span != NULL && size > page->size;
  return span != NULL;
}

/* What lies behind the new end must not be found when the block grows again: not the canary, and in tiers
 * from 2 on nothing. */
static void forget_end(const mia_page *page, size_t size) {
  if (!mia_tier_is_checked() || size >= page->size) return;
  mia_page_wipe_from(page, mia_tier_is_hardened() ? size : page->size - MIA_TIER_CANARY_SIZE);
}

/* In tiers from 2 on a mapping between guards keeps its size, and a span its kind. */
static bool is_fixed(const mia_page *page, size_t size) {
  return mia_tier_is_hardened() && (page->size_class == MIA_CLASS_HUGE ||
                                    mia_slices_of(page->padding + size) != page->slices);
}

bool mia_page_resize_singleton(mia_page *page, size_t size, bool may_move, size_t *zero_from) {
  size = mia_align_up(page->padding + size, mia_os_page_size()) - page->padding;
  *zero_from = size;
  if (size == page->size) return true;
  if (is_fixed(page, size)) return false;
  forget_end(page, size);
  bool done = page->size_class == MIA_CLASS_HUGE ? resize_huge(page, size, may_move, zero_from)
                                                 : resize_large(page, size, zero_from);
  if (done) page->size = size;
  if (done && page->size_class == MIA_CLASS_LARGE) mia_page_update_tail(page, page->touched);
  mia_assert(!done || mia_base_is_zero(page->start + *zero_from, size - *zero_from));
  return done;
}

/* Debug builds round nothing up, since they fill what was not requested. */
size_t mia_page_good_resize(const mia_page *page, size_t size) {
  if (MIA_DEBUG || page->size_class != MIA_CLASS_HUGE) return size;
  size_t wanted = page->padding + size;
  if (wanted < MIA_ARENA_LARGE_PAGES_MIN) return size;
  size_t rounded = mia_align_up(wanted, MIA_OS_LARGE_PAGE) - page->padding;
  return size > page->size || page->size == rounded ? rounded : size;
}

mia_page *mia_page_detach_singleton(mia_page *from) {
  size_t size = from->padding + from->size;
  if (from->size_class != MIA_CLASS_LARGE || size < from->padding + HUGE_MIN) return NULL;
  mia_page *page = take_huge_descriptor();
  if (page == NULL) return NULL;
  char *start = mia_arena_huge_detach(from->arena, mia_page_span(from), size, from->padding);
  if (start == NULL) {
    give_huge_descriptor(page, true);
    return NULL;
  }
  *page = (mia_page){.size_class = MIA_CLASS_HUGE, .start = start};
  begin_singleton(page, from->padding, from->size);
  from->size = mia_align_up(from->padding + 1, mia_os_page_size()) - from->padding;
  return page;
}

/* ---- fork ---- */

void mia_page_before_fork(mia_time_ms until) { mia_os_lock_for_fork(&huge.lock, until); }

void mia_page_after_fork(bool child) { mia_os_unlock_after_fork(&huge.lock, child); }

/* ---- checking ---- */

static uint32_t count_blocks(const mia_page *page, const mia_block *list) {
  uint32_t count = 0;
  for (; list != NULL; list = list->next) {
    mia_page_require_block(page, list);
    mia_assert(count < page->capacity);
    count++;
  }
  return count;
}

void mia_page_check(const mia_page *page) {
  if (mia_tier_is_checked()) return; /* P1 does not hold */
  mia_assert(page->used <= page->capacity && page->capacity <= page->total);
  mia_assert(page->used + count_blocks(page, page->free) + page->trimmed_blocks ==
             page->capacity); /* P1 */
  mia_assert(page->size_class == MIA_CLASS_HUGE ||
             mia_is_aligned(mia_page_span(page), MIA_SLICE_SIZE)); /* P2 */
}
