/* SPDX-License-Identifier: MIT */
/* worker.h -- starts a thread of the library's own and lets it sleep. */
#ifndef MIA_OS_WORKER_H
#define MIA_OS_WORKER_H

#include "os/lock.h"

#include <semaphore.h>

/* A semaphore for one thread that waits.  A ring before the wait is not lost. */
typedef struct mia_semaphore {
  alignas(sem_t) alignas(MIA_OS_FUTEX_ALIGN) sem_t rung;
} mia_semaphore;

void mia_os_make_semaphore(mia_semaphore *bell);
void mia_os_post_semaphore(mia_semaphore *bell);
void mia_os_wait_semaphore(mia_semaphore *bell);

/* Sleeps for at least `ms' milliseconds, or not at all if the system refuses. */
void mia_os_sleep(size_t ms);

/* Starts a thread that is detached and takes no signals.  The C library may allocate,
 * through malloc.  Returns false if no thread could be started. */
bool mia_os_start_thread(void *(*run)(void *));

#endif
