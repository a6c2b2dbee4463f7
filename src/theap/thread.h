/* SPDX-License-Identifier: MIT */
/* thread.h -- attaches theaps to threads and detaches them. */
#ifndef MIA_THEAP_THREAD_H
#define MIA_THEAP_THREAD_H

#include "theap/theap.h"

/* Returns the calling thread's theap, and takes one if the thread has none.  Returns NULL if
 * memory is short.  The theap is given back when the thread ends. */
mia_theap *mia_theap_attach(void);

/* Likewise for a thread that frees: with a theap it can send remote frees in batches.  Keeps errno.
 * Never returns NULL: returns `none' if memory is short, and `ended' to a thread whose end was
 * already reported, because the end of another theap might not be reported. */
mia_cold mia_theap *mia_theap_attach_to_free(void);
mia_inline mia_theap *mia_theap_attach_to_free_fast(void) {
  mia_theap *self = mia_theap_self;
  return mia_likely(self != &mia_theap_all.none) ? self : mia_theap_attach_to_free();
}

/* Takes the shared theap, for a thread for whose theap memory is missing; waits until no other
 * thread has it.  It serves the main heap.  It is empty when it is taken, and must be when it is
 * given back.  The caller of mia_theap_take_shared must hold no lock. */
mia_theap *mia_theap_take_shared(void);
void mia_theap_give_shared(void);

/* Empties the calling thread's theaps and gives them back.  Does nothing if it has none. */
void mia_theap_detach(void);

/* Called around fork: this layer's locks are held while the child is made.  The child counts its
 * attached threads anew. */
void mia_theap_before_fork(mia_time_ms until);
void mia_theap_after_fork(bool child);

#endif
