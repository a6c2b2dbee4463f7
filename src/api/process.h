/* process.h -- the start and the end of a process, its forks, and the ticks. */
#ifndef MIA_API_PROCESS_H
#define MIA_API_PROCESS_H

#include "theap/theap.h"

/* Registers our fork handlers, once. */
void mia_api_register_fork(void);

/* Run a tick: return to the OS what is due.  The first function is for threads that allocate. */
mia_noinline void mia_api_run_tick(mia_theap *self);
mia_noinline void mia_api_run_tick_after_free(mia_theap *self);

/* Run a tick if pages came or went in this thread and may not all be back with the OS.
 * Otherwise a tick would have nothing to do. */
mia_inline void mia_api_tick(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(!self->tick_idle)) mia_api_run_tick(self);
}
mia_inline void mia_api_tick_after_free(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(!self->tick_idle)) mia_api_run_tick_after_free(self);
}

#endif
