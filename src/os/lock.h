/* lock.h -- mutual exclusion for slow paths.
 *
 * Locks are ranked.  A thread takes them in descending rank only, so no two
 * threads can wait for each other; debug builds assert it. */
#ifndef MIA_OS_LOCK_H
#define MIA_OS_LOCK_H

#include "base/atomic.h"
#include "base/layout.h"
#include "base/prelude.h"

#include <pthread.h>

/* In the order in which they may be taken. */
typedef enum mia_rank {
  MIA_RANK_UNKNOWN = 0,
  MIA_RANK_SUBPROCS = 9,  /* api: sub-processes and their heaps */
  MIA_RANK_SHARED = 8,    /* local: the one of threads that can have none */
  MIA_RANK_THREADS = 7,   /* local: registry of threads */
  MIA_RANK_ABANDONED = 6, /* local: pages that wait for an owner */
  MIA_RANK_HUGE = 5,      /* page: descriptors of huge pages */
  MIA_RANK_PURGE = 4,     /* arena: one purger at a time */
  MIA_RANK_META = 3,      /* arena: room for metadata */
  MIA_RANK_GROW = 2,      /* arena: one more arena */
  MIA_RANK_MAPPINGS = 1   /* arena: mappings of huge blocks that were freed */
} mia_rank;

/* What the kernel waits on is aligned to 4 bytes (futex(2)).  Where int is aligned
 * to 2 (m68k), musl's types are as well, and who waits at another address is
 * refused and asks again for ever. */
#define MIA_OS_FUTEX_ALIGN 4

typedef struct mia_lock {
  alignas(pthread_mutex_t) alignas(MIA_OS_FUTEX_ALIGN) pthread_mutex_t mutex;
  mia_aword holder; /* [any] written by who has the mutex: a word of the thread's own; or 0 */
  mia_rank rank;
} mia_lock;
mia_assert_placed(mia_lock, holder);
mia_static_assert(alignof(mia_lock) >= MIA_OS_FUTEX_ALIGN, "the kernel takes any lock's address");

/* All zero in a release build, so that structures with locks stay in .bss. */
#define MIA_LOCK_INIT(r) \
  { .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = MIA_DEBUG ? (r) : MIA_RANK_UNKNOWN }

void mia_os_lock(mia_lock *lock);
bool mia_os_try_lock(mia_lock *lock);
void mia_os_unlock(mia_lock *lock);

/* ---- fork ----
 *
 * From the first of the program's own handlers that runs behind ours to the last one
 * the thread that forks has all locks, and taking one that it has so is nothing: those
 * handlers may allocate.  A fork in a signal handler may find that the code which it
 * interrupted has some locks, and waits in vain for those: it goes on without, and
 * nobody but that code gives them back, in the parent and in the child. */

/* Until when locks are to be waited for; 0: the thread forks within the handlers of
 * another fork, which has the locks. */
mia_tick mia_os_begin_fork(void);

/* The locks are to be let go; false: it was one within the other, or had not begun. */
bool mia_os_end_fork(void);

/* Takes a lock, if it can be had. */
void mia_os_hold(mia_lock *lock, mia_tick until);

/* Gives it back.  In the child one that was not to be had is free as well, as the
 * thread that has it is not there. */
void mia_os_let_go(mia_lock *lock, bool child);

/* What is done once in a process, by whoever comes first, while others wait; in the
 * child of a fork that came in between, again. */
typedef struct mia_once {
  alignas(pthread_once_t) alignas(MIA_OS_FUTEX_ALIGN) pthread_once_t once;
} mia_once;

#define MIA_ONCE_INIT \
  { .once = PTHREAD_ONCE_INIT }

void mia_os_once(mia_once *once, void (*act)(void));

#endif
