/* pool.h -- pages that have room and no owner, by class.
 *
 * A page is put here by who has it and drops it in the same step, under the
 * pool's lock; it leaves when somebody takes it for allocating, or when the
 * thread whose free claimed it takes it out.  Whoever unlinks a page to take it
 * claims it before the lock is released; so a page that is retired can't be
 * reached from here. */
#ifndef MIA_THEAP_ABANDONED_H
#define MIA_THEAP_ABANDONED_H

#include "arena/budget.h"
#include "theap/theap.h"

/* Puts a page that the caller has and drops it until all of it is free.  False:
 * blocks came in the meantime; it is not in the pool and the caller has it. */
bool mia_theap_abandon_page(mia_page *page);

/* Takes a page out that the caller has; nothing if it is not there. */
void mia_theap_reclaim_abandoned(mia_page *page);

/* A page of a class that the caller then has, or NULL. */
mia_page *mia_theap_take_abandoned(mia_heap *heap, unsigned size_class);

/* Which pages are to be trimmed.  At each visit of the purger those in the pool age:
 * one that was not lent from since a whole delay is due, and again after twice as
 * many visits each time, as others may go on freeing its blocks.  Until then it is
 * loose: trimmed only where there is too much of that. */
typedef enum mia_trim { MIA_TRIM_DUE, MIA_TRIM_UNTRIMMED, MIA_TRIM_ALL } mia_trim;

/* A visit to a page that is not in the pool.  True: it is due. */
bool mia_theap_age_page(mia_page *page);

/* Takes them out, as many as the budget lets; the caller has them, linked by next.  *more:
 * there may be others, with which the next call for those that are due goes on. */
mia_page *mia_theap_take_abandoned_for_trim(mia_heap *heap, unsigned size_class, mia_trim which,
                                            mia_budget *budget, bool *more);

/* With the pool's lock held: puts a page on the list of all of a heap; takes it
 * off; takes one that the caller has out of the pool. */
void mia_theap_add_heap_page(mia_heap *heap, mia_page *page);
void mia_theap_remove_heap_page(mia_page *page);
void mia_theap_unlink_abandoned(mia_page *page);

#endif
