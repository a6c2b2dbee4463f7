/* SPDX-License-Identifier: MIT */
/* lock.c -- ranked locks on top of the C library's mutex, and how a fork holds them. */
#include "base/prelude.h"

#include "base/fail.h"
#include "os/lock.h"
#include "os/os.h"

/* How long a fork waits for locks that other threads hold.  A thread that runs releases
 * its locks within microseconds.  But a signal handler may have interrupted it, and wait
 * for this very fork.  The second bound is for a thread that forks while it holds locks,
 * in such a handler: a lock of its own looks like another thread's for an instant. */
enum { FORK_WAIT_MS = 2000, FORK_WAIT_IN_LOCKS_MS = 100 };

/* The state of a thread's locks.  Its address stands for the thread, and is even. */
static mia_thread_local struct {
  uint16_t depth;    /* locks that it holds or is about to hold, but not those of a fork */
  uint16_t forks;    /* forks that have begun, each in the handlers of the one before */
  uint16_t ranks;    /* a bit for each rank that it holds; debug builds only */
  uint16_t changing; /* id of the lock whose holder may not be up to date; 0 if none */
} thread_locks;

/* Added to `holder' when the thread holds the lock for a fork. */
enum { BY_FORK = 1 };

static uintptr_t me(void) { return (uintptr_t)&thread_locks; }

/* Needs no memory order: no other thread writes the value that this compares with. */
static bool is_held_by_fork(const mia_lock *lock) {
  return mia_unlikely(mia_aword_get(&lock->holder) == (me() | BY_FORK));
}

static void add_rank(const mia_lock *lock) {
  if (!MIA_DEBUG) return;
  mia_assert((thread_locks.ranks & (((unsigned)2 << lock->rank) - 1)) == 0);
  thread_locks.ranks = (uint16_t)(thread_locks.ranks | 1u << lock->rank);
}

static void remove_rank(const mia_lock *lock) {
  if (MIA_DEBUG) thread_locks.ranks = (uint16_t)(thread_locks.ranks & ~(1u << lock->rank));
}

/* Distinguishes locks, and is never 0.  16 bits suffice for so few locks, and
 * thread-local memory is scarce. */
static uint16_t id_of(const mia_lock *lock) {
  enum { ALIGNED = 3 };
  return (uint16_t)((uintptr_t)lock >> ALIGNED | 1);
}

/* Returns the value to restore: a signal handler may change a lock while the code that
 * it interrupted changes one. */
static uint16_t begin_change(const mia_lock *lock) {
  uint16_t before = thread_locks.changing;
  thread_locks.changing = id_of(lock);
  mia_signal_fence();
  return before;
}

static void end_change(uint16_t before) {
  mia_signal_fence();
  thread_locks.changing = before;
}

static void unlock_mutex(mia_lock *lock) {
  uint16_t before = begin_change(lock);
  mia_aword_set(&lock->holder, 0);
  int error = pthread_mutex_unlock(&lock->mutex);
  end_change(before);
  mia_assert(error == 0);
  (void)error;
}

/* A signal handler that interrupts these functions finds the depth raised whenever the
 * thread may hold the lock. */
void mia_os_lock(mia_lock *lock) {
  if (is_held_by_fork(lock)) return;
  thread_locks.depth++;
  add_rank(lock);
  uint16_t before = begin_change(lock);
  int error = pthread_mutex_lock(&lock->mutex);
  mia_assert(error == 0);
  (void)error;
  mia_aword_set(&lock->holder, me());
  end_change(before);
}

bool mia_os_try_lock(mia_lock *lock) {
  if (is_held_by_fork(lock)) return true;
  thread_locks.depth++;
  uint16_t before = begin_change(lock);
  bool taken = pthread_mutex_trylock(&lock->mutex) == 0;
  if (taken) mia_aword_set(&lock->holder, me());
  end_change(before);
  if (taken)
    add_rank(lock);
  else
    thread_locks.depth--;
  return taken;
}

void mia_os_unlock(mia_lock *lock) {
  if (is_held_by_fork(lock)) return;
  remove_rank(lock);
  unlock_mutex(lock);
  thread_locks.depth--;
}

/* ---- fork ---- */

mia_time_ms mia_os_begin_fork(void) {
  if (thread_locks.forks++ > 0) return 0;
  mia_time_ms until = mia_os_now() +
                      (thread_locks.depth > 0 ? FORK_WAIT_IN_LOCKS_MS : FORK_WAIT_MS);
  return until != 0 ? until : 1;
}

bool mia_os_end_fork(void) { return thread_locks.forks > 0 && --thread_locks.forks == 0; }

void mia_os_lock_for_fork(mia_lock *lock, mia_time_ms until) {
  while (pthread_mutex_trylock(&lock->mutex) != 0) {
    if (mia_aword_get(&lock->holder) == me()) return;
    if (mia_time_reached(mia_os_now(), until)) return;
    mia_os_yield();
  }
  mia_aword_set(&lock->holder, me() | BY_FORK);
}

/* Returns true if the code that the forking signal handler interrupted holds the lock.
 * If a lock is held but `holder' is 0, that code was interrupted between taking or
 * releasing the mutex and setting `holder'. */
static bool is_held_by_interrupted(const mia_lock *lock) {
  uintptr_t holder = mia_aword_get(&lock->holder);
  return thread_locks.depth > 0 &&
         (holder == me() || (holder == 0 && thread_locks.changing == id_of(lock)));
}

/* Unlocks the mutex, if the fork holds it, rather than initializing it again: a thread
 * that the child has already started may wait for it. */
void mia_os_unlock_after_fork(mia_lock *lock, bool child) {
  const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
  if (is_held_by_fork(lock)) {
    unlock_mutex(lock);
  } else if (child && !is_held_by_interrupted(lock)) {
    lock->mutex = unlocked;
    mia_aword_set(&lock->holder, 0);
  }
}

/* pthread_once fails only for arguments that we do not pass. */
void mia_os_once(mia_once *once, void (*act)(void)) { (void)pthread_once(&once->once, act); }
