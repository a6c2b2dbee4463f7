/* kept.c -- mappings of huge blocks that were freed, kept for the next ones. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "base/bits.h"
#include "base/fail.h"
#include "os/os.h"

#include <string.h>

/* Less is mapped again as fast. */
#define SIZE_MIN MIA_MIB

/* How much larger, or smaller, one may be than what is wanted: what is cut off has
 * to be faulted in again. */
enum { LARGER_PART = 4, SMALLER_PART = 2 };

/* How much is unmapped for a block that is made or grows: so many times as much as it
 * takes, and a little. */
enum { FIT_PART = 2 };
#define FIT_LEAST (2 * MIA_MIB)

static mia_arena_mapping_cache *const kept = &mia_arena_all.kept;

static void count_in(const mia_mapping *m) {
  if (m->purged) return;
  mia_aword_add(&kept->bytes, m->size);
  mia_aword_add(&mia_arena_all.idle, m->size);
}

static void count_out(const mia_mapping *m) {
  if (m->purged) return;
  mia_aword_sub(&kept->bytes, m->size);
  mia_aword_sub(&mia_arena_all.idle, m->size);
}

/* ---- the array, [lock] ---- */

/* The first one of at least so many bytes; count: there is none. */
static size_t first_of(size_t size) {
  size_t low = 0, high = kept->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (kept->at[middle].size < size)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void insert(const mia_mapping *m) {
  size_t i = first_of(m->size);
  memmove(&kept->at[i + 1], &kept->at[i], (kept->count - i) * sizeof *m);
  kept->at[i] = *m;
  kept->count++;
  count_in(m);
}

static void take_out(size_t i, mia_mapping *m) {
  *m = kept->at[i];
  kept->count--;
  memmove(&kept->at[i], &kept->at[i + 1], (kept->count - i) * sizeof *m);
  count_out(m);
}

/* What grows may have to move, and is then aligned to an OS page. */
static size_t best_for(size_t size, size_t align) {
  size_t above = first_of(size);
  for (size_t i = above; i < kept->count && kept->at[i].size - size <= size / LARGER_PART; i++)
    if (!kept->at[i].stuck && mia_is_aligned(kept->at[i].start, align)) return i;
  if (align > mia_os_page_size()) return kept->count;
  for (size_t i = above; i-- > 0 && kept->at[i].size >= size / SMALLER_PART;)
    if (!kept->at[i].stuck) return i;
  return kept->count;
}

/* Of those that can go. */
static size_t oldest(void) {
  size_t found = kept->count;
  for (size_t i = 0; i < kept->count; i++)
    if (!kept->at[i].stuck && (found == kept->count || kept->at[i].turn < kept->at[found].turn))
      found = i;
  return found;
}

static size_t first_aged(void) {
  size_t i = 0;
  while (i < kept->count && !kept->at[i].aged) i++;
  return i;
}

/* ---- keeping and taking ---- */

static bool put(const mia_mapping *m) {
  mia_os_lock(&kept->lock);
  bool room = kept->count < MIA_MAPPING_CACHE_MAX;
  if (room) {
    mia_mapping last = *m;
    last.turn = ++kept->turn;
    insert(&last);
  }
  mia_os_unlock(&kept->lock);
  return room;
}

bool mia_arena_cache_mapping(void *start, size_t size) {
  bool too_much = mia_aword_get(&mia_arena_all.excess.unfinished) != 0;
  return size >= SIZE_MIN && mia_aword_get(&kept->wanted) != 0 && !too_much &&
         put(&(mia_mapping){.start = start, .size = size});
}

bool mia_arena_take_cached(size_t size, size_t align, mia_mapping *taken) {
  mia_os_lock(&kept->lock);
  size_t i = best_for(size, align);
  bool found = i < kept->count;
  if (found) take_out(i, taken);
  mia_os_unlock(&kept->lock);
  return found;
}

/* ---- dropping ---- */

/* What the kernel does not let go waits for the purger; what cannot wait is address
 * space that costs nothing. */
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
  mia_os_lock(&kept->lock);
  size_t i = choose();
  bool found = i < kept->count;
  if (found) take_out(i, m);
  mia_os_unlock(&kept->lock);
  return found;
}

/* Unmaps one, or its end where it is larger than the budget: what is left waits. */
static size_t drop_within(mia_mapping *m, mia_budget *budget) {
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

static size_t drop_down_to(const mia_aword *counted, size_t rest, mia_budget *budget) {
  mia_mapping m;
  size_t gone = 0;
  while (mia_aword_get(&kept->bytes) > 0 && mia_aword_get(counted) > rest &&
         !mia_budget_is_spent(budget) && take_one(oldest, &m)) {
    mia_budget_spend(budget, m.size);
    gone += mia_arena_unmap(&m);
  }
  return gone;
}

size_t mia_arena_flush_cached(size_t rest, mia_budget *budget) {
  return drop_down_to(&mia_arena_all.idle, rest, budget);
}

void mia_arena_fit_cached(size_t more) {
  if (mia_aword_get(&kept->bytes) == 0) return;
  size_t peak = mia_aword_get(&mia_arena_all.used_peak);
  size_t used = mia_aword_get(&mia_arena_all.used) + more;
  mia_budget budget = {.left = FIT_PART * more + FIT_LEAST};
  (void)drop_down_to(&kept->bytes, used < peak ? peak - used : 0, &budget);
}

void mia_arena_miss_cached(size_t size) {
  uintptr_t lost = mia_aword_get(&kept->lost);
  while (lost > 0 && !mia_aword_cas(&kept->lost, &lost, lost > size ? lost - size : 0)) {}
}

/* What is put again meanwhile is not aged, but for what is left of one that is. */
static size_t drop_aged(mia_budget *budget) {
  mia_mapping m;
  size_t gone = 0;
  while (!mia_budget_is_spent(budget) && take_one(first_aged, &m)) gone += drop_within(&m, budget);
  return gone;
}

static void age(void) {
  mia_os_lock(&kept->lock);
  for (size_t i = 0; i < kept->count; i++) kept->at[i].aged = true;
  mia_os_unlock(&kept->lock);
}

void mia_arena_age_cached(bool is_time, mia_budget *budget) {
  if (is_time) mia_aword_set(&kept->due, 1);
  if (mia_aword_get(&kept->due) == 0) return;
  (void)drop_aged(budget);
  if (mia_budget_is_spent(budget)) return;
  mia_aword_set(&kept->due, 0);
  age();
}

size_t mia_arena_flush_all_cached(void) {
  mia_budget budget = MIA_BUDGET_ALL;
  age();
  return drop_aged(&budget);
}
