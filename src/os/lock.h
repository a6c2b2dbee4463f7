/* lock.h -- mutual exclusion for slow paths.
 *
 * Locks are ranked.  A thread takes them in descending rank only, so no two
 * threads can wait for each other; debug builds assert it. */
#ifndef MIA_OS_LOCK_H
#define MIA_OS_LOCK_H

#include "base/prelude.h"

#include <pthread.h>

/* In the order in which they may be taken. */
typedef enum mia_rank {
  MIA_RANK_UNKNOWN = 0,
  MIA_RANK_SUBPROCS = 7, /* api: sub-processes and their heaps */
  MIA_RANK_THREADS = 6,  /* local: registry of threads */
  MIA_RANK_POOL = 5,     /* local: pages that wait for an owner */
  MIA_RANK_HUGE = 4,     /* page: descriptors of huge pages */
  MIA_RANK_PURGE = 3,    /* arena: one purger at a time */
  MIA_RANK_META = 2,     /* arena: room for metadata */
  MIA_RANK_GROW = 1      /* arena: one more arena */
} mia_rank;

/* What the kernel waits on is aligned to 4 bytes (futex(2)).  Where int is aligned
 * to 2 (m68k), musl's types are as well, and who waits at another address is
 * refused and asks again for ever. */
#define MIA_OS_FUTEX_ALIGN 4

typedef struct mia_lock {
  alignas(pthread_mutex_t) alignas(MIA_OS_FUTEX_ALIGN) pthread_mutex_t mutex;
  mia_rank rank;
} mia_lock;
mia_static_assert(alignof(mia_lock) >= MIA_OS_FUTEX_ALIGN, "the kernel takes any lock's address");

/* All zero in a release build, so that structures with locks stay in .bss. */
#define MIA_LOCK_INIT(r) \
  { .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = MIA_DEBUG ? (r) : MIA_RANK_UNKNOWN }

void mia_os_lock(mia_lock *lock);
bool mia_os_try_lock(mia_lock *lock);
void mia_os_unlock(mia_lock *lock);

/* In the child of a fork whose parent held the lock: free again. */
void mia_os_renew_lock(mia_lock *lock);

#endif
