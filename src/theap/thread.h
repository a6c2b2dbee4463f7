/* thread.h -- threads come and go. */
#ifndef MIA_THEAP_THREAD_H
#define MIA_THEAP_THREAD_H

#include "theap/theap.h"

/* The calling thread's local, made if there is none; NULL: out of memory.  It
 * is given back when the thread ends. */
mia_theap *mia_theap_attach(void);

/* The same for who frees: with a local blocks go back many at a time.  But a thread
 * that was told of its end gets no other, as nobody may tell it again, and without
 * memory there is none to be had: then it is an empty one.  errno is kept. */
mia_cold mia_theap *mia_theap_attach_to_free(void);
mia_inline mia_theap *mia_theap_attach_to_free_fast(void) {
  mia_theap *self = mia_theap_self;
  return mia_likely(self != &mia_theap_all.none) ? self : mia_theap_attach_to_free();
}

/* Where no local can be had: one for the main heap that all such threads share, for one
 * at a time.  It is given empty, and is not to be waited for with a lock held. */
mia_theap *mia_theap_take_shared(void);
void mia_theap_give_shared(void);

/* Gives the calling thread's local back, if there is one. */
void mia_theap_detach(void);

/* Around fork: the layer's locks are held while the child is made, which then counts
 * the threads that it has. */
void mia_theap_before_fork(mia_tick until);
void mia_theap_after_fork(bool child);

#endif
