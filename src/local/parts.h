/* parts.h -- what a local has of each size class. */
#ifndef MIA_LOCAL_PARTS_H
#define MIA_LOCAL_PARTS_H

#include "page/page.h"

/* The pages that a local owns for one class.
 * Invariants:
 *   L1  page, where not NULL, lent the list that head is the rest of; or `rest' is,
 *       and head is empty; if `mixed' that list was lent by any pages
 *   L2  every page of `others' has room, free or not yet carved, and its owner is
 *       the local */
typedef struct mia_bin {
  mia_page *page;   /* [own] */
  mia_page *others; /* [own] doubly linked, in the order in which they will be used */
  mia_page *last;   /* [own] of those; NULL if there are none */
  mia_block *rest;  /* [own] the list in use while it is withheld from the fast path */
  mia_block *stash; /* [own] blocks of anybody's pages, freed here: stash.h */
  uint8_t count;    /* [own] length of `others' */
  uint8_t stashed;  /* [own] length of `stash' */
  bool stashes;     /* [own] there may be a stash */
  bool mixed;       /* [own] the list in use was one */
  bool fresh;       /* [own] head's blocks read as zero but for their first word */
  bool warm;        /* [own] lists were lent since the last trim */
  uint8_t wait;     /* [own] changes of the page until pages are adopted early again */
  uint8_t withheld; /* [own] how often a list was in the tick of the local's `withheld' */
} mia_bin;

/* Large pages of up to so many slices are kept in reserve, and no more in all (spare.h). */
enum { MIA_LOCAL_LARGE_SPARES = 16, MIA_LOCAL_SPARES = MIA_CLASS_COUNT + MIA_LOCAL_LARGE_SPARES };

/* Empty pages of one slice that are kept beside the first of each class, in all. */
enum { MIA_LOCAL_MORE_SPARES = 16 };

/* Blocks of one page of another thread, freed here and on their way home.  There is
 * one for each class of small blocks: who frees what another thread made gets the
 * blocks of a class page by page, however the classes are mixed. */
enum { MIA_LOCAL_OUTBOXES = MIA_CLASS_TABLED };
typedef struct mia_outbox {
  mia_page *page;
  mia_block *head;
  mia_block *tail;
  uint16_t count;
  uint16_t most; /* as many are sent at once */
} mia_outbox;

#endif
