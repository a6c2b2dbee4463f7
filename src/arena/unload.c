/* unload.c -- taking an exclusive arena back. */
#include "base/prelude.h"

#include "arena/runs.h"
#include "arena/unload.h"
#include "map/bitmap.h"
#include "os/os.h"

/* A look takes microseconds, if its thread runs. */
enum { PATIENCE_MS = 100 };

static mia_aword *find(const mia_arena *arena) {
  uintptr_t word = (uintptr_t)arena | MIA_ARENA_EXCLUSIVE;
  size_t count = mia_aword_get(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (mia_aword_get(&mia_arena_all.at[i]) == word) return &mia_arena_all.at[i];
  return NULL;
}

/* Below 0 in the child of a fork from a handler that interrupted a look. */
static bool wait_for_readers(void) {
  mia_tick until = mia_os_now() + PATIENCE_MS;
  while ((intptr_t)mia_aword_add_acq_rel(&mia_arena_all.readers, 0) > 0) {
    if (mia_tick_reached(mia_os_now(), until)) return false;
    mia_os_yield();
  }
  return true;
}

/* The first slices that ever were free: those behind the head. */
static size_t head_slices(const mia_arena *arena) {
  const char *end = (const char *)(arena->runs[0] + mia_arena_run_words(arena->slices));
  return mia_slices_of((size_t)(end - arena->start));
}

/* Takes an arena of which nothing is in use off the list.  From then on it is the
 * caller's alone. */
static bool take_off(mia_arena *arena, mia_aword *place) {
  size_t head = head_slices(arena);
  if (mia_aword_get_acq(&arena->heaps) != 0) return false;
  if (!mia_arena_claim(arena, head, arena->slices - head)) return false;
  mia_aword_set(place, (uintptr_t)&mia_arena_all.none | MIA_ARENA_EXCLUSIVE); /* static */
  if (wait_for_readers()) return true;
  mia_aword_set_rel(place, (uintptr_t)arena | MIA_ARENA_EXCLUSIVE);
  mia_arena_free_again(arena, head, arena->slices - head);
  return false;
}

static void dissolve(const mia_arena *arena) {
  size_t head = head_slices(arena);
  size_t idle = mia_map_count(arena->dirty, head, arena->slices - head) << MIA_SLICE_SHIFT;
  if (!arena->pinned) mia_aword_sub(&mia_arena_all.idle, idle);
  mia_aword_sub(&mia_arena_all.reserved, arena->whole_size);
  mia_aword_add(&mia_arena_all.unloaded, 1);
  /* What cannot be unmapped stays as address space: harmless. */
  if (!arena->external && !mia_os_release(arena->whole, arena->whole_size))
    (void)mia_os_purge(arena->whole, arena->whole_size);
}

bool mia_arena_take_down(mia_arena *arena) {
  mia_os_lock(&mia_arena_all.purge);
  mia_os_lock(&mia_arena_all.grow);
  mia_aword *place = find(arena);
  bool done = place != NULL && take_off(arena, place);
  if (done) dissolve(arena);
  mia_os_unlock(&mia_arena_all.grow);
  mia_os_unlock(&mia_arena_all.purge);
  return done;
}
