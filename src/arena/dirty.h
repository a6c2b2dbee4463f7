/* dirt.h -- what memory of an arena may be said to read as zero.
 *
 * All changes of the bits `dirty' are here, but for those of an arena that is new.
 * Of a slice in use the bit does not tell all: the program writes without a word to
 * us.  What it may have written is known to who holds the span, as a number of bytes
 * from its start, and told when the span is given back (mia_arena_give).  So:
 *   D1  a slice that was written becomes dirty when it is given back, or when what is
 *       in it is no longer part of what its holder will say was written;
 *   D2  a slice becomes clean only as a whole, by who holds it, when the OS or the
 *       arena's own function has taken all that was in it;
 *   D3  a span is zero if none of its slices is dirty once all are committed.
 * Debug builds look at what is said to be zero wherever it is said. */
#ifndef MIA_ARENA_DIRTY_H
#define MIA_ARENA_DIRTY_H

#include "arena/arena.h"
#include "base/peak.h"
#include "map/bitmap.h"

/* How many of some slices are dirty. */
mia_inline size_t mia_arena_count_dirty(const mia_arena *arena, size_t first, size_t slices) {
  return mia_map_count(arena->dirty, first, slices);
}

/* The first bytes of some slices may have been written. */
mia_inline void mia_arena_mark_dirty(mia_arena *arena, size_t first, size_t size) {
  mia_map_set(arena->dirty, first, mia_slices_of(size));
  mia_aword_raise(&arena->top, first + mia_slices_of(size));
}

/* The first bytes of some slices were taken and read as zero.  Of the last slice that
 * may have been a part: what is behind it stays, and its holder will not speak of it. */
mia_inline void mia_arena_mark_clean(mia_arena *arena, size_t first, size_t size) {
  size_t whole = size >> MIA_SLICE_SHIFT;
  mia_map_clear(arena->dirty, first, whole);
  if (whole << MIA_SLICE_SHIFT < size) mia_arena_mark_dirty(arena, first + whole, 1);
}

#endif
