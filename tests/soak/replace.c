/* replace.c -- blocks of some dozens of KiB that replace each other at random; prints TAP.
 *
 *   replace [BLOCKS]
 *
 * The entries of a table of fully written blocks of random sizes are replaced.  The process
 * must need hardly more memory than is live, though no block has the length of its page.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "soak.h"

enum { BLOCKS_DEFAULT = 1000, REPLACEMENTS = 30 };

/* Percent above what is live. 15 were measured, and 25 in debug builds, whose blocks have an
 * OS page before them. */
enum { MORE_PERCENT = 28, PERCENT = 100 };

typedef struct range {
  size_t least;
  size_t most;
} range;

static unsigned long blocks;

static size_t draw(const range *r) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return r->least + (size_t)(state % (r->most - r->least));
}

static void replace(void *arg) {
  const range *r = arg;
  void **table = calloc(blocks, sizeof *table);
  size_t *sizes = calloc(blocks, sizeof *sizes), live = 0;
  if (table == NULL || sizes == NULL) abort();
  size_t base = soak_rss();
  for (unsigned long i = 0; i < REPLACEMENTS * blocks; i++) {
    size_t k = i < blocks ? i : draw(&(range){0, blocks});
    FREE(table[k]);
    live -= sizes[k];
    sizes[k] = draw(r);
    table[k] = soak_block(sizes[k]);
    live += sizes[k];
  }
  size_t rss = soak_above(soak_rss(), base);
  tap_ok(soak_within(rss, live / PERCENT * (PERCENT + MORE_PERCENT)) || RESIDENT_BY_ASSERTIONS(),
         "%lu blocks of %zu to %zu bytes: %zu KiB, of which are live %zu", blocks, r->least,
         r->most, rss / KIB, live / KIB);
}

int main(int argc, char **argv) {
  range ranges[] = {{33000, 65000}, {33000, 100000}, {70000, 128000}};
  blocks = soak_scale(argc, argv, BLOCKS_DEFAULT);
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) soak_apart(replace, &ranges[i]);
  return tap_end();
}
