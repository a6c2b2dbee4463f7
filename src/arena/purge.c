/* SPDX-License-Identifier: MIT */
/* purge.c -- returning the memory of free slices to the OS. */
#include "base/prelude.h"

#include "arena/dirty.h"
#include "arena/purge.h"
#include "arena/runs.h"
#include "arena/thp.h"
#include "base/bits.h"
#include "base/fail.h"
#include "map/bitmap.h"
#include "os/os.h"

/* Returns the time `ms' after `now'; never 0, which means that no deadline is set. */
static mia_time_ms deadline(mia_time_ms now, mia_time_ms ms) {
  mia_time_ms then = now + ms;
  return then != 0 ? then : 1;
}

/* Purges memory by the OS, or by the arena's own function. */
static bool purge_memory(const mia_arena *arena, char *start, size_t size) {
  bool zero;
  mia_arena_end_thp(arena, start, size, true);
  if (arena->commit == NULL) return mia_os_purge(start, size);
  return arena->commit(false, start, size, &zero, arena->commit_arg);
}

/* Purges slices if all of them are still free.  Returns the bytes purged.  Some of the
 * slices may have become clean since the caller looked: another thread took them and moved
 * their content elsewhere (mia_arena_huge_detach).  So dirty ones are counted again. */
static size_t purge_run(mia_arena *arena, size_t first, size_t slices) {
  if (!mia_arena_claim(arena, first, slices)) return 0;
  size_t size = slices << MIA_SLICE_SHIFT, idle = mia_arena_count_dirty(arena, first, slices)
                                                  << MIA_SLICE_SHIFT;
  bool purged = purge_memory(arena, arena->start + (first << MIA_SLICE_SHIFT), size);
  if (purged) {
    if (arena->commit != NULL) mia_map_clear(arena->committed, first, slices);
    mia_arena_mark_clean(arena, first, size);
    mia_map_clear(arena->aged, first, slices);
    mia_aword_sub(&mia_arena_all.idle, idle);
  }
  mia_arena_unclaim(arena, first, slices);
  return purged ? size : 0;
}

/* Purges the slices of one cell whose bits are set in `cold', run by run within the budget,
 * and clears the bits of the runs that were tried.  Returns the bytes purged. */
static size_t purge_cell(mia_arena *arena, size_t cell, mia_bits *cold, mia_budget *budget) {
  size_t purged = 0;
  while (*cold != 0 && !mia_budget_is_spent(budget)) {
    size_t low = (size_t)__builtin_ctzll(*cold);
    mia_bits run = *cold >> low;
    size_t slices = ~run == 0 ? MIA_CELL_BITS : (size_t)__builtin_ctzll(~run);
    size_t most = (budget->left >> MIA_SLICE_SHIFT) + 1;
    if (slices > most) slices = most;
    size_t first = (cell << MIA_CELL_SHIFT) + low;
    size_t cost = mia_arena_cost_to_end_thp(arena, arena->start + (first << MIA_SLICE_SHIFT),
                                            slices << MIA_SLICE_SHIFT);
    size_t done = purge_run(arena, first, slices);
    mia_budget_spend(budget, done > 0 ? done + cost : MIA_BUDGET_REGION);
    purged += done;
    bool last = low + slices >= MIA_CELL_BITS;
    *cold = last ? 0 : *cold >> (low + slices) << (low + slices);
  }
  mia_aword_add(&mia_arena_all.purged, purged);
  return purged;
}

/* If the process has locked its memory (mlockall), slices that were never written to are
 * backed.  Purges such slices of an arena once, and again when the program asks (`again'). */
static void purge_locked(mia_arena *arena, bool again) {
  mia_budget budget = MIA_BUDGET_ALL;
  if (arena->slices == 0 || arena->commit != NULL || (arena->swept && !again)) return;
  if (!mia_os_is_locked(arena->start + ((arena->slices - 1) << MIA_SLICE_SHIFT))) return;
  arena->swept = true;
  for (size_t i = 0; i << MIA_CELL_SHIFT < arena->slices; i++) {
    mia_bits clean = mia_acell_get(&arena->free[i]) & ~mia_acell_get(&arena->dirty[i]);
    if (!arena->live) clean &= mia_acell_get(&arena->committed[i]);
    (void)purge_cell(arena, i, &clean, &budget);
  }
}

/* Returns the bits of the slices of a cell that are free and dirty. */
static mia_bits idle_in(const mia_arena *arena, size_t cell) {
  return mia_acell_get(&arena->free[cell]) & mia_acell_get(&arena->dirty[cell]);
}

/* ---- visits ---- */

enum { REGION_CELLS = MIA_REGION_SLICES >> MIA_CELL_SHIFT };

/* A visit to one arena. */
typedef struct visit {
  mia_arena *arena;
  bool all;     /* slices that are not aged are purged too */
  bool remains; /* idle slices remain */
  mia_budget *budget;
} visit;

/* Purges the aged idle slices of a cell, or all idle ones; those that remain become aged.
 * False: the budget did not suffice. */
static bool visit_cell(visit *v, size_t cell) {
  mia_bits idle = idle_in(v->arena, cell);
  if (idle == 0) return true;
  mia_bits cold = v->all ? idle : idle & mia_acell_get(&v->arena->aged[cell]);
  mia_bits warm = idle & ~cold;
  size_t wanted = mia_count_bits(cold) << MIA_SLICE_SHIFT;
  size_t purged = purge_cell(v->arena, cell, &cold, v->budget);
  /* Fewer than wanted: a slice of a run was taken, or the OS refused.  Visit it again. */
  v->remains |= warm != 0 || purged < wanted;
  if (cold != 0) return false;
  if (warm != 0) mia_acell_or(&v->arena->aged[cell], warm);
  return true;
}

/* Returns the number of cells up to the last one that may have a dirty slice. */
static size_t cells_to_visit(const mia_arena *arena) {
  return (mia_aword_get(&arena->top) + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT;
}

/* Whether the region of a cell has no free slice, by the word of the region. */
static bool is_full(const mia_arena *arena, size_t cell) {
  return mia_run_length(mia_aword_get(&arena->runs[0][cell / REGION_CELLS])) == 0;
}

/* Visits the cells of a region from `cell' on.  Returns the cell to go on with. */
static size_t visit_region(visit *v, size_t cell) {
  size_t end = (cell / REGION_CELLS + 1) * REGION_CELLS, all = cells_to_visit(v->arena);
  mia_budget_spend(v->budget, MIA_BUDGET_REGION);
  if (end > all) end = all;
  if (is_full(v->arena, cell)) return end;
  while (cell < end && visit_cell(v, cell)) cell++;
  return cell;
}

/* Begins a visit or continues one, within the budget.  Afterwards the arena is stale if free
 * dirty slices are left.  False: the budget did not suffice. */
static bool visit_arena(mia_arena *arena, bool all, mia_budget *budget) {
  visit v = {.arena = arena, .all = all, .budget = budget};
  /* Acquires the slices given so far.  A thread that gives others sets `stale' after this. */
  if (arena->visit_cell == 0) (void)mia_aword_swap_acq(&arena->stale, 0);
  while (arena->visit_cell < cells_to_visit(arena) && !mia_budget_is_spent(budget))
    arena->visit_cell = visit_region(&v, arena->visit_cell);
  bool done = arena->visit_cell >= cells_to_visit(arena);
  if (done) arena->visit_cell = 0;
  /* A plain store would end the release sequence of a thread that gave meanwhile. */
  if (v.remains || !done) (void)mia_aword_or(&arena->stale, 1);
  return done;
}

/* Visits an arena if its purge_expire has been reached; sets that for a stale arena.  False:
 * the budget did not suffice. */
static bool visit_if_due(mia_arena *arena, mia_time_ms now, mia_time_ms delay, mia_budget *budget) {
  if (arena->pinned || mia_aword_get(&arena->stale) == 0) return true;
  mia_time_ms expire = mia_acell_get(&arena->purge_expire);
  if (expire != 0 && !mia_time_reached(now, expire)) return true;
  bool done = true;
  if (expire != 0 || delay == 0) {
    purge_locked(arena, false);
    done = visit_arena(arena, delay == 0, budget);
  }
  bool stale = mia_aword_get(&arena->stale) != 0;
  mia_acell_set(&arena->purge_expire, stale ? deadline(now, done ? delay : 0) : 0);
  return done;
}

/* Arenas are checked once in a millisecond, or at each call if the delay is 0.  If nothing is idle
 * the lock is not even tried, so that fewer OS pages of the C library are in the memory of
 * a small process. */
static bool is_time_to_look(mia_time_ms now, mia_time_ms delay) {
  return mia_arena_idle() > 0 && (delay == 0 || mia_acell_get(&mia_arena_all.visited_at) != now);
}

/* One call checks at most so many arenas; the next call goes on with the next arena. */
enum { ARENAS_IN_TURN = 64 };

void mia_arena_purge_due(mia_time_ms now, mia_time_ms delay, mia_budget *budget) {
  if (!is_time_to_look(now, delay) || !mia_os_try_lock(&mia_arena_all.purge)) return;
  mia_acell_set(&mia_arena_all.visited_at, now);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  size_t turn = count < ARENAS_IN_TURN ? count : ARENAS_IN_TURN;
  for (; turn > 0 && !mia_budget_is_spent(budget); turn--) {
    if (mia_arena_all.next_arena >= count) mia_arena_all.next_arena = 0;
    if (!visit_if_due(mia_arena_nth(mia_arena_all.next_arena), now, delay, budget)) break;
    mia_arena_all.next_arena++;
  }
  mia_os_unlock(&mia_arena_all.purge);
}

/* ---- excess purges and backoff ---- */

/* If memory that an excess purge took is needed again soon, the next excess purge is replaced by a
 * backoff of SOON_MS.  A backoff that begins less than SOON_MS after the end of the last one is twice
 * as long as that, up to the maximum. */
enum { SOON_MS = MIA_EXCESS_SOON_MS, BACKOFF_MAX_MS = 32 * SOON_MS };

/* Ticks wrap: an end further ahead than the longest backoff has passed. */
static bool is_backing_off(const mia_arena_excess *e, mia_time_ms now) {
  mia_time_ms until = mia_acell_get(&e->backoff_until);
  return until != 0 && (mia_time_ms)(until - now - 1) < BACKOFF_MAX_MS;
}

static void back_off(mia_arena_excess *e, mia_time_ms now) {
  size_t length = mia_aword_get(&e->backoff_ms) * 2;
  if (length == 0 || now - mia_acell_get(&e->backoff_until) >= SOON_MS) length = SOON_MS;
  if (length > BACKOFF_MAX_MS) length = BACKOFF_MAX_MS;
  mia_aword_set(&e->backoff_ms, length);
  mia_acell_set(&e->backoff_until, deadline(now, (mia_time_ms)length));
}

/* Returns the bytes of arenas that are in use or idle. */
static size_t used_or_idle(void) {
  size_t idle = mia_arena_idle(), kept = mia_aword_get(&mia_arena_all.mapping_cache.bytes);
  return mia_arena_in_spans() + (idle > kept ? idle - kept : 0);
}

/* Returns the bytes of cached mappings that the last excess purge unmapped and that were
 * mapped anew soon after. */
static size_t remapped(const mia_arena_excess *e) {
  return mia_aword_get(&e->unmapped) - mia_aword_get(&mia_arena_all.mapping_cache.missing);
}

/* Whether more than half of the bound came into use soon after the last excess purge: by growth of
 * the arenas, or by mappings made anew.  The bytes are in use now, or are idle again.  Of mappings it is
 * known when they were made.  So a program may use them for longer, up to the longest backoff. */
static bool is_needed_again(const mia_arena_excess *e, mia_time_ms now, size_t bound) {
  mia_time_ms purged_at = mia_acell_get(&e->purged_at), ago = now - purged_at;
  if (purged_at == 0 || ago >= BACKOFF_MAX_MS) return false;
  bool grown = used_or_idle() > mia_aword_get(&e->bytes_left) + bound / 2;
  return (ago < SOON_MS && grown) || remapped(e) > bound / 2;
}

/* Moves e->cell to the next cell to purge and returns its arena; NULL: this arena has no
 * more.  Cells go downwards from the high end of the last arena, since slices are taken
 * from the low end of the first. */
static mia_arena *next_cell(mia_arena_excess *e) {
  mia_arena *arena = mia_arena_nth(e->arena);
  size_t end = arena->pinned ? 0 : cells_to_visit(arena);
  if (e->cell > end) e->cell = end;
  while (e->cell > 0 && is_full(arena, e->cell - 1))
    e->cell = (e->cell - 1) / REGION_CELLS * REGION_CELLS;
  if (e->cell == 0) return NULL;
  e->cell--;
  return arena;
}

/* Purges the idle slices of a cell, aged or not. */
static void purge_idle_in(mia_arena *arena, size_t cell, mia_budget *budget) {
  mia_bits idle = idle_in(arena, cell);
  mia_budget_spend(budget, MIA_BUDGET_REGION / REGION_CELLS);
  (void)purge_cell(arena, cell, &idle, budget);
}

/* Purges slices until at most `rest' bytes are idle, in at most one round over the arenas. */
static void purge_down_to(size_t rest, mia_budget *budget) {
  mia_arena_excess *e = &mia_arena_all.excess;
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t arenas = count; mia_arena_idle() > rest && !mia_budget_is_spent(budget);) {
    mia_arena *arena = next_cell(e);
    if (arena != NULL) {
      purge_idle_in(arena, e->cell, budget);
    } else {
      if (arenas-- == 0) break;
      e->arena = (e->arena > 0 ? e->arena : count) - 1;
      e->cell = SIZE_MAX;
    }
  }
  if (mia_arena_idle() <= rest) e->arena = e->cell = 0;
}

void mia_arena_purge_down_to(size_t rest, mia_budget *budget) {
  (void)mia_arena_flush_cached(rest, budget);
  if (mia_arena_idle() <= rest || !mia_os_try_lock(&mia_arena_all.purge)) return;
  purge_down_to(rest, budget);
  mia_os_unlock(&mia_arena_all.purge);
}

/* Counts the bytes of cached mappings that one excess purge unmaps, which may take many
 * calls. */
static void note_unmapped(mia_arena_excess *e, bool going_on, size_t bytes) {
  if (going_on) bytes += mia_aword_get(&e->unmapped);
  mia_aword_set(&e->unmapped, bytes);
  mia_aword_set(&mia_arena_all.mapping_cache.missing, bytes);
}

/* `unfinished' is set before anything is purged, so that threads which give slices meanwhile
 * purge them and idle memory does not grow (arena.c). */
void mia_arena_purge_excess(mia_time_ms now, size_t bound, mia_budget *budget) {
  mia_arena_excess *e = &mia_arena_all.excess;
  bool going_on = mia_aword_get(&e->unfinished) != 0;
  if (mia_arena_idle() <= (going_on ? bound / 2 : bound)) {
    if (going_on) mia_aword_set(&e->unfinished, 0);
    return;
  }
  if (is_backing_off(e, now)) return;
  bool needed_again = !going_on && is_needed_again(e, now, bound);
  size_t before = mia_aword_get(&mia_arena_all.purged);
  if (!needed_again) {
    mia_aword_set(&e->unfinished, 1);
    note_unmapped(e, going_on, mia_arena_flush_cached(bound / 2, budget));
  }
  if (!mia_os_try_lock(&mia_arena_all.purge)) return;
  if (needed_again) {
    back_off(e, now);
  } else {
    purge_down_to(bound / 2, budget);
    bool refused = mia_aword_get(&mia_arena_all.purged) == before && !mia_budget_is_spent(budget);
    mia_aword_set(&e->unfinished, !refused && mia_arena_idle() > bound / 2);
    mia_acell_set(&e->purged_at, now);
    mia_aword_set(&e->bytes_left, used_or_idle());
    if (refused) back_off(e, now);
  }
  mia_os_unlock(&mia_arena_all.purge);
}

/* Returns the bytes purged, without those of slices that were never written to. */
static size_t purge_arena(mia_arena *arena) {
  mia_budget budget = MIA_BUDGET_ALL;
  purge_locked(arena, true);
  size_t before = mia_aword_get(&mia_arena_all.purged);
  arena->visit_cell = 0;
  (void)visit_arena(arena, true, &budget);
  return mia_aword_get(&mia_arena_all.purged) - before;
}

static size_t purge_all(bool external_only) {
  size_t purged = external_only ? 0 : mia_arena_flush_all_cached();
  mia_os_lock(&mia_arena_all.purge);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) {
    mia_arena *arena = mia_arena_nth(i);
    if (!arena->pinned && (!external_only || arena->commit != NULL)) purged += purge_arena(arena);
  }
  mia_os_unlock(&mia_arena_all.purge);
  return purged;
}

size_t mia_arena_purge_now(void) { return purge_all(false); }

size_t mia_arena_purge_external(void) { return purge_all(true); }

bool mia_arena_purge_part(mia_arena *arena, char *start, size_t size) {
  if (arena->pinned || arena->commit != NULL || !purge_memory(arena, start, size)) return false;
  mia_aword_add(&mia_arena_all.purged, size);
  return true;
}
