/* process.c -- what happens once in a process, and now and then.
 *
 * Nothing here is needed for allocating: the roots of all layers are static and
 * valid before any code of ours has run. */
#include "base/prelude.h"

#include "api/options.h"
#include "api/process.h"
#include "api/stats.h"
#include "arena/purge.h"
#include "local/bin.h"
#include "local/spare.h"
#include "local/thread.h"
#include "os/os.h"

#include <errno.h>

/* Once in every delay, and for one thread only. */
static bool is_time_to_age(mia_tick now, mia_tick delay) {
  mia_tick due = mia_acell_get(&mia_api_all.age_due);
  if (due != 0 && !mia_tick_reached(now, due)) return false;
  mia_tick next = now + delay;
  return mia_acell_cas(&mia_api_all.age_due, &due, next != 0 ? next : 1);
}

void mia_api_look_at_clock(mia_local *self) {
  self->stirred = false;
  long option = mia_option_get(MIA_OPTION_PURGE_DELAY);
  if (option < 0) return;
  mia_tick delay = (mia_tick)option;
  mia_tick now = mia_os_now();
  int error = errno;
  if (delay == 0)
    mia_local_drop_spares(self);
  else if (is_time_to_age(now, delay))
    mia_local_age_spares(self);
  mia_arena_purge_due(now, delay);
  errno = error;
}

bool mia_api_purge(void) {
  mia_local *self = mia_local_self;
  int error = errno;
  if (!mia_local_is_none(self)) mia_local_collect(self);
  mia_local_drop_spares(self);
  bool purged = mia_arena_purge_now() > 0;
  errno = error;
  return purged;
}

/* In descending rank of the locks. */
static void before_fork(void) {
  mia_os_lock(&mia_api_all.subprocs);
  mia_local_before_fork();
  mia_page_before_fork();
  mia_arena_before_fork();
}

static void after_fork_parent(void) {
  mia_arena_after_fork(false);
  mia_page_after_fork(false);
  mia_local_after_fork(false);
  mia_os_unlock(&mia_api_all.subprocs);
}

static void after_fork_child(void) {
  mia_arena_after_fork(true);
  mia_page_after_fork(true);
  mia_local_after_fork(true);
  mia_os_renew_lock(&mia_api_all.subprocs);
}

__attribute__((constructor)) static void begin(void) {
  mia_acell_set(&mia_api_all.begun, mia_os_now());
  /* A program with rights that its user lacks takes no orders from the user. */
  if (!mia_os_privileged()) mia_api_read_options(mia_os_environment());
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_open_stats();
  if (mia_api_is_on(MIA_OPTION_VERBOSE)) mia_options_print();
  size_t reserved = (size_t)mia_option_get(MIA_OPTION_RESERVE_MEMORY) * MIA_KIB;
  if (reserved > 0 && mia_arena_reserve_os(&(mia_arena_wish){.size = reserved}) == NULL)
    mia_api_warn("MIALLOC_RESERVE_MEMORY: so much cannot be reserved");
  (void)mia_os_at_fork(before_fork, after_fork_parent, after_fork_child);
}

__attribute__((destructor)) static void end(void) {
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_print_stats();
}
