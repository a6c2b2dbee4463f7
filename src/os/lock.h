/* SPDX-License-Identifier: MIT */
/* lock.h -- mutual exclusion for slow paths.
 *
 * Each lock has a rank.  A thread takes locks in descending rank only, so that no two
 * threads can wait for each other; debug builds assert this. */
#ifndef MIA_OS_LOCK_H
#define MIA_OS_LOCK_H

#include "base/atomic.h"
#include "base/layout.h"
#include "base/prelude.h"

#include <pthread.h>

/* Listed in the order in which a thread may take the locks. */
typedef enum mia_rank {
  MIA_RANK_UNKNOWN = 0,
  MIA_RANK_SUBPROCS = 10, /* api: sub-processes and their heaps */
  MIA_RANK_SHARED = 9,    /* theap: the theap of threads that can have none of their own */
  MIA_RANK_THREADS = 8,   /* theap: registry of threads */
  MIA_RANK_ABANDONED = 7, /* theap: abandoned pages */
  MIA_RANK_HUGE = 6,      /* page: descriptors of huge pages */
  MIA_RANK_PURGE = 5,     /* arena: held by the only thread that purges */
  MIA_RANK_META = 4,      /* arena: room for metadata */
  MIA_RANK_GROW = 3,      /* arena: held while an arena is added */
  MIA_RANK_MAPPINGS = 2,  /* arena: the mapping cache */
  MIA_RANK_PARKED = 1     /* arena: parked spans */
} mia_rank;

/* The word on which a thread waits must be aligned to 4 bytes (futex(2)).  Where int is
 * aligned to 2 (m68k), so are musl's types; the kernel then refuses a thread that waits
 * at an unaligned address, and the thread tries again for ever. */
#define MIA_OS_FUTEX_ALIGN 4

typedef struct mia_lock {
  alignas(pthread_mutex_t) alignas(MIA_OS_FUTEX_ALIGN) pthread_mutex_t mutex;
  mia_aword holder; /* [any] names the thread that has the mutex and writes this; 0 if none */
  mia_rank rank;
} mia_lock;
mia_assert_field_aligned(mia_lock, holder);
mia_static_assert(alignof(mia_lock) >= MIA_OS_FUTEX_ALIGN, "the kernel accepts any lock's address");

/* Is all zero in a release build, so that structures with locks stay in .bss. */
#define MIA_LOCK_INIT(r) \
  { .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = MIA_DEBUG ? (r) : MIA_RANK_UNKNOWN }

void mia_os_lock(mia_lock *lock);
bool mia_os_try_lock(mia_lock *lock);
void mia_os_unlock(mia_lock *lock);

/* ---- fork ----
 *
 * The thread that forks holds all locks from our fork handler before the fork to our
 * handler after it.  The program's own handlers run in between and may allocate; so for
 * this thread, taking or releasing such a lock does nothing.
 *
 * A signal handler may fork while the code that it interrupted holds some locks.  The
 * fork waits for those in vain and then goes on without them.  Only the interrupted
 * code releases them, in the parent and in the child. */

/* Returns the time until which mia_os_lock_for_fork is to wait, or 0 if the thread forks within
 * the handlers of another fork, which holds the locks. */
mia_time_ms mia_os_begin_fork(void);

/* Returns true if the locks are to be released, and false if the fork was within the
 * handlers of another one or had not begun. */
bool mia_os_end_fork(void);

/* Takes a lock for the fork.  Gives up if code that the fork interrupted holds the lock,
 * or when `until' is reached. */
void mia_os_lock_for_fork(mia_lock *lock, mia_time_ms until);

/* Releases a lock that the fork holds.  In the child it also frees a lock that another
 * thread holds, since the child does not have that thread. */
void mia_os_unlock_after_fork(mia_lock *lock, bool child);

/* For a function that runs once in a process: the first thread runs it and others wait.
 * If the process forks while it runs, it runs again in the child. */
typedef struct mia_once {
  alignas(pthread_once_t) alignas(MIA_OS_FUTEX_ALIGN) pthread_once_t once;
} mia_once;

#define MIA_ONCE_INIT \
  { .once = PTHREAD_ONCE_INIT }

void mia_os_once(mia_once *once, void (*act)(void));

#endif
