/* SPDX-License-Identifier: MIT */
/* background.c -- a thread that returns memory to the OS while no other thread does anything. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/give_back.h"
#include "api/options.h"
#include "os/os.h"
#include "theap/page_cache.h"

/* The state of the thread, in one word that the thread and those that request work both swap.
 * So when the thread begins to work, it sees all that was done before the request, and a thread
 * that finds it asleep sees the bell.  OFF: there is no background thread.  RUNNING: it has
 * seen all requests.  ENDED: it is enabled, but no thread that allocates was left; the next one
 * starts it again. */
enum { OFF = 0, RUNNING, REQUESTED, ASLEEP, ENDED };

/* Bounds of the pause between two passes.  After the longer one at the latest, the thread
 * notices that no other thread is left. */
enum { PAUSE_MIN_MS = 10, PAUSE_MAX_MS = 250 };

/* The thread stops working after so many delays in which it returned nothing. */
enum { FRUITLESS_DELAYS = 4 };

static bool no_thread_left(void) { return mia_aword_get(&mia_theap_all.attached.now) == 0; }

static void sleep_until_requested(void) {
  uintptr_t was = RUNNING;
  while (was == RUNNING && !mia_aword_cas_rel(&mia_api_all.background, &was, ASLEEP)) {}
  if (was == RUNNING) mia_os_wait_semaphore(&mia_api_all.bell);
}

static long pause_before_pass(long delay) {
  long ms = delay < PAUSE_MIN_MS ? PAUSE_MIN_MS : delay > PAUSE_MAX_MS ? PAUSE_MAX_MS : delay;
  mia_os_sleep((size_t)ms);
  return ms;
}

static bool is_anything_left(void) { return mia_arena_idle() > 0 || mia_theap_has_cached_page(); }

static void purge_until_done(void) {
  mia_theap *self = mia_theap_self; /* none: this thread never allocates */
  size_t purged = mia_aword_get(&mia_arena_all.purged);
  long fruitless_ms = 0, delay;
  do {
    delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
    long ms = pause_before_pass(delay);
    (void)mia_aword_swap_acq(&mia_api_all.background, RUNNING);
    (void)mia_api_give_back(self, mia_os_now(), (mia_budget)MIA_BUDGET_ALL);
    size_t before = purged;
    purged = mia_aword_get(&mia_arena_all.purged);
    fruitless_ms = purged == before ? fruitless_ms + ms : 0;
  } while (is_anything_left() && fruitless_ms / FRUITLESS_DELAYS <= delay && !no_thread_left());
}

/* Returns false if work was requested meanwhile: the thread that did so may be about to use
 * memory. */
static bool try_to_end(void) {
  uintptr_t was = RUNNING;
  while (was == RUNNING && !mia_aword_cas(&mia_api_all.background, &was, ENDED)) {}
  return was == RUNNING;
}

static void *thread_main(void *unused) {
  do {
    sleep_until_requested();
    purge_until_done();
  } while (!no_thread_left() || !try_to_end());
  return unused;
}

static bool start(void) {
  if (mia_os_start_thread(thread_main)) return true;
  mia_aword_set(&mia_api_all.background, OFF);
  return false;
}

bool mia_api_start_background(void) {
  mia_os_make_semaphore(&mia_api_all.bell);
  mia_aword_set(&mia_api_all.background, RUNNING);
  mia_aword_set(&mia_theap_all.on_last_exit, (uintptr_t)mia_api_wake_background);
  return start();
}

void mia_api_reset_background(void) {
  if (mia_aword_get(&mia_api_all.background) == OFF) return;
  mia_os_make_semaphore(&mia_api_all.bell);
  mia_aword_set(&mia_api_all.background, ENDED);
}

void mia_api_wake_background(void) {
  uintptr_t was = mia_aword_get(&mia_api_all.background);
  do {
    if (was == OFF || was == ENDED) return;
  } while (!mia_aword_cas_acq_rel(&mia_api_all.background, &was, REQUESTED));
  if (was == ASLEEP) mia_os_post_semaphore(&mia_api_all.bell);
}

void mia_api_restart_background(void) {
  uintptr_t was = mia_aword_get(&mia_api_all.background);
  while (was == ENDED && !no_thread_left())
    if (mia_aword_cas(&mia_api_all.background, &was, REQUESTED)) {
      (void)start();
      return;
    }
}
