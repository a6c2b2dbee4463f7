/* SPDX-License-Identifier: MIT */
/* threads.h -- runs a function in threads of its own, and waits for their end. */
#ifndef TESTS_UNIT_THREADS_H
#define TESTS_UNIT_THREADS_H

#include "unit/suite.h"

#include <pthread.h>

/* Fails the test if the thread noted something. */
static inline void run_thread(void *(*run)(void *), void *arg) {
  pthread_t thread;
  need(pthread_create(&thread, NULL, run, arg) == 0);
  need(pthread_join(thread, NULL) == 0);
  need_nothing_noted();
}

/* Runs several threads at the same time.  The argument of each is its number, from 0. */
static inline void run_threads(unsigned count, void *(*run)(void *)) {
  pthread_t threads[16];
  need(count <= sizeof threads / sizeof threads[0]);
  for (uintptr_t i = 0; i < count; i++)
    need(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
  for (unsigned i = 0; i < count; i++) need(pthread_join(threads[i], NULL) == 0);
  need_nothing_noted();
}

#endif
