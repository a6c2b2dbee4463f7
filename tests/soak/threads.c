/* threads.c -- short-lived threads leave no memory behind; prints TAP.
 *
 *   threads [THREADS]
 *
 * Each short-lived thread frees blocks that other threads allocated, allocates some, frees
 * some and leaves the rest to others.  Key destructors that run after the library's own free
 * blocks too.  Threads end by returning, by pthread_exit and by cancellation.  Then the cost of
 * an idle thread is measured.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "../tsan.h"
#include "soak.h"

#include <sys/resource.h>

enum {
  THREADS_DEFAULT = 4000,
  TOGETHER = 4, /* threads at a time */
  SHARED = 256, /* slots for blocks that threads exchange */
  STEPS = 40,
  BYTES_A_THREAD = 16,
  NOISE = 1024 * 1024, /* allowed in total, for the libc, the kernel and placement */
  IDLE_THREADS = 200,
  IDLE_BYTES = 16 * 1024,
  IDLE_ONCE = 128 * 1024 /* what the first of them touch for all */
};

/* ThreadSanitizer detaches a thread before the last round of destructors. */
enum { TURNS = TSAN ? 2 : 3 };

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static void *shared[SHARED];
static pthread_key_t late_key;

static void *exchange(size_t slot, void *block) {
  pthread_mutex_lock(&shared_lock);
  void *old = shared[slot];
  shared[slot] = block;
  pthread_mutex_unlock(&shared_lock);
  return old;
}

/* A destructor sets its key again, so that it also runs in the next round, after the
 * library's own destructor. */
typedef struct late_blocks {
  int turns;
  void *blocks[TURNS];
} late_blocks;

static void run_late(void *arg) {
  late_blocks *l = arg;
  FREE(l->blocks[--l->turns]);
  if (l->turns > 0) {
    l->blocks[0] = REALLOC(l->blocks[0], 300);
    pthread_setspecific(late_key, l);
  } else {
    FREE(l);
  }
}

static void begin_late(void) {
  late_blocks *l = soak_block(sizeof *l);
  l->turns = TURNS;
  for (int i = 0; i < TURNS; i++) l->blocks[i] = soak_block(100);
  pthread_setspecific(late_key, l);
}

static void *short_lived_thread(void *arg) {
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

static void run_threads(unsigned long from, unsigned long count) {
  pthread_t threads[TOGETHER];
  for (unsigned long i = 0; i < count; i += TOGETHER) {
    for (unsigned k = 0; k < TOGETHER; k++)
      threads[k] = soak_thread(short_lived_thread, (void *)(uintptr_t)(from + i + k));
    for (unsigned k = 0; k < TOGETHER; k++) pthread_join(threads[k], NULL);
  }
}

static void check_growth(unsigned long count) {
  size_t rss[5];
  for (int quarter = 0; quarter <= 4; quarter++) {
    if (quarter > 0) run_threads((unsigned long)quarter * count, count / 4);
    (void)mia_purge(); /* caches do not count as leaked */
    rss[quarter] = soak_rss();
  }
  printf("# KiB after each quarter of %lu threads: %zu %zu %zu %zu\n", count, rss[1] / KIB,
         rss[2] / KIB, rss[3] / KIB, rss[4] / KIB);
  size_t grown = soak_above(rss[4], rss[1]);
  tap_ok(soak_within(grown, BYTES_A_THREAD * (count / 4 * 3) + NOISE),
         "%lu threads: %zu bytes after the first quarter", count, grown);
  grown = soak_above(rss[4], rss[2]);
  tap_ok(soak_within(grown, NOISE), "from the second quarter to the last: %zu bytes", grown);
  for (int i = 0; i < SHARED; i++) FREE(exchange((size_t)i, NULL));
}

/* ---- the cost of a sleeping thread that has allocated ---- */

static soak_gate gate = SOAK_GATE;
static bool allocates;

static void *idle_thread(void *unused) {
  if (allocates) FREE(soak_block(100));
  soak_await(&gate, 1);
  return unused;
}

static size_t cost_of_a_thread(bool with) {
  pthread_t threads[IDLE_THREADS];
  pthread_attr_t attributes;
  allocates = with;
  gate.stage = gate.arrived = 0;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * KIB);
  size_t before = soak_rss();
  for (int i = 0; i < IDLE_THREADS; i++)
    if (pthread_create(&threads[i], &attributes, idle_thread, NULL) != 0) abort();
  soak_await_threads(&gate, IDLE_THREADS);
  size_t rss = soak_above(soak_rss(), before);
  soak_open(&gate, 1);
  for (int i = 0; i < IDLE_THREADS; i++) pthread_join(threads[i], NULL);
  pthread_attr_destroy(&attributes);
  return rss / IDLE_THREADS;
}

/* Runs in a process of its own, because the C library keeps stacks for later threads. */
static size_t cost_apart(bool with) {
  int ends[2];
  size_t bytes = 0;
  if (pipe(ends) != 0) abort();
  pid_t child = fork();
  if (child == 0) {
    bytes = cost_of_a_thread(with);
    _exit(write(ends[1], &bytes, sizeof bytes) != (ssize_t)sizeof bytes);
  }
  if (read(ends[0], &bytes, sizeof bytes) != (ssize_t)sizeof bytes) abort();
  (void)waitpid(child, NULL, 0);
  return bytes;
}

static void idle_threads(void) {
  size_t without = cost_apart(false), with = cost_apart(true);
  size_t ours = soak_above(with, without);
  tap_ok(soak_within(ours, IDLE_BYTES + IDLE_ONCE / IDLE_THREADS) || RESIDENT_BY_ASSERTIONS(),
         "an idle thread costs %zu bytes, of %zu", ours, with);
}

static void at_exit(void) {
  void *p = soak_block(1000);
  FREE(REALLOC(p, 5000));
}

int main(int argc, char **argv) {
  unsigned long count = soak_scale(argc, argv, THREADS_DEFAULT);
  if (pthread_key_create(&late_key, run_late) != 0 || atexit(at_exit) != 0) abort();
  idle_threads();
  check_growth(count);
  return tap_end();
}
