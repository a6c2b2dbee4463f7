/* SPDX-License-Identifier: MIT */
/* counts.h -- what a thread counts on its slow paths.
 *
 * Only the thread that has a theap writes its counters; to get a sum, a thread reads the
 * counters of all theaps.  A theap that goes to another thread keeps its counts, so no count
 * is lost when a thread ends. */
#ifndef MIA_THEAP_COUNTS_H
#define MIA_THEAP_COUNTS_H

#include "base/atomic.h"
#include "page/class.h"

typedef enum mia_event {
  MIA_EVENT_REFILL,             /* a free list was refilled from a page, on a cold path */
  MIA_EVENT_MADE,               /* a page was made, from an arena or the OS */
  MIA_EVENT_RETIRED,            /* a page's memory was given back */
  MIA_EVENT_REUSED,             /* a page came from the page cache */
  MIA_EVENT_RECLAIMED_ON_FREE,  /* a thread reclaimed a page that it freed into */
  MIA_EVENT_ABANDONED,          /* a page with free blocks was abandoned */
  MIA_EVENT_RECLAIMED_ON_ALLOC, /* such a page was reclaimed to allocate from it */
  MIA_EVENT_REMOTE_BATCH,       /* a remote batch was sent */
  MIA_EVENT_COUNT
} mia_event;

typedef struct mia_counts {
  mia_aword events[MIA_EVENT_COUNT];
  mia_aword refilled[MIA_CLASS_KINDS]; /* blocks put into free lists, in all */
} mia_counts;

mia_assert_field_aligned(mia_counts, events);
mia_assert_field_aligned(mia_counts, refilled);

/* Adds to a counter that only the caller writes.  To subtract, pass -n. */
mia_inline void mia_count_add(mia_aword *counter, uintptr_t n) {
  mia_aword_set(counter, mia_aword_get(counter) + n);
}

/* How many there are now, and the most that there have been. */
typedef struct mia_peak_count {
  mia_aword now;
  mia_aword peak;
} mia_peak_count;

mia_assert_field_aligned(mia_peak_count, now);
mia_assert_field_aligned(mia_peak_count, peak);

#endif
