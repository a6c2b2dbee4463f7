/* large.c -- huge blocks, allocated and freed repeatedly; prints TAP.
 *
 *   large [ROUNDS]
 *
 * A program allocates such a block, fills it and frees it in a loop.  Its memory may be
 * faulted in a few times, but not in every round.  Memory that is not needed again returns to
 * the OS, and zeroed blocks that are not written to cost no memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "soak.h"

#include <sys/resource.h>

/* Debug builds read what must be zero, which adds a fault for each OS page. */
enum { ROUNDS_DEFAULT = 12, TIMES_FAULTED_IN = MIA_DEBUG ? 6 : 3, BLOCKS_MAX = 2 };

/* Other memory of the process. */
#define OTHER_MEMORY (4 * MIB)

static unsigned long rounds;

static size_t faulted(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) abort();
  return (size_t)usage.ru_minflt * (size_t)sysconf(_SC_PAGESIZE);
}

typedef struct shape {
  size_t sizes[BLOCKS_MAX]; /* of the blocks that are live together; 0: no block */
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

static void check_faults(void *arg) {
  const shape *s = arg;
  size_t before = faulted(), bytes = 0;
  for (unsigned long i = 0; i < rounds; i++) bytes = one_round(s);
  size_t filled = soak_above(faulted(), before);
  tap_ok(filled <= TIMES_FAULTED_IN * bytes + OTHER_MEMORY || !SOAK_RSS_TELLS,
         "%zu MiB, %zu blocks, %lu times: %zu MiB are faulted in", bytes / MIB,
         (size_t)(s->sizes[1] > 0) + 1, rounds, filled / MIB);
}

static void check_purge(void *unused) {
  (void)unused;
  size_t base = soak_rss();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
#ifndef SOAK_LIBC
  (void)mia_purge();
#endif
  size_t left = soak_above(soak_rss(), base);
  tap_ok(soak_within(left, OTHER_MEMORY), "purged: %zu MiB are left", left / MIB);
}

/* Allocates a little every tenth of a second until the memory was given back. */
static void check_purge_by_age(void *unused) {
  (void)unused;
  size_t base = soak_rss(), left = SIZE_MAX;
  unsigned long start = soak_ms();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
  for (int i = 0; i < 50 && !soak_within(left, OTHER_MEMORY); i++) {
    soak_sleep(100);
    FREE(soak_block(100));
    left = soak_above(soak_rss(), base);
  }
  tap_ok(soak_within(left, OTHER_MEMORY), "not used again: %zu MiB are left after %lu ms",
         left / MIB, soak_ms() - start);
}

static void check_delay_of_zero(void *unused) {
  (void)unused;
#ifndef SOAK_LIBC
  (void)mia_option_set(MIA_OPTION_PURGE_DELAY, 0);
#endif
  size_t base = soak_rss();
  for (int i = 0; i < 3; i++) (void)one_round(&(shape){{80 * MIB}});
  size_t left = soak_above(soak_rss(), base);
  tap_ok(soak_within(left, OTHER_MEMORY), "with a purge delay of 0: %zu MiB are left", left / MIB);
}

static void check_zeroed(void *unused) {
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
  tap_ok(zero, "zeroed, in memory of other blocks");
  tap_ok(soak_within(most, 16 * MIB) || RESIDENT_BY_ASSERTIONS(), "zeroed, not written to: %zu MiB",
         most / MIB);
}

int main(int argc, char **argv) {
  shape shapes[] = {{{34 * MIB}},
                    {{40 * MIB + 4096}},
                    {{100 * MIB}},
                    {{80 * MIB, 50 * MIB}},
                    {{34 * MIB, 36 * MIB}}};
  rounds = soak_scale(argc, argv, ROUNDS_DEFAULT);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    soak_apart(check_faults, &shapes[i]);
  soak_apart(check_purge, NULL);
  soak_apart(check_purge_by_age, NULL);
  soak_apart(check_delay_of_zero, NULL);
  rounds = rounds / 4 + 1;
  check_zeroed(NULL);
  return tap_end();
}
