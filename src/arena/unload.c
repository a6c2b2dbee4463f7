/* SPDX-License-Identifier: MIT */
/* unload.c -- removing an exclusive arena. */
#include "base/prelude.h"

#include "arena/record.h"
#include "arena/runs.h"
#include "arena/unload.h"
#include "map/bitmap.h"
#include "os/os.h"

/* A thread looks at arenas for some microseconds, provided that it is running. */
enum { READERS_MAX_MS = 100 };

/* Returns the word of an exclusive arena in its entry, or NULL. */
static mia_aword *find_entry(const mia_arena *arena) {
  uintptr_t word = (uintptr_t)arena | MIA_ARENA_EXCLUSIVE;
  size_t count = mia_aword_get(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (mia_aword_get(&mia_arena_all.entries[i].arena) == word)
      return &mia_arena_all.entries[i].arena;
  return NULL;
}

/* False: there were readers all the time.  `readers' may be below 0 in the child of a fork
 * that a signal handler made between begin_read and end_read. */
static bool wait_for_readers(void) {
  mia_time_ms until = mia_os_now() + READERS_MAX_MS;
  while ((intptr_t)mia_aword_add_acq_rel(&mia_arena_all.readers, 0) > 0) {
    if (mia_time_reached(mia_os_now(), until)) return false;
    mia_os_yield();
  }
  return true;
}

/* Returns the number of slices of the head, which were never free. */
static size_t head_slices(const mia_arena *arena) {
  const char *end = (const char *)(arena->runs[0] + mia_arena_run_words(arena->slices));
  return mia_slices_of((size_t)(end - arena->start));
}

/* Takes an arena off the list if none of its slices is in use and no heap was made for it.
 * From then on only the caller uses it.  False: it is still in the list. */
static bool unlist(mia_arena *arena, mia_aword *entry) {
  size_t head = head_slices(arena);
  if (mia_aword_get_acq(&arena->heaps) != 0) return false;
  if (!mia_arena_claim(arena, head, arena->slices - head)) return false;
  /* `none' is static, so this need not release. */
  mia_aword_set(entry, (uintptr_t)&mia_arena_all.none | MIA_ARENA_EXCLUSIVE);
  if (wait_for_readers()) return true;
  mia_aword_set_rel(entry, (uintptr_t)arena | MIA_ARENA_EXCLUSIVE);
  mia_arena_unclaim(arena, head, arena->slices - head);
  return false;
}

static void unmap(mia_arena *arena) {
  size_t head = head_slices(arena);
  size_t idle = mia_map_count(arena->dirty, head, arena->slices - head) << MIA_SLICE_SHIFT;
  if (!arena->pinned) mia_aword_sub(&mia_arena_all.idle, idle);
  mia_aword_sub(&mia_arena_all.reserved, arena->range_size);
  mia_aword_add(&mia_arena_all.unloaded, 1);
  mia_arena_release_records(arena);
  /* If it cannot be unmapped only address space is lost, which costs nothing. */
  if (!arena->external && !mia_os_release(arena->range, arena->range_size))
    (void)mia_os_purge(arena->range, arena->range_size);
}

bool mia_arena_try_unload(mia_arena *arena) {
  mia_os_lock(&mia_arena_all.purge);
  mia_os_lock(&mia_arena_all.grow);
  mia_aword *entry = find_entry(arena);
  bool done = entry != NULL && unlist(arena, entry);
  if (done) unmap(arena);
  mia_os_unlock(&mia_arena_all.grow);
  mia_os_unlock(&mia_arena_all.purge);
  return done;
}
