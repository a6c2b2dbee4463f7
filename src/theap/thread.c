/* thread.c -- threads come and go. */
#include "base/prelude.h"

#include "base/fail.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>

/* Not acquired: locals are given back under a lock, and so the last thread to do so
 * sees what all others did before. */
static void tell_deserted(void) {
  void (*told)(void) = (void (*)(void))mia_aword_get(&mia_theap_all.on_last_exit);
  if (told != NULL) told();
}

static void at_thread_exit(void *local) {
  mia_assert(local == mia_theap_self);
  (void)local;
  mia_theap_detach();
}

mia_theap *mia_theap_attach(void) {
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) return self;
  self = mia_theap_take(mia_theap_main_heap());
  if (self == NULL) return NULL;
  /* In this order: the hook may allocate, and is served. */
  mia_theap_self = self;
  mia_theap_count_up(&mia_theap_all.attached);
  /* Without a hook what the thread holds stays with it: nothing worse. */
  (void)mia_os_at_thread_exit(at_thread_exit, self);
  return self;
}

mia_theap *mia_theap_attach_to_free(void) {
  int error = errno;
  mia_theap *self = mia_theap_attach();
  errno = error;
  return self != NULL ? self : &mia_theap_all.none;
}

/* Not the first in the list, where the first local is: there is always memory for that. */
mia_theap *mia_theap_take_shared(void) {
  mia_theap *shared = &mia_theap_all.shared;
  mia_os_lock(&mia_theap_all.shared_lock);
  if (shared->all == NULL) {
    mia_os_lock(&mia_theap_all.threads);
    mia_theap_register(shared);
    mia_os_unlock(&mia_theap_all.threads);
  }
  mia_assert(shared->all != NULL);
  return shared;
}

void mia_theap_give_shared(void) { mia_os_unlock(&mia_theap_all.shared_lock); }

void mia_theap_detach(void) {
  mia_theap *self = mia_theap_self;
  if (mia_theap_is_none(self)) return;
  (void)mia_os_at_thread_exit(at_thread_exit, NULL);
  mia_theap_leave_heaps(self);
  mia_theap_abandon(self);
  self->default_heap = NULL;
  self->subproc = NULL;
  mia_theap_self = &mia_theap_all.ended;
  mia_theap_count_down(&mia_theap_all.attached);
  mia_theap_give(self);
  if (mia_aword_get(&mia_theap_all.attached.now) == 0) tell_deserted();
}

/* ---- fork ---- */

void mia_theap_before_fork(mia_tick until) {
  mia_os_hold(&mia_theap_all.shared_lock, until);
  mia_os_hold(&mia_theap_all.threads, until);
  mia_os_hold(&mia_theap_all.abandoned_lock, until);
}

/* Of the threads that were attached the child has one at the most. */
static void count_again(void) {
  uintptr_t attached = mia_theap_is_none(mia_theap_self) ? 0 : 1;
  mia_aword_set(&mia_theap_all.attached.now, attached);
  mia_aword_set(&mia_theap_all.attached.peak, attached);
}

void mia_theap_after_fork(bool child) {
  if (child) {
    count_again();
    mia_aword_set(&mia_theap_all.forked, 1);
  }
  mia_os_let_go(&mia_theap_all.abandoned_lock, child);
  mia_os_let_go(&mia_theap_all.threads, child);
  mia_os_let_go(&mia_theap_all.shared_lock, child);
}
