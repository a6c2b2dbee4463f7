/* local.h -- what one thread owns.
 *
 * A local holds, for each size class, a list of free blocks to allocate from
 * (`head', lent by one page), and the other pages that the thread owns because
 * they have free blocks.  Pages without free blocks have no owner: whoever frees
 * the blocks decides what becomes of them (bin.h), so that a sleeping thread
 * keeps no memory from others.
 *
 * Locals are never unmapped: a thread that ends gives its own to the next. */
#ifndef MIA_THEAP_THEAP_H
#define MIA_THEAP_THEAP_H

#include "os/lock.h"
#include "os/tls.h"
#include "page/page.h"
#include "theap/bin_parts.h"
#include "theap/counts.h"

struct mia_theap;

/* No page's owner: neither a local, nor none. */
enum { MIA_THEAP_EXCHANGING = 1 };

/* What blocks belong to.  The main heap is there from the start and serves who
 * names none; the pages of others are linked, so that all can be found.
 * Structures of heaps are recycled, never unmapped; `generation' tells whose. */
typedef struct mia_heap {
  mia_page *abandoned_last
      [MIA_CLASS_COUNT]; /* [lock:abandoned] the one that is there for the longest time */
  mia_page *abandoned[MIA_CLASS_COUNT]; /* [lock:abandoned] pages with room and without owner */
  mia_aword abandoned_count[MIA_CLASS_COUNT]; /* [any] their number: advice */
  mia_page *
      trim_next[MIA_CLASS_COUNT]; /* [lock:abandoned] where trimming goes on; NULL: with the last */
  mia_aword trim_class;           /* [any] the class that trimming goes on with: advice */
  mia_page *pages; /* [lock:abandoned] linked by heap_next: all, or the main heap's huge ones */
  struct mia_theap *theaps; /* [lock:abandoned] linked by sibling; not the main heap's */
  mia_arena *arena;         /* [const] where its memory comes from; NULL: anywhere */
  size_t id;                /* [const] index in every thread's table of heaps */
  uintptr_t generation; /* [lock:abandoned] changed when the heap goes; who allocates reads it */
  uintptr_t
      refilled[MIA_CLASS_KINDS]; /* [lock:abandoned] to locals that left; not the main heap's */
  struct mia_heap *idle;         /* [lock:threads] next in the list of unused ones */
  struct mia_subproc *subproc;   /* [const] while in use; NULL: the main one */
  struct mia_heap *next;         /* [lock:subprocs] other heaps of the sub-process */
  struct mia_heap *prev;         /* [lock:subprocs] */
} mia_heap;

/* What a thread has of a heap other than the main one. */
typedef struct mia_heap_entry {
  struct mia_theap *theap; /* NULL: nothing yet */
  mia_heap *heap;          /* local->heap, which is others' once that heap ended */
  uintptr_t generation;    /* the heap's when that was */
} mia_heap_entry;

typedef struct mia_theap {
  alignas(MIA_CACHE_LINE) mia_block *free_list[MIA_CLASS_COUNT]; /* [own] */
  uintptr_t fast_owner; /* [own] its address, or UNPLAIN while a class is exchanged */
  size_t exchanging;    /* [own] classes that are exchanged: stash.h */
  mia_bin bins[MIA_CLASS_COUNT];
  mia_aword cache[MIA_THEAP_CACHE_SLOTS];      /* [any] empty pages in reserve: spare.h */
  mia_remote_batch batches[MIA_THEAP_BATCHES]; /* [own] by class */
  uint64_t batches_waiting;                    /* [own] a bit for each that is not empty */
  size_t cached_large_slices;      /* [own] slices of large ones, or more than there are */
  size_t cached_more;              /* [own] sum of kept - 1, where that is positive */
  uint8_t cached[MIA_CLASS_COUNT]; /* [own] pages of a class, or more than there are */
  uint8_t cached_large[MIA_THEAP_CACHED_LARGE]; /* [own] the same, of large ones by their slices */
  uint8_t exchange_state[MIA_CLASS_COUNT];      /* [own] of each class, how far it is: stash.h */
  uint32_t exchange_misses;                     /* [own] frees of others meanwhile */
  mia_page *recent;                             /* [own] a large page at hand: hot.h */
  mia_heap *heap;                               /* [const] while in use */
  struct mia_theap *sibling;        /* [lock:abandoned] next in the list of the heap's locals */
  struct mia_theap *sibling_before; /* [lock:abandoned] the one before; NULL: none */
  mia_heap_entry *heap_entries;     /* [own] by the id of a heap; kept when the thread ends */
  size_t heap_entry_count;          /* [own] */
  mia_heap
      *default_heap; /* [own] of who names none; NULL: the main one.  If set, `head' is empty */
  struct mia_subproc *subproc; /* [own] where the thread is (api); NULL: the main one */
  mia_counts counts;           /* [any] written by the owner */
  uintptr_t
      refilled_before[MIA_CLASS_KINDS]; /* [lock:abandoned] counts.lent when it came to its heap */
  bool tick_idle;                       /* [own] nothing wants a look at the clock */
  bool tick_requested;                  /* [own] pages came or went since the last look */
  bool can_force;                       /* [own] lists came that may be withheld */
  bool in_deferred;                     /* [own] the program is at freeing what it put off */
  mia_tick forced_at;                   /* [own] when its lists last were */
  mia_tick trimmed_at;                  /* [own] when its own pages were */
  size_t trim_class;                    /* [own] the class that this goes on with */
  mia_tick tick_until;                  /* [own] until then what went may still be here */
  unsigned long long heartbeat;         /* [own] how often it was asked to */
  struct mia_theap *all;                /* [const] next in the list of all locals */
  struct mia_theap *idle;               /* [lock:threads] next in the list of unused ones */
} mia_theap;

typedef struct mia_theap_world {
  mia_theap none;   /* [const] of a thread that has none yet: empty, UNPLAIN */
  mia_theap ended;  /* [const] of a thread that had one and was told of its end: likewise */
  mia_theap shared; /* [lock:shared] of threads that can have none, one at a time; else empty */
  mia_theap first;  /* the first one in use */
  mia_lock shared_lock;
  mia_lock threads;
  mia_theap *idle; /* [lock:threads] */
  bool first_made; /* [lock:threads] */
  mia_aword all;   /* [any] head of the list of all locals; only grows */
  mia_theap
      *cache_turn; /* [lock:abandoned] of that list, whose spares age next; NULL: the first one's */
  mia_aword abandoned_due; /* [any] 1: pages of the main heap's pool are due to be looked at */
  mia_peak_count attached; /* [any] threads */
  mia_aword on_last_exit;  /* [any] a function to be told when no thread is left; 0: none */
  mia_aword forked;        /* [any] 1: a child; pages may be claimed by who is not there */
  mia_lock abandoned_lock;
  mia_aword untrimmed; /* [any] slices of pages in the main heap's pool not due to be trimmed yet */
  mia_heap main;
  mia_heap *idle_heaps;                  /* [lock:threads] */
  size_t heap_count;                     /* [lock:threads] made so far, the main one not counted */
  mia_peak_count pages[MIA_CLASS_KINDS]; /* [any] of each class, and large and huge */
} mia_theap_world;

mia_assert_placed(mia_theap, cache);
mia_assert_placed(mia_theap, counts);
mia_assert_placed(mia_theap_world, none);
mia_assert_placed(mia_theap_world, ended);
mia_assert_placed(mia_theap_world, first);
mia_assert_placed(mia_theap_world, shared);
mia_assert_placed(mia_theap_world, all);
mia_assert_placed(mia_theap_world, abandoned_due);
mia_assert_placed(mia_theap_world, attached);
mia_assert_placed(mia_theap_world, on_last_exit);
mia_assert_placed(mia_theap_world, forked);
mia_assert_placed(mia_heap, abandoned_count);
mia_assert_placed(mia_heap, trim_class);
mia_assert_placed(mia_theap_world, untrimmed);
mia_assert_placed(mia_theap_world, main);
mia_assert_placed(mia_theap_world, pages);

extern mia_theap_world mia_theap_all __attribute__((visibility("hidden")));
mia_assert_holds(mia_theap_all, mia_theap);

/* The calling thread's; &mia_theap_all.none before it needs one, &mia_theap_all.ended
 * after its end.  Never NULL, so that the fast path need not look. */
extern mia_thread_local mia_theap *mia_theap_self __attribute__((visibility("hidden")));

/* A local for a heap, empty; NULL: out of memory.  And back, empty again. */
mia_theap *mia_theap_take(mia_heap *heap);
void mia_theap_give(mia_theap *local);

/* With `threads' held: puts a new one where those find it who count, or take spares. */
void mia_theap_register(mia_theap *local);

/* A field that names a heap is NULL for the main one, so that what is all zero
 * belongs to it. */
mia_inline mia_heap *mia_theap_main_heap(void) { return &mia_theap_all.main; }
mia_inline mia_heap *mia_theap_heap(mia_heap *field) {
  return field != NULL ? field : mia_theap_main_heap();
}
mia_inline mia_heap *mia_theap_heap_field(mia_heap *heap) {
  return heap != mia_theap_main_heap() ? heap : NULL;
}
/* The heap of a page, also for who holds no more than a block of it: a heap that
 * is deleted may hand the page on at any time. */
mia_inline mia_heap *mia_theap_heap_of(const mia_page *page) {
  return mia_theap_heap((mia_heap *)mia_aword_get(&page->heap));
}
mia_inline void mia_theap_set_heap(mia_page *page, mia_heap *heap) {
  mia_aword_set_rel(&page->heap, (uintptr_t)mia_theap_heap_field(heap));
}
mia_inline bool mia_theap_is_main_page(const mia_page *page) {
  return mia_aword_get(&page->heap) == 0;
}
/* The same, and no other heap has a claim to it that is not seen. */
mia_inline bool mia_theap_is_settled_main_page(const mia_page *page) {
  return mia_aword_get_acq(&page->heap) == 0;
}
/* Whether blocks of a page may be allocated again: those of a heap that was made for an
 * exclusive arena, and deleted, are another's, and their memory is nobody's. */
mia_inline bool mia_theap_can_allocate_from(const mia_page *page) {
  return mia_likely(!page->exclusive) || mia_theap_heap_of(page)->arena == page->arena;
}
/* Where blocks come from that name no heap. */
mia_inline mia_heap *mia_theap_default_heap(const mia_theap *self) {
  return mia_theap_heap(self->default_heap);
}
mia_inline bool mia_theap_is_none(const mia_theap *self) {
  return self == &mia_theap_all.none || self == &mia_theap_all.ended;
}
/* The list that a local allocates from, also while it is withheld. */
mia_inline mia_block *mia_theap_free_list(const mia_theap *local, unsigned size_class) {
  mia_block *list = local->free_list[size_class];
  return list != NULL ? list : local->bins[size_class].set_aside;
}
/* Pages came or went: a reason to look at the clock. */
mia_inline void mia_theap_request_tick(mia_theap *self) {
  self->tick_requested = true;
  self->tick_idle = false;
}
/* A thread that has no local counts nothing. */
mia_inline void mia_theap_count(mia_theap *self, mia_event event) {
  if (!mia_theap_is_none(self)) mia_count_add(&self->counts.events[event], 1);
}
mia_inline bool mia_theap_owns(const mia_theap *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == (uintptr_t)self;
}
/* The same, but for a thread that exchanges a class: then of no page. */
mia_inline bool mia_theap_owns_on_fast_path(const mia_theap *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == self->fast_owner;
}

#endif
