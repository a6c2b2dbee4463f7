/* SPDX-License-Identifier: MIT */
/* runs.h -- an index of the runs of free slices in an arena.
 *
 * An arena is cut into regions.  A word for each region holds an upper bound of the
 * length of the free runs that begin in the region.  A word of the next level holds the
 * maximum of up to 64 of these, and so on up to one word for the whole arena, its root.
 * A search descends only where it may succeed: it costs as little in an arena of a TiB
 * as in the first one.
 *
 * A thread that takes slices does not change the words, so a word may be too large.  A
 * search that finds less than a word promises lowers the word.  A thread that gives
 * slices raises the words.
 *
 * A word may be raised and lowered at the same time.  So it also has a version, which
 * each raise counts up, even if the length stays.  To lower a word a thread reads it
 * (acquire), examines what the word covers, and replaces it by compare-and-swap.  So it
 * has seen all slices that were given before its read, and slices given later make the
 * swap fail.
 * Invariant:
 *   R1  the length of a run of free slices, or MIA_RUN_MAX if that is less, is at most
 *       the length in the word of the region that it begins in and in each word above
 *       that, once the threads that gave the slices have returned */
#ifndef MIA_ARENA_RUNS_H
#define MIA_ARENA_RUNS_H

#include "arena/arena.h"

/* A word has the length in its lowest bits and the version above them.  Every longer run
 * counts as MIA_RUN_MAX, in which any span at any alignment fits. */
enum { MIA_RUN_BITS = 10, MIA_RUN_MAX = (1 << MIA_RUN_BITS) - 1 };
mia_static_assert(MIA_RUN_MAX >= 2 * MIA_SPAN_MAX_SLICES - 1, "any span, anywhere in a run, fits");

mia_inline size_t mia_run_length(uintptr_t word) { return word & MIA_RUN_MAX; }

/* Returns how many words an arena needs, without its root. */
size_t mia_arena_run_words(size_t slices);

/* Sets up the index of an arena in `words', which are all zero. */
void mia_arena_begin_runs(mia_arena *arena, mia_aword *words);

/* Raises the words for slices that have just become free. */
void mia_arena_raise_runs(mia_arena *arena, size_t first, size_t count);

/* Returns the first region from `from' on whose word promises a run of `length';
 * MIA_MAP_NONE: there is no such region. */
size_t mia_arena_next_run(mia_arena *arena, size_t from, size_t length);

/* Reads the word of a region before the region is searched.  If the search fails, the word
 * is passed to mia_arena_lower_run, which lowers it unless it has changed. */
mia_inline uintptr_t mia_arena_run_word(const mia_arena *arena, size_t region) {
  return mia_aword_get_acq(&arena->runs[0][region]);
}
void mia_arena_lower_run(mia_arena *arena, size_t region, uintptr_t before);

/* Lowers the root likewise, after a search of the whole arena has failed. */
void mia_arena_lower_root(mia_arena *arena, uintptr_t before);

#endif
