/* stress.c -- many threads with blocks of all sizes that change owners; prints TAP.
 *
 *   stress [threads [scale [rounds [seed]]]]
 *
 * Each thread has its own table of blocks.  All threads share a second table, in which they
 * exchange blocks, so that a block may be freed by another thread.  Between rounds the threads
 * end and new threads continue, each with the table of its neighbour.  The scale determines
 * the length of the tables and of a round.  The size and the expected contents of a block
 * follow from its first word and its address; they are checked when it is freed or resized.
 *
 * With -DSTRESS_LIBC it calls malloc and its kin, to test an interposed library and to
 * compare.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../api/pattern.h"
#include "../tap.h"

#ifdef STRESS_LIBC
#define FREE free
#define MALLOC malloc
#define CALLOC calloc
#define REALLOC realloc
#define ALIGNED aligned_alloc
static inline void tidy(uint64_t *random) { (void)random; }
#else
#include "../api/tidy.h"
#define FREE mia_free
#define MALLOC mia_malloc
#define CALLOC mia_calloc
#define REALLOC mia_realloc
#define ALIGNED mia_aligned_alloc
#endif

enum {
  THREADS_DEFAULT = 4,
  THREADS_MAX = 64,
  SCALE_DEFAULT = 50,
  ROUNDS_DEFAULT = 20,
  SLOTS_PER_SCALE = 8,
  SHARED_PER_SCALE = 10,
  STEPS_PER_SCALE = 1200,
  REPORTS_MAX = 10
};

/* In a block up to this size every byte is checked; in a larger one both ends, and a word in
 * each stretch of SAMPLE_STEP. */
enum { FULL_TOP = 2048, END_BYTES = 64, SAMPLE_STEP = 4096 };

/* The first word of a block holds the size above CHECK_BITS bits of a hash of address, size
 * and seed. */
enum { CHECK_BITS = 24 };

typedef struct {
  void **slots;
  size_t count;
} table;

static struct {
  unsigned threads, scale, rounds;
  uint64_t seed;
} options = {THREADS_DEFAULT, SCALE_DEFAULT, ROUNDS_DEFAULT, 0};

static _Atomic(void *) *shared;
static size_t shared_count;
static atomic_uint corrupted, refused;
static atomic_ulong made, freed;

__attribute__((format(printf, 2, 3))) static void report(atomic_uint *kind, const char *format,
                                                         ...) {
  if (atomic_fetch_add(kind, 1) >= REPORTS_MAX) return;
  char line[160];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  printf("# %s\n", line);
}

/* ---- contents --------------------------------------------------------------- */

static uint64_t key_of(const void *p, size_t size) {
  uint64_t state = options.seed ^ (uint64_t)(uintptr_t)p ^ ((uint64_t)size << 20);
  return random_next(&state);
}

static uint64_t first_word(const void *p, size_t size) {
  return (uint64_t)size << CHECK_BITS | key_of(p, size) >> (64 - CHECK_BITS);
}

/* Calls `each' for each part of a block that is written and checked, after the first word.
 * `each' returns false to stop. */
static bool each_part(char *p, size_t size, bool (*each)(char *, size_t, uint64_t)) {
  const size_t head = sizeof(uint64_t); /* also the length of a sample */
  uint64_t key = key_of(p, size);
  if (size <= FULL_TOP) return each(p + head, size - head, key);
  for (size_t i = SAMPLE_STEP; i + head + END_BYTES <= size; i += SAMPLE_STEP) {
    if (!each(p + i, head, key + i)) return false;
  }
  return each(p + head, END_BYTES, key) && each(p + size - END_BYTES, END_BYTES, ~key);
}

static bool fill_part(char *part, size_t size, uint64_t key) {
  pattern_fill(part, size, key);
  return true;
}

static bool check_part(char *part, size_t size, uint64_t key) {
  return pattern_holds(part, size, key);
}

static void sign(void *p, size_t size) {
  uint64_t word = first_word(p, size);
  memcpy(p, &word, sizeof word);
  each_part(p, size, fill_part);
}

/* Returns the size of the block, or 0 if its contents are wrong. */
static size_t check(void *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  size_t size = (size_t)(word >> CHECK_BITS);
  if (size < sizeof word || first_word(p, size) != word) {
    report(&corrupted, "block %p: its first word is %016jx", p, (uintmax_t)word);
    return 0;
  }
  if (!each_part(p, size, check_part)) {
    report(&corrupted, "block %p of %zu bytes: contents changed", p, size);
    return 0;
  }
  return size;
}

/* ---- operations --------------------------------------------------------------- */

static size_t any_size(uint64_t *random) {
  enum { SMALL_BITS = 10, MEDIUM_BITS = 15, LARGE_BITS = 19, HUGE_BITS = 23 };
  size_t dice = random_below(random, 2000);
  unsigned bits = dice < 1800   ? SMALL_BITS
                  : dice < 1960 ? MEDIUM_BITS
                  : dice < 1997 ? LARGE_BITS
                                : HUGE_BITS;
  size_t size = random_size(random, bits);
  return size < sizeof(uint64_t) ? sizeof(uint64_t) : size;
}

static void *make(uint64_t *random) {
  enum { ALIGNMENT_LEAST = 16, ALIGNMENT_BITS = 10 };
  size_t size = any_size(random);
  void *p = NULL;
  switch (random_below(random, 10)) {
  case 0:
    p = launder(CALLOC(1, size));
    if (p != NULL && !all_zero(p, size)) {
      report(&corrupted, "calloc of %zu bytes is not zero", size);
    }
    break;
  case 1: {
    size_t alignment = (size_t)ALIGNMENT_LEAST << random_below(random, ALIGNMENT_BITS);
    size = (size + alignment - 1) & ~(alignment - 1); /* C11 required a multiple */
    p = launder(ALIGNED(opaque(alignment), size));
    if (!is_aligned(p, alignment)) {
      report(&corrupted, "block %p is not aligned to %zu", p, alignment);
    }
    break;
  }
  default:
    p = launder(MALLOC(size));
    break;
  }
  if (p == NULL) {
    report(&refused, "%zu bytes refused", size);
    return NULL;
  }
  atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
  sign(p, size);
  return p;
}

static void destroy(void *p) {
  if (p == NULL) return;
  check(p);
  FREE(p);
  atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed);
}

static void *resize(void *p, uint64_t *random) {
  enum { KEPT = 256 }; /* bytes that are compared afterwards */
  unsigned char kept[KEPT];
  size_t size = check(p);
  if (size == 0) return p;
  size_t next = random_below(random, 2) == 0 ? any_size(random) : size + random_below(random, size);
  size_t common = size < next ? size : next;
  if (common > KEPT) common = KEPT;
  memcpy(kept, p, common);
  void *q = launder(REALLOC(p, next));
  if (q == NULL) {
    report(&refused, "resize from %zu to %zu bytes refused", size, next);
    return p;
  }
  if (memcmp(kept, q, common) != 0) {
    report(&corrupted, "resize from %zu to %zu bytes lost contents", size, next);
  }
  sign(q, next);
  return q;
}

typedef struct {
  table *own;
  uint64_t random;
} worker;

static void *work(void *arg) {
  enum { TIDY_ONE_IN = 20000 };
  worker *w = arg;
  uint64_t random = w->random;
  for (unsigned n = 0; n < options.scale * STEPS_PER_SCALE; n++) {
    void **slot = &w->own->slots[random_below(&random, w->own->count)];
    switch (random_below(&random, 8)) {
    case 0:
    case 1:
    case 2:
      destroy(*slot);
      *slot = make(&random);
      break;
    case 3:
    case 4:
      *slot = *slot == NULL ? make(&random) : resize(*slot, &random);
      break;
    case 5:
      destroy(*slot);
      *slot = NULL;
      break;
    default: /* the block found there may come from any thread */
      *slot = atomic_exchange(&shared[random_below(&random, shared_count)], *slot);
      break;
    }
    if (random_below(&random, TIDY_ONE_IN) == 0) tidy(&random);
  }
  return NULL;
}

/* ---- rounds ------------------------------------------------------------------- */

static void require(bool holds, const char *what) {
  if (holds) return;
  printf("Bail out! %s\n", what);
  exit(EXIT_FAILURE);
}

static void run_round(table *tables, unsigned round) {
  pthread_t threads[THREADS_MAX];
  worker workers[THREADS_MAX];
  for (unsigned i = 0; i < options.threads; i++) {
    workers[i].own = &tables[(i + round) % options.threads];
    workers[i].random = options.seed + (round * THREADS_MAX + i) * PATTERN_STEP;
    require(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "no thread");
  }
  for (unsigned i = 0; i < options.threads; i++) pthread_join(threads[i], NULL);
}

static unsigned number(const char *text, unsigned least, unsigned most) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  require(*text != '\0' && *end == '\0' && value >= least && value <= most,
          "usage: stress [threads [scale [rounds [seed]]]]");
  return (unsigned)value;
}

int main(int argc, char **argv) {
  enum { SCALE_MAX = 100000, ROUNDS_MAX = 1000000 };
  if (argc > 1) options.threads = number(argv[1], 1, THREADS_MAX);
  if (argc > 2) options.scale = number(argv[2], 1, SCALE_MAX);
  if (argc > 3) options.rounds = number(argv[3], 1, ROUNDS_MAX);
  options.seed = argc > 4 ? strtoull(argv[4], NULL, 0) : random_seed();
  printf("1..3\n# threads %u, scale %u, rounds %u, seed %ju\n", options.threads, options.scale,
         options.rounds, (uintmax_t)options.seed);
  fflush(stdout);

  static table tables[THREADS_MAX];
  shared_count = options.scale * SHARED_PER_SCALE;
  shared = calloc(shared_count, sizeof *shared);
  require(shared != NULL, "no memory for the shared table");
  for (unsigned i = 0; i < options.threads; i++) {
    tables[i].count = options.scale * SLOTS_PER_SCALE;
    tables[i].slots = calloc(tables[i].count, sizeof *tables[i].slots);
    require(tables[i].slots != NULL, "no memory for a table");
  }
  for (unsigned round = 0; round < options.rounds; round++) run_round(tables, round);
  for (size_t i = 0; i < shared_count; i++) destroy(atomic_load(&shared[i]));
  for (unsigned i = 0; i < options.threads; i++) {
    for (size_t j = 0; j < tables[i].count; j++) destroy(tables[i].slots[j]);
    free(tables[i].slots);
  }
  free(shared);

  unsigned bad = atomic_load(&corrupted);
  unsigned none = atomic_load(&refused);
  unsigned long all = atomic_load(&made);
  bool balanced = all == atomic_load(&freed);
  tap_ok(bad == 0, "no block was corrupted (%u)", bad);
  tap_ok(none == 0, "no request was refused (%u)", none);
  tap_ok(balanced, "every block was freed (%lu)", all);
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
