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

#define IDLE_MIN (32 * MIA_MIB)
enum {
  IDLE_PART = 8,   /* of what is in use */
  WATCH_DELAYS = 3 /* a spare page ages, is dropped, and is then idle */
};

/* Once in every delay, and for one thread only. */
static bool is_time_to_age(mia_tick now, mia_tick delay) {
  mia_tick due = mia_acell_get(&mia_api_all.age_due);
  if (due != 0 && !mia_tick_reached(now, due)) return false;
  mia_tick next = now + delay;
  return mia_acell_cas(&mia_api_all.age_due, &due, next != 0 ? next : 1);
}

/* Idle memory beyond this is purged at once: what a thread frees and takes again
 * in a loop is less, and so is the part of a process's memory that it never
 * misses. */
static size_t idle_bound(void) {
  size_t part = mia_aword_get(&mia_arena_all.used) / IDLE_PART;
  return part > IDLE_MIN ? part : IDLE_MIN;
}

static void give_back(mia_local *self, mia_tick now, mia_tick delay) {
  if (delay == 0)
    mia_local_drop_spares(self);
  else if (is_time_to_age(now, delay))
    mia_local_age_spares(self);
  mia_arena_purge_due(now, delay);
  mia_arena_purge_excess(now, idle_bound());
}

/* A thread that has made memory idle sees to it that it looks again, once in
 * every tick of the clock, however little it does from now on. */
static void watch(mia_local *self, mia_tick now, mia_tick delay) {
  bool new = now != self->looked;
  self->looked = now;
  self->calm = true;
  if (self->stirred) self->watch = now + WATCH_DELAYS * delay;
  self->stirred = false;
  if (new && (mia_arena_idle() > 0 || !mia_tick_reached(now, self->watch)))
    mia_local_withhold(self);
}

void mia_api_look_at_clock(mia_local *self) {
  long option = mia_option_get(MIA_OPTION_PURGE_DELAY);
  int error = errno;
  mia_tick now = mia_os_now();
  if (option >= 0) give_back(self, now, (mia_tick)option);
  if (!mia_local_is_none(self)) watch(self, now, option > 0 ? (mia_tick)option : 0);
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
