/* process.c -- what happens once in a process, and now and then.
 *
 * Nothing here is needed for allocating: the roots of all layers are static and
 * valid before any code of ours has run. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/options.h"
#include "api/process.h"
#include "api/purge.h"
#include "api/stats.h"
#include "local/bin.h"
#include "local/spare.h"
#include "local/thread.h"
#include "os/os.h"

#include <errno.h>

/* A spare page ages, is dropped, and is then idle. */
enum { WATCH_DELAYS = 3 };

/* A thread that has made memory idle sees to it that it looks again, a few times
 * in every tick of the clock, however little it does from now on: once would not
 * do, as what it does next may still be in this tick, and then nothing for long. */
static void watch(mia_local *self, mia_tick now) {
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  self->calm = true;
  if (self->stirred) self->watch = now + (mia_tick)(delay * WATCH_DELAYS);
  self->stirred = false;
  bool wanted = delay >= 0 && (mia_arena_idle() > 0 || !mia_tick_reached(now, self->watch));
  if (!wanted) return;
  bool anew = now != self->withheld;
  if (anew) {
    mia_local_send_stashes(self);
    mia_local_cool(self);
    mia_local_recount_spares(self);
  }
  mia_local_withhold(self, anew);
  self->withheld = now;
}

void mia_api_look_at_clock(mia_local *self) {
  int error = errno;
  mia_tick now = mia_os_now();
  mia_api_give_back(self, now, (mia_budget)MIA_API_LOOK);
  mia_api_stir_background();
  if (!mia_local_is_none(self)) watch(self, now);
  errno = error;
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
  mia_api_renew_background();
}

/* What the user wants to have from the start. */
static void reserve(void) {
  size_t size = (size_t)mia_option_get(MIA_OPTION_RESERVE_MEMORY) * MIA_KIB;
  size_t pages = (size_t)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES);
  int node = (int)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES_AT);
  bool large = mia_api_is_on(MIA_OPTION_LARGE_PAGES);
  if (size > 0 && mia_reserve_memory(size, false, large, false, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_MEMORY: so much cannot be reserved");
  if (pages > 0 && mia_reserve_huge_pages(pages, node, 0, false, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_HUGE_PAGES: the system has none set aside");
}

__attribute__((constructor)) static void begin(void) {
  mia_api_begin_options();
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_open_stats();
  if (mia_api_is_on(MIA_OPTION_VERBOSE)) mia_options_print();
  reserve();
  (void)mia_os_at_fork(before_fork, after_fork_parent, after_fork_child);
  if (mia_api_is_on(MIA_OPTION_BACKGROUND_PURGE) && !mia_api_start_background())
    mia_api_warn("MIALLOC_BACKGROUND_PURGE: there is no thread to be had");
}

__attribute__((destructor)) static void end(void) {
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_print_stats();
}
