/* thread.h -- threads come and go. */
#ifndef MIA_LOCAL_THREAD_H
#define MIA_LOCAL_THREAD_H

#include "local/local.h"

/* The calling thread's local, made if there is none; NULL: out of memory.  It
 * is given back when the thread ends. */
mia_local *mia_local_attach(void);

/* The same for who frees: with a local blocks go back many at a time.  But a thread
 * that was told of its end gets no other, as nobody may tell it again, and without
 * memory there is none to be had: then it is an empty one.  errno is kept. */
mia_cold mia_local *mia_local_begin_to_free(void);
mia_inline mia_local *mia_local_attach_to_free(void) {
  mia_local *self = mia_local_self;
  return mia_likely(self != &mia_local_all.none) ? self : mia_local_begin_to_free();
}

/* Where no local can be had: one for the main heap that all such threads share, for one
 * at a time.  It is given empty, and is not to be waited for with a lock held. */
mia_local *mia_local_take_shared(void);
void mia_local_give_shared(void);

/* Gives the calling thread's local back, if there is one. */
void mia_local_detach(void);

/* Around fork: the layer's locks are held while the child is made, which then counts
 * the threads that it has. */
void mia_local_before_fork(mia_tick until);
void mia_local_after_fork(bool child);

#endif
