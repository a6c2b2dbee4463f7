/* fork.c -- fork in a signal handler that interrupts malloc and free; prints TAP.
 *
 * POSIX allows fork in a signal handler.  The interrupted code may hold locks of the library,
 * which are then not available while the handler runs.  Threads allocate all the time, also
 * those that are interrupted.  The child either ends at once, or returns from the handler,
 * finishes the interrupted call and allocates.  Linked with libmialloc; needs no framework.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tap.h"

enum {
  THREADS = 3,
  SLOTS = 64,
  FORKS_MIN = 40,
  RUN_MS = 1000, /* at least, and until enough forks were made */
  INTERVAL_US = 500,
  CHILD_SECONDS = 3,
  CHILD_SECONDS_HANGING = 1, /* of a child that may hang */
  HANGING_PART = 4,
  SECONDS = 120,
  CHILD_ROUNDS = 1000,
  CHILD_ROUNDS_HANGING = 100 /* within its seconds also on a slow emulator */
};

/* In memory that all processes share. */
typedef struct results {
  unsigned forks, failed;
} results;
static results *shared;

static bool child_returns;
static unsigned child_seconds, child_rounds;
static unsigned is_child, stopping; /* atomic */

static unsigned get(unsigned *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void fork_here(int signo) {
  int error = errno, status = -1;
  (void)signo;
  if (get(&is_child) || get(&stopping)) return;
  pid_t child = fork();
  if (child == 0) {
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(child_seconds);
    if (!child_returns) _exit(EXIT_SUCCESS);
    __atomic_store_n(&is_child, 1, __ATOMIC_RELAXED);
  } else {
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      __atomic_add_fetch(&shared->failed, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&shared->forks, 1, __ATOMIC_RELAXED);
  }
  errno = error;
}

static uint32_t random_number(uint32_t *random) {
  *random = *random * 1664525u + 1013904223u;
  return *random >> 8;
}

/* Mostly calls that need locks, because pages come and go. */
static void replace_block(void **slot, uint32_t *random) {
  unsigned kind = random_number(random) % 16;
  size_t size = kind == 0  ? (size_t)40 << 20
                : kind < 8 ? 1 + random_number(random) % 200000
                           : 1 + random_number(random) % 2000;
  free(*slot);
  char *p = malloc(size);
  if (p == NULL) abort();
  *p = 1;
  *slot = p;
}

static void *churn(void *arg) {
  void *slots[SLOTS] = {NULL};
  uint32_t random = (uint32_t)(uintptr_t)arg;
  unsigned rounds = 0;
  while (!get(&stopping) && rounds < child_rounds) {
    replace_block(&slots[random_number(&random) % SLOTS], &random);
    if (get(&is_child)) rounds++;
  }
  for (int i = 0; i < SLOTS; i++) free(slots[i]);
  if (get(&is_child)) _exit(EXIT_SUCCESS);
  return NULL;
}

static long now_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (long)t.tv_sec * 1000 + (long)t.tv_nsec / 1000000; /* wider than long on x32 */
}

/* If `each', all threads are interrupted, otherwise the first one. */
static void run(bool each) {
  pthread_t threads[THREADS];
  struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
  (void)sigfillset(&action.sa_mask);
  (void)sigaction(SIGUSR1, &action, NULL);
  for (uintptr_t i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) != 0) abort();
  long until = now_ms() + RUN_MS;
  for (unsigned i = 0; now_ms() < until || get(&shared->forks) < FORKS_MIN; i++) {
    (void)pthread_kill(threads[each ? i % THREADS : 0], SIGUSR1);
    (void)nanosleep(&(struct timespec){.tv_nsec = INTERVAL_US * 1000L}, NULL);
  }
  __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
}

/* Runs in its own process, which an alarm ends if it hangs. */
static void test(const char *what, bool each, bool returns) {
  int status = -1;
  /* If all threads are in handlers at the same time, one of them may hold a lock that it has
   * not recorded yet.  A child that goes on to allocate, which POSIX does not allow, then
   * waits for that lock. */
  bool may_hang = each && returns;
  *shared = (results){0};
  pid_t child = fork();
  if (child == 0) {
    (void)alarm(SECONDS);
    child_returns = returns;
    child_seconds = may_hang ? CHILD_SECONDS_HANGING : CHILD_SECONDS;
    child_rounds = may_hang ? CHILD_ROUNDS_HANGING : CHILD_ROUNDS;
    run(each);
    _exit(EXIT_SUCCESS);
  }
  bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0 &&
              shared->failed <= (may_hang ? shared->forks / HANGING_PART : 0) &&
              shared->forks >= FORKS_MIN;
  tap_ok(good, "%s (%u forks, %u failed)", what, shared->forks, shared->failed);
}

int main(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return EXIT_FAILURE;
  test("fork in a handler", false, false);
  test("fork in a handler, from which the child returns", false, true);
  test("fork in handlers of all threads", true, false);
  test("fork in handlers of all threads, from which the child returns", true, true);
  return tap_end();
}
