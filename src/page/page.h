/* page.h -- blocks of one class, side by side in a span.
 *
 * The descriptor lies in the arena's head, the span holds blocks and nothing
 * else.  Blocks are carved off the span from the low end as they are needed, so
 * that what was never used was never touched.
 *
 * Where a carved block is:
 *   free     on the page's own list: freed by the owner, or gathered
 *   away     on no list, as the memory in which it begins was given back (trim.h)
 *   remote   on the list in the word `remote': freed by others, not yet gathered
 *   lent     on the list that the owner allocates from (local/bin)
 *   live     with the program
 * Invariants:
 *   P1  used = lent + live + remote, and used + free + away = capacity <= total
 *   P2  the span begins at a slice boundary (of a huge page: an OS page boundary), a
 *       page of blocks starts 0 or size bytes behind it and within its first slice,
 *       and a block lies at a multiple of size from the start
 *   P3  owner = 0 while nobody or somebody passing has the page (owner.h)
 *   P4  listed = 1 exactly while the page is on a list of the pool
 *   P5  with `zero', every byte that has not been carved reads as zero
 *   P6  what was written since the span was taken lies in its first lead + capacity *
 *       size bytes, or in the slice where these end: so much is said when it is given
 *       back (arena/dirty.h)
 * A large or huge page is one block: total = capacity = 1.
 *
 * Functions here touch [own] fields: their caller has claimed the page. */
#ifndef MIA_PAGE_PAGE_H
#define MIA_PAGE_PAGE_H

#include "arena/arena.h"
#include "base/fail.h"
#include "base/layout.h"
#include "map/pagemap.h"
#include "page/block.h"
#include "page/class.h"

/* Who frees a block of another thread's page reads what is on the first cache line,
 * and does not wait for what the owner writes to the second (with 64-bit pointers). */
typedef struct mia_page {
  mia_aword owner;    /* [any] the mia_theap that owns the page, or 0; written by that one */
  size_t size;        /* [const] of a block; of a large one changed by its holder */
  char *start;        /* [const] of the blocks; of a huge one changed by its holder */
  mia_arena *arena;   /* [const] NULL for a huge page */
  mia_aword heap;     /* [any] the mia_heap of the blocks, 0: the main one; written by who has it */
  uint32_t padding;   /* [const] bytes of the span before start: for offset alignment, guard.h */
  uint16_t total;     /* [const] blocks that fit */
  uint8_t size_class; /* [const] */
  bool zero : 1;      /* [const] */
  bool exclusive : 1; /* [const] the arena is: nobody but a heap made for it allocates here */
  struct mia_page *heap_next; /* [lock:abandoned] other pages of the heap */
  struct mia_page *heap_prev; /* [lock:abandoned] */
  mia_block *free;            /* [own] */
  uint32_t used;              /* [own] */
  uint32_t capacity;          /* [own] blocks carved so far */
  mia_aword remote;           /* [any] list, countdown and claim: owner.h */
  mia_aword listed;           /* [lock:abandoned] */
  uint16_t slices;            /* [const] of the span; of a large one changed by its holder */
  uint16_t countdown_from;    /* [own] the countdown's start: owner.h */
  uint16_t trimmed_blocks;    /* [own] trim.h */
  uint8_t age;                /* [own], and [lock:abandoned] while listed: pool.h */
  bool grown;                 /* [own] a huge one grew where it was, or moved */
  union {
    uint64_t trimmed_pages; /* [own] a bit for each OS page given back: trim.h */
    struct {                /* of a large page: */
      uint32_t touched;     /* [own] bytes of the span that may have been written: tail.h */
      uint32_t tail;        /* [own] of these, bytes behind its block, if they are counted */
    };
  };
  struct mia_page *next; /* [own] in the owner's bin, [lock:abandoned] in the pool */
  struct mia_page *prev; /* likewise */
} mia_page;

mia_static_assert(MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT <= UINT32_MAX, "of any large page");
mia_static_assert(sizeof(mia_page) <= MIA_DESCRIPTOR_SIZE, "a page fits its descriptor");
mia_assert_placed(mia_page, owner);
mia_assert_placed(mia_page, remote);
mia_assert_placed(mia_page, listed);
mia_assert_placed(mia_page, heap);

/* Where its span begins. */
mia_inline char *mia_page_span(const mia_page *page) { return page->start - page->padding; }

/* A page for a class, nothing carved, claimed by the caller; from any arena that
 * is not exclusive if `only' is NULL.  `heap' is what the field will be, from before
 * anybody can find the page.  NULL: no memory. */
mia_page *mia_page_make(unsigned size_class, mia_arena *only, uintptr_t heap);

/* What a block with a page of its own is to be: start + offset is a multiple of
 * align. */
typedef struct mia_singleton_request {
  size_t size;
  size_t align;
  size_t offset;
  bool huge;        /* a mapping of its own */
  bool zeroed;      /* if that is huge: one that reads as zero */
  bool redzone;     /* with a lead, where guard.h wants one */
  mia_arena *arena; /* NULL: any */
  uintptr_t heap;   /* of a page in an arena, as in mia_page_make */
} mia_singleton_request;

/* A page of one block that is live already and has no owner.
 * Large where that fits an arena, else, or if wanted so, huge.  *zero tells
 * whether it reads as zero.  NULL: no memory. */
mia_page *mia_page_make_singleton(const mia_singleton_request *wanted, bool *zero);

/* Whether so many bytes, lead and all, fit an arena. */
bool mia_page_fits_span(size_t size, size_t align);

/* Makes an empty large page, which is hidden, one of a block of `size' bytes that
 * is live, has no owner and takes as many slices. */
void mia_page_reuse_singleton(mia_page *page, size_t size);

/* Takes an empty page out of the page map, so that a late free of its blocks is
 * noticed, and puts it back. */
void mia_page_hide(const mia_page *page);
void mia_page_show(const mia_page *page);

/* A block of a page of its own is known by its start only. */
mia_inline void mia_page_hide_singleton(const mia_page *page) {
  mia_map_set_slice(page->start, NULL);
}

/* Gives an empty page's memory back.  The descriptor is gone with it. */
void mia_page_retire(mia_page *page);

/* Lends all blocks that are free, or else gathered, or else restored, or else
 * freshly carved; NULL if there are none: the page is full.  *fresh: all but the
 * first word of each reads as zero. */
mia_block *mia_page_pop_blocks(mia_page *page, bool *fresh);

/* The same, and how many those are. */
mia_block *mia_page_pop_counted(mia_page *page, bool *fresh, uint32_t *count);

/* Takes back what is left of a list lent. */
void mia_page_push_list(mia_page *page, mia_block *list);

/* Moves what others freed to the page's own list. */
void mia_page_collect(mia_page *page);

/* Changes the size of the one block of a large or huge page, contents kept;
 * false (nothing changed) where that cannot be done without copying.  A huge
 * block may move, if `may_move': page->start is where it then is.  What is new
 * at its end reads as zero from *clean on, which may be its size. */
bool mia_page_resize_singleton(mia_page *page, size_t size, bool may_move, size_t *clean);

/* What a block is best resized to that is to have `size' bytes: a huge one grows by
 * large OS pages, and stays while it needs as many. */
size_t mia_page_good_resize(const mia_page *page, size_t size);

/* A huge page of one live block, which has the content of a large page's without a
 * copy of it having been made.  `from' then is a block as small as can be that reads as
 * zero, in a span of as many slices as before; P6 begins anew.  NULL: nothing has
 * changed. */
mia_page *mia_page_detach_singleton(mia_page *from);

/* Aborts if `p', which lies in the page, is not where a block starts. */
mia_inline void mia_page_require_block(const mia_page *page, const void *p) {
  size_t offset = (size_t)((const char *)p - page->start);
  bool is_start = offset == 0;
  if (mia_likely(page->size_class < MIA_CLASS_COUNT)) {
    uint32_t index = mia_class_index(page->size_class, (uint32_t)offset);
    is_start = index * (uint32_t)page->size == (uint32_t)offset && index < page->total;
  }
  if (mia_unlikely(!is_start)) mia_base_misuse("pointer to the inside of a block", p);
}

/* Aborts if the first block of a list links to itself, as one that was freed twice
 * at once does, or out of its page, as one that was written to may. */
mia_inline void mia_page_require_link(const mia_page *page, const mia_block *block) {
  const mia_block *next = block->next;
  if (mia_unlikely(next == block)) mia_base_misuse("block freed twice", block);
  if (mia_unlikely(next != NULL && (uintptr_t)next - (uintptr_t)page->start >=
                                       (uintptr_t)page->slices << MIA_SLICE_SHIFT))
    mia_base_misuse("block written to after it was freed", block);
}

/* Lends the blocks that are free and nothing else, *count of them; NULL: there are none. */
mia_inline mia_block *mia_page_pop_free(mia_page *page, uint32_t *count) {
  mia_block *list = page->free;
  if (list == NULL) return NULL;
  mia_page_require_link(page, list);
  page->free = NULL;
  uint32_t used = page->used;
  page->used = page->capacity - page->trimmed_blocks;
  *count = page->used - used;
  return list;
}

/* Around fork: the layer's lock is held while the child is made. */
void mia_page_before_fork(mia_tick until);
void mia_page_after_fork(bool child);

/* Asserts P1 to P5 (debug builds). */
void mia_page_check(const mia_page *page);

/* The page of any pointer, or NULL. */
mia_inline mia_page *mia_page_of(const void *p) { return (mia_page *)mia_map_page_at(p); }

/* The page of a pointer that is to be a block's; NULL if none of a class can begin
 * there.  One that was aligned behind a header may begin at any byte. */
mia_inline mia_page *mia_page_of_block(const void *p) {
  return (mia_page *)mia_map_page_of_block(p);
}

/* The page of a pointer that must be a block of ours, where mia_page_of_block says
 * NULL; aborts if there is none. */
mia_cold mia_page *mia_page_require_odd(const void *p);

/* The same for any pointer. */
mia_inline mia_page *mia_page_require_of(const void *p) {
  mia_page *page = mia_page_of_block(p);
  return mia_likely(page != NULL) ? page : mia_page_require_odd(p);
}

#endif
