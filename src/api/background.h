/* background.h -- a thread that gives memory back when no other does a thing.
 *
 * It sleeps until pages have come or gone somewhere, works at intervals until
 * nothing is left to give back, and sleeps again: an idle process is not woken.
 * It takes no signals and allocates nothing, and does not keep the process: when
 * no thread that has allocated is left, it ends. */
#ifndef MIA_API_BACKGROUND_H
#define MIA_API_BACKGROUND_H

#include "base/prelude.h"

/* Starts it.  False: the system has no thread. */
bool mia_api_start_background(void);

/* In the child of a fork: starts one there if the parent had one. */
void mia_api_renew_background(void);

/* Pages came or went. */
void mia_api_stir_background(void);

#endif
