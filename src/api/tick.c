/* SPDX-License-Identifier: MIT */
/* tick.c -- the periodic work of a thread. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/give_back.h"
#include "api/options.h"
#include "api/process.h"
#include "api/tick.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/hardened.h"
#include "theap/page_cache.h"
#include "theap/trim_pages.h"

#include <errno.h>

__attribute__((used)) static const char *const links_process = &mia_api_process_is_linked;

/* For so many delays after pages came or went a thread runs ticks: a cached page ages, is
 * retired, and is then idle. */
enum { WATCH_DELAYS = 3 };

/* Returns false if there is more to do than the budget allows. */
static bool give_back_within_budget(mia_theap *self, mia_time_ms now) {
  bool finished = mia_api_give_back(self, now, (mia_budget){.left = MIA_API_TICK_BUDGET});
  mia_api_wake_background();
  return finished;
}

/* Ends a tick.  In the first one of a millisecond, what the thread keeps for itself becomes visible
 * to others. */
static void end_tick(mia_theap *self, mia_time_ms now, bool is_new) {
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  bool idle_memory = delay >= 0 && (mia_arena_idle() > 0 || mia_theap_untrimmed() > 0);
  mia_time_ms watch = delay >= 0 ? (mia_time_ms)(mia_api_age_delay(delay) * WATCH_DELAYS) : 0;
  if (!mia_theap_end_tick(self, now, watch, idle_memory)) return;
  if (is_new) {
    mia_theap_flush_remote(self);
    mia_theap_settle_cache(self);
    mia_theap_age_held(self, now);
  }
  mia_theap_watch(self, is_new);
}

/* Within one millisecond only two things can become due: what pages leave that came or went, and what
 * a budget cut off. */
static void run_tick(mia_theap *self) {
  mia_time_ms now = mia_os_now();
  if (mia_theap_is_none(self)) {
    (void)give_back_within_budget(self, now);
    return;
  }
  bool is_new = mia_clock_is_new(self, now);
  bool has_work = is_new || mia_clock_has_work(self);
  bool finished = !has_work || give_back_within_budget(self, now);
  end_tick(self, now, is_new);
  mia_clock_set_unfinished(self, !finished);
}

void mia_api_run_tick(void) {
  int error = errno;
  run_tick(mia_theap_self);
  mia_api_restart_background();
  errno = error;
}

void mia_api_run_tick_after_free(void) {
  int error = errno;
  run_tick(mia_theap_self);
  errno = error;
}
