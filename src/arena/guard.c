/* SPDX-License-Identifier: MIT */
/* guard.c -- draws and makes guards behind spans. */
#include "base/prelude.h"

#include "arena/dirty.h"
#include "arena/guard.h"
#include "arena/place.h"
#include "os/os.h"

enum { SPANS_A_GUARD = 8 };

bool mia_arena_draw_guard(void) {
  if (!mia_tier_is_hardened()) return false;
  if (mia_aword_get(&mia_arena_all.tier.guards) >= MIA_ARENA_SPAN_GUARDS) return false;
  return mia_arena_random() % SPANS_A_GUARD == 0;
}

/* The slice was never used since the span was taken, but it may have memory from before, or as all that
 * is locked.  A guard would keep that memory for ever, so without a purge there is none. */
static bool protect(mia_arena *arena, char *slice) {
  if (arena->exclusive || arena->external || arena->pinned || arena->commit != NULL) return false;
  size_t index = mia_arena_slice_of(arena, slice);
  if (!mia_os_purge(slice, MIA_SLICE_SIZE)) return false;
  mia_arena_mark_clean(arena, index, MIA_SLICE_SIZE);
  if (!mia_os_protect(slice, MIA_SLICE_SIZE)) return false;
  if (!arena->live) mia_map_clear(arena->committed, index, 1);
  mia_aword_add(&mia_arena_all.tier.guards, 1);
  mia_arena_count_unused(MIA_SLICE_SIZE);
  return true;
}

void mia_arena_guard_end(mia_span *span) {
  char *last = span->start + (--span->slices << MIA_SLICE_SHIFT);
  if (!protect(span->arena, last)) mia_arena_give(span->arena, last, 1, 0);
}
