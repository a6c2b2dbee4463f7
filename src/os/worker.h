/* worker.h -- a thread of our own, and how it sleeps. */
#ifndef MIA_OS_WORKER_H
#define MIA_OS_WORKER_H

#include "os/lock.h"

#include <semaphore.h>

/* Wakes the one that waits, or will. */
typedef struct mia_bell {
  alignas(sem_t) alignas(MIA_OS_FUTEX_ALIGN) sem_t rung;
} mia_bell;

void mia_os_make_bell(mia_bell *bell);
void mia_os_ring_bell(mia_bell *bell);
void mia_os_wait_for_bell(mia_bell *bell);

/* At least so many ms; not at all where the system refuses to. */
void mia_os_sleep(size_t ms);

/* Starts a thread that nobody waits for and that takes no signals.  The libc may
 * allocate, through malloc.  False: there is none to be had. */
bool mia_os_start_thread(void *(*run)(void *));

#endif
