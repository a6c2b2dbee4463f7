/* ladder.c -- the most memory a live byte costs against adversaries; prints TAP.
 *
 *   ladder [MIB]
 *
 * No more than so many MiB are live at once.  A step fills that with blocks of a
 * size, and frees all but what the adversary keeps; the next size is twice it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

enum { MIB_DEFAULT = 16, SIZE_FIRST = 16, SIZE_LAST = 32 * 1024 };

static size_t most_live;
static size_t live, peak, base;
static void **blocks;
static size_t count;

static void note_peak(void) {
  size_t rss = soak_above(soak_rss(), base);
  if (rss > peak) peak = rss;
}

typedef bool keeper(const void *p, size_t size, uintptr_t *last);

/* One in each stretch of 4 KiB or 64 KiB. */
static bool first_in(const void *p, unsigned shift, uintptr_t *last) {
  uintptr_t stretch = (uintptr_t)p >> shift;
  bool first = stretch != *last;
  *last = stretch;
  return first;
}
static bool each_4k(const void *p, size_t size, uintptr_t *last) {
  (void)size;
  return first_in(p, 12, last);
}
static bool each_64k(const void *p, size_t size, uintptr_t *last) {
  (void)size;
  return first_in(p, 16, last);
}
/* Two blocks side by side are never both free. */
static bool every_other(const void *p, size_t size, uintptr_t *last) {
  (void)last;
  return (uintptr_t)p / size % 2 == 0;
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
  return (x > y) - (x < y);
}

static void step(size_t size, keeper *keep) {
  count = 0;
  while (live + size <= most_live) {
    blocks[count++] = soak_block(size);
    live += size;
  }
  note_peak();
  qsort(blocks, count, sizeof *blocks, by_address);
  uintptr_t last = 0;
  for (size_t i = 0; i < count; i++) {
    if (keep(blocks[i], size, &last)) continue;
    FREE(blocks[i]);
    live -= size;
  }
}

typedef struct adversary {
  const char *name;
  keeper *keep;
  unsigned limit; /* tenths of a byte */
} adversary;

static void climb(void *arg) {
  const adversary *a = arg;
  blocks = calloc(most_live / SIZE_FIRST, sizeof *blocks);
  if (blocks == NULL) abort();
  memset(blocks, 0xff, most_live / SIZE_FIRST * sizeof *blocks);
  base = soak_rss();
  for (size_t size = SIZE_FIRST; size <= SIZE_LAST; size *= 2) step(size, a->keep);
  unsigned tenths = (unsigned)(peak * 10 / most_live);
  soak_case(soak_within(tenths, a->limit), "%s: %u.%u bytes a live byte", a->name, tenths / 10,
            tenths % 10);
}

int main(int argc, char **argv) {
  /* What is reached, and a little: doc/design.md says why not less. */
  static adversary all[] = {{"one kept in 4 KiB", each_4k, 90},
                            {"one kept in 64 KiB", each_64k, 130},
                            {"every other one kept", every_other, 40}};
  most_live = soak_scale(argc, argv, MIB_DEFAULT) * MIB;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) soak_apart(climb, &all[i]);
  return soak_end();
}
