/* thread.c -- threads come and go. */
#include "base/prelude.h"

#include "base/fail.h"
#include "local/bin.h"
#include "local/heap.h"
#include "local/stock.h"
#include "local/thread.h"
#include "os/os.h"

#include <errno.h>

/* Not acquired: locals are given back under a lock, and so the last thread to do so
 * sees what all others did before. */
static void tell_deserted(void) {
  void (*told)(void) = (void (*)(void))mia_aword_get(&mia_local_all.deserted);
  if (told != NULL) told();
}

static void at_thread_exit(void *local) {
  mia_assert(local == mia_local_self);
  (void)local;
  mia_local_detach();
}

mia_local *mia_local_attach(void) {
  mia_local *self = mia_local_self;
  if (!mia_local_is_none(self)) return self;
  self = mia_local_take(mia_local_main_heap());
  if (self == NULL) return NULL;
  /* In this order: the hook may allocate, and is served. */
  mia_local_self = self;
  mia_local_tally_up(&mia_local_all.attached);
  /* Without a hook what the thread holds stays with it: nothing worse. */
  (void)mia_os_at_thread_exit(at_thread_exit, self);
  return self;
}

mia_local *mia_local_begin_to_free(void) {
  int error = errno;
  mia_local *self = mia_local_attach();
  errno = error;
  return self != NULL ? self : &mia_local_all.none;
}

/* Not the first in the list, where the first local is: there is always memory for that. */
mia_local *mia_local_take_shared(void) {
  mia_local *shared = &mia_local_all.shared;
  mia_os_lock(&mia_local_all.shared_lock);
  if (shared->all == NULL) {
    mia_os_lock(&mia_local_all.threads);
    mia_local_list_in_all(shared);
    mia_os_unlock(&mia_local_all.threads);
  }
  mia_assert(shared->all != NULL);
  return shared;
}

void mia_local_give_shared(void) { mia_os_unlock(&mia_local_all.shared_lock); }

void mia_local_detach(void) {
  mia_local *self = mia_local_self;
  if (mia_local_is_none(self)) return;
  (void)mia_os_at_thread_exit(at_thread_exit, NULL);
  mia_local_leave_heaps(self);
  mia_local_abandon(self);
  self->chosen = NULL;
  self->subproc = NULL;
  mia_local_self = &mia_local_all.ended;
  mia_local_tally_down(&mia_local_all.attached);
  mia_local_give(self);
  if (mia_aword_get(&mia_local_all.attached.now) == 0) tell_deserted();
}

/* ---- fork ---- */

void mia_local_before_fork(mia_tick until) {
  mia_os_hold(&mia_local_all.shared_lock, until);
  mia_os_hold(&mia_local_all.threads, until);
  mia_os_hold(&mia_local_all.pool_lock, until);
}

/* Of the threads that were attached the child has one at the most. */
static void count_again(void) {
  uintptr_t attached = mia_local_is_none(mia_local_self) ? 0 : 1;
  mia_aword_set(&mia_local_all.attached.now, attached);
  mia_aword_set(&mia_local_all.attached.peak, attached);
}

void mia_local_after_fork(bool child) {
  if (child) {
    count_again();
    mia_aword_set(&mia_local_all.forked, 1);
  }
  mia_os_let_go(&mia_local_all.pool_lock, child);
  mia_os_let_go(&mia_local_all.threads, child);
  mia_os_let_go(&mia_local_all.shared_lock, child);
}
