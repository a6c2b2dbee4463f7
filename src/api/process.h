/* process.h -- what happens once in a process, and now and then. */
#ifndef MIA_API_PROCESS_H
#define MIA_API_PROCESS_H

#include "theap/theap.h"

/* Registers what is done around fork, once. */
void mia_api_register_fork(void);

/* Looks at the clock, and purges what is due.  The first is for who allocates. */
mia_apart void mia_api_run_tick(mia_theap *self);
mia_apart void mia_api_run_tick_after_free(mia_theap *self);

/* The same if pages came or went in this thread and may not all be back with the
 * OS: the only thing that makes it worth while. */
mia_inline void mia_api_tick(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(!self->tick_idle)) mia_api_run_tick(self);
}
mia_inline void mia_api_tick_after_free(void) {
  mia_theap *self = mia_theap_self;
  if (mia_unlikely(!self->tick_idle)) mia_api_run_tick_after_free(self);
}

#endif
