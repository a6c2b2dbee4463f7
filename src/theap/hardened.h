/* SPDX-License-Identifier: MIT */
/* hardened.h -- tiers from 2 on: how a theap takes and frees blocks of a class.
 *
 * Beside what tier 1 does (checked.h):
 *   - a block is wiped when it is freed.  Whoever allocates it checks that it is still zero, so that a
 *     write after the free is told, and reads no other's data
 *   - which of the free blocks of a page is next is random
 *   - a freed block of the main heap first waits in the quarantine of the thread that freed it.  It
 *     takes the place of a random one there, and that one waits at the end of a queue.  So at least
 *     as many blocks are freed in between as the queue has places, and nobody can tell how many
 *
 * A block in quarantine is live for its page, and has the bit `held' (page/live.h). */
#ifndef MIA_THEAP_HARDENED_H
#define MIA_THEAP_HARDENED_H

#include "page/live.h"
#include "theap/theap.h"

/* Takes a block out of a page with a free one.  Aborts if the block was written to since it was
 * freed. */
mia_noinline void *mia_theap_hardened_take(mia_theap *self, mia_page *page);

/* Frees a live block, whose canary the caller has checked.  `self' may be none. */
mia_noinline void mia_theap_hardened_free(mia_theap *self, mia_page *page, uint32_t block);

/* Frees all that waits in the thread's quarantine. */
void mia_theap_flush_held(mia_theap *self);

/* Frees what waits in the queues, if that was not done in the last second. */
void mia_theap_age_held(mia_theap *self, mia_time_ms now);

/* Gives all theaps other random numbers: in the child of a fork, before it has other threads. */
void mia_theap_reseed_all(void);

#endif
