/* SPDX-License-Identifier: MIT */
/* theap_parts.h -- the parts of a theap: for each size class a bin and a remote cache, and for all
 * of them the page cache and the clock. */
#ifndef MIA_THEAP_THEAP_PARTS_H
#define MIA_THEAP_THEAP_PARTS_H

#include "base/random.h"
#include "page/page.h"

/* The pages that a theap owns for one class.
 * Invariants:
 *   L1  the free list is in the theap's free_list or, while the clock holds it, in `held';
 *       never in both.  Its blocks were popped from `page' or, if from_magazine, from
 *       any pages
 *   L2  every page in `pages' has free blocks or can be extended, its owner is the theap,
 *       and it is not `page' */
typedef struct mia_bin {
  mia_page *page;          /* [own] the page in use: the free list comes from it */
  mia_page *pages;         /* [own] doubly linked, in the order in which they will be used */
  mia_page *last_page;     /* [own] end of `pages'; NULL if that is empty */
  mia_block *held;         /* [own] the free list while the clock holds it: clock.h */
  uint8_t page_count;      /* [own] length of `pages' */
  bool from_magazine;      /* [own] the free list was a magazine */
  bool zeroed;             /* [own] blocks of the free list read as zero behind their first word */
  bool refilled;           /* [own] the free list was refilled since the last trim */
  uint8_t reclaim_backoff; /* [own] changes of `page' until pages are reclaimed early again */
  uint8_t holds;           /* [own] times that the list was held in this millisecond: clock.h */
  uint8_t borrowed;        /* [own] blocks that larger classes gave instead: mia_alloc_borrow */
} mia_bin;

/* So many classes send remote frees in batches: remote_cache.h. */
enum { MIA_BATCHED_CLASSES = MIA_CLASS_TABLED };
mia_static_assert(MIA_BATCHED_CLASSES <= 64, "each has a bit in batches_waiting");

/* The remote cache of a class: remote_cache.h.
 * Invariants:
 *   R1  `count' blocks are linked from `blocks'.  It is at most `most'
 *   R2  in a batch, all of them are of `page', and `last' is the one at the end; otherwise `page' is
 *       NULL, and in a magazine they are of any pages */
typedef struct mia_remote_cache {
  mia_block *blocks; /* [own] the block freed last */
  mia_block *last;   /* [own] the block freed first, in a batch */
  mia_page *page;    /* [own] the page of all blocks, in a batch; NULL: a magazine, or EMPTY */
  uint8_t count;     /* [own] blocks that wait */
  uint8_t most;      /* [own] no more may join them; 0: EMPTY */
} mia_remote_cache;

/* The clock of a theap: clock.h. */
typedef struct mia_clock {
  uint32_t countdown;      /* [own] slow paths until the next tick; 0: DUE */
  uint32_t interval;       /* [own] where the countdown began last, in state WATCH */
  bool requested;          /* [own] pages came or went since the last tick */
  bool refilled;           /* [own] a page gave blocks since the last deferred frees: api/tick.h */
  bool cached;             /* [own] a page was cached since the last tick: it is to age */
  bool unfinished;         /* [own] the budget of the last tick did not suffice */
  bool can_hold;           /* [own] there may be lists that can be held */
  mia_time_ms ticked_at;   /* [own] when the last tick was */
  mia_time_ms watch_until; /* [own] until then, pages that went may still occupy memory */
} mia_clock;

/* The page cache has a slot for each class, and a slot for each number of slices that a cached large
 * page may have. */
enum { MIA_CACHE_LARGE_SLICES = 16, MIA_CACHE_SLOTS = MIA_CLASS_COUNT + MIA_CACHE_LARGE_SLICES };

/* The page cache of a theap: page_cache.h.
 * Invariants:
 *   C1  a slot is 0, or the address of an empty page, with the lowest bit set if the list was there
 *       at the last visit of the purger.  All pages of the list are empty, have no owner, are not
 *       in the page map, and count as claimed by the slot: only the thread that took the list may
 *       touch them.  Only the theap's thread stores an address into an empty slot; other threads
 *       store 0 or, as the purger, set the bit
 *   C2  `last_freed' is NULL or a page as in a slot, of at most MIA_CACHE_LAST_FREED_SLICES slices
 *   C3  counts[i] is at least the length of list i; other threads may have taken some.
 *       `small_charge' and `large_charge' are the sums of what these counts are charged
 *       (page_cache.c) for pages of classes and for large pages, and at most MIA_CACHE_CHARGE_MAX */
typedef struct mia_page_cache {
  mia_aword slots[MIA_CACHE_SLOTS]; /* [any] lists of pages, the newest first */
  mia_page *last_freed;             /* [own] a large page, or NULL */
  size_t small_charge;              /* [own] */
  size_t large_charge;              /* [own] */
  uint8_t counts[MIA_CACHE_SLOTS];  /* [own] */
} mia_page_cache;

mia_assert_field_aligned(mia_page_cache, slots);

/* Tiers from 2 on: places in the quarantine of a thread, for blocks of a class up to
 * MIA_HELD_SMALL_MAX bytes and for larger ones.  Each sort holds 256 KiB or less in each of its two
 * parts: hardened.h. */
enum { MIA_HELD_SMALL = 64, MIA_HELD_LARGE = 8, MIA_HELD_SMALL_MAX = 2048 };

typedef struct mia_held_blocks {
  void *random[MIA_HELD_SMALL]; /* [own] NULL: the place is free */
  void *queue[MIA_HELD_SMALL];  /* [own] likewise, in a ring */
  uint8_t last;                 /* [own] the place in the queue that was filled last */
} mia_held_blocks;

typedef struct mia_hardened {
  mia_held_blocks small, large; /* [own] of `large' only MIA_HELD_LARGE places are used */
  mia_random random;            /* [own] */
  uintptr_t seeds;              /* [own] how often the random numbers began anew */
  mia_time_ms flushed_at;       /* [own] when the queues were emptied last */
} mia_hardened;

#endif
