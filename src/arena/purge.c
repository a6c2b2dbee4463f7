/* purge.c -- returning the memory of free slices to the OS. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "base/fail.h"
#include "map/bitmap.h"
#include "os/os.h"

/* What one visit purges at the most: some tens of milliseconds' work. */
#define BUDGET (256 * MIA_MIB)

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

static size_t purge_run(mia_arena *arena, size_t first, size_t slices) {
  if (!mia_map_claim(arena->free, first, slices)) return 0;
  size_t size = slices << MIA_SLICE_SHIFT;
  bool purged = purge_memory(arena, arena->start + (first << MIA_SLICE_SHIFT), size);
  if (purged) {
    if (arena->commit != NULL) mia_map_clear(arena->committed, first, slices);
    mia_map_clear(arena->dirty, first, slices);
    mia_map_clear(arena->aged, first, slices);
    mia_aword_sub(&mia_arena_all.idle, size);
  }
  mia_arena_free_again(arena, first, slices);
  return purged ? size : 0;
}

/* Purges runs of the bits `cold' of one cell. */
static size_t purge_cell(mia_arena *arena, size_t cell, mia_bits cold) {
  size_t purged = 0;
  size_t base = cell << MIA_CELL_SHIFT;
  while (cold != 0) {
    size_t low = (size_t)__builtin_ctzll(cold);
    mia_bits run = cold >> low;
    size_t slices = ~run == 0 ? MIA_CELL_BITS : (size_t)__builtin_ctzll(~run);
    purged += purge_run(arena, base + low, slices);
    if (low + slices >= MIA_CELL_BITS) break;
    cold = cold >> (low + slices) << (low + slices);
  }
  return purged;
}

/* One visit to an arena; `all' takes the hot slices too.  Afterwards the arena
 * is stale if free dirty slices are left. */
static size_t visit(mia_arena *arena, bool all, size_t budget) {
  size_t purged = 0;
  bool left = false;
  /* Acquired from who gave: what is not seen now is marked after this. */
  (void)mia_aword_swap_acq(&arena->stale, 0);
  size_t cells = (arena->slices + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT;
  for (size_t i = 0; i < cells; i++) {
    mia_bits idle = mia_acell_get(&arena->free[i]) & mia_acell_get(&arena->dirty[i]);
    if (idle == 0) continue;
    mia_bits cold = all ? idle : idle & mia_acell_get(&arena->aged[i]);
    if (purged >= budget) cold = 0;
    if (idle != cold) {
      mia_acell_or(&arena->aged[i], idle & ~cold);
      left = true;
    }
    size_t done = purge_cell(arena, i, cold);
    /* Somebody took a slice of a run, or the OS refused: not the last visit. */
    if (done < (size_t)__builtin_popcountll(cold) << MIA_SLICE_SHIFT) left = true;
    purged += done;
  }
  if (left) (void)mia_aword_or(&arena->stale, 1); /* a mere store would hide who gave */
  mia_aword_add(&mia_arena_all.purged, purged);
  return purged;
}

static void visit_if_due(mia_arena *arena, mia_tick now, mia_tick delay) {
  if (arena->pinned || mia_aword_get(&arena->stale) == 0) return;
  mia_tick expire = mia_acell_get(&arena->purge_expire);
  if (expire != 0 && !mia_tick_reached(now, expire)) return;
  size_t purged = expire != 0 || delay == 0 ? visit(arena, delay == 0, BUDGET) : 0;
  bool more = purged >= BUDGET;
  bool stale = mia_aword_get(&arena->stale) != 0;
  mia_acell_set(&arena->purge_expire, stale ? after(now, more ? 0 : delay) : 0);
}

/* Once in a tick, unless what is idle goes at once.  Where nothing is, not even the
 * lock is looked at: a small process then has less of the C library in its memory. */
static bool is_time_to_look(mia_tick now, mia_tick delay) {
  return mia_arena_idle() > 0 && (delay == 0 || mia_acell_get(&mia_arena_all.looked) != now);
}

void mia_arena_purge_due(mia_tick now, mia_tick delay) {
  if (!is_time_to_look(now, delay) || !mia_os_try_lock(&mia_arena_all.purge)) return;
  mia_acell_set(&mia_arena_all.looked, now);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) visit_if_due(mia_arena_nth(i), now, delay);
  mia_os_unlock(&mia_arena_all.purge);
}

/* ---- when there is too much ---- */

/* A program that fills again within so many ms what was purged is not purged
 * for as long, and twice as long each time in a row. */
enum { SOON_MS = 1000, PATIENCE_MAX_MS = 32 * SOON_MS };

static bool is_patient(const mia_arena_excess *e, mia_tick now) {
  mia_tick until = mia_acell_get(&e->patient);
  return until != 0 && (mia_tick)(until - now - 1) < PATIENCE_MAX_MS;
}

static void be_patient(mia_arena_excess *e, mia_tick now) {
  size_t patience = mia_aword_get(&e->patience) * 2;
  if (patience == 0 || now - mia_acell_get(&e->patient) >= SOON_MS) patience = SOON_MS;
  if (patience > PATIENCE_MAX_MS) patience = PATIENCE_MAX_MS;
  mia_aword_set(&e->patience, patience);
  mia_acell_set(&e->patient, after(now, (mia_tick)patience));
}

/* Bytes of arenas that are in use or idle. */
static size_t touched(void) {
  size_t used = mia_aword_get(&mia_arena_all.used), huge = mia_aword_get(&mia_arena_all.huge);
  return (used > huge ? used - huge : 0) + mia_arena_idle();
}

/* Whether what the last of these purges took is in use again, or just was. */
static bool is_regretted(const mia_arena_excess *e, mia_tick now, size_t bound) {
  mia_tick at = mia_acell_get(&e->at);
  return at != 0 && now - at < SOON_MS && touched() > mia_aword_get(&e->left) + bound / 2;
}

/* From the high end: slices are taken at the low one. */
static void purge_most(mia_arena *arena, size_t rest) {
  for (size_t i = (arena->slices + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT;
       i-- > 0 && mia_arena_idle() > rest;) {
    size_t purged = purge_cell(arena, i,
                               mia_acell_get(&arena->free[i]) & mia_acell_get(&arena->dirty[i]));
    mia_aword_add(&mia_arena_all.purged, purged);
  }
}

static void purge_down_to(size_t rest) {
  for (size_t i = mia_aword_get_acq(&mia_arena_all.count); i-- > 0 && mia_arena_idle() > rest;)
    if (!mia_arena_nth(i)->pinned) purge_most(mia_arena_nth(i), rest);
}

void mia_arena_purge_down_to(size_t rest) {
  if (mia_arena_idle() <= rest || !mia_os_try_lock(&mia_arena_all.purge)) return;
  purge_down_to(rest);
  mia_os_unlock(&mia_arena_all.purge);
}

void mia_arena_purge_excess(mia_tick now, size_t bound) {
  mia_arena_excess *e = &mia_arena_all.excess;
  if (mia_arena_idle() <= bound || is_patient(e, now)) return;
  if (!mia_os_try_lock(&mia_arena_all.purge)) return;
  if (is_regretted(e, now, bound)) {
    be_patient(e, now);
  } else {
    purge_down_to(bound / 2);
    mia_acell_set(&e->at, now);
    mia_aword_set(&e->left, touched());
  }
  mia_os_unlock(&mia_arena_all.purge);
}

size_t mia_arena_purge_now(void) {
  size_t purged = 0;
  mia_os_lock(&mia_arena_all.purge);
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (!mia_arena_nth(i)->pinned) purged += visit(mia_arena_nth(i), true, SIZE_MAX);
  mia_os_unlock(&mia_arena_all.purge);
  return purged;
}

bool mia_arena_purge_part(mia_arena *arena, char *start, size_t size) {
  if (arena->pinned || arena->commit != NULL || !mia_os_purge(start, size)) return false;
  mia_aword_add(&mia_arena_all.purged, size);
  return true;
}
