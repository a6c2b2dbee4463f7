/* SPDX-License-Identifier: MIT */
/* tick.h -- the periodic work of a thread: it gives back what is due to go back to the OS.
 * theap/clock.h says when.  The program's deferred-free function is called beside it, whenever a
 * free list was refilled, but not when the clock gave out one that it held. */
#ifndef MIA_API_TICK_H
#define MIA_API_TICK_H

#include "api/hook.h"
#include "theap/clock.h"

/* Run a tick.  The first function is for threads that allocate: only they may start the background
 * thread again. */
mia_noinline void mia_api_run_tick(void);
mia_noinline void mia_api_run_tick_after_free(void);

/* Run a tick if one is due.  Called at the end of each slow path. */
mia_inline void mia_api_tick(void) {
  if (mia_unlikely(mia_clock_count_down(mia_theap_self))) mia_api_run_tick();
}
mia_inline void mia_api_tick_after_free(void) {
  if (mia_unlikely(mia_clock_count_down(mia_theap_self))) mia_api_run_tick_after_free();
}

/* Likewise, after a free list was refilled. */
mia_inline void mia_api_tick_after_refill(void) {
  if (mia_unlikely(mia_api_has_deferred())) (void)mia_api_run_deferred(mia_theap_self, false);
  mia_api_tick();
}

/* Likewise, after an allocation for which a free list may have been refilled. */
mia_inline void mia_api_tick_after_alloc(void) {
  if (mia_unlikely(mia_api_has_deferred()) && mia_theap_self->clock.refilled)
    (void)mia_api_run_deferred(mia_theap_self, false);
  mia_api_tick();
}

#endif
