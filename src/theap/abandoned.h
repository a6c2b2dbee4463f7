/* SPDX-License-Identifier: MIT */
/* abandoned.h -- the lists of abandoned pages: pages with free blocks and without an owner,
 * one list for each heap and class.
 *
 * The thread that has claimed a page links it into the list and gives up its claim in one
 * step, under the lock `abandoned'.  The page leaves the list when a thread takes it to
 * allocate from it or to trim it, or when a free claims it and the thread that freed unlinks
 * it.  A thread that takes a page claims it before it releases the lock.  So a list never
 * leads to a page that was retired. */
#ifndef MIA_THEAP_ABANDONED_H
#define MIA_THEAP_ABANDONED_H

#include "arena/budget.h"
#include "theap/theap.h"

/* Links a page that the caller has claimed, and abandons it until all of its blocks are free.
 * Returns false if other threads freed blocks of it in the meantime: the page is then not
 * listed, and still claimed by the caller. */
bool mia_theap_abandon_page(mia_page *page);

/* Likewise for a page that a visit has looked at.  It is allocated from after all others, as its memory
 * may be given back. */
bool mia_theap_abandon_trimmed_page(mia_page *page);

/* Unlinks a page that the caller has claimed.  Does nothing if the page is not listed. */
void mia_theap_unlist_abandoned(mia_page *page);

/* Unlinks an abandoned page of a class and claims it for the caller: one near `node' if there is one
 * among the first few of the list.  Returns NULL if there are none. */
mia_page *mia_theap_take_abandoned(mia_heap *heap, unsigned size_class, unsigned node);

/* The age of a page is the number of visits by the purger since a free list last came from
 * the page.  At age 2, after a whole purge delay without use, the page is due to be trimmed.
 * It is due again at 4, 8, 16, 32, 64 and then every 64 visits, because other threads may go on
 * freeing its blocks.  An abandoned page that has not been due yet is `untrimmed': it is trimmed
 * early only if there is too much memory in such pages. */
typedef enum mia_trim {
  MIA_TRIM_DUE,      /* ages the pages, and trims those that are then due */
  MIA_TRIM_UNTRIMMED /* trims pages that have not been due yet */
} mia_trim;

/* Increments the age of a page that is not listed.  Returns true if the page is then due. */
bool mia_theap_age_page(mia_page *page);

/* Begins a visit of the main heap's pages, unless one is under way. */
void mia_theap_begin_visit(mia_trim which);

/* Goes on with a visit that is under way, until it or the budget ends.  Unlinks and claims the pages that
 * are to be trimmed, and returns them linked by `next'. */
mia_page *mia_theap_visit_abandoned(mia_trim which, mia_budget *budget);

mia_inline bool mia_theap_is_visiting(mia_trim which) {
  return mia_aword_get(&mia_theap_all.visits[which].under_way) != 0;
}

/* Unlinks and claims all pages of a class, and returns them linked by `next'. */
mia_page *mia_theap_take_all_abandoned(mia_heap *heap, unsigned size_class);

/* Returns true if the page is in its heap's list of pages.  Pages of the main heap are found through
 * the arenas instead, except for huge pages. */
mia_inline bool mia_theap_is_in_heap_list(const mia_page *page) {
  return !mia_theap_is_main_page(page) || page->size_class == MIA_CLASS_HUGE;
}

/* [lock:abandoned] Adds a page to the list of all pages of a heap; removes it from that list;
 * unlinks a page that the caller has claimed, if it is listed. */
void mia_theap_add_heap_page(mia_heap *heap, mia_page *page);
void mia_theap_remove_heap_page(mia_page *page);
void mia_theap_unlist_abandoned_locked(mia_page *page);

#endif
