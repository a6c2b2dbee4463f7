/* handlers.c -- forks while threads allocate, with fork handlers of a library.  Exit status 0
 * if all forks end and each handler ran once for each fork.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fork.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 40, THREADS = 3, SECONDS = 40, CHILD_SECONDS = 20, TICK_US = 1000 };

static int stopping;

static void *churn(void *locked) {
  while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
    if (locked != NULL)
      fork_allocate_locked();
    else
      fork_allocate();
  }
  return NULL;
}

/* Waits for the threads that the handlers started; an alarm ends the process if they hang. */
static void await_threads(unsigned count) {
  while (__atomic_load_n(&fork_counts.threads, __ATOMIC_RELAXED) < count) usleep(TICK_US);
}

static int be_child(unsigned nth) {
  alarm(CHILD_SECONDS);
  fork_allocate();
  await_threads(1);
  return fork_counts.in_child == 1 && fork_counts.in_parent == nth ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void) {
  pthread_t threads[THREADS];
  int failed = 0;
#ifndef BY_CONSTRUCTOR
  fork_register();
#endif
  alarm(SECONDS);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, churn, i == 0 ? NULL : &stopping) != 0) abort();
  for (unsigned i = 0; i < FORKS; i++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit(be_child(i));
    if (child < 0 || waitpid(child, &status, 0) != child) abort();
    failed += status != 0;
  }
  __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  await_threads(2 * FORKS);
  printf("%d of %d children failed; %u prepared, %u in the parent, %u threads\n", failed, FORKS,
         fork_counts.prepared, fork_counts.in_parent, fork_counts.threads);
  return failed == 0 && fork_counts.prepared == FORKS && fork_counts.in_parent == FORKS
             ? EXIT_SUCCESS
             : EXIT_FAILURE;
}
