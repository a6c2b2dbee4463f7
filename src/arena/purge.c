/* purge.c -- returning the memory of free slices to the OS. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "base/fail.h"
#include "map/bitmap.h"
#include "os/os.h"

/* What one visit purges at the most: some tens of milliseconds' work. */
#define BUDGET (256 * MIA_MIB)

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
  mia_aword_set(&arena->stale, 0);
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
  if (left) mia_aword_set(&arena->stale, 1);
  mia_aword_add(&mia_arena_all.purged, purged);
  return purged;
}

static void visit_if_due(mia_arena *arena, mia_tick now, mia_tick delay) {
  if (arena->pinned || mia_aword_get(&arena->stale) == 0) return;
  mia_tick expire = mia_acell_get(&arena->purge_expire);
  if (expire != 0 && !mia_tick_reached(now, expire)) return;
  size_t purged = expire != 0 || delay == 0 ? visit(arena, delay == 0, BUDGET) : 0;
  bool more = purged >= BUDGET;
  mia_tick next = more ? now : now + delay;
  bool stale = mia_aword_get(&arena->stale) != 0;
  mia_acell_set(&arena->purge_expire, stale ? (next != 0 ? next : 1) : 0);
}

void mia_arena_purge_due(mia_tick now, mia_tick delay) {
  if (!mia_os_try_lock(&mia_arena_all.purge)) return;
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) visit_if_due(mia_arena_nth(i), now, delay);
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
