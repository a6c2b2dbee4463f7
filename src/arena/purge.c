/* purge.c -- returning the memory of free slices to the OS. */
#include "base/prelude.h"

#include "arena/dirty.h"
#include "arena/purge.h"
#include "arena/runs.h"
#include "base/fail.h"
#include "map/bitmap.h"
#include "os/os.h"

/* A deadline is never 0. */
static mia_tick after(mia_tick now, mia_tick ms) {
  mia_tick then = now + ms;
  return then != 0 ? then : 1;
}

static bool purge_memory(const mia_arena *arena, char *start, size_t size) {
  bool zero;
  if (arena->commit == NULL) return mia_os_purge(start, size);
  return arena->commit(false, start, size, &zero, arena->commit_arg);
}

/* Slices may have become clean since they were seen: somebody took them, and had what
 * was in them moved to elsewhere. */
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
  mia_arena_free_again(arena, first, slices);
  return purged ? size : 0;
}

/* Purges runs of the bits `cold' of one cell, as far as the budget goes, and takes off
 * those that it has been to. */
static size_t purge_cell(mia_arena *arena, size_t cell, mia_bits *cold, mia_budget *budget) {
  size_t purged = 0;
  while (*cold != 0 && !mia_budget_is_spent(budget)) {
    size_t low = (size_t)__builtin_ctzll(*cold);
    mia_bits run = *cold >> low;
    size_t slices = ~run == 0 ? MIA_CELL_BITS : (size_t)__builtin_ctzll(~run);
    size_t most = (budget->left >> MIA_SLICE_SHIFT) + 1;
    if (slices > most) slices = most;
    size_t done = purge_run(arena, (cell << MIA_CELL_SHIFT) + low, slices);
    mia_budget_spend(budget, done > 0 ? done : MIA_BUDGET_REGION);
    purged += done;
    bool last = low + slices >= MIA_CELL_BITS;
    *cold = last ? 0 : *cold >> (low + slices) << (low + slices);
  }
  mia_aword_add(&mia_arena_all.purged, purged);
  return purged;
}

/* A process that locks what it has mapped (mlockall) has slices backed that nobody
 * wrote to.  They are found once all the same, and whenever a program asks (`again'). */
static void sweep(mia_arena *arena, bool again) {
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

static mia_bits idle_in(const mia_arena *arena, size_t cell) {
  return mia_acell_get(&arena->free[cell]) & mia_acell_get(&arena->dirty[cell]);
}

/* ---- visits ---- */

enum { REGION_CELLS = MIA_REGION_SLICES >> MIA_CELL_SHIFT };

/* A visit to one arena. */
typedef struct visit {
  mia_arena *arena;
  bool all;  /* hot slices go, too */
  bool left; /* something idle stays */
  mia_budget *budget;
} visit;

/* Purges what is cold, or all that is idle; what is idle and stays is aged.  False: the
 * budget did not suffice. */
static bool visit_cell(visit *v, size_t cell) {
  mia_bits idle = idle_in(v->arena, cell);
  if (idle == 0) return true;
  mia_bits cold = v->all ? idle : idle & mia_acell_get(&v->arena->aged[cell]);
  mia_bits warm = idle & ~cold;
  size_t wanted = (size_t)__builtin_popcountll(cold) << MIA_SLICE_SHIFT;
  size_t purged = purge_cell(v->arena, cell, &cold, v->budget);
  /* Somebody took a slice of a run, or the OS refused: not the last visit. */
  v->left |= warm != 0 || purged < wanted;
  if (cold != 0) return false;
  if (warm != 0) mia_acell_or(&v->arena->aged[cell], warm);
  return true;
}

/* Behind the last cell with a free slice that was used. */
static size_t cells_to_visit(const mia_arena *arena) {
  return (mia_aword_get(&arena->top) + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT;
}

/* Whether the region of a cell has no free slice, as far as is known. */
static bool is_full(const mia_arena *arena, size_t cell) {
  return mia_run_length(mia_aword_get(&arena->runs[0][cell / REGION_CELLS])) == 0;
}

/* From a cell to the one that the visit goes on with. */
static size_t visit_region(visit *v, size_t cell) {
  size_t end = (cell / REGION_CELLS + 1) * REGION_CELLS, all = cells_to_visit(v->arena);
  mia_budget_spend(v->budget, MIA_BUDGET_REGION);
  if (end > all) end = all;
  if (is_full(v->arena, cell)) return end;
  while (cell < end && visit_cell(v, cell)) cell++;
  return cell;
}

/* A visit, or as much of one as the budget lets.  Afterwards the arena is stale if free
 * dirty slices are left.  False: the budget did not suffice. */
static bool visit_arena(mia_arena *arena, bool all, mia_budget *budget) {
  visit v = {.arena = arena, .all = all, .budget = budget};
  /* Acquired from who gave: what is not seen now is marked after this. */
  if (arena->visited == 0) (void)mia_aword_swap_acq(&arena->stale, 0);
  while (arena->visited < cells_to_visit(arena) && !mia_budget_is_spent(budget))
    arena->visited = visit_region(&v, arena->visited);
  bool done = arena->visited >= cells_to_visit(arena);
  if (done) arena->visited = 0;
  /* A mere store would hide who gave. */
  if (v.left || !done) (void)mia_aword_or(&arena->stale, 1);
  return done;
}

/* False: the budget did not suffice. */
static bool visit_if_due(mia_arena *arena, mia_tick now, mia_tick delay, mia_budget *budget) {
  if (arena->pinned || mia_aword_get(&arena->stale) == 0) return true;
  mia_tick expire = mia_acell_get(&arena->purge_expire);
  if (expire != 0 && !mia_tick_reached(now, expire)) return true;
  bool done = true;
  if (expire != 0 || delay == 0) {
    sweep(arena, false);
    done = visit_arena(arena, delay == 0, budget);
  }
  bool stale = mia_aword_get(&arena->stale) != 0;
  mia_acell_set(&arena->purge_expire, stale ? after(now, done ? delay : 0) : 0);
  return done;
}

/* Once in a tick, unless what is idle goes at once.  Where nothing is, not even the
 * lock is looked at: a small process then has less of the C library in its memory. */
static bool is_time_to_look(mia_tick now, mia_tick delay) {
  return mia_arena_idle() > 0 && (delay == 0 || mia_acell_get(&mia_arena_all.looked) != now);
}

/* So many arenas are looked at in turn. */
enum { ARENAS_IN_TURN = 64 };

void mia_arena_purge_due(mia_tick now, mia_tick delay, mia_budget *budget) {
  if (!is_time_to_look(now, delay) || !mia_os_try_lock(&mia_arena_all.purge)) return;
  mia_acell_set(&mia_arena_all.looked, now);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  size_t turn = count < ARENAS_IN_TURN ? count : ARENAS_IN_TURN;
  for (; turn > 0 && !mia_budget_is_spent(budget); turn--) {
    if (mia_arena_all.turn >= count) mia_arena_all.turn = 0;
    if (!visit_if_due(mia_arena_nth(mia_arena_all.turn), now, delay, budget)) break;
    mia_arena_all.turn++;
  }
  mia_os_unlock(&mia_arena_all.purge);
}

/* ---- when there is too much ---- */

/* A program that fills again within so many ms what was purged is not purged
 * for as long, and twice as long each time in a row. */
enum { SOON_MS = 1000, PATIENCE_MAX_MS = 32 * SOON_MS };

static bool is_patient(const mia_arena_excess *e, mia_tick now) {
  mia_tick until = mia_acell_get(&e->backoff_until);
  return until != 0 && (mia_tick)(until - now - 1) < PATIENCE_MAX_MS;
}

static void be_patient(mia_arena_excess *e, mia_tick now) {
  size_t patience = mia_aword_get(&e->backoff_ms) * 2;
  if (patience == 0 || now - mia_acell_get(&e->backoff_until) >= SOON_MS) patience = SOON_MS;
  if (patience > PATIENCE_MAX_MS) patience = PATIENCE_MAX_MS;
  mia_aword_set(&e->backoff_ms, patience);
  mia_acell_set(&e->backoff_until, after(now, (mia_tick)patience));
}

/* Bytes of arenas that are in use or idle. */
static size_t touched(void) {
  size_t used = mia_aword_get(&mia_arena_all.used), huge = mia_aword_get(&mia_arena_all.huge);
  size_t idle = mia_arena_idle(), kept = mia_aword_get(&mia_arena_all.kept.bytes);
  return (used > huge ? used - huge : 0) + (idle > kept ? idle - kept : 0);
}

/* Bytes of mappings that went with the last of these purges and were wanted again. */
static size_t missed(const mia_arena_excess *e) {
  return mia_aword_get(&e->dropped) - mia_aword_get(&mia_arena_all.kept.lost);
}

/* Whether what the last of these purges took is in use again, or just was. */
static bool is_regretted(const mia_arena_excess *e, mia_tick now, size_t bound) {
  mia_tick at = mia_acell_get(&e->at);
  return at != 0 && now - at < SOON_MS &&
         (touched() > mia_aword_get(&e->left) + bound / 2 || missed(e) > bound / 2);
}

/* The next cell to purge: one after the other, from the high end of the last arena, as
 * slices are taken at the low end of the first; NULL: the next is in another arena. */
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

static void purge_all_in(mia_arena *arena, size_t cell, mia_budget *budget) {
  mia_bits idle = idle_in(arena, cell);
  mia_budget_spend(budget, MIA_BUDGET_REGION / REGION_CELLS);
  (void)purge_cell(arena, cell, &idle, budget);
}

/* One round at the most. */
static void purge_down_to(size_t rest, mia_budget *budget) {
  mia_arena_excess *e = &mia_arena_all.excess;
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t arenas = count; mia_arena_idle() > rest && !mia_budget_is_spent(budget);) {
    mia_arena *arena = next_cell(e);
    if (arena != NULL) {
      purge_all_in(arena, e->cell, budget);
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

/* Of one purge, which may take many looks. */
static void note_dropped(mia_arena_excess *e, bool going_on, size_t dropped) {
  if (going_on) dropped += mia_aword_get(&e->dropped);
  mia_aword_set(&e->dropped, dropped);
  mia_aword_set(&mia_arena_all.kept.lost, dropped);
}

/* Half of the bound is left, however many looks it takes.  That there is too much is said
 * before anything is done about it, so that those who give meanwhile give no more. */
void mia_arena_purge_excess(mia_tick now, size_t bound, mia_budget *budget) {
  mia_arena_excess *e = &mia_arena_all.excess;
  bool going_on = mia_aword_get(&e->unfinished) != 0;
  if (mia_arena_idle() <= (going_on ? bound / 2 : bound)) {
    if (going_on) mia_aword_set(&e->unfinished, 0);
    return;
  }
  if (is_patient(e, now)) return;
  bool regretted = !going_on && is_regretted(e, now, bound);
  size_t before = mia_aword_get(&mia_arena_all.purged);
  if (!regretted) {
    mia_aword_set(&e->unfinished, 1);
    note_dropped(e, going_on, mia_arena_flush_cached(bound / 2, budget));
  }
  if (!mia_os_try_lock(&mia_arena_all.purge)) return;
  if (regretted) {
    be_patient(e, now);
  } else {
    purge_down_to(bound / 2, budget);
    bool refused = mia_aword_get(&mia_arena_all.purged) == before && !mia_budget_is_spent(budget);
    mia_aword_set(&e->unfinished, !refused && mia_arena_idle() > bound / 2);
    mia_acell_set(&e->at, now);
    mia_aword_set(&e->left, touched());
    if (refused) be_patient(e, now);
  }
  mia_os_unlock(&mia_arena_all.purge);
}

/* Bytes purged, but for those that nobody had written to. */
static size_t purge_arena(mia_arena *arena) {
  mia_budget budget = MIA_BUDGET_ALL;
  sweep(arena, true);
  size_t before = mia_aword_get(&mia_arena_all.purged);
  arena->visited = 0;
  (void)visit_arena(arena, true, &budget);
  return mia_aword_get(&mia_arena_all.purged) - before;
}

static size_t purge_all(bool only_brought) {
  size_t purged = only_brought ? 0 : mia_arena_flush_all_cached();
  mia_os_lock(&mia_arena_all.purge);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) {
    mia_arena *arena = mia_arena_nth(i);
    if (!arena->pinned && (!only_brought || arena->commit != NULL)) purged += purge_arena(arena);
  }
  mia_os_unlock(&mia_arena_all.purge);
  return purged;
}

size_t mia_arena_purge_now(void) { return purge_all(false); }

size_t mia_arena_purge_external(void) { return purge_all(true); }

bool mia_arena_purge_part(mia_arena *arena, char *start, size_t size) {
  if (arena->pinned || arena->commit != NULL || !mia_os_purge(start, size)) return false;
  mia_aword_add(&mia_arena_all.purged, size);
  return true;
}
