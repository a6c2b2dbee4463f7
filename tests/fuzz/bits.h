/* bits.h -- a bitmap, and an array of bools with the expected contents.
 *
 * Functions apply a call to both, and return NULL, or the name of what differs.  Include the
 * header in only one file of a program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_BITS_H
#define MIA_TEST_BITS_H

#include "base/prelude.h"

#include "map/bitmap.h"

#include <string.h>

enum { CELLS = 5, BITS_MAX = CELLS * 64 };
#define BITS (CELLS * MIA_CELL_BITS)

static mia_acell cells[CELLS];
static bool expected[BITS_MAX];

static inline void bits_begin(void) {
  memset(cells, 0, sizeof cells);
  memset(expected, 0, sizeof expected);
}

static inline void bits_fill(size_t first, size_t count, bool value) {
  for (size_t i = first; i < first + count; i++) expected[i] = value;
}

static inline size_t bits_next(size_t from, size_t limit, bool value) {
  while (from < limit && expected[from] != value) from++;
  return from < limit ? from : limit;
}

static inline size_t bits_find(size_t from, size_t limit, size_t count, size_t step, size_t phase) {
  for (size_t i = from; i + count <= limit; i++)
    if ((i + phase) % step == 0 && bits_next(i, i + count, false) == i + count) return i;
  return MIA_MAP_NONE;
}

static inline bool bits_agree(void) {
  for (size_t i = 0; i < BITS; i++)
    if ((mia_acell_get(&cells[i / MIA_CELL_BITS]) >> i % MIA_CELL_BITS & 1) != expected[i])
      return false;
  return true;
}

enum { BITS_CLAIM, BITS_GIVE, BITS_SET, BITS_CLEAR, BITS_CHANGES };

static inline const char *bits_change(size_t what, size_t first, size_t count) {
  bool any = bits_next(first, first + count, true) < first + count;
  bool all = bits_next(first, first + count, false) == first + count;
  bool to = what == BITS_GIVE || what == BITS_SET;
  if (what == BITS_CLAIM && mia_map_claim(cells, first, count) != all) return "claim";
  if (what == BITS_CLAIM && !all) return NULL;
  if (what == BITS_GIVE && any) return NULL; /* bits that are given must be clear */
  if (what == BITS_GIVE) mia_map_give(cells, first, count);
  if (what == BITS_SET) mia_map_set(cells, first, count);
  if (what == BITS_CLEAR) mia_map_clear(cells, first, count);
  bits_fill(first, count, to);
  return NULL;
}

static inline const char *bits_ask(size_t first, size_t count) {
  if (mia_map_any(cells, first, count) != (bits_next(first, first + count, true) < first + count))
    return "any";
  if (mia_map_all(cells, first, count) != (bits_next(first, first + count, false) == first + count))
    return "all";
  return NULL;
}

static inline const char *bits_search(size_t from, size_t limit, size_t count, size_t step,
                                      size_t phase) {
  if (mia_map_next_set(cells, from, limit) != bits_next(from, limit, true)) return "next set";
  if (mia_map_next_clear(cells, from, limit) != bits_next(from, limit, false)) return "next clear";
  if (mia_map_find(cells, from, limit, count, step, phase) !=
      bits_find(from, limit, count, step, phase))
    return "find";
  return NULL;
}

#endif
