/* tick.h -- the periodic work of a thread: deferred frees, and what is due to go back to the OS.
 * theap/clock.h says when. */
#ifndef MIA_API_TICK_H
#define MIA_API_TICK_H

#include "api/hook.h"
#include "theap/clock.h"

/* Run a tick.  The first function is for threads that allocate: it also lets the program free
 * deferred blocks. */
mia_noinline void mia_api_run_tick(void);
mia_noinline void mia_api_run_tick_after_free(void);

/* Run a tick if one is due. */
mia_inline void mia_api_tick(void) {
  if (mia_unlikely(mia_clock_is_due(mia_theap_self) || mia_api_has_deferred())) mia_api_run_tick();
}
mia_inline void mia_api_tick_after_free(void) {
  if (mia_unlikely(mia_clock_is_due(mia_theap_self))) mia_api_run_tick_after_free();
}

#endif
