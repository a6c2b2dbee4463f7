/* SPDX-License-Identifier: MIT */
/* mapping_cache.c -- mappings of huge blocks that were freed, for reuse by later ones. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "base/bits.h"
#include "base/fail.h"
#include "os/os.h"

#include <string.h>

/* A smaller block is mapped anew as fast. */
#define SIZE_MIN MIA_MIB

/* A mapping that is smaller than a request grows for it if it is at least half as large. */
enum { SMALLER_PART = 2 };

/* Unmapping for a huge block that is made or grows stops after so many times the bytes that
 * it takes, plus FIT_MIN. */
enum { FIT_PART = 2 };
#define FIT_MIN (2 * MIA_MIB)

static mia_arena_mapping_cache *const cache = &mia_arena_all.mapping_cache;

static void count_cached(const mia_mapping *m) {
  if (m->purged) return;
  mia_aword_add(&cache->bytes, m->size);
  mia_aword_add(&mia_arena_all.idle, m->size);
}

static void uncount_cached(const mia_mapping *m) {
  if (m->purged) return;
  mia_aword_sub(&cache->bytes, m->size);
  mia_aword_sub(&mia_arena_all.idle, m->size);
}

/* ---- the array, [lock] ---- */

/* Returns the index of the first mapping that begins at `start' or behind it, or `count'. */
static size_t first_from(const char *start) {
  size_t low = 0, high = cache->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (cache->at[middle].start < start)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void insert(const mia_mapping *m) {
  size_t i = first_from(m->start);
  memmove(&cache->at[i + 1], &cache->at[i], (cache->count - i) * sizeof *m);
  cache->at[i] = *m;
  cache->count++;
  count_cached(m);
}

static void remove_at(size_t i, mia_mapping *m) {
  *m = cache->at[i];
  cache->count--;
  memmove(&cache->at[i], &cache->at[i + 1], (cache->count - i) * sizeof *m);
  uncount_cached(m);
}

/* ---- runs ----
 * A run is `count' mappings from `at' on of which each ends where the next begins. */

typedef struct run {
  size_t at, count;
  size_t size; /* of all of them together */
} run;

static bool can_join(size_t i) {
  return i < cache->count && !cache->at[i].stuck &&
         cache->at[i - 1].start + cache->at[i - 1].size == cache->at[i].start;
}

/* Returns the run from a mapping on that is just large enough, or all that can be joined to it. */
static run run_from(size_t at, size_t size) {
  run r = {at, 1, cache->at[at].size};
  while (r.size < size && can_join(at + r.count)) r.size += cache->at[at + r.count++].size;
  return r;
}

/* Returns true if a run fits a request better than another one, which may be empty.  One that is too
 * small has to grow. */
static bool is_better(const run *r, const run *than, size_t size) {
  if (r->size >= size) return than->size < size || r->size < than->size;
  return than->size < size && r->size > than->size;
}

/* Returns the run that fits best, or one of no mappings.  A run that grows may have to move, and is then
 * aligned to an OS page only. */
static run best_fit(size_t size, size_t align) {
  size_t least = align > mia_os_page_size() ? size : size / SMALLER_PART;
  run best = {0};
  for (size_t i = 0; i < cache->count; i++) {
    if (cache->at[i].stuck || !mia_is_aligned(cache->at[i].start, align)) continue;
    run r = run_from(i, size);
    if (r.size >= least && is_better(&r, &best, size)) best = r;
  }
  return best;
}

/* Takes the beginning of a run as one mapping.  The rest is a part of the run's last mapping, and as
 * old. */
static void take_run(const run *r, size_t size, mia_mapping *taken) {
  size_t rest = r->size > size ? r->size - size : 0;
  mia_mapping last = {0};
  *taken = (mia_mapping){.start = cache->at[r->at].start, .size = r->size};
  for (size_t n = 0; n < r->count; n++) remove_at(r->at, &last);
  if (rest < SIZE_MIN) return;
  taken->size = size;
  last.start += last.size - rest;
  last.size = rest;
  insert(&last);
}

/* Returns the index of the oldest mapping that is not stuck, or `count'. */
static size_t oldest(void) {
  size_t found = cache->count;
  for (size_t i = 0; i < cache->count; i++)
    if (!cache->at[i].stuck && (found == cache->count || cache->at[i].turn < cache->at[found].turn))
      found = i;
  return found;
}

/* Returns the index of the first aged mapping, or `count'. */
static size_t first_aged(void) {
  size_t i = 0;
  while (i < cache->count && !cache->at[i].aged) i++;
  return i;
}

/* ---- putting and taking ---- */

static bool put(const mia_mapping *m) {
  mia_os_lock(&cache->lock);
  bool room = cache->count < MIA_MAPPING_CACHE_MAX;
  if (room) {
    mia_mapping last = *m;
    last.turn = ++cache->turn;
    insert(&last);
  }
  mia_os_unlock(&cache->lock);
  return room;
}

bool mia_arena_cache_mapping(void *start, size_t size) {
  bool too_much = mia_aword_get(&mia_arena_all.excess.unfinished) != 0;
  return size >= SIZE_MIN && mia_aword_get(&cache->wanted) != 0 && !too_much &&
         put(&(mia_mapping){.start = start, .size = size});
}

bool mia_arena_take_cached(size_t size, size_t align, mia_mapping *taken) {
  mia_os_lock(&cache->lock);
  run r = best_fit(size, align);
  if (r.count > 0) take_run(&r, size, taken);
  mia_os_unlock(&cache->lock);
  return r.count > 0;
}

/* ---- unmapping ---- */

/* If the kernel cannot unmap the mapping, it is purged and goes back into the cache, where
 * the purger tries again.  If the cache is full, address space is lost, which costs nothing. */
size_t mia_arena_unmap(mia_mapping *m) {
  size_t size = m->purged ? 0 : m->size;
  if (mia_os_release(m->start, m->size)) {
    mia_aword_sub(&mia_arena_all.reserved, m->size);
  } else {
    m->purged = m->purged || mia_os_purge(m->start, m->size);
    m->stuck = true;
    m->aged = false;
    (void)put(m);
    if (!m->purged) return 0;
  }
  mia_aword_add(&mia_arena_all.purged, size);
  return size;
}

static bool take_one(size_t (*choose)(void), mia_mapping *m) {
  mia_os_lock(&cache->lock);
  size_t i = choose();
  bool found = i < cache->count;
  if (found) remove_at(i, m);
  mia_os_unlock(&cache->lock);
  return found;
}

/* Unmaps a mapping, or only its end if it is larger than the budget: the rest goes back
 * into the cache. */
static size_t unmap_within(mia_mapping *m, mia_budget *budget) {
  size_t size = m->size, page = mia_os_page_size();
  size_t part = mia_align_up(budget->left < size ? budget->left + 1 : size, page);
  mia_budget_spend(budget, size);
  if (part >= size || m->purged) return mia_arena_unmap(m);
  if (!mia_os_resize(m->start, size, size - part)) return mia_arena_unmap(m);
  mia_aword_sub(&mia_arena_all.reserved, part);
  mia_aword_add(&mia_arena_all.purged, part);
  m->size = size - part;
  if (!put(m)) part += mia_arena_unmap(m);
  return part;
}

/* Unmaps mappings, the oldest first, until `counted' is at most `rest'. */
static size_t unmap_down_to(const mia_aword *counted, size_t rest, mia_budget *budget) {
  mia_mapping m;
  size_t freed = 0;
  while (mia_aword_get(&cache->bytes) > 0 && mia_aword_get(counted) > rest &&
         !mia_budget_is_spent(budget) && take_one(oldest, &m)) {
    mia_budget_spend(budget, m.size);
    freed += mia_arena_unmap(&m);
  }
  return freed;
}

size_t mia_arena_flush_cached(size_t rest, mia_budget *budget) {
  return unmap_down_to(&mia_arena_all.idle, rest, budget);
}

void mia_arena_fit_cached(size_t more) {
  if (mia_aword_get(&cache->bytes) == 0) return;
  size_t peak = mia_aword_get(&mia_arena_all.used_peak);
  size_t used = mia_aword_get(&mia_arena_all.used) + more;
  mia_budget budget = {.left = FIT_PART * more + FIT_MIN};
  (void)unmap_down_to(&cache->bytes, used < peak ? peak - used : 0, &budget);
}

/* Returns true if the last excess purge was a short time ago. */
static bool was_purged_lately(void) {
  mia_time_ms purged_at = mia_acell_get(&mia_arena_all.excess.purged_at);
  return purged_at != 0 && mia_os_now() - purged_at < MIA_EXCESS_SOON_MS;
}

void mia_arena_miss_cached(size_t size) {
  uintptr_t missing = mia_aword_get(&cache->missing);
  if (missing == 0 || !was_purged_lately()) return;
  while (missing > 0 &&
         !mia_aword_cas(&cache->missing, &missing, missing > size ? missing - size : 0)) {}
}

/* The loop ends: mappings that are put into the cache meanwhile are not aged, except the rest
 * of one that was cut, and then the budget is spent. */
static size_t unmap_aged(mia_budget *budget) {
  mia_mapping m;
  size_t freed = 0;
  while (!mia_budget_is_spent(budget) && take_one(first_aged, &m))
    freed += unmap_within(&m, budget);
  return freed;
}

static void age_all(void) {
  mia_os_lock(&cache->lock);
  for (size_t i = 0; i < cache->count; i++) cache->at[i].aged = true;
  mia_os_unlock(&cache->lock);
}

void mia_arena_age_cached(bool is_time, mia_budget *budget) {
  if (is_time) mia_aword_set(&cache->due, 1);
  if (mia_aword_get(&cache->due) == 0) return;
  (void)unmap_aged(budget);
  if (mia_budget_is_spent(budget)) return;
  mia_aword_set(&cache->due, 0);
  age_all();
}

size_t mia_arena_flush_all_cached(void) {
  mia_budget budget = MIA_BUDGET_ALL;
  age_all();
  return unmap_aged(&budget);
}
