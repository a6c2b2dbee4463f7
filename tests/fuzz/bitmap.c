/* bitmap.c -- a fuzzer's entry point: a stream of calls of map/bitmap against an
 * array of bools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/prelude.h"

#include "map/bitmap.h"

#include "replay.h"

enum { CELLS = 5, BITS_MAX = CELLS * 64, CALL_BYTES = 7, STEPS = 8 };
#define BITS (CELLS * MIA_CELL_BITS)

static mia_acell cells[CELLS];
static bool bits[BITS_MAX];

static void need(bool holds, const char *what, size_t value) {
  if (holds) return;
  fprintf(stderr, "bitmap: %s (%zu)\n", what, value);
  abort();
}

static void fill(size_t first, size_t count, bool value) {
  for (size_t i = first; i < first + count; i++) bits[i] = value;
}

static size_t next(size_t from, size_t limit, bool value) {
  while (from < limit && bits[from] != value) from++;
  return from < limit ? from : limit;
}

static size_t find(size_t from, size_t limit, size_t count, size_t step, size_t phase) {
  for (size_t i = from; i + count <= limit; i++)
    if ((i + phase) % step == 0 && next(i, i + count, false) == i + count) return i;
  return MIA_MAP_NONE;
}

static void compare(void) {
  for (size_t i = 0; i < BITS; i++)
    need((mia_acell_get(&cells[i / MIA_CELL_BITS]) >> i % MIA_CELL_BITS & 1) == bits[i], "bit", i);
}

static void change(unsigned what, size_t first, size_t count) {
  bool any = next(first, first + count, true) < first + count;
  bool all = next(first, first + count, false) == first + count;
  switch (what) {
  case 0:
    need(mia_map_claim(cells, first, count) == all, "claim", first);
    if (all) fill(first, count, false);
    break;
  case 1:
    if (any) break; /* only what is clear is given */
    mia_map_give(cells, first, count);
    fill(first, count, true);
    break;
  case 2:
    mia_map_set(cells, first, count);
    fill(first, count, true);
    break;
  case 3:
    mia_map_clear(cells, first, count);
    fill(first, count, false);
    break;
  default:
    need(mia_map_any(cells, first, count) == any, "any", first);
    need(mia_map_all(cells, first, count) == all, "all", first);
  }
}

static void search(size_t from, size_t limit, size_t count, size_t step, size_t phase) {
  need(mia_map_next_set(cells, from, limit) == next(from, limit, true), "next set", from);
  need(mia_map_next_clear(cells, from, limit) == next(from, limit, false), "next clear", from);
  need(mia_map_find(cells, from, limit, count, step, phase) ==
           find(from, limit, count, step, phase),
       "find", from);
}

/* A call is a change, of any run, and a search. */
static void run(const unsigned char *b) {
  size_t first = (b[1] + (size_t)b[6] * 256) % BITS;
  size_t count = 1 + b[2] % (BITS - first);
  size_t step = (size_t)1 << b[5] % STEPS;
  change(b[0] % 5, first, count);
  search(first, first + b[3] % (BITS - first + 1), 1 + b[4] % (MIA_CELL_BITS + 9), step,
         b[4] & (step - 1));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  memset(cells, 0, sizeof cells);
  memset(bits, 0, sizeof bits);
  for (; size >= CALL_BYTES; size -= CALL_BYTES, data += CALL_BYTES) {
    run(data);
    compare();
  }
  return 0;
}

REPLAY("bitmap", 100)
