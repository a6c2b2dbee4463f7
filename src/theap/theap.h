/* SPDX-License-Identifier: MIT */
/* theap.h -- thread heaps: what one thread owns of one heap.
 *
 * For each size class a theap has a free list to allocate from, whose blocks come from one
 * page, and the other pages that the thread owns because they have free blocks.  Pages
 * without free blocks have no owner: the threads that free their blocks decide what becomes
 * of them (bin.h), so that a sleeping thread keeps no memory from others.
 *
 * Theaps are never unmapped: a thread that ends leaves its theap to a later thread. */
#ifndef MIA_THEAP_THEAP_H
#define MIA_THEAP_THEAP_H

#include "os/lock.h"
#include "os/os.h"
#include "page/page.h"
#include "theap/counts.h"
#include "theap/theap_parts.h"

struct mia_theap;

/* A heap: pages that can be deleted together.  Calls without a heap argument use the main
 * heap, which exists from the start.  The pages of every other heap are linked, so that all of
 * them can be found.  The structures of heaps are recycled, never unmapped; each time a heap
 * ends, its `generation' changes. */
typedef struct mia_heap {
  mia_page *abandoned_last[MIA_CLASS_COUNT];  /* [lock:abandoned] end of the list: listed first */
  mia_page *abandoned[MIA_CLASS_COUNT];       /* [lock:abandoned] head of the list: abandoned.h */
  mia_aword abandoned_count[MIA_CLASS_COUNT]; /* [any] its length; without the lock a hint */
  mia_page *pages; /* [lock:abandoned] linked by heap_next; of the main heap only huge pages */
  struct mia_theap *theaps; /* [lock:abandoned] linked by sibling; of the main heap NULL */
  mia_arena *arena;         /* [const] where its pages lie; NULL: in any arena not exclusive */
  size_t id;                /* [const] index in every thread's table of heaps */
  uintptr_t generation;     /* [lock:abandoned] incremented when the heap ends; threads that
                             * allocate from the heap read it without the lock */
  uintptr_t refilled[MIA_CLASS_KINDS]; /* [lock:abandoned] counts of theaps that left the heap;
                                        * the main heap's is not used */
  struct mia_heap *unused;             /* [lock:threads] next in the list of unused structures */
  struct mia_subproc *subproc;         /* [const] while in use; NULL: the main sub-process */
  struct mia_heap *next;               /* [lock:subprocs] other heaps of the sub-process */
  struct mia_heap *prev;               /* [lock:subprocs] */
} mia_heap;

/* An entry in a thread's table of heaps: its theap for a heap other than the main heap. */
typedef struct mia_heap_entry {
  struct mia_theap *theap; /* NULL: none.  Recycled, and not the thread's, once the heap ended */
  mia_heap *heap;          /* the heap that the theap was made for */
  uintptr_t generation;    /* the heap's generation at that time: changed if the heap ended */
} mia_heap_entry;

typedef struct mia_theap {
  alignas(MIA_CACHE_LINE) mia_block *free_list[MIA_CLASS_COUNT]; /* [own] */
  mia_bin bins[MIA_CLASS_COUNT];
  mia_remote_cache remote[MIA_CLASS_COUNT];
  mia_page_cache cache;
  mia_clock clock;
  uint64_t batches_waiting;         /* [own] a bit for each batch that is not empty */
  mia_heap *heap;                   /* [const] while in use; NULL: the main heap */
  struct mia_theap *sibling;        /* [lock:abandoned] next in the list of the heap's theaps */
  struct mia_theap *sibling_before; /* [lock:abandoned] previous one; NULL: this is the first */
  mia_heap_entry *heap_entries;     /* [own] by the id of a heap; kept when the thread ends */
  size_t heap_entry_count;          /* [own] */
  mia_heap *default_heap; /* [own] serves calls without a heap argument; NULL: the main heap does.
                           * If set, all free lists of this theap are empty */
  struct mia_subproc *subproc; /* [own] of the thread (api); NULL: the main sub-process */
  mia_counts counts;           /* [any] written by the owner */
  uintptr_t refilled_before[MIA_CLASS_KINDS]; /* [lock:abandoned] counts.refilled when the theap
                                               * was taken for its heap */
  unsigned node;                /* [own] of the thread when it was asked for last: pages.h */
  uint16_t node_uses;           /* [own] uses of `node' until it is asked for again */
  bool in_hook;                 /* [own] an output or deferred-free function is running */
  mia_time_ms trimmed_at;       /* [own] when trimming of its own pages last began */
  bool trimming;                /* [own] trimming of its own pages has begun and not ended */
  size_t trim_class;            /* [own] the class where this trimming continues, ... */
  size_t trim_page;             /* [own] ... and the number of its pages that were passed: a hint */
  unsigned long long heartbeat; /* [own] calls of the deferred-free function */
  mia_hardened hardened;        /* [own] tiers from 2 on: hardened.h */
  struct mia_theap *all;        /* [const] next in the list of all theaps */
  struct mia_theap *unused;     /* [lock:threads] next in the list of unused theaps */
} mia_theap;

/* A visit of the main heap's abandoned pages.  It goes from class to class, in each from the end of the
 * list to the page that was its head when the class began.  It takes several ticks if there are
 * many. */
typedef struct mia_abandoned_visit {
  mia_aword under_way; /* [lock:abandoned] 1: it has begun and not ended; without the lock a hint */
  size_t size_class;   /* [lock:abandoned] the class where it goes on */
  mia_page *next; /* [lock:abandoned] the page where it goes on; NULL: the class is not begun */
  mia_page *last; /* [lock:abandoned] the page where the class ends, if that is begun */
} mia_abandoned_visit;
enum { MIA_ABANDONED_VISITS = 2 };

/* What every process writes to comes last, close together, so that it needs few OS pages. */
typedef struct mia_theap_world {
  mia_theap none;   /* [const] for threads that have no theap yet: empty, owns no page */
  mia_theap ended;  /* [const] likewise, for threads whose end was reported already */
  mia_theap shared; /* [lock:shared] for threads for whose theap memory is missing, one at a time;
                     * otherwise empty */
  mia_heap main;
  mia_theap first; /* the first theap in use, so that it needs no memory */
  mia_lock shared_lock;
  mia_lock threads;
  mia_theap *unused_theaps; /* [lock:threads] */
  bool first_made;          /* [lock:threads] */
  mia_aword all;            /* [any] head of the list of all theaps, which only grows */
  mia_theap *cache_turn;    /* [lock:abandoned] the theap in that list where aging or flushing of
                            * page caches continues; NULL: the first */
  mia_aword aging_caches;   /* [any] 1: an aging of the page caches is to be continued */
  mia_abandoned_visit visits[MIA_ABANDONED_VISITS]; /* by mia_trim: abandoned.h */
  mia_peak_count attached;                          /* [any] threads that have a theap */
  mia_aword on_last_exit; /* [any] a function to call when `attached' goes to 0; 0: none */
  mia_aword forked;       /* [any] 1 in the child of a fork: a page may be claimed by a thread
                            * that exists in the parent only */
  mia_lock abandoned_lock;
  mia_aword untrimmed;    /* [any] slices of the main heap's untrimmed pages: abandoned.h */
  mia_heap *unused_heaps; /* [lock:threads] structures not in use */
  size_t heap_count;      /* [lock:threads] structures made, without `main' */
  mia_peak_count pages[MIA_CLASS_KINDS]; /* [any] by class, large and huge included */
} mia_theap_world;

mia_assert_field_aligned(mia_theap, cache);
mia_assert_field_aligned(mia_theap, counts);
mia_assert_field_aligned(mia_theap_world, none);
mia_assert_field_aligned(mia_theap_world, ended);
mia_assert_field_aligned(mia_theap_world, first);
mia_assert_field_aligned(mia_theap_world, shared);
mia_assert_field_aligned(mia_theap_world, all);
mia_assert_field_aligned(mia_theap_world, visits);
mia_assert_field_aligned(mia_theap_world, aging_caches);
mia_assert_field_aligned(mia_abandoned_visit, under_way);
mia_assert_field_aligned(mia_theap_world, attached);
mia_assert_field_aligned(mia_theap_world, on_last_exit);
mia_assert_field_aligned(mia_theap_world, forked);
mia_assert_field_aligned(mia_heap, abandoned_count);
mia_assert_field_aligned(mia_theap_world, untrimmed);
mia_assert_field_aligned(mia_theap_world, main);
mia_assert_field_aligned(mia_theap_world, pages);

extern mia_theap_world mia_theap_all __attribute__((visibility("hidden")));
mia_assert_object_aligned(mia_theap_all, mia_theap);

/* The calling thread's theap for the main heap: &mia_theap_all.none before the thread needs
 * one, &mia_theap_all.ended after its end.  Never NULL, so that the fast path needs no check. */
extern mia_thread_local mia_theap *mia_theap_self __attribute__((visibility("hidden")));

/* Returns an empty theap for a heap, or NULL if memory is short; gives back a theap, which
 * must be empty again. */
mia_theap *mia_theap_take(mia_heap *heap);
void mia_theap_give(mia_theap *theap);

/* [lock:threads] Adds a new theap to the list of all theaps, where threads find it that read
 * counts or take cached pages. */
void mia_theap_register(mia_theap *theap);

/* In fields, NULL stands for the main heap, so that a structure of zeroes belongs to it.  These
 * functions convert from and to that form. */
mia_inline mia_heap *mia_theap_main_heap(void) { return &mia_theap_all.main; }
mia_inline mia_heap *mia_theap_heap(mia_heap *field) {
  return field != NULL ? field : mia_theap_main_heap();
}
mia_inline mia_heap *mia_theap_heap_field(mia_heap *heap) {
  return heap != mia_theap_main_heap() ? heap : NULL;
}
/* Returns the heap of a page.  Needs no claim on the page: the caller may just hold a block of
 * it.  A thread that deletes the heap may move the page to another heap at any time. */
mia_inline mia_heap *mia_theap_heap_of(const mia_page *page) {
  return mia_theap_heap((mia_heap *)mia_aword_get(&page->heap));
}
mia_inline void mia_theap_set_heap(mia_page *page, mia_heap *heap) {
  mia_aword_set_rel(&page->heap, (uintptr_t)mia_theap_heap_field(heap));
}
mia_inline bool mia_theap_is_main_page(const mia_page *page) {
  return mia_aword_get(&page->heap) == 0;
}
/* Like mia_theap_is_main_page, with acquire order: if a thread that deleted another heap moved
 * the page here, that thread's claim of the page is visible too. */
mia_inline bool mia_theap_is_settled_main_page(const mia_page *page) {
  return mia_aword_get_acq(&page->heap) == 0;
}
/* Returns true if free blocks of a page may be allocated again.  They may not if the page lies
 * in an exclusive arena and the heap that was made for the arena is deleted: the page then
 * belongs to a heap that may not allocate there. */
mia_inline bool mia_theap_can_allocate_from(const mia_page *page) {
  return mia_likely(!page->exclusive) || mia_theap_heap_of(page)->arena == page->arena;
}
/* Returns the heap that serves the thread's calls without a heap argument. */
mia_inline mia_heap *mia_theap_default_heap(const mia_theap *self) {
  return mia_theap_heap(self->default_heap);
}
mia_inline bool mia_theap_is_none(const mia_theap *self) {
  return self == &mia_theap_all.none || self == &mia_theap_all.ended;
}
/* Returns the free list of a class, even while it is held. */
mia_inline mia_block *mia_theap_free_list(const mia_theap *theap, unsigned size_class) {
  mia_block *list = theap->free_list[size_class];
  return list != NULL ? list : theap->bins[size_class].held;
}
/* Counts an event.  A thread without a theap counts nothing. */
mia_inline void mia_theap_count(mia_theap *self, mia_event event) {
  if (!mia_theap_is_none(self)) mia_count_add(&self->counts.events[event], 1);
}
/* The lowest bit of a page's owner is set in tiers from 1 on.  So the fast paths, which compare the whole
 * word with the theap's address, never take such a page for the thread's own. */
enum { MIA_OWNER_CHECKED = 1 };
mia_inline bool mia_theap_owns(const mia_theap *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == (uintptr_t)self;
}
mia_inline bool mia_theap_owns_checked(const mia_theap *self, const mia_page *page) {
  return mia_aword_get(&page->owner) == ((uintptr_t)self | MIA_OWNER_CHECKED);
}
/* Returns the theap that owns a page, or NULL. */
mia_inline mia_theap *mia_theap_owner(const mia_page *page) {
  return (mia_theap *)(mia_aword_get(&page->owner) & ~(uintptr_t)MIA_OWNER_CHECKED);
}

#endif
