/* lock.c -- ranked locks over the libc's mutex. */
#include "base/prelude.h"

#include "base/fail.h"
#include "os/lock.h"
#include "os/tls.h"

#if MIA_DEBUG
/* A bit for each rank that the thread holds. */
static mia_thread_local uintptr_t held;
static void note_taken(const mia_lock *lock) {
  mia_assert((held & (((uintptr_t)2 << lock->rank) - 1)) == 0);
  held |= (uintptr_t)1 << lock->rank;
}
static void note_given(const mia_lock *lock) { held &= ~((uintptr_t)1 << lock->rank); }
#else
static void note_taken(const mia_lock *lock) { (void)lock; }
static void note_given(const mia_lock *lock) { (void)lock; }
#endif

void mia_os_lock(mia_lock *lock) {
  note_taken(lock);
  int error = pthread_mutex_lock(&lock->mutex);
  mia_assert(error == 0);
  (void)error;
}

bool mia_os_try_lock(mia_lock *lock) {
  if (pthread_mutex_trylock(&lock->mutex) != 0) return false;
  note_taken(lock);
  return true;
}

void mia_os_unlock(mia_lock *lock) {
  note_given(lock);
  int error = pthread_mutex_unlock(&lock->mutex);
  mia_assert(error == 0);
  (void)error;
}

void mia_os_renew_lock(mia_lock *lock) {
  const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
  note_given(lock);
  lock->mutex = fresh;
}
