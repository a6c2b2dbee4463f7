/* SPDX-License-Identifier: MIT */
/* background.h -- a thread that returns memory to the OS while no other thread does anything.
 *
 * It sleeps until pages have come or gone in some thread, works at intervals until nothing is
 * left to return, and sleeps again: nothing wakes it in an idle process.  It takes no signals
 * and allocates nothing.  It does not keep the process alive: it ends when no thread that has
 * allocated is left, and is started again when there is one. */
#ifndef MIA_API_BACKGROUND_H
#define MIA_API_BACKGROUND_H

#include "base/prelude.h"

/* Starts the thread.  Returns false if the system cannot create one. */
bool mia_api_start_background(void);

/* Called in the child of a fork, which has no background thread.  If the parent had one, the
 * child starts it as soon as there is something to do.  Not earlier: the child may become
 * another program at once, or be in a signal handler. */
void mia_api_reset_background(void);

/* Requests work: pages came or went. */
void mia_api_wake_background(void);

/* Starts the thread again if it has ended and a thread that allocates exists.  Not called where
 * memory is freed: the C library does that while it holds a lock that starting a thread takes
 * (glibc's lock of unused stacks). */
void mia_api_restart_background(void);

#endif
