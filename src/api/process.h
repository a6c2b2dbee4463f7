/* process.h -- the start and the end of a process, its forks, and the ticks. */
#ifndef MIA_API_PROCESS_H
#define MIA_API_PROCESS_H

#include "theap/theap.h"

/* Registers our fork handlers, once. */
void mia_api_register_fork(void);

/* Run a tick: return to the OS what is due.  The first function is for threads that allocate. */
mia_noinline void mia_api_run_tick(mia_theap *self);
mia_noinline void mia_api_run_tick_after_free(mia_theap *self);

/* Count a slow path, and run a tick if one is due.  The theap of a thread without one, which is
 * never written, always has a countdown of 0. */
mia_inline void mia_api_tick(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(self->tick_countdown == 0))
    mia_api_run_tick(self);
  else
    self->tick_countdown--;
}
mia_inline void mia_api_tick_after_free(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(self->tick_countdown == 0))
    mia_api_run_tick_after_free(self);
  else
    self->tick_countdown--;
}

#endif
