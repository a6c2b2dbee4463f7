/* latency.c -- how long a single call takes: threads replace blocks of mixed sizes, one in a
 * hundred beyond 32 KiB, and time each call.
 *
 *   latency THREADS ENTRIES THOUSANDS    THOUSANDS of replacements, in all
 *
 * Prints nanoseconds of the thread's processor time, what reading the clock takes subtracted:
 * "latency MALLOC FREE MALLOC FREE", the 99.99th percentile of both, then the longest of both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <time.h>

enum {
  THREADS_MOST = 64,
  LARGE_ONE_IN = 100,
  LARGE_LEAST = 32 * 1024,
  LARGE_MOST = 1024 * 1024,
  NS = 1000000000,
  /* A histogram of logarithmic buckets, each of which is 1/16 of a doubling. */
  FINE = 4,
  BUCKETS = 64 << FINE,
  ONE_IN = 10000 /* of which the percentile leaves one */
};

typedef struct times {
  size_t count[BUCKETS];
  uint64_t longest;
} times;

typedef struct both {
  times malloc, free;
} both;

static both measured[THREADS_MOST];
static size_t entries, steps;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static unsigned bucket_of(uint64_t ns) {
  if (ns >> FINE == 0) return (unsigned)ns;
  unsigned doubling = 63 - (unsigned)__builtin_clzll(ns);
  return (doubling - FINE + 1) << FINE | (unsigned)(ns >> (doubling - FINE) & ((1 << FINE) - 1));
}

/* Returns the least number of the bucket. */
static uint64_t least_of(unsigned bucket) {
  unsigned doubling = bucket >> FINE;
  if (doubling == 0) return bucket;
  return (uint64_t)(1 << FINE | (bucket & ((1 << FINE) - 1))) << (doubling - 1);
}

static void note(times *t, uint64_t ns) {
  t->count[bucket_of(ns)]++;
  if (ns > t->longest) t->longest = ns;
}

static size_t size_of(uint64_t *random) {
  if ((load_random(random) >> 20) % LARGE_ONE_IN != 0) return load_size(random, LARGE_LEAST);
  return LARGE_LEAST + (load_random(random) >> 20) % (LARGE_MOST - LARGE_LEAST);
}

static void *work(void *arg) {
  const load_thread *self = arg;
  both *mine = &measured[self->number];
  uint64_t random = load_seed(self->number);
  void **table = load_checked(calloc(entries, sizeof *table));
  for (size_t n = 0; n < steps; n++) {
    size_t i = (load_random(&random) >> 20) % entries, size = size_of(&random);
    uint64_t start = now();
    free(table[i]);
    uint64_t between = now();
    table[i] = malloc(size);
    uint64_t end = now();
    (void)load_use(table[i], size);
    note(&mine->free, between - start);
    note(&mine->malloc, end - between);
  }
  for (size_t i = 0; i < entries; i++) free(table[i]);
  free(table);
  return NULL;
}

/* Returns what reading the clock takes. */
static uint64_t cost_of_clock(void) {
  enum { READS = 1000 };
  uint64_t least = NS;
  for (int i = 0; i < READS; i++) {
    uint64_t start = now(), took = now() - start;
    if (took < least) least = took;
  }
  return least;
}

static void add(times *all, const times *some) {
  for (size_t i = 0; i < BUCKETS; i++) all->count[i] += some->count[i];
  if (some->longest > all->longest) all->longest = some->longest;
}

static uint64_t percentile(const times *t, size_t calls) {
  size_t beyond = 0;
  unsigned i = BUCKETS;
  while (i > 0 && beyond <= calls / ONE_IN) beyond += t->count[--i];
  return least_of(i);
}

static uint64_t less(uint64_t ns, uint64_t clock) { return ns > clock ? ns - clock : 0; }

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 2);
  entries = load_argument(argc, argv, 2, 20000);
  if (count == 0 || count > THREADS_MOST || entries == 0) load_fail("what arguments?");
  steps = load_argument(argc, argv, 3, 2000) * 1000 / count;
  uint64_t clock = cost_of_clock();
  load_start(threads, count, work);
  load_join(threads, count);
  both all = measured[0];
  for (size_t i = 1; i < count; i++) {
    add(&all.malloc, &measured[i].malloc);
    add(&all.free, &measured[i].free);
  }
  uint64_t of_malloc = percentile(&all.malloc, steps * count);
  uint64_t of_free = percentile(&all.free, steps * count);
  printf("latency %llu %llu %llu %llu\n", (unsigned long long)less(of_malloc, clock),
         (unsigned long long)less(of_free, clock),
         (unsigned long long)less(all.malloc.longest, clock),
         (unsigned long long)less(all.free.longest, clock));
  return EXIT_SUCCESS;
}
