/* background.h -- a thread that gives memory back when no other does a thing.
 *
 * It sleeps until pages have come or gone somewhere, works at intervals until
 * nothing is left to give back, and sleeps again: an idle process is not woken.
 * It takes no signals and allocates nothing, and does not keep the process: when
 * no thread that has allocated is left, it ends, and when there is one again it is
 * started again. */
#ifndef MIA_API_BACKGROUND_H
#define MIA_API_BACKGROUND_H

#include "base/prelude.h"

/* Starts it.  False: the system has no thread. */
bool mia_api_start_background(void);

/* In the child of a fork, which has none: it is started there, if the parent had one,
 * as soon as there is something to do.  Not before: the child may become another
 * program at once, or be in a signal handler. */
void mia_api_renew_background(void);

/* Pages came or went. */
void mia_api_wake_background(void);

/* Starts it if it has ended and there is a thread again.  Not where memory is freed:
 * the C library does that with a lock which who starts a thread wants (glibc's of
 * unused stacks). */
void mia_api_restart_background(void);

#endif
