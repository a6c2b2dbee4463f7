/* parts.h -- what a local has of each size class. */
#ifndef MIA_THEAP_BIN_PARTS_H
#define MIA_THEAP_BIN_PARTS_H

#include "page/page.h"

/* The pages that a local owns for one class.
 * Invariants:
 *   L1  page, where not NULL, lent the list that head is the rest of; or `rest' is,
 *       and head is empty; if `mixed' that list was lent by any pages
 *   L2  every page of `others' has room, free or not yet carved, and its owner is
 *       the local */
typedef struct mia_bin {
  mia_page *page;          /* [own] */
  mia_page *pages;         /* [own] doubly linked, in the order in which they will be used */
  mia_page *last_page;     /* [own] of those; NULL if there are none */
  mia_block *set_aside;    /* [own] the list in use while it is withheld from the fast path */
  mia_block *magazine;     /* [own] blocks of anybody's pages, freed here: stash.h */
  uint8_t page_count;      /* [own] length of `others' */
  uint8_t magazine_count;  /* [own] length of `stash' */
  bool magazine_open;      /* [own] there may be a stash */
  bool from_magazine;      /* [own] the list in use was one */
  bool zeroed;             /* [own] head's blocks read as zero but for their first word */
  bool refilled;           /* [own] lists were lent since the last trim */
  uint8_t reclaim_backoff; /* [own] changes of the page until pages are adopted early again */
  uint8_t forced;          /* [own] how often a list was in the tick of the local's `withheld' */
} mia_bin;

/* Large pages of up to so many slices are kept in reserve, and no more in all (spare.h). */
enum {
  MIA_THEAP_CACHED_LARGE = 16,
  MIA_THEAP_CACHE_SLOTS = MIA_CLASS_COUNT + MIA_THEAP_CACHED_LARGE
};

/* Empty pages of one slice that are kept beside the first of each class, in all. */
enum { MIA_THEAP_CACHED_MORE = 16 };

/* Blocks of one page of another thread, freed here and on their way home.  There is
 * one for each class of small blocks: who frees what another thread made gets the
 * blocks of a class page by page, however the classes are mixed. */
enum { MIA_THEAP_BATCHES = MIA_CLASS_TABLED };
typedef struct mia_remote_batch {
  mia_page *page;
  mia_block *head;
  mia_block *tail;
  uint16_t count;
  uint16_t most; /* as many are sent at once */
} mia_remote_batch;

#endif
