/* tick.c -- the periodic work of a thread. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/give_back.h"
#include "api/options.h"
#include "api/process.h"
#include "api/tick.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/page_cache.h"

#include <errno.h>

__attribute__((used)) static const char *const links_process = &mia_api_process_is_linked;

/* For so many delays after pages came or went a thread runs ticks: a cached page ages, is
 * retired, and is then idle. */
enum { WATCH_DELAYS = 3 };

/* A thread that has run no tick for a while has a larger budget. */
static mia_budget budget_of(const mia_theap *self, mia_time_ms now) {
  bool rare = !mia_theap_is_none(self) && now - self->clock.held_at >= MIA_API_RARE_TICK_MS;
  return (mia_budget){.left = rare ? MIA_API_RARE_TICK_FACTOR * MIA_API_TICK_BUDGET
                                   : MIA_API_TICK_BUDGET};
}

/* What the thread keeps for itself, it keeps for a millisecond. */
static void flush_own(mia_theap *self) {
  mia_theap_flush_remote(self);
  mia_theap_settle_cache(self);
}

/* If memory waits to be given back, makes sure that the thread comes to another tick, however
 * little it does from now on. */
static void end_tick(mia_theap *self, mia_time_ms now, bool finished) {
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  bool watches = mia_theap_end_tick(self, now, (mia_time_ms)(delay * WATCH_DELAYS), finished);
  if (delay < 0 || (!watches && mia_arena_idle() == 0)) return;
  if (mia_clock_is_new(self, now)) flush_own(self);
  mia_theap_hold_lists(self, now);
}

static void give_back(mia_theap *self) {
  mia_time_ms now = mia_os_now();
  bool finished = mia_api_give_back(self, now, budget_of(self, now));
  mia_api_wake_background();
  if (!mia_theap_is_none(self)) end_tick(self, now, finished);
}

/* The deferred-free function of the program may attach or detach the thread. */
void mia_api_run_tick(void) {
  int error = errno;
  (void)mia_api_run_deferred(mia_theap_self, false);
  if (mia_clock_is_due(mia_theap_self)) {
    give_back(mia_theap_self);
    mia_api_restart_background();
  }
  errno = error;
}

void mia_api_run_tick_after_free(void) {
  int error = errno;
  give_back(mia_theap_self);
  errno = error;
}
