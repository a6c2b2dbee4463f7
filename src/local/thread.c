/* thread.c -- threads come and go. */
#include "base/prelude.h"

#include "arena/meta.h"
#include "base/fail.h"
#include "local/bin.h"
#include "local/stock.h"
#include "local/thread.h"
#include "os/os.h"

/* One that was never used, [lock:threads]. */
static mia_local *make(void) {
  mia_local *local = &mia_local_all.first;
  if (mia_local_all.first_made) local = mia_arena_meta(sizeof *local);
  mia_local_all.first_made = true;
  if (local == NULL) return NULL;
  local->all = (mia_local *)mia_aword_get(&mia_local_all.all);
  mia_aword_set_rel(&mia_local_all.all, (uintptr_t)local);
  return local;
}

static mia_local *take(void) {
  mia_os_lock(&mia_local_all.threads);
  mia_local *local = mia_local_all.idle;
  if (local != NULL)
    mia_local_all.idle = local->idle;
  else
    local = make();
  mia_os_unlock(&mia_local_all.threads);
  return local;
}

static void give(mia_local *local) {
  mia_os_lock(&mia_local_all.threads);
  local->idle = mia_local_all.idle;
  mia_local_all.idle = local;
  mia_os_unlock(&mia_local_all.threads);
}

static void at_thread_exit(void *local) {
  mia_assert(local == mia_local_self);
  (void)local;
  mia_local_detach();
}

mia_local *mia_local_attach(void) {
  mia_local *self = mia_local_self;
  if (!mia_local_is_none(self)) return self;
  self = take();
  if (self == NULL) return NULL;
  mia_local_tally_up(&mia_local_all.attached);
  /* In this order: the hook may allocate, and is served. */
  mia_local_self = self;
  /* Without a hook what the thread holds stays with it: nothing worse. */
  (void)mia_os_at_thread_exit(at_thread_exit, self);
  return self;
}

void mia_local_detach(void) {
  mia_local *self = mia_local_self;
  if (mia_local_is_none(self)) return;
  (void)mia_os_at_thread_exit(at_thread_exit, NULL);
  mia_local_abandon(self);
  mia_local_self = &mia_local_all.none;
  mia_local_tally_down(&mia_local_all.attached);
  give(self);
}

void mia_local_before_fork(void) {
  mia_os_lock(&mia_local_all.threads);
  mia_os_lock(&mia_local_all.pool_lock);
}

void mia_local_after_fork(bool child) {
  void (*open)(mia_lock *) = child ? mia_os_renew_lock : mia_os_unlock;
  open(&mia_local_all.pool_lock);
  open(&mia_local_all.threads);
}
