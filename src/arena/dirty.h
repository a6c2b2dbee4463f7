/* SPDX-License-Identifier: MIT */
/* dirty.h -- which memory of an arena reads as zero.
 *
 * All changes of `dirty' bits are here, except those of a new arena.  The bit of a slice
 * in use is incomplete, since the program writes to its blocks directly.  The holder of a
 * span keeps the number of bytes, from the start of the span, that may have been written,
 * and reports it when it gives the span back (mia_arena_give).  So:
 *   D1  a slice that was written becomes dirty when it is given back, or when its holder
 *       will no longer report its content as written;
 *   D2  a slice becomes clean only as a whole, by its holder, once the OS or the arena's
 *       own function has taken all of its content;
 *   D3  a span reads as zero if none of its slices is dirty once all are committed.
 * Debug builds check that memory is zero wherever it is reported as zero. */
#ifndef MIA_ARENA_DIRTY_H
#define MIA_ARENA_DIRTY_H

#include "arena/arena.h"
#include "base/peak.h"
#include "map/bitmap.h"

/* Returns how many of `slices' slices are dirty. */
mia_inline size_t mia_arena_count_dirty(const mia_arena *arena, size_t first, size_t slices) {
  return mia_map_count(arena->dirty, first, slices);
}

/* Notes that the first `size' bytes, from slice `first' on, may have been written. */
mia_inline void mia_arena_mark_dirty(mia_arena *arena, size_t first, size_t size) {
  mia_map_set(arena->dirty, first, mia_slices_of(size));
  mia_aword_raise(&arena->top, first + mia_slices_of(size));
}

/* Notes that the first `size' bytes, from slice `first' on, were purged or moved and read
 * as zero.  If they end within a slice, the rest of that slice keeps its content, which
 * its holder will not report: so the slice is marked dirty. */
mia_inline void mia_arena_mark_clean(mia_arena *arena, size_t first, size_t size) {
  size_t whole = size >> MIA_SLICE_SHIFT;
  mia_map_clear(arena->dirty, first, whole);
  if (whole << MIA_SLICE_SHIFT < size) mia_arena_mark_dirty(arena, first + whole, 1);
}

#endif
