/* threads.c -- threads that come and go for ever leave nothing; prints TAP.
 *
 *   threads [THREADS]
 *
 * Each short-lived thread frees blocks that others made, makes some, frees some
 * and hands the rest over; blocks are also freed by destructors that run after
 * the library's own, and threads end by returning, by pthread_exit and by being
 * cancelled.  Then: what an idle thread costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../tsan.h"
#include "soak.h"

#include <sys/resource.h>

enum {
  THREADS_DEFAULT = 4000,
  TOGETHER = 4, /* at a time */
  SHARED = 256, /* blocks on their way from thread to thread */
  STEPS = 40,
  BYTES_A_THREAD = 16,
  NOISE = 1024 * 1024, /* of the libc, the kernel and how blocks happen to lie, in all */
  IDLE_THREADS = 200,
  IDLE_BYTES = 16 * 1024
};

/* TSan lets go of a thread before the last turn of destructors. */
enum { TURNS = TSAN ? 2 : 3 };

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static void *shared[SHARED];
static pthread_key_t late;

static void *exchange(size_t slot, void *block) {
  pthread_mutex_lock(&shared_lock);
  void *old = shared[slot];
  shared[slot] = block;
  pthread_mutex_unlock(&shared_lock);
  return old;
}

/* A destructor sets its key again: it then runs in the next turn as well, when
 * the library's own has long run. */
typedef struct lateness {
  int turns;
  void *blocks[TURNS];
} lateness;

static void run_late(void *arg) {
  lateness *l = arg;
  FREE(l->blocks[--l->turns]);
  if (l->turns > 0) {
    l->blocks[0] = REALLOC(l->blocks[0], 300);
    pthread_setspecific(late, l);
  } else {
    FREE(l);
  }
}

static void begin_late(void) {
  lateness *l = soak_block(sizeof *l);
  l->turns = TURNS;
  for (int i = 0; i < TURNS; i++) l->blocks[i] = soak_block(100);
  pthread_setspecific(late, l);
}

static void *visit(void *arg) {
  uintptr_t number = (uintptr_t)arg;
  uint64_t random = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
  begin_late();
  for (int i = 0; i < STEPS; i++) {
    random = random * UINT64_C(6364136223846793005) + 1;
    size_t size = (size_t)8 << (random >> 40) % 10;
    FREE(exchange((size_t)(random >> 33) % SHARED, soak_block(size)));
  }
  if (number % 3 == 1) pthread_exit(NULL);
  if (number % 3 == 2) {
    pthread_cancel(pthread_self());
    pthread_testcancel();
  }
  return NULL;
}

static void some(unsigned long from, unsigned long count) {
  pthread_t threads[TOGETHER];
  for (unsigned long i = 0; i < count; i += TOGETHER) {
    for (unsigned k = 0; k < TOGETHER; k++)
      threads[k] = soak_thread(visit, (void *)(uintptr_t)(from + i + k));
    for (unsigned k = 0; k < TOGETHER; k++) pthread_join(threads[k], NULL);
  }
}

static void come_and_go(unsigned long count) {
  size_t rss[5];
  for (int quarter = 0; quarter <= 4; quarter++) {
    if (quarter > 0) some((unsigned long)quarter * count, count / 4);
    (void)mia_purge(); /* what is kept for later is not lost */
    rss[quarter] = soak_rss();
  }
  printf("# KiB after each quarter of %lu threads: %zu %zu %zu %zu\n", count, rss[1] / KIB,
         rss[2] / KIB, rss[3] / KIB, rss[4] / KIB);
  size_t grown = soak_above(rss[4], rss[1]);
  soak_case(soak_within(grown, BYTES_A_THREAD * (count / 4 * 3) + NOISE),
            "%lu threads: %zu bytes after the first quarter", count, grown);
  grown = soak_above(rss[4], rss[2]);
  soak_case(soak_within(grown, NOISE), "from the second quarter to the last: %zu bytes", grown);
  for (int i = 0; i < SHARED; i++) FREE(exchange((size_t)i, NULL));
}

/* ---- what a thread costs that has allocated and sleeps ---- */

static soak_gate gate = SOAK_GATE;
static bool allocates;

static void *idle(void *unused) {
  if (allocates) FREE(soak_block(100));
  soak_await(&gate, 1);
  return unused;
}

static size_t cost(bool with) {
  pthread_t threads[IDLE_THREADS];
  pthread_attr_t attributes;
  allocates = with;
  gate.stage = gate.arrived = 0;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * KIB);
  size_t before = soak_rss();
  for (int i = 0; i < IDLE_THREADS; i++)
    if (pthread_create(&threads[i], &attributes, idle, NULL) != 0) abort();
  soak_gather(&gate, IDLE_THREADS);
  size_t rss = soak_above(soak_rss(), before);
  soak_open(&gate, 1);
  for (int i = 0; i < IDLE_THREADS; i++) pthread_join(threads[i], NULL);
  pthread_attr_destroy(&attributes);
  return rss / IDLE_THREADS;
}

/* In a process of its own, since stacks are kept for the next thread. */
static size_t cost_apart(bool with) {
  int ends[2];
  size_t bytes = 0;
  if (pipe(ends) != 0) abort();
  pid_t child = fork();
  if (child == 0) {
    bytes = cost(with);
    _exit(write(ends[1], &bytes, sizeof bytes) != (ssize_t)sizeof bytes);
  }
  if (read(ends[0], &bytes, sizeof bytes) != (ssize_t)sizeof bytes) abort();
  (void)waitpid(child, NULL, 0);
  return bytes;
}

static void idle_threads(void) {
  size_t without = cost_apart(false), with = cost_apart(true);
  size_t ours = soak_above(with, without);
  soak_case(soak_within(ours, IDLE_BYTES), "an idle thread costs %zu bytes, of %zu", ours, with);
}

static void at_exit(void) {
  void *p = soak_block(1000);
  FREE(REALLOC(p, 5000));
}

int main(int argc, char **argv) {
  unsigned long count = soak_scale(argc, argv, THREADS_DEFAULT);
  if (pthread_key_create(&late, run_late) != 0 || atexit(at_exit) != 0) abort();
  idle_threads();
  come_and_go(count);
  return soak_end();
}
