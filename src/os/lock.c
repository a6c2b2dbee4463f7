/* lock.c -- ranked locks over the libc's mutex, and who has them while it forks. */
#include "base/prelude.h"

#include "base/fail.h"
#include "os/lock.h"
#include "os/os.h"
#include "os/tls.h"

/* How long a fork waits for locks that others have.  A thread that has one gives it
 * back within microseconds, if it runs; but a signal handler may have interrupted it
 * and wait in there, for the fork of all things.  The second is for who forks in such
 * a handler: a lock that it has itself looks like another's for an instant. */
enum { PATIENCE_MS = 2000, PATIENCE_IN_LOCKS_MS = 100 };

/* What a thread does with locks.  Its address stands for the thread; it is even. */
static mia_thread_local struct {
  uint16_t depth;   /* locks that it has or is about to have; not those of a fork */
  uint16_t forks;   /* forks that have begun, one in the handlers of the other */
  uint16_t ranks;   /* a bit for each rank that it holds; debug builds only */
  uint16_t passing; /* a lock that it may have though that does not say so yet; 0: none */
} own;

enum { BY_FORK = 1 };

static uintptr_t me(void) { return (uintptr_t)&own; }

/* Only the thread itself writes what this looks for. */
static bool is_had_by_fork(const mia_lock *lock) {
  return mia_unlikely(mia_aword_get(&lock->holder) == (me() | BY_FORK));
}

static void note_taken(const mia_lock *lock) {
  if (!MIA_DEBUG) return;
  mia_assert((own.ranks & (((unsigned)2 << lock->rank) - 1)) == 0);
  own.ranks = (uint16_t)(own.ranks | 1u << lock->rank);
}

static void note_given(const mia_lock *lock) {
  if (MIA_DEBUG) own.ranks = (uint16_t)(own.ranks & ~(1u << lock->rank));
}

/* What tells locks apart, of which there are few: thread-local memory is scarce. */
static uint16_t mark_of(const mia_lock *lock) {
  enum { ALIGNED = 3 };
  return (uint16_t)((uintptr_t)lock >> ALIGNED | 1);
}

/* In a handler this may interrupt itself. */
static uint16_t begin_passing(const mia_lock *lock) {
  uint16_t before = own.passing;
  own.passing = mark_of(lock);
  mia_signal_fence();
  return before;
}

static void end_passing(uint16_t before) {
  mia_signal_fence();
  own.passing = before;
}

static void open_mutex(mia_lock *lock) {
  uint16_t before = begin_passing(lock);
  mia_aword_set(&lock->holder, 0);
  int error = pthread_mutex_unlock(&lock->mutex);
  end_passing(before);
  mia_assert(error == 0);
  (void)error;
}

/* A handler that interrupts this finds the depth raised as long as it is not certain
 * that the thread does not have the lock. */
void mia_os_lock(mia_lock *lock) {
  if (is_had_by_fork(lock)) return;
  own.depth++;
  note_taken(lock);
  uint16_t before = begin_passing(lock);
  int error = pthread_mutex_lock(&lock->mutex);
  mia_assert(error == 0);
  (void)error;
  mia_aword_set(&lock->holder, me());
  end_passing(before);
}

bool mia_os_try_lock(mia_lock *lock) {
  if (is_had_by_fork(lock)) return true;
  own.depth++;
  uint16_t before = begin_passing(lock);
  bool taken = pthread_mutex_trylock(&lock->mutex) == 0;
  if (taken) mia_aword_set(&lock->holder, me());
  end_passing(before);
  if (taken)
    note_taken(lock);
  else
    own.depth--;
  return taken;
}

void mia_os_unlock(mia_lock *lock) {
  if (is_had_by_fork(lock)) return;
  note_given(lock);
  open_mutex(lock);
  own.depth--;
}

/* ---- fork ---- */

mia_tick mia_os_begin_fork(void) {
  if (own.forks++ > 0) return 0;
  mia_tick until = mia_os_now() + (own.depth > 0 ? PATIENCE_IN_LOCKS_MS : PATIENCE_MS);
  return until != 0 ? until : 1;
}

bool mia_os_end_fork(void) { return own.forks > 0 && --own.forks == 0; }

void mia_os_hold(mia_lock *lock, mia_tick until) {
  while (pthread_mutex_trylock(&lock->mutex) != 0) {
    if (mia_aword_get(&lock->holder) == me()) return;
    if (mia_tick_reached(mia_os_now(), until)) return;
    mia_os_yield();
  }
  mia_aword_set(&lock->holder, me() | BY_FORK);
}

/* Nobody's name on a lock that is not free is that of who was interrupted between
 * having the lock and saying so. */
static bool is_of_interrupted(const mia_lock *lock) {
  uintptr_t holder = mia_aword_get(&lock->holder);
  return own.depth > 0 && (holder == me() || (holder == 0 && own.passing == mark_of(lock)));
}

/* Unlocked, where that can be, rather than made anew: a thread that the child has
 * already may wait for it. */
void mia_os_let_go(mia_lock *lock, bool child) {
  const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
  if (is_had_by_fork(lock)) {
    open_mutex(lock);
  } else if (child && !is_of_interrupted(lock)) {
    lock->mutex = fresh;
    mia_aword_set(&lock->holder, 0);
  }
}

/* It fails only for arguments that we do not give. */
void mia_os_once(mia_once *once, void (*act)(void)) { (void)pthread_once(&once->once, act); }
