/* SPDX-License-Identifier: MIT */
/* thread.c -- attaches theaps to threads and detaches them. */
#include "base/prelude.h"

#include "base/fail.h"
#include "os/os.h"
#include "os/tags.h"
#include "theap/bin.h"
#include "theap/hardened.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/thread.h"

#include <errno.h>

/* Needs no acquire: theaps are given back under a lock, so the last thread to do so sees what
 * all others did before. */
static void report_last_exit(void) {
  void (*report)(void) = (void (*)(void))mia_aword_get(&mia_theap_all.on_last_exit);
  if (report != NULL) report();
}

static void at_thread_exit(void *theap) {
  mia_assert(theap == mia_theap_self);
  (void)theap;
  mia_theap_detach();
}

mia_theap *mia_theap_attach(void) {
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) return self;
  self = mia_theap_take(mia_theap_main_heap());
  if (self == NULL) return NULL;
  /* Before the hook is registered: that may allocate, and the theap serves it. */
  mia_theap_self = self;
  mia_theap_count_up(&mia_theap_all.attached);
  /* The thread may be older than the tier. */
  if (mia_tier_has_tags()) (void)mia_os_begin_tags();
  /* If the hook cannot be registered, the theap and its memory are not recycled when the thread
   * ends; nothing else depends on it. */
  (void)mia_os_at_thread_exit(at_thread_exit, self);
  return self;
}

mia_theap *mia_theap_attach_to_free(void) {
  int error = errno;
  mia_theap *self = mia_theap_attach();
  errno = error;
  return self != NULL ? self : &mia_theap_all.none;
}

/* The field `all' of the shared theap is NULL until its first use, when it enters the list of all
 * theaps.  It is never the first one there: that is a theap which needs no memory. */
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
  self->in_hook = false; /* a function that ends its thread does not return */
  self->heartbeat = 0;
  self->subproc = NULL;
  mia_theap_self = &mia_theap_all.ended;
  mia_theap_count_down(&mia_theap_all.attached);
  mia_theap_give(self);
  if (mia_aword_get(&mia_theap_all.attached.now) == 0) report_last_exit();
}

/* ---- fork ---- */

void mia_theap_before_fork(mia_time_ms until) {
  mia_os_lock_for_fork(&mia_theap_all.shared_lock, until);
  mia_os_lock_for_fork(&mia_theap_all.threads, until);
  mia_os_lock_for_fork(&mia_theap_all.abandoned_lock, until);
}

/* The child has at most one attached thread: the one that called fork. */
static void recount_threads(void) {
  uintptr_t attached = mia_theap_is_none(mia_theap_self) ? 0 : 1;
  mia_aword_set(&mia_theap_all.attached.now, attached);
  mia_aword_set(&mia_theap_all.attached.peak, attached);
}

void mia_theap_after_fork(bool child) {
  if (child) {
    recount_threads();
    mia_theap_reseed_all();
    mia_aword_set(&mia_theap_all.forked, 1);
  }
  mia_os_unlock_after_fork(&mia_theap_all.abandoned_lock, child);
  mia_os_unlock_after_fork(&mia_theap_all.threads, child);
  mia_os_unlock_after_fork(&mia_theap_all.shared_lock, child);
}
