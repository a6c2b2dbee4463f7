/* process.c -- the start and the end of a process, its forks, and the ticks.
 *
 * Allocation needs nothing of this: the roots of all layers are static and valid before any of
 * our code runs. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/give_back.h"
#include "api/hook.h"
#include "api/options.h"
#include "api/process.h"
#include "api/stats.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/page_cache.h"
#include "theap/thread.h"

#include <errno.h>

/* For so many delays after pages came or went a thread runs ticks: a cached page ages, is
 * retired, and is then idle. */
enum { WATCH_DELAYS = 3 };

/* The countdown where no memory waits to be given back, and the longest one where some does: reading
 * the time at each slow path would cost a program that swaps short lists a tenth. */
#define TICK_IDLE UINT32_MAX
enum { TICK_INTERVAL_MAX = 64 };

/* Makes a thread that has made memory idle run another tick, however little it does from now on.
 * It follows after one slow path, then two, four and so on, and after one again in another
 * millisecond or if a list was set aside.  Besides, the slow path is forced a few times in each
 * millisecond.  Once would not suffice: the thread's next operation may still fall into this one,
 * with none for a long time after it. */
static void schedule_next_tick(mia_theap *self, mia_time_ms now) {
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  self->tick_countdown = TICK_IDLE;
  if (self->tick_requested) self->tick_until = now + (mia_time_ms)(delay * WATCH_DELAYS);
  self->tick_requested = false;
  bool needs_tick = delay >= 0 &&
                    (mia_arena_idle() > 0 || !mia_time_reached(now, self->tick_until));
  if (!needs_tick) return;
  bool new_tick = now != self->forced_at;
  if (new_tick) {
    mia_theap_flush_magazines(self);
    mia_theap_cache_recent(self);
    mia_theap_recount_cache(self);
  }
  if (mia_theap_force_slow(self, new_tick) || new_tick)
    self->tick_interval = 1;
  else if (self->tick_interval < TICK_INTERVAL_MAX)
    self->tick_interval *= 2;
  self->tick_countdown = self->tick_interval;
  self->forced_at = now;
}

void mia_api_run_tick(mia_theap *self) {
  int error = errno;
  mia_api_run_tick_after_free(self);
  mia_api_restart_background();
  errno = error;
}

static mia_budget budget_of(const mia_theap *self, mia_time_ms now) {
  bool rare = !mia_theap_is_none(self) && now - self->forced_at >= MIA_API_RARE_TICK_MS;
  return (mia_budget){.left = rare ? MIA_API_RARE_TICK_FACTOR * MIA_API_TICK_BUDGET
                                   : MIA_API_TICK_BUDGET};
}

/* Returns false if there is more to do than the budget allows. */
static bool give_back(mia_theap *self, mia_time_ms now) {
  bool finished = mia_api_give_back(self, now, budget_of(self, now));
  mia_api_wake_background();
  return finished;
}

/* Nothing becomes due within a millisecond but what pages that came or went leave behind, and what
 * the budget has left over. */
static void run_tick(mia_theap *self) {
  mia_time_ms now = mia_os_now();
  if (mia_theap_is_none(self)) {
    (void)give_back(self, now);
    return;
  }
  bool finished = now == self->forced_at && !self->tick_requested;
  if (!finished) finished = give_back(self, now);
  schedule_next_tick(self, now);
  if (!finished) mia_theap_request_tick(self);
}

void mia_api_run_tick_after_free(mia_theap *self) {
  int error = errno;
  run_tick(self);
  errno = error;
}

/* The locks are taken in descending rank. */
static void before_fork(void) {
  mia_time_ms until = mia_os_begin_fork();
  if (until == 0) return;
  mia_os_lock_for_fork(&mia_api_all.subprocs, until);
  mia_theap_before_fork(until);
  mia_page_before_fork(until);
  mia_arena_before_fork(until);
}

static void after_fork(bool child) {
  if (!mia_os_end_fork()) return;
  mia_arena_after_fork(child);
  mia_page_after_fork(child);
  mia_theap_after_fork(child);
  mia_os_unlock_after_fork(&mia_api_all.subprocs, child);
}

static void after_fork_parent(void) { after_fork(false); }

static void after_fork_child(void) {
  mia_api_reset_hooks();
  mia_api_reset_background();
  after_fork(true);
}

/* Handlers that are registered first run last before a fork and first after it, so that the
 * handlers of others can allocate as at any other time.  A second call does nothing, nor does a
 * call from within the first. */
void mia_api_register_fork(void) {
  if (mia_aword_or(&mia_api_all.at_fork, 1) != 0) return;
  (void)mia_os_at_fork(before_fork, after_fork_parent, after_fork_child);
}

/* Reserves what the options request at start. */
static void reserve_at_start(void) {
  size_t size = (size_t)mia_option_get(MIA_OPTION_RESERVE_MEMORY) * MIA_KIB;
  size_t pages = (size_t)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES);
  int node = (int)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES_AT);
  bool large = mia_api_is_on(MIA_OPTION_LARGE_PAGES);
  if (size > 0 && mia_reserve_memory(size, large ? MIA_ARENA_IS_LARGE : 0, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_MEMORY: so much cannot be reserved");
  if (pages > 0 && mia_reserve_huge_pages(pages, node, 0, 0, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_HUGE_PAGES: the system has none set aside");
}

/* Before all constructors without a priority: in a static program, before those of all objects. */
enum { FIRST_PRIORITY = 101 };

__attribute__((constructor(FIRST_PRIORITY))) static void begin_first(void) {
  mia_api_begin_options();
  reserve_at_start(); /* before the C library allocates memory for the registration */
  mia_api_register_fork();
}

__attribute__((constructor)) static void begin(void) {
  mia_api_begin_options();
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_open_stats();
  if (mia_api_is_on(MIA_OPTION_VERBOSE)) mia_options_print();
  if (mia_api_is_on(MIA_OPTION_BACKGROUND_PURGE) && !mia_api_start_background())
    mia_api_warn("MIALLOC_BACKGROUND_PURGE: there is no thread to be had");
}

__attribute__((destructor)) static void end(void) {
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_print_stats();
}
