/* large.c -- blocks with mappings of their own, again and again; prints TAP.
 *
 *   large [ROUNDS]
 *
 * A program that makes such a block, fills it and frees it, in a loop, has its memory
 * faulted in a few times, not in each round; what it made and does not make again
 * comes back to the system; and what it has zeroed and does not use costs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "soak.h"

#include <sys/resource.h>

/* Debug builds read what is to be zero: that is a fault more for each OS page. */
enum { ROUNDS_DEFAULT = 20, FILLED_AGAIN = MIA_DEBUG ? 6 : 3, BLOCKS_MAX = 2 };

/* What else the process may have. */
#define REST (4 * MIB)

static unsigned long rounds;

static size_t faulted(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) abort();
  return (size_t)usage.ru_minflt * (size_t)sysconf(_SC_PAGESIZE);
}

typedef struct shape {
  size_t sizes[BLOCKS_MAX]; /* of blocks that live together; 0: none */
} shape;

static size_t one_round(const shape *s) {
  char *blocks[BLOCKS_MAX] = {NULL};
  size_t bytes = 0;
  for (int i = 0; i < BLOCKS_MAX && s->sizes[i] > 0; i++) {
    blocks[i] = soak_block(s->sizes[i]);
    bytes += s->sizes[i];
  }
  for (int i = 0; i < BLOCKS_MAX; i++) FREE(blocks[i]);
  return bytes;
}

static void loop(void *arg) {
  const shape *s = arg;
  size_t before = faulted(), bytes = 0;
  for (unsigned long i = 0; i < rounds; i++) bytes = one_round(s);
  size_t filled = soak_above(faulted(), before);
  soak_case(filled <= FILLED_AGAIN * bytes + REST || !SOAK_RSS_TELLS,
            "%zu MiB, %zu blocks, %lu times: %zu MiB are faulted in", bytes / MIB,
            (size_t)(s->sizes[1] > 0) + 1, rounds, filled / MIB);
}

static void purged(void *unused) {
  (void)unused;
  size_t base = soak_rss();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
#ifndef SOAK_LIBC
  (void)mia_purge();
#endif
  size_t left = soak_above(soak_rss(), base);
  soak_case(soak_within(left, REST), "purged: %zu MiB are left", left / MIB);
}

/* A few operations in each tenth of a second. */
static void aged(void *unused) {
  (void)unused;
  size_t base = soak_rss(), left = SIZE_MAX;
  unsigned long start = soak_ms();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
  for (int i = 0; i < 50 && !soak_within(left, REST); i++) {
    soak_sleep(100);
    FREE(soak_block(100));
    left = soak_above(soak_rss(), base);
  }
  soak_case(soak_within(left, REST), "not used again: %zu MiB are left after %lu ms", left / MIB,
            soak_ms() - start);
}

static void not_kept(void *unused) {
  (void)unused;
#ifndef SOAK_LIBC
  (void)mia_option_set(MIA_OPTION_PURGE_DELAY, 0);
#endif
  size_t base = soak_rss();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
  size_t left = soak_above(soak_rss(), base);
  soak_case(soak_within(left, REST), "with a delay of none: %zu MiB are left", left / MIB);
}

static void zeroed(void *unused) {
  (void)unused;
  const size_t size = 200 * MIB;
  bool zero = true;
  size_t most = 0;
  for (unsigned long i = 0; i < rounds; i++) {
    FREE(soak_block(size));
#ifdef SOAK_LIBC
    char *p = calloc(1, size);
#else
    char *p = mia_calloc(1, size);
#endif
    if (p == NULL) abort();
    size_t rss = soak_rss();
    if (rss > most) most = rss;
    for (size_t at = 0; at < size; at += 5 * MIB + 4096) zero = zero && p[at] == 0;
    FREE(p);
  }
  soak_case(zero, "zeroed, where others were");
  soak_case(soak_within(most, 16 * MIB), "and not used: %zu MiB", most / MIB);
}

int main(int argc, char **argv) {
  shape shapes[] = {{{34 * MIB}},
                    {{40 * MIB + 4096}},
                    {{100 * MIB}},
                    {{80 * MIB, 50 * MIB}},
                    {{34 * MIB, 36 * MIB}}};
  rounds = soak_scale(argc, argv, ROUNDS_DEFAULT);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) soak_apart(loop, &shapes[i]);
  soak_apart(purged, NULL);
  soak_apart(aged, NULL);
  soak_apart(not_kept, NULL);
  rounds = rounds / 4 + 1;
  zeroed(NULL);
  return soak_end();
}
