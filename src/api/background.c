/* background.c -- a thread that gives memory back when no other does a thing. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/give_back.h"
#include "api/options.h"
#include "os/os.h"
#include "theap/page_cache.h"

/* What the thread and those who stir it tell each other, in one word that both
 * swap: the thread, when it begins to work, sees what was done before it was stirred;
 * and who finds it asleep sees the bell.  NONE: it is not wanted; ENDED: it is, but no
 * thread was left.  Who allocates and finds that starts it again. */
enum { NONE = 0, CALM, STIRRED, ASLEEP, ENDED };

/* At the longest, it is noticed so late that no thread is left. */
enum { REST_MIN_MS = 10, REST_MAX_MS = 250 };

/* After so many delays in which nothing went back nothing will. */
enum { VAIN_DELAYS = 4 };

static bool is_alone(void) { return mia_aword_get(&mia_theap_all.attached.now) == 0; }

static void sleep_until_stirred(void) {
  uintptr_t was = CALM;
  while (was == CALM && !mia_aword_cas_rel(&mia_api_all.background, &was, ASLEEP)) {}
  if (was == CALM) mia_os_wait_for_bell(&mia_api_all.bell);
}

static long rest(long delay) {
  long ms = delay < REST_MIN_MS ? REST_MIN_MS : delay > REST_MAX_MS ? REST_MAX_MS : delay;
  mia_os_sleep((size_t)ms);
  return ms;
}

static bool is_anything_left(void) { return mia_arena_idle() > 0 || mia_theap_has_cached_page(); }

static void work(void) {
  mia_theap *self = mia_theap_self; /* none: it never allocates */
  size_t purged = mia_aword_get(&mia_arena_all.purged);
  long vain = 0, delay;
  do {
    delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
    long ms = rest(delay);
    (void)mia_aword_swap_acq(&mia_api_all.background, CALM);
    (void)mia_api_give_back(self, mia_os_now(), (mia_budget)MIA_BUDGET_ALL);
    size_t before = purged;
    purged = mia_aword_get(&mia_arena_all.purged);
    vain = purged == before ? vain + ms : 0;
  } while (is_anything_left() && vain / VAIN_DELAYS <= delay && !is_alone());
}

/* Not if it was stirred meanwhile: who did that may be about to use memory. */
static bool end(void) {
  uintptr_t was = CALM;
  while (was == CALM && !mia_aword_cas(&mia_api_all.background, &was, ENDED)) {}
  return was == CALM;
}

static void *run(void *unused) {
  do {
    sleep_until_stirred();
    work();
  } while (!is_alone() || !end());
  return unused;
}

static bool start(void) {
  if (mia_os_start_thread(run)) return true;
  mia_aword_set(&mia_api_all.background, NONE);
  return false;
}

bool mia_api_start_background(void) {
  mia_os_make_bell(&mia_api_all.bell);
  mia_aword_set(&mia_api_all.background, CALM);
  mia_aword_set(&mia_theap_all.on_last_exit, (uintptr_t)mia_api_wake_background);
  return start();
}

void mia_api_renew_background(void) {
  if (mia_aword_get(&mia_api_all.background) == NONE) return;
  mia_os_make_bell(&mia_api_all.bell);
  mia_aword_set(&mia_api_all.background, ENDED);
}

void mia_api_wake_background(void) {
  uintptr_t was = mia_aword_get(&mia_api_all.background);
  do {
    if (was == NONE || was == ENDED) return;
  } while (!mia_aword_cas_acq_rel(&mia_api_all.background, &was, STIRRED));
  if (was == ASLEEP) mia_os_ring_bell(&mia_api_all.bell);
}

void mia_api_restart_background(void) {
  uintptr_t was = mia_aword_get(&mia_api_all.background);
  while (was == ENDED && !is_alone())
    if (mia_aword_cas(&mia_api_all.background, &was, STIRRED)) {
      (void)start();
      return;
    }
}
