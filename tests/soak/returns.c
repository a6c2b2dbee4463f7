/* returns.c -- memory that was freed comes back to the system; prints TAP.
 *
 *   returns [MIB [SIZE...]]
 *
 * Four threads fill so many MiB with blocks of a size, free them, and sleep on.
 * What the process then still has, above what it had before, is at most a
 * twentieth: after mia_purge at once, or after some light use by one thread.
 * Blocks are freed in an order in which pages empty late.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

enum { THREADS = 4, LISTS = 8, MIB_DEFAULT = 128, PART = 20, LIGHT_SIZE = 100 };

/* What a purge by bytes alone leaves, and what threads keep at hand. */
#define SMALL_REST (48 * MIB)

/* The stages of a round. */
enum { FILL = 1, RELEASE, USE, LEAVE };

typedef struct chain {
  struct chain *next;
} chain;

typedef struct worker {
  pthread_t thread;
  chain *lists[LISTS];
  struct worker *frees; /* whose blocks this one frees */
} worker;

typedef enum user { MAIN, ONE_THAT_FREED, AFTER_THREADS } user;

static struct {
  size_t bytes; /* that one thread fills */
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

static size_t kept(void) { return soak_above(soak_rss(), base); }

/* A few operations a second, until the memory is back or hope is lost; ms. */
static unsigned long use_lightly(size_t limit) {
  enum { EACH_MS = 100, HOPE_MS = 5000 };
  unsigned long start = soak_ms(), passed = 0;
  while (!soak_within(kept(), limit) && passed < HOPE_MS) {
    soak_sleep(EACH_MS);
    FREE(soak_block(LIGHT_SIZE));
    passed = soak_ms() - start;
  }
  return passed;
}

static size_t limit;
static unsigned long took;

static void *work(void *arg) {
  worker *w = arg;
  soak_await(&gate, FILL);
  fill(w);
  FREE(soak_block(LIGHT_SIZE));
  soak_await(&gate, RELEASE);
  release(w->frees);
  soak_await(&gate, USE);
  if (plan.user == ONE_THAT_FREED && w == &workers[0]) took = use_lightly(limit);
  soak_await(&gate, LEAVE);
  return NULL;
}

static void start(void) {
  for (int i = 0; i < THREADS; i++) workers[i].thread = soak_thread(work, &workers[i]);
  soak_gather(&gate, THREADS);
}

static void finish(void) {
  soak_gather(&gate, THREADS);
  soak_open(&gate, LEAVE);
  for (int i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  soak_open(&gate, 0);
}

/* Up to where the blocks have been freed and the threads wait; what there was. */
static size_t fill_and_release(bool others) {
  for (int i = 0; i < THREADS; i++) workers[i].frees = &workers[others ? (i + 1) % THREADS : i];
  base = soak_rss();
  start();
  soak_open(&gate, FILL);
  soak_gather(&gate, THREADS);
  size_t most = kept();
  soak_open(&gate, RELEASE);
  soak_gather(&gate, THREADS);
  return most;
}

/* ---- the cases, each in a process of its own ---- */

typedef struct situation {
  bool others; /* freed the blocks, not who made them */
  user user;
} situation;

static const char *freers(bool others) { return others ? "others" : "owners"; }

#ifndef SOAK_LIBC
static void purge(void *arg) {
  const situation *s = arg;
  size_t most = fill_and_release(s->others);
  size_t before = kept();
  mia_purge();
  size_t rest = kept();
  soak_case(soak_within(rest, most / PART),
            "%zu bytes, freed by %s, mia_purge: %zu MiB, %zu KiB, %zu KiB", plan.size,
            freers(s->others), most / MIB, before / KIB, rest / KIB);
}
#endif

static void light(void *arg) {
  static const char *const names[] = {"by main", "by one that freed", "after the threads' end"};
  const situation *s = arg;
  plan.user = s->user;
  size_t most = fill_and_release(s->others);
  limit = most / PART;
  /* A thread that goes on with what it has at hand looks at nothing. */
  if (s->user != ONE_THAT_FREED && limit < SMALL_REST) limit = SMALL_REST;
  size_t before = kept();
  soak_open(&gate, USE);
  if (s->user == AFTER_THREADS) finish();
  if (s->user != ONE_THAT_FREED)
    took = use_lightly(limit);
  else
    soak_gather(&gate, THREADS);
  size_t rest = kept();
  soak_case(
      rest <= limit, "%zu bytes, freed by %s, used lightly %s: %zu MiB, %zu KiB, %zu KiB in %lu ms",
      plan.size, freers(s->others), names[s->user], most / MIB, before / KIB, rest / KIB, took);
}

static void round_of(size_t size) {
  plan.size = size;
  for (int others = 0; others <= 1; others++) {
#ifndef SOAK_LIBC
    soak_apart(purge, &(situation){.others = others});
#endif
    for (user who = MAIN; who <= AFTER_THREADS; who++)
      soak_apart(light, &(situation){.others = others, .user = who});
  }
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {100, 8000, MIB};
  plan.bytes = soak_scale(argc, argv, MIB_DEFAULT) * MIB / THREADS;
  for (int i = 2; i < argc; i++) round_of(strtoul(argv[i], NULL, 0));
  for (size_t i = 0; argc <= 2 && i < sizeof sizes / sizeof sizes[0]; i++) round_of(sizes[i]);
  return soak_end();
}
