/* SPDX-License-Identifier: MIT */
/* runs.c -- an index of the runs of free slices in an arena. */
#include "base/prelude.h"

#include "arena/runs.h"
#include "base/bits.h"
#include "base/fail.h"
#include "map/bitmap.h"

enum { FAN_SHIFT = 6, FAN = 1 << FAN_SHIFT, ONE_VERSION = 1 << MIA_RUN_BITS };

static size_t regions_of(size_t slices) {
  return (slices + MIA_REGION_SLICES - 1) >> MIA_REGION_SHIFT;
}

/* Returns how many words the level above one of `words' words has. */
static size_t words_above(size_t words) { return (words + FAN - 1) >> FAN_SHIFT; }

static size_t words_at(const mia_arena *arena, unsigned level) {
  size_t words = regions_of(arena->slices);
  while (level-- > 0) words = words_above(words);
  return words;
}

size_t mia_arena_run_words(size_t slices) {
  size_t words = regions_of(slices), sum = words;
  while (words > FAN) sum += words = words_above(words);
  return sum;
}

void mia_arena_begin_runs(mia_arena *arena, mia_aword *words) {
  size_t count = regions_of(arena->slices);
  arena->runs_top = 0;
  arena->runs[0] = words;
  while (count > FAN) {
    mia_assert(arena->runs_top + 1u < MIA_RUNS_LEVELS);
    arena->runs[arena->runs_top + 1] = arena->runs[arena->runs_top] + count;
    arena->runs_top++;
    count = words_above(count);
  }
}

/* ---- raising ---- */

/* Raises the length in a word to at least `length', and its version in any case.  False:
 * the length was large enough. */
static bool raise_word(mia_aword *word, size_t length) {
  uintptr_t was = mia_aword_get(word), now;
  do {
    size_t most = mia_run_length(was) < length ? length : mia_run_length(was);
    now = ((was & ~(uintptr_t)MIA_RUN_MAX) + ONE_VERSION) | most;
  } while (!mia_aword_cas_rel(word, &was, now));
  return mia_run_length(was) < length;
}

/* Returns the word of a level that covers a region.  The root lies above the highest
 * level. */
static mia_aword *word_above(const mia_arena *arena, size_t region, unsigned level) {
  return level <= arena->runs_top ? &arena->runs[level][region >> level * FAN_SHIFT] : arena->root;
}

/* Raises the words that cover a region, from the lowest level up.  If a word was large
 * enough, so are those above it, unless the thread that raised it has not raised them yet:
 * so the word above is read before the loop ends. */
static void raise_region(mia_arena *arena, size_t region, size_t length) {
  for (unsigned level = 0; level <= arena->runs_top; level++) {
    bool raised = raise_word(word_above(arena, region, level), length);
    const mia_aword *parent = word_above(arena, region, level + 1);
    if (!raised && mia_run_length(mia_aword_get(parent)) >= length) return;
  }
  (void)raise_word(arena->root, length);
}

/* Returns the end of the free slices from `at' on, looking at up to MIA_RUN_MAX slices. */
static size_t end_of_run(const mia_arena *arena, size_t at) {
  size_t limit = arena->slices - at > MIA_RUN_MAX ? at + MIA_RUN_MAX : arena->slices;
  return mia_map_next_clear(arena->free, at, limit);
}

/* Returns the first of the free slices before `at', looking at up to MIA_RUN_MAX slices. */
static size_t begin_of_run(const mia_arena *arena, size_t at) {
  return mia_map_first_of_run(arena->free, at > MIA_RUN_MAX ? at - MIA_RUN_MAX : 0, at);
}

static size_t end_of_region(size_t region) { return (region + 1) << MIA_REGION_SHIFT; }

/* A run that begins in one region and goes on through others counts in each of them. */
void mia_arena_raise_runs(mia_arena *arena, size_t first, size_t count) {
  size_t end = end_of_run(arena, first + count);
  for (size_t at = begin_of_run(arena, first); at < end;) {
    size_t region = at >> MIA_REGION_SHIFT;
    raise_region(arena, region, end - at < MIA_RUN_MAX ? end - at : MIA_RUN_MAX);
    at = end_of_region(region);
  }
}

/* Two threads may give adjacent runs at the same time.  Without an order, each could look
 * for the end of the joined run before it sees the slices of the other, and neither would
 * raise the words to the joined length.  The counter `gives' orders them: the later thread
 * sees the slices that the earlier one gave. */
void mia_arena_unclaim(mia_arena *arena, size_t first, size_t slices) {
  mia_map_give(arena->free, first, slices);
  (void)mia_aword_add_acq_rel(&arena->gives, 1);
  mia_arena_raise_runs(arena, first, slices);
}

/* If the claim fails half-way, giving its slices back must raise the words: other threads
 * may have lowered them while these slices were missing from the runs. */
bool mia_arena_claim(mia_arena *arena, size_t first, size_t slices) {
  size_t done = mia_map_claim_some(arena->free, first, slices);
  if (done < slices && done > 0) mia_arena_unclaim(arena, first, done);
  return done == slices;
}

/* ---- lowering ---- */

/* Lowers the length in a word to `length' if the word is still `before'. */
static void lower_word(mia_aword *word, uintptr_t before, size_t length) {
  if (length >= mia_run_length(before)) return;
  uintptr_t was = before;
  while (was == before && !mia_aword_cas(word, &was, (before & ~(uintptr_t)MIA_RUN_MAX) | length)) {
  }
}

/* Returns the length of the longest free run that begins in a region. */
static size_t longest_in(const mia_arena *arena, size_t region) {
  size_t longest = 0, limit = end_of_region(region);
  if (limit > arena->slices) limit = arena->slices;
  for (size_t at = region << MIA_REGION_SHIFT, end; at < limit; at = end) {
    at = mia_map_next_set(arena->free, at, limit);
    if (at == limit) break;
    end = end_of_run(arena, at);
    if (end - at > longest) longest = end - at;
  }
  return longest;
}

void mia_arena_lower_run(mia_arena *arena, size_t region, uintptr_t before) {
  lower_word(&arena->runs[0][region], before, longest_in(arena, region));
}

/* Returns the end of the words of a level, `first' being the first, that have the same word
 * above them: up to FAN. */
static size_t end_of_children(const mia_arena *arena, unsigned level, size_t first) {
  size_t end = words_at(arena, level);
  return end - first > FAN ? first + FAN : end;
}

/* Returns the largest length in those words. */
static size_t largest_child(const mia_arena *arena, unsigned level, size_t first) {
  size_t largest = 0, end = end_of_children(arena, level, first);
  for (; first < end; first++) {
    size_t length = mia_run_length(mia_aword_get(&arena->runs[level][first]));
    if (length > largest) largest = length;
  }
  return largest;
}

void mia_arena_lower_root(mia_arena *arena, uintptr_t before) {
  lower_word(arena->root, before, largest_child(arena, arena->runs_top, 0));
}

/* ---- searching ---- */

/* Returns the index of the first word below `node' with at least `length'.  MIA_MAP_NONE:
 * there is none, and the word of `node' was lowered. */
static size_t find_child(mia_arena *arena, unsigned level, size_t node, size_t length) {
  mia_aword *word = &arena->runs[level][node];
  uintptr_t before = mia_aword_get_acq(word);
  size_t first = node << FAN_SHIFT, end = end_of_children(arena, level - 1, first);
  for (size_t i = first; i < end; i++)
    if (mia_run_length(mia_aword_get(&arena->runs[level - 1][i])) >= length) return i;
  lower_word(word, before, largest_child(arena, level - 1, first));
  return MIA_MAP_NONE;
}

/* Ascends from `from' while the node is the first below its parent, and descends where a
 * word is large enough; otherwise it goes on with the next node of the level. */
size_t mia_arena_next_run(mia_arena *arena, size_t from, size_t length) {
  unsigned level = 0;
  size_t node = from;
  for (;;) {
    for (; level < arena->runs_top && (node & (FAN - 1)) == 0; level++) node >>= FAN_SHIFT;
    if (node >= words_at(arena, level)) return MIA_MAP_NONE;
    while (mia_run_length(mia_aword_get(&arena->runs[level][node])) >= length) {
      if (level == 0) return node;
      size_t below = find_child(arena, level, node, length);
      if (below == MIA_MAP_NONE) break;
      node = below;
      level--;
    }
    node++;
  }
}
