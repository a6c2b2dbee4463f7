/* SPDX-License-Identifier: MIT */
/* give_back.c -- decides when which memory returns to the OS. */
#include "base/prelude.h"

#include "alloc/heap.h"
#include "api/give_back.h"
#include "api/options.h"
#include "arena/purge.h"
#include "os/os.h"
#include "theap/page_cache.h"
#include "theap/trim_pages.h"

#include <errno.h>

#define IDLE_MIN (32 * MIA_MIB)
enum {
  IDLE_PART = 8, /* of the memory in use */
  NEAR_PART = 8  /* of the limit: a rest smaller than this is near it */
};

/* Returns true once in every delay, to one thread only. */
static bool is_time_to_age(mia_time_ms now, mia_time_ms delay) {
  mia_time_ms due = mia_acell_get(&mia_api_all.age_due);
  if (due != 0 && !mia_time_reached(now, due)) return false;
  mia_time_ms next = now + delay;
  return mia_acell_cas(&mia_api_all.age_due, &due, next != 0 ? next : 1);
}

/* Idle memory beyond this bound is purged at once.  What a thread frees and allocates again in
 * a loop is less than the bound, and so is the part of its memory that a process never misses. */
static size_t idle_bound(void) {
  size_t part = mia_aword_get(&mia_arena_all.used) / IDLE_PART;
  return part > IDLE_MIN ? part : IDLE_MIN;
}

/* Each thread trims its own pages. */
static void trim_own(mia_theap *self, mia_time_ms now, mia_time_ms delay, mia_budget *budget) {
  if (mia_theap_is_none(self)) return;
  if (!mia_theap_is_trimming(self)) {
    if (now - self->trimmed_at < delay || mia_budget_is_spent(budget)) return;
    self->trimmed_at = now;
  }
  mia_theap_trim_own(self, false, budget);
}

static void trim_excess(mia_theap *self, mia_budget *budget) {
  if (mia_theap_untrimmed() <= idle_bound()) return;
  mia_theap_begin_visit(MIA_TRIM_UNTRIMMED);
  mia_theap_trim_abandoned(self, MIA_TRIM_UNTRIMMED, budget);
}

static void give_back(mia_theap *self, mia_time_ms now, mia_time_ms delay, mia_budget *budget) {
  mia_time_ms age_delay = (mia_time_ms)mia_api_age_delay((long)delay);
  bool is_time = is_time_to_age(now, age_delay);
  if (delay == 0)
    mia_theap_flush_all_caches(self, budget);
  else if (is_time || mia_theap_is_aging_caches())
    mia_theap_age_all_caches(self, budget);
  if (is_time) mia_theap_begin_visit(MIA_TRIM_DUE);
  mia_arena_age_cached(is_time || delay == 0, budget);
  mia_theap_trim_abandoned(self, MIA_TRIM_DUE, budget);
  trim_own(self, now, age_delay, budget);
  trim_excess(self, budget);
  mia_arena_purge_due(now, delay, budget);
  mia_arena_purge_excess(now, idle_bound(), budget);
}

/* Near the limit nothing is kept for later, so that the memory in use and the idle memory
 * together stay below it as long as they can. */
static void enforce_limit(mia_theap *self, mia_budget *budget) {
  size_t limit = mia_aword_get(&mia_arena_all.limit);
  if (limit == 0) return;
  size_t near = limit - limit / NEAR_PART;
  if (mia_aword_get(&mia_arena_all.used) > near) mia_theap_flush_all_caches(self, budget);
  size_t used = mia_aword_get(&mia_arena_all.used);
  mia_arena_purge_down_to(used < near ? near - used : 0, budget);
  if (used > near && mia_aword_or(&mia_api_all.limit_near, 1) == 0)
    mia_api_warn("MIALLOC_LIMIT: seven eighths of it are in use");
}

bool mia_api_give_back(mia_theap *self, mia_time_ms now, mia_budget budget) {
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  if (delay >= 0)
    give_back(self, now, (mia_time_ms)delay, &budget);
  else
    mia_aword_set(&mia_arena_all.excess.unfinished, 0); /* no amount is excess */
  enforce_limit(self, &budget);
  return !mia_budget_is_spent(&budget);
}

bool mia_api_purge(void) {
  mia_theap *self = mia_theap_self;
  int error = errno;
  mia_budget budget = MIA_BUDGET_ALL;
  size_t before = mia_aword_get(&mia_arena_all.purged);
  mia_alloc_heap_collect(mia_theap_main_heap(), true);
  mia_theap_flush_all_caches(self, &budget);
  (void)mia_arena_purge_now();
  bool purged = mia_aword_get(&mia_arena_all.purged) != before;
  errno = error;
  return purged;
}
