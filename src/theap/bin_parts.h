/* bin_parts.h -- what a theap has for each size class. */
#ifndef MIA_THEAP_BIN_PARTS_H
#define MIA_THEAP_BIN_PARTS_H

#include "page/page.h"

/* The pages that a theap owns for one class.
 * Invariants:
 *   L1  the free list is in the theap's free_list or, while the slow path is forced, in
 *       set_aside; never in both.  Its blocks were popped from `page' or, if from_magazine, from
 *       any pages; only in that case may page be NULL
 *   L2  every page in `pages' has free blocks or can be extended, its owner is the theap,
 *       and it is not `page' */
typedef struct mia_bin {
  mia_page *page;          /* [own] the page in use: the free list comes from it */
  mia_page *pages;         /* [own] doubly linked, in the order in which they will be used */
  mia_page *last_page;     /* [own] end of `pages'; NULL if that is empty */
  mia_block *set_aside;    /* [own] the free list while the slow path is forced: bin.h */
  mia_block *magazine;     /* [own] remote frees, the next free list: magazine.h */
  uint8_t page_count;      /* [own] length of `pages' */
  uint8_t magazine_count;  /* [own] length of `magazine' */
  bool magazine_open;      /* [own] remote frees may go into the magazine */
  bool from_magazine;      /* [own] the free list was a magazine */
  bool zeroed;             /* [own] blocks of the free list read as zero behind their first word */
  bool refilled;           /* [own] the free list was refilled since the last trim */
  uint8_t reclaim_backoff; /* [own] changes of `page' until pages are reclaimed early again */
  uint8_t forced;          /* [own] times that the list was set aside in the tick forced_at */
} mia_bin;

/* The page cache keeps large pages of up to so many slices, and no more slices than that in
 * all of them together (page_cache.h). */
enum {
  MIA_THEAP_CACHED_LARGE = 16,
  MIA_THEAP_CACHE_SLOTS = MIA_CLASS_COUNT + MIA_THEAP_CACHED_LARGE
};

/* The page cache keeps one page of each class, and up to so many more of all classes together. */
enum { MIA_THEAP_CACHED_MORE = 16 };

/* A remote batch: blocks of one page, freed by this thread and not yet sent to the page.  Each
 * class of small blocks has one: a thread that frees what another thread allocated meets the
 * blocks of a class page by page, but the classes in any order. */
enum { MIA_THEAP_BATCHES = MIA_CLASS_TABLED };
typedef struct mia_remote_batch {
  mia_page *page;
  mia_block *head;
  mia_block *tail;
  uint16_t count;
  uint16_t most; /* the batch is sent when it has so many blocks */
} mia_remote_batch;

#endif
