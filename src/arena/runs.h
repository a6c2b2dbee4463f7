/* runs.h -- where in an arena there may be how many free slices in a row.
 *
 * An arena is cut into regions.  A word for each region says how long a run of free
 * slices that begins there may be.  A word above them says the largest of up to
 * 64 of these, and so on up to one word for the whole arena, its root.  A
 * search goes down only where it may succeed: it costs as little in an arena of a
 * TiB as in the first one.
 *
 * Who takes slices leaves the words alone, so a word may say too much.  The search
 * that finds less than a word says lowers it.  Who gives slices raises the words.
 *
 * Both may happen at once.  Each raise counts up a version in the word, also where
 * the length stays.  Who lowers a word reads it first (acquire), looks at what it sums
 * up, and swaps it only if it is still the same: so it has seen all that was given
 * before, and what is given meanwhile makes the swap fail.
 * Invariant:
 *   R1  a run of free slices, whoever gave them having returned, is no longer than
 *       each word above the region that it begins in says, or than MIA_RUN_MAX */
#ifndef MIA_ARENA_RUNS_H
#define MIA_ARENA_RUNS_H

#include "arena/arena.h"

/* A word: the version, and the length in the lowest bits.  A longer run than any span
 * at any alignment needs is not told from one of MIA_RUN_MAX. */
enum { MIA_RUN_BITS = 10, MIA_RUN_MAX = (1 << MIA_RUN_BITS) - 1 };
mia_static_assert(MIA_RUN_MAX >= 2 * MIA_SPAN_MAX_SLICES - 1, "any span, anywhere in a run, fits");

mia_inline size_t mia_run_length(uintptr_t word) { return word & MIA_RUN_MAX; }

/* How many words an arena needs beside its root. */
size_t mia_arena_run_words(size_t slices);

/* Lets an arena have `words', all zero. */
void mia_arena_begin_runs(mia_arena *arena, mia_aword *words);

/* Slices have just become free. */
void mia_arena_raise_runs(mia_arena *arena, size_t first, size_t count);

/* The first region from `from' on with a run of `length', by what the words say;
 * MIA_MAP_NONE: none. */
size_t mia_arena_next_run(mia_arena *arena, size_t from, size_t length);

/* What the word of a region said before a search of the region that failed; and what
 * that led to. */
mia_inline uintptr_t mia_arena_run_word(const mia_arena *arena, size_t region) {
  return mia_aword_get_acq(&arena->runs[0][region]);
}
void mia_arena_lower_run(mia_arena *arena, size_t region, uintptr_t before);

/* The same of the root, after a search of the whole arena. */
void mia_arena_lower_root(mia_arena *arena, uintptr_t before);

#endif
