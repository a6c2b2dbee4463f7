/* forks.c -- forks of a process with busy threads; prints TAP.
 *
 *   forks [FORKS]
 *
 * Eight threads allocate, free each other's blocks, and make and destroy heaps, while the
 * parent forks.  Each child frees blocks of the parent, allocates, starts two threads that do
 * the same, makes and destroys a heap, and ends; an alarm ends a child that hangs.  Then the
 * same with vfork and posix_spawn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <errno.h>
#include <mialloc/heap.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>

enum {
  FORKS_DEFAULT = 200,
  CHURNERS = 8,
  SLOTS = 64,
  CHILD_THREADS = 2,
  PARENT_BLOCKS = 100,
  ALARM_S = 30,
  SPAWNS = 50
};

static _Atomic(void *) slots[SLOTS];
static atomic_bool over;
static void *parent_blocks[PARENT_BLOCKS];

static uint64_t next(uint64_t *random) {
  *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return *random >> 33;
}

static void *some_block(uint64_t *random) {
  size_t size = (size_t)8 << next(random) % 14;
  char *p = MALLOC(size + next(random) % size);
  if (p == NULL) abort();
  p[0] = 1;
  return p;
}

static void use_heap(uint64_t *random) {
  mia_heap *heap = mia_heap_new();
  if (heap == NULL) abort();
  for (int i = 0; i < 20; i++)
    if (mia_heap_malloc(heap, 1 + next(random) % 3000) == NULL) abort();
  mia_heap_destroy(heap);
}

static void *churn(void *arg) {
  uint64_t random = (uintptr_t)arg;
  for (unsigned i = 0; !atomic_load(&over); i++) {
    FREE(atomic_exchange(&slots[next(&random) % SLOTS], some_block(&random)));
    if (i % 64 == 0) use_heap(&random);
    if (i % 1024 == 0) mia_purge();
  }
  return NULL;
}

static void *churn_in_child(void *arg) {
  uint64_t random = (uintptr_t)arg;
  void *blocks[PARENT_BLOCKS];
  for (int i = 0; i < PARENT_BLOCKS; i++) blocks[i] = some_block(&random);
  for (int i = 0; i < PARENT_BLOCKS; i++) FREE(blocks[i]);
  use_heap(&random);
  return NULL;
}

static void be_child(uint64_t random) {
  pthread_t threads[CHILD_THREADS];
  signal(SIGALRM, SIG_DFL);
  alarm(ALARM_S);
  for (uintptr_t i = 0; i < CHILD_THREADS; i++)
    if (pthread_create(&threads[i], NULL, churn_in_child, (void *)(i + 1)) != 0) _exit(2);
  for (int i = 0; i < PARENT_BLOCKS; i++) FREE(parent_blocks[i]);
  for (int i = 0; i < SLOTS; i++) FREE(atomic_exchange(&slots[i], some_block(&random)));
  use_heap(&random);
  for (int i = 0; i < CHILD_THREADS; i++) pthread_join(threads[i], NULL);
  mia_collect(true);
  _exit(0);
}

static void forks(unsigned long count) {
  unsigned long hung = 0, crashed = 0, failed = 0;
  uint64_t random = 1;
  for (int i = 0; i < PARENT_BLOCKS; i++) parent_blocks[i] = some_block(&random);
  for (unsigned long i = 0; i < count; i++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) be_child(i);
    if (child < 0 || waitpid(child, &status, 0) != child) abort();
    if (WIFSIGNALED(status)) {
      hung += WTERMSIG(status) == SIGALRM;
      crashed += WTERMSIG(status) != SIGALRM;
    }
    failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
  }
  for (int i = 0; i < PARENT_BLOCKS; i++) FREE(parent_blocks[i]);
  tap_ok(hung + crashed + failed == 0, "%lu forks: %lu hung, %lu crashed, %lu failed", count, hung,
         crashed, failed);
}

/* The child of vfork shares the memory and runs on the parent's thread until it executes
 * another program. */
static pid_t vfork_true(void) {
  pid_t child = vfork();
  if (child != 0) return child;
  execl("/bin/true", "true", (char *)NULL);
  _exit(127);
}

static void vforks(void) {
  unsigned good = 0;
  for (int i = 0; i < SPAWNS; i++) {
    int status = 1;
    pid_t child = vfork_true();
    good += child > 0 && waitpid(child, &status, 0) == child && status == 0;
    FREE(soak_block(5000));
  }
  tap_ok(good == SPAWNS, "vfork: %u of %u", good, (unsigned)SPAWNS);
}

static void spawns(void) {
  extern char **environ;
  char *argv[] = {(char[]){"true"}, NULL};
  unsigned good = 0;
  for (int i = 0; i < SPAWNS; i++) {
    int status = 1;
    pid_t child;
    good += posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0 &&
            waitpid(child, &status, 0) == child && status == 0;
    FREE(soak_block(5000));
  }
  tap_ok(good == SPAWNS, "posix_spawn: %u of %u", good, (unsigned)SPAWNS);
}

int main(int argc, char **argv) {
  unsigned long count = soak_scale(argc, argv, FORKS_DEFAULT);
  pthread_t threads[CHURNERS];
  for (uintptr_t i = 0; i < CHURNERS; i++) threads[i] = soak_thread(churn, (void *)(i + 7));
  forks(count);
  vforks();
  spawns();
  atomic_store(&over, true);
  for (int i = 0; i < CHURNERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < SLOTS; i++) FREE(atomic_exchange(&slots[i], NULL));
  return tap_end();
}
