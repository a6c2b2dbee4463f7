/* local.h -- what one thread owns.
 *
 * A local holds, for each size class, a list of free blocks to allocate from
 * (`head', lent by one page), and the other pages that the thread owns because
 * they have free blocks.  Pages without free blocks have no owner: whoever frees
 * the blocks decides what becomes of them (bin.h), so that a sleeping thread
 * keeps no memory from others.
 *
 * Locals are never unmapped: a thread that ends gives its own to the next. */
#ifndef MIA_LOCAL_LOCAL_H
#define MIA_LOCAL_LOCAL_H

#include "local/counts.h"
#include "local/parts.h"
#include "os/lock.h"
#include "os/tls.h"
#include "page/page.h"

struct mia_local;

/* No page's owner: neither a local, nor none. */
enum { MIA_LOCAL_UNPLAIN = 1 };

/* What blocks belong to.  The main heap is there from the start and serves who
 * names none; the pages of others are linked, so that all can be found.
 * Structures of heaps are recycled, never unmapped; `generation' tells whose. */
typedef struct mia_heap {
  mia_page *pool_last[MIA_CLASS_COUNT]; /* [lock:pool] the one that is there for the longest time */
  mia_page *pool[MIA_CLASS_COUNT];      /* [lock:pool] pages with room and without owner */
  mia_aword pooled[MIA_CLASS_COUNT];    /* [any] their number: advice */
  mia_page
      *trim_next[MIA_CLASS_COUNT]; /* [lock:pool] where trimming goes on; NULL: with the last */
  mia_aword trimming;              /* [any] the class that trimming goes on with: advice */
  mia_page *pages;          /* [lock:pool] linked by heap_next: all, or the main heap's huge ones */
  struct mia_local *locals; /* [lock:pool] linked by sibling; not the main heap's */
  mia_arena *only;          /* [const] where its memory comes from; NULL: anywhere */
  size_t id;                /* [const] index in every thread's table of heaps */
  uintptr_t generation;     /* [lock:pool] changed when the heap goes; who allocates reads it */
  uintptr_t lent[MIA_CLASS_KINDS]; /* [lock:pool] to locals that left; not the main heap's */
  struct mia_heap *idle;           /* [lock:threads] next in the list of unused ones */
  struct mia_subproc *subproc;     /* [const] while in use; NULL: the main one */
  struct mia_heap *next;           /* [lock:subprocs] other heaps of the sub-process */
  struct mia_heap *prev;           /* [lock:subprocs] */
} mia_heap;

/* What a thread has of a heap other than the main one. */
typedef struct mia_heap_entry {
  struct mia_local *local; /* NULL: nothing yet */
  mia_heap *heap;          /* local->heap, which is others' once that heap ended */
  uintptr_t generation;    /* the heap's when that was */
} mia_heap_entry;

typedef struct mia_local {
  alignas(MIA_CACHE_LINE) mia_block *head[MIA_CLASS_COUNT]; /* [own] */
  uintptr_t plain;  /* [own] its address, or UNPLAIN while a class is exchanged */
  size_t exchanges; /* [own] classes that are exchanged: stash.h */
  mia_bin bins[MIA_CLASS_COUNT];
  mia_aword spares[MIA_LOCAL_SPARES];      /* [any] empty pages in reserve: spare.h */
  mia_outbox outboxes[MIA_LOCAL_OUTBOXES]; /* [own] by class */
  uint64_t waiting;                        /* [own] a bit for each that is not empty */
  size_t large_spares;                     /* [own] slices of large ones, or more than there are */
  size_t more_spares;                      /* [own] sum of kept - 1, where that is positive */
  uint8_t kept[MIA_CLASS_COUNT];           /* [own] pages of a class, or more than there are */
  uint8_t large[MIA_LOCAL_LARGE_SPARES];   /* [own] the same, of large ones by their slices */
  uint8_t exchange[MIA_CLASS_COUNT];       /* [own] of each class, how far it is: stash.h */
  uint32_t strays;                         /* [own] frees of others meanwhile */
  mia_page *hot;                           /* [own] a large page at hand: hot.h */
  mia_heap *heap;                          /* [const] while in use */
  struct mia_local *sibling;               /* [lock:pool] next in the list of the heap's locals */
  struct mia_local *sibling_before;        /* [lock:pool] the one before; NULL: none */
  mia_heap_entry *entries; /* [own] by the id of a heap; kept when the thread ends */
  size_t entry_count;      /* [own] */
  mia_heap *chosen; /* [own] of who names none; NULL: the main one.  If set, `head' is empty */
  struct mia_subproc *subproc;            /* [own] where the thread is (api); NULL: the main one */
  mia_counts counts;                      /* [any] written by the owner */
  uintptr_t lent_before[MIA_CLASS_KINDS]; /* [lock:pool] counts.lent when it came to its heap */
  bool calm;                              /* [own] nothing wants a look at the clock */
  bool stirred;                           /* [own] pages came or went since the last look */
  bool exposed;                           /* [own] lists came that may be withheld */
  bool deferring;                         /* [own] the program is at freeing what it put off */
  mia_tick withheld;                      /* [own] when its lists last were */
  mia_tick trimmed;                       /* [own] when its own pages were */
  size_t trimming;                        /* [own] the class that this goes on with */
  mia_tick watch;                         /* [own] until then what went may still be here */
  unsigned long long heartbeat;           /* [own] how often it was asked to */
  struct mia_local *all;                  /* [const] next in the list of all locals */
  struct mia_local *idle;                 /* [lock:threads] next in the list of unused ones */
} mia_local;

typedef struct mia_local_world {
  mia_local none;   /* [const] of a thread that has none yet: empty, UNPLAIN */
  mia_local ended;  /* [const] of a thread that had one and was told of its end: likewise */
  mia_local shared; /* [lock:shared] of threads that can have none, one at a time; else empty */
  mia_local first;  /* the first one in use */
  mia_lock shared_lock;
  mia_lock threads;
  mia_local *idle;    /* [lock:threads] */
  bool first_made;    /* [lock:threads] */
  mia_aword all;      /* [any] head of the list of all locals; only grows */
  mia_local *turn;    /* [lock:pool] of that list, whose spares age next; NULL: the first one's */
  mia_aword ageing;   /* [any] 1: pages of the main heap's pool are due to be looked at */
  mia_tally attached; /* [any] threads */
  mia_aword deserted; /* [any] a function to be told when no thread is left; 0: none */
  mia_aword forked;   /* [any] 1: a child; pages may be claimed by who is not there */
  mia_lock pool_lock;
  mia_aword loose; /* [any] slices of pages in the main heap's pool not due to be trimmed yet */
  mia_heap main;
  mia_heap *idle_heaps;             /* [lock:threads] */
  size_t heap_count;                /* [lock:threads] made so far, the main one not counted */
  mia_tally pages[MIA_CLASS_KINDS]; /* [any] of each class, and large and huge */
} mia_local_world;

mia_assert_placed(mia_local, spares);
mia_assert_placed(mia_local, counts);
mia_assert_placed(mia_local_world, none);
mia_assert_placed(mia_local_world, ended);
mia_assert_placed(mia_local_world, first);
mia_assert_placed(mia_local_world, shared);
mia_assert_placed(mia_local_world, all);
mia_assert_placed(mia_local_world, ageing);
mia_assert_placed(mia_local_world, attached);
mia_assert_placed(mia_local_world, deserted);
mia_assert_placed(mia_local_world, forked);
mia_assert_placed(mia_heap, pooled);
mia_assert_placed(mia_heap, trimming);
mia_assert_placed(mia_local_world, loose);
mia_assert_placed(mia_local_world, main);
mia_assert_placed(mia_local_world, pages);

extern mia_local_world mia_local_all __attribute__((visibility("hidden")));
mia_assert_holds(mia_local_all, mia_local);

/* The calling thread's; &mia_local_all.none before it needs one, &mia_local_all.ended
 * after its end.  Never NULL, so that the fast path need not look. */
extern mia_thread_local mia_local *mia_local_self __attribute__((visibility("hidden")));

/* A local for a heap, empty; NULL: out of memory.  And back, empty again. */
mia_local *mia_local_take(mia_heap *heap);
void mia_local_give(mia_local *local);

/* With `threads' held: puts a new one where those find it who count, or take spares. */
void mia_local_list_in_all(mia_local *local);

/* A field that names a heap is NULL for the main one, so that what is all zero
 * belongs to it. */
mia_inline mia_heap *mia_local_main_heap(void) { return &mia_local_all.main; }
mia_inline mia_heap *mia_local_heap(mia_heap *field) {
  return field != NULL ? field : mia_local_main_heap();
}
mia_inline mia_heap *mia_local_heap_field(mia_heap *heap) {
  return heap != mia_local_main_heap() ? heap : NULL;
}
/* The heap of a page, also for who holds no more than a block of it: a heap that
 * is deleted may hand the page on at any time. */
mia_inline mia_heap *mia_local_heap_of(const mia_page *page) {
  return mia_local_heap((mia_heap *)mia_aword_get(&page->heap));
}
mia_inline void mia_local_set_heap(mia_page *page, mia_heap *heap) {
  mia_aword_set_rel(&page->heap, (uintptr_t)mia_local_heap_field(heap));
}
mia_inline bool mia_local_is_main(const mia_page *page) { return mia_aword_get(&page->heap) == 0; }
/* The same, and no other heap has a claim to it that is not seen. */
mia_inline bool mia_local_is_main_for_good(const mia_page *page) {
  return mia_aword_get_acq(&page->heap) == 0;
}
/* Whether blocks of a page may be allocated again: those of a heap that was made for an
 * exclusive arena, and deleted, are another's, and their memory is nobody's. */
mia_inline bool mia_local_is_lendable(const mia_page *page) {
  return mia_likely(!page->exclusive) || mia_local_heap_of(page)->only == page->arena;
}
/* Where blocks come from that name no heap. */
mia_inline mia_heap *mia_local_default_heap(const mia_local *self) {
  return mia_local_heap(self->chosen);
}
mia_inline bool mia_local_is_none(const mia_local *self) {
  return self == &mia_local_all.none || self == &mia_local_all.ended;
}
/* The list that a local allocates from, also while it is withheld. */
mia_inline mia_block *mia_local_list(const mia_local *local, unsigned size_class) {
  mia_block *list = local->head[size_class];
  return list != NULL ? list : local->bins[size_class].rest;
}
/* Pages came or went: a reason to look at the clock. */
mia_inline void mia_local_stir(mia_local *self) {
  self->stirred = true;
  self->calm = false;
}
/* A thread that has no local counts nothing. */
mia_inline void mia_local_count(mia_local *self, mia_event event) {
  if (!mia_local_is_none(self)) mia_count_add(&self->counts.events[event], 1);
}
mia_inline bool mia_local_owns(const mia_local *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == (uintptr_t)self;
}
/* The same, but for a thread that exchanges a class: then of no page. */
mia_inline bool mia_local_owns_plainly(const mia_local *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == self->plain;
}

#endif
