/* counts.h -- what a thread counts on its slow paths.
 *
 * Counters are owned, not sent: only the thread adds, and whoever wants a sum
 * reads all.  A local that goes to another thread keeps what it has counted, so
 * nothing is lost when a thread ends. */
#ifndef MIA_THEAP_COUNTS_H
#define MIA_THEAP_COUNTS_H

#include "base/atomic.h"
#include "page/class.h"

typedef enum mia_event {
  MIA_EVENT_REFILL,            /* a list of blocks came to its end */
  MIA_EVENT_MADE,              /* a page came from an arena or the OS */
  MIA_EVENT_RETIRED,           /* a page went back */
  MIA_EVENT_REUSED,            /* an empty page was kept and used again */
  MIA_EVENT_RECLAIMED_ON_FREE, /* a page came to the thread that freed into it */
  MIA_EVENT_ABANDONED,         /* a page was left to any thread */
  MIA_EVENT_RECLAIMED,         /* such a page was taken */
  MIA_EVENT_REMOTE_BATCH,      /* blocks went home to a page of another thread */
  MIA_EVENT_COUNT
} mia_event;

typedef struct mia_counts {
  mia_aword events[MIA_EVENT_COUNT];
  mia_aword refilled[MIA_CLASS_KINDS]; /* blocks that came to the thread, in all */
} mia_counts;

mia_assert_placed(mia_counts, events);
mia_assert_placed(mia_counts, refilled);

/* Adds to a counter that the caller owns; what is added may be less than 0. */
mia_inline void mia_count_add(mia_aword *counter, uintptr_t n) {
  mia_aword_set(counter, mia_aword_get(counter) + n);
}

/* How many there are, and were at the most. */
typedef struct mia_peak_count {
  mia_aword now;
  mia_aword peak;
} mia_peak_count;

mia_assert_placed(mia_peak_count, now);
mia_assert_placed(mia_peak_count, peak);

#endif
