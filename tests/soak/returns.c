/* returns.c -- freed memory returns to the OS; prints TAP.
 *
 *   returns [MIB [SIZE...]]
 *
 * Four threads fill MIB with blocks of one size, free them, and sleep.  At most a twentieth of
 * the memory may then be left: directly after mia_purge, or after some light use by one
 * thread.  Blocks are freed in an order in which pages become empty late.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

enum {
  THREADS = 4,
  LISTS = 8,
  MIB_DEFAULT = 128,
  PART = 20,
  LIGHT_SIZE = 100,
  BURST = 40,
  BURST_SIZE = 1000
};

/* What may be left where only idle memory beyond a bound is purged, and what threads cache. */
#define LIGHT_USE_LEAVES (48 * MIB)

/* The stages of a case. */
enum { FILL = 1, RELEASE, USE, LEAVE };

typedef struct chain {
  struct chain *next;
} chain;

typedef struct worker {
  pthread_t thread;
  chain *lists[LISTS];
  struct worker *frees; /* the worker whose blocks this one frees */
} worker;

typedef enum user { MAIN, ONE_THAT_FREED, ONE_IN_BURSTS, AFTER_THREADS } user;

static struct {
  size_t bytes; /* for one thread to fill */
  size_t size;
  user user;
} plan;

static soak_gate gate = SOAK_GATE;
static worker workers[THREADS];
static size_t base;

static void fill(worker *w) {
  for (size_t i = 0; i * plan.size < plan.bytes; i++) {
    chain *block = soak_block(plan.size);
    block->next = w->lists[i % LISTS];
    w->lists[i % LISTS] = block;
  }
}

static void release(worker *w) {
  for (int i = 0; i < LISTS; i++) {
    while (w->lists[i] != NULL) {
      chain *block = w->lists[i];
      w->lists[i] = block->next;
      FREE(block);
    }
  }
}

static size_t memory_above_base(void) { return soak_above(soak_rss(), base); }

static void use_once(void) {
  if (plan.user != ONE_IN_BURSTS) FREE(soak_block(LIGHT_SIZE));
  for (int i = 0; plan.user == ONE_IN_BURSTS && i < BURST; i++) FREE(soak_block(BURST_SIZE));
}

/* Allocates a little every tenth of a second, or several blocks of one size at once, until the
 * memory was given back or the time is over.  Returns milliseconds. */
static unsigned long use_lightly(size_t limit) {
  enum { EACH_MS = 100, MOST_MS = 5000 };
  unsigned long start = soak_ms(), passed = 0;
  while (!soak_within(memory_above_base(), limit) && passed < MOST_MS) {
    soak_sleep(EACH_MS);
    use_once();
    passed = soak_ms() - start;
  }
  return passed;
}

static size_t limit;
static unsigned long took;

static bool is_user_a_worker(void) {
  return plan.user == ONE_THAT_FREED || plan.user == ONE_IN_BURSTS;
}

static void *work(void *arg) {
  worker *w = arg;
  soak_await(&gate, FILL);
  fill(w);
  FREE(soak_block(LIGHT_SIZE));
  soak_await(&gate, RELEASE);
  release(w->frees);
  soak_await(&gate, USE);
  if (is_user_a_worker() && w == &workers[0]) took = use_lightly(limit);
  soak_await(&gate, LEAVE);
  return NULL;
}

static void start(void) {
  for (int i = 0; i < THREADS; i++) workers[i].thread = soak_thread(work, &workers[i]);
  soak_await_threads(&gate, THREADS);
}

static void finish(void) {
  soak_await_threads(&gate, THREADS);
  soak_open(&gate, LEAVE);
  for (int i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  soak_open(&gate, 0);
}

/* Returns after the blocks were freed, while the threads wait.  Returns the peak of memory in
 * bytes. */
static size_t fill_and_release(bool others) {
  for (int i = 0; i < THREADS; i++) workers[i].frees = &workers[others ? (i + 1) % THREADS : i];
  base = soak_rss();
  start();
  soak_open(&gate, FILL);
  soak_await_threads(&gate, THREADS);
  size_t most = memory_above_base();
  soak_open(&gate, RELEASE);
  soak_await_threads(&gate, THREADS);
  return most;
}

/* ---- the cases, each in its own process ---- */

typedef struct situation {
  bool others; /* blocks are freed by other threads than allocated them */
  user user;
} situation;

static const char *freers(bool others) { return others ? "others" : "owners"; }

#ifndef SOAK_LIBC
static void check_purge(void *arg) {
  const situation *s = arg;
  size_t most = fill_and_release(s->others);
  size_t before = memory_above_base();
  mia_purge();
  size_t rest = memory_above_base();
  tap_ok(soak_within(rest, most / PART),
         "%zu bytes, freed by %s, mia_purge: %zu MiB, %zu KiB, %zu KiB", plan.size,
         freers(s->others), most / MIB, before / KIB, rest / KIB);
}
#endif

static void check_light_use(void *arg) {
  static const char *const names[] = {"by main", "by one that freed",
                                      "by one that freed, in bursts", "after the threads' end"};
  const situation *s = arg;
  plan.user = s->user;
  size_t most = fill_and_release(s->others);
  limit = most / PART;
  /* A thread that allocates from its own free lists runs no tick. */
  if (!is_user_a_worker() && limit < LIGHT_USE_LEAVES) limit = LIGHT_USE_LEAVES;
  size_t before = memory_above_base();
  soak_open(&gate, USE);
  if (s->user == AFTER_THREADS) finish();
  if (!is_user_a_worker())
    took = use_lightly(limit);
  else
    soak_await_threads(&gate, THREADS);
  size_t rest = memory_above_base();
  tap_ok(rest <= limit,
         "%zu bytes, freed by %s, used lightly %s: %zu MiB, %zu KiB, %zu KiB in %lu ms", plan.size,
         freers(s->others), names[s->user], most / MIB, before / KIB, rest / KIB, took);
}

static void check_size(size_t size) {
  plan.size = size;
  for (int others = 0; others <= 1; others++) {
#ifndef SOAK_LIBC
    soak_apart(check_purge, &(situation){.others = others});
#endif
    for (user who = MAIN; who <= AFTER_THREADS; who++)
      soak_apart(check_light_use, &(situation){.others = others, .user = who});
  }
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {100, 8000, MIB};
  plan.bytes = soak_scale(argc, argv, MIB_DEFAULT) * MIB / THREADS;
  for (int i = 2; i < argc; i++) check_size(strtoul(argv[i], NULL, 0));
  for (size_t i = 0; argc <= 2 && i < sizeof sizes / sizeof sizes[0]; i++) check_size(sizes[i]);
  return tap_end();
}
