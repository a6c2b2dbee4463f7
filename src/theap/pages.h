/* SPDX-License-Identifier: MIT */
/* pages.h -- makes and retires pages for a theap, and counts them. */
#ifndef MIA_THEAP_PAGES_H
#define MIA_THEAP_PAGES_H

#include "arena/node.h"
#include "theap/theap.h"

/* Returns the node near which the thread of a theap prefers its memory; MIA_NODE_ANY if there is
 * one node only.  A thread may come to run on another node at any time.  So the OS is asked again
 * after some uses. */
mia_cold unsigned mia_theap_ask_node(mia_theap *self);
mia_inline unsigned mia_theap_node(mia_theap *self) {
  return mia_arena_has_nodes() ? mia_theap_ask_node(self) : MIA_NODE_ANY;
}

/* Like mia_page_make and mia_page_make_singleton, for the heap of a theap. */
mia_page *mia_theap_make_page(mia_theap *self, unsigned size_class);
mia_page *mia_theap_make_singleton(mia_theap *self, const mia_singleton_request *wanted,
                                   bool *zero);

/* Like mia_page_detach_singleton.  Returns NULL too if the heap is bound to one arena. */
mia_page *mia_theap_detach_singleton(mia_theap *self, mia_page *from);

/* Like mia_page_retire, but keeps errno, as free must. */
void mia_theap_retire_page(mia_theap *self, mia_page *page);

/* Increments a count, and its peak if need be; decrements a count. */
void mia_theap_count_up(mia_peak_count *count);
void mia_theap_count_down(mia_peak_count *count);

#endif
