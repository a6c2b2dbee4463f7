/* SPDX-License-Identifier: MIT */
/* page.h -- the blocks of one class, side by side in a span.
 *
 * The descriptor of a page lies in the arena's head; the span holds padding and
 * blocks, nothing else.  A page is extended from the low end of the span as blocks
 * are needed, so that memory that was never used was never touched.
 *
 * A block of the extended part is in one of five states:
 *   free       on the page's own list: freed by the owner, or collected
 *   trimmed    on no list: the memory in which it begins was given back (trim.h)
 *   remote     on the list in the word `remote': freed by others, not collected yet
 *   popped     in a free list of the owner, which allocates from it (theap/bin.h)
 *   live       in use by the program
 * Invariants:
 *   P1  used = popped + live + remote, and used + free + trimmed = capacity <= total
 *   P2  the span begins at a slice boundary (of a huge page: an OS page boundary); in
 *       a page of blocks, start lies 0 or size bytes behind it and within the first
 *       slice; each block lies at a multiple of size from start
 *   P3  owner = 0 while no thread has the page, or a thread has claimed it without
 *       owning it (owner.h)
 *   P4  listed = 1 exactly while the page is in an abandoned list
 *   P5  with `zero', every byte behind the extended part reads as zero
 *   P6  all writes since the span was taken were to its first padding + capacity * size
 *       bytes, or to the slice where these end; mia_page_retire passes this length to
 *       the arena (arena/dirty.h)
 * A singleton page, large or huge, has one block: total = capacity = 1.
 *
 * The functions here use [own] fields: their caller has claimed the page or, to resize
 * a singleton page, holds its live block. */
#ifndef MIA_PAGE_PAGE_H
#define MIA_PAGE_PAGE_H

#include "arena/arena.h"
#include "base/fail.h"
#include "base/layout.h"
#include "map/pagemap.h"
#include "page/class.h"
#include "page/misuse.h"

/* A remote free reads the first cache line only, and so does not wait for the owner's
 * writes to the second (with 64-bit pointers). */
typedef struct mia_page {
  mia_aword owner;    /* [any] the mia_theap that owns the page, or 0; written by that theap */
  size_t size;        /* [const] of a block; in a singleton page changed by the block's holder */
  char *start;        /* [const] of the first block; in a huge page changed by its holder */
  mia_arena *arena;   /* [const] NULL for a huge page */
  mia_aword heap;     /* [any] the mia_heap of the blocks, 0: the main one; written by a claimer */
  uint32_t padding;   /* [const] bytes of the span before start: for an offset, or canary.h */
  uint16_t total;     /* [const] blocks that fit */
  uint8_t size_class; /* [const] */
  bool zero : 1;      /* [const] */
  bool exclusive : 1; /* [const] the arena is exclusive: only a heap made for it allocates here */
  struct mia_page *heap_next; /* [lock:abandoned] other pages of the heap */
  struct mia_page *heap_prev; /* [lock:abandoned] */
  mia_block *free;            /* [own] */
  uint32_t used;              /* [own] */
  uint32_t capacity;          /* [own] blocks of the extended part */
  mia_aword remote;           /* [any] list, countdown and claim: owner.h */
  mia_aword listed;           /* [lock:abandoned] */
  uint16_t slices;            /* [const] of the span; in a large page changed by its holder */
  uint16_t countdown_from;    /* [own] where the countdown began: owner.h */
  uint16_t trimmed_blocks;    /* [own] trim.h */
  uint8_t age;                /* [own], and [lock:abandoned] while listed: abandoned.h */
  union {
    bool grown;   /* [own] a huge block has grown, in place or by moving */
    uint8_t pops; /* [own] of a page of blocks: how often its list was popped, modulo 256: list.h */
    uint8_t cell; /* [own] of a page of blocks: where the search for a free one begins: live.h */
  };
  union {
    uint64_t trimmed_pages; /* [own] a bit for each OS page given back: trim.h */
    struct {                /* of a large page: */
      uint32_t touched;     /* [own] bytes of the span that may have been written: tail.h */
      uint32_t tail;        /* [own] those behind the block, 0 if they are not counted: tail.h */
    };
  };
  struct mia_page *next; /* [own] in the owner's bin, [lock:abandoned] while listed */
  struct mia_page *prev; /* likewise */
} mia_page;

mia_static_assert(MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT <= UINT32_MAX, "of any large page");
mia_static_assert(sizeof(mia_page) <= MIA_DESCRIPTOR_SIZE, "a page fits its descriptor");
mia_assert_field_aligned(mia_page, owner);
mia_assert_field_aligned(mia_page, remote);
mia_assert_field_aligned(mia_page, listed);
mia_assert_field_aligned(mia_page, heap);

/* Returns the start of the page's span. */
mia_inline char *mia_page_span(const mia_page *page) { return page->start - page->padding; }

/* Returns a page for a class, with capacity 0 and claimed by the caller, or NULL if memory is
 * short.  The page lies in the arena `only' or, if that is NULL, in any arena that is not
 * exclusive, if possible near `node' (arena/node.h).  Its field `heap' is set before other
 * threads can find the page. */
mia_page *mia_page_make(unsigned size_class, mia_arena *only, unsigned node, uintptr_t heap);

/* A request for a singleton page: start + offset is a multiple of align. */
typedef struct mia_singleton_request {
  size_t size;
  size_t align;
  size_t offset;
  bool huge;        /* in a mapping of its own, even if an arena has room */
  bool zeroed;      /* if the page is huge, its memory reads as zero */
  bool redzone;     /* with padding for a redzone: canary.h */
  mia_arena *arena; /* NULL: any arena that is not exclusive, or a mapping */
  unsigned node;    /* the page is near this node if possible, as in mia_page_make */
  uintptr_t heap;   /* the field of a page in an arena, as in mia_page_make */
} mia_singleton_request;

/* Returns a singleton page whose block is live and which has no owner, or NULL if memory is
 * short.  The page is large if it fits an arena, and huge otherwise or if requested.  Sets
 * *zero to true if the block reads as zero, else to false. */
mia_page *mia_page_make_singleton(const mia_singleton_request *wanted, bool *zero);

/* Returns true if `size' bytes, padding included, fit a span of an arena. */
bool mia_page_fits_span(size_t size, size_t align);

/* Makes the block of an empty, hidden large page live, with `size' bytes in as many slices as
 * before.  The page has no owner then. */
void mia_page_reuse_singleton(mia_page *page, size_t size);

/* Takes an empty page out of the page map, so that a late free of its blocks is detected; puts
 * it back. */
void mia_page_hide(const mia_page *page);
void mia_page_show(const mia_page *page);

/* A singleton page has one entry in the page map, for the start of its block. */
mia_inline void mia_page_hide_singleton(const mia_page *page) {
  mia_map_set_slice(page->start, NULL);
}

/* Gives the memory of an empty page back, and its descriptor with it. */
void mia_page_retire(mia_page *page);

/* Takes all free blocks of a page for a free list.  If the page has none, it first collects,
 * else restores trimmed blocks, else extends the page.  Returns NULL if the page is full.
 * Sets *zeroed to true if all but the first word of each block reads as zero, else to false.  The
 * second function sets *count to the number of the blocks. */
mia_block *mia_page_pop_blocks(mia_page *page, bool *zeroed);
mia_block *mia_page_pop_counted(mia_page *page, bool *zeroed, uint32_t *count);

/* Puts the rest of a popped list back. */
void mia_page_push_list(mia_page *page, mia_block *list);

/* Moves the blocks that other threads freed to the page's own list. */
void mia_page_collect(mia_page *page);

/* Changes the size of the block of a singleton page and keeps its content.  Returns false, with
 * nothing changed, if that needs copying.  If `may_move', a huge block may move to another
 * address: page->start.  Sets *zero_from: from this offset on, the block is new memory that reads
 * as zero.  It is the block's size if no part is. */
bool mia_page_resize_singleton(mia_page *page, size_t size, bool may_move, size_t *zero_from);

/* Returns the best size for a block that is resized to `size' bytes: a huge block grows by
 * large OS pages, and does not shrink while it needs as many as it has. */
size_t mia_page_good_resize(const mia_page *page, size_t size);

/* Moves the content of a large page to a new huge page without copying.  Returns the huge page,
 * whose block is live, or NULL if nothing was changed.  The block of `from' then has the
 * smallest size possible and reads as zero, in a span of as many slices as before; no part of
 * that span counts as written (P6). */
mia_page *mia_page_detach_singleton(mia_page *from);

/* Stores the index of a block of a class.  Returns false if `p', an address in the page, is not the
 * start of a block. */
mia_inline bool mia_page_find_block(const mia_page *page, const void *p, uint32_t *index) {
  uint32_t offset = (uint32_t)((const char *)p - page->start);
  *index = mia_class_index(page->size_class, offset);
  return *index * (uint32_t)page->size == offset && *index < page->total;
}

/* Returns true if `p', an address in the page, is the start of a block, of a class or not. */
mia_inline bool mia_page_is_block(const mia_page *page, const void *p) {
  uint32_t index;
  if (mia_unlikely(page->size_class >= MIA_CLASS_COUNT)) return p == page->start;
  return mia_page_find_block(page, p, &index);
}

/* Aborts if `p', an address in the page, is not the start of a block. */
mia_inline void mia_page_require_block(const mia_page *page, const void *p) {
  if (mia_unlikely(!mia_page_is_block(page, p))) mia_page_misuse(page, MIA_MISUSE_INSIDE, p);
}

/* Called around fork: this layer's lock is held while the child is made. */
void mia_page_before_fork(mia_time_ms until);
void mia_page_after_fork(bool child);

/* Asserts P1, and as far as a page shows it P2 (debug builds). */
void mia_page_check(const mia_page *page);

/* Returns the page that contains an address, or NULL. */
mia_inline mia_page *mia_page_of(const void *p) { return (mia_page *)mia_map_page_at(p); }

/* Returns the page of a pointer to a block, or NULL if no block of a class can begin there.  A
 * block that was requested with an offset may begin at any byte; for that, NULL is returned. */
mia_inline mia_page *mia_page_of_block(const void *p) {
  return (mia_page *)mia_map_page_of_block(p);
}

/* Returns the page of a block for which mia_page_of_block returned NULL.  Aborts if there is
 * no such block. */
mia_cold mia_page *mia_page_require_slow(const void *p);

/* Returns the page of a pointer to a block.  Aborts if the pointer is in no page, or cannot be
 * the start of a block for which mia_page_of_block returns NULL. */
mia_inline mia_page *mia_page_require_of(const void *p) {
  mia_page *page = mia_page_of_block(p);
  return mia_likely(page != NULL) ? page : mia_page_require_slow(p);
}

#endif
