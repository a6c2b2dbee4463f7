/* SPDX-License-Identifier: MIT */
/* worker.c -- starts a thread of the library's own and lets it sleep. */
#include "base/prelude.h"

#include "os/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

/* Enough for the functions that the thread calls and for the thread-locals of most
 * programs.  Where it is too little, the thread gets the default size. */
#define STACK_SIZE (256 * MIA_KIB)

/* The calls fail only for arguments that we do not pass, and sem_wait if a signal
 * handler interrupts it. */
void mia_os_make_semaphore(mia_semaphore *bell) { (void)sem_init(&bell->rung, 0, 0); }
void mia_os_post_semaphore(mia_semaphore *bell) { (void)sem_post(&bell->rung); }
void mia_os_wait_semaphore(mia_semaphore *bell) {
  while (sem_wait(&bell->rung) != 0) {}
}

enum { MS = 1000, NS_PER_MS = 1000000 };

void mia_os_sleep(size_t ms) {
  struct timespec left = {.tv_sec = (time_t)(ms / MS), .tv_nsec = (long)(ms % MS) * NS_PER_MS};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {} /* else it is not possible */
}

static bool start(void *(*run)(void *), size_t stack) {
  pthread_t thread;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  bool started = (stack == 0 || pthread_attr_setstacksize(&attributes, stack) == 0) &&
                 pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                 pthread_create(&thread, &attributes, run, NULL) == 0;
  (void)pthread_attr_destroy(&attributes);
  return started;
}

bool mia_os_start_thread(void *(*run)(void *)) {
  sigset_t all, before;
  if (sigfillset(&all) != 0 || pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
  bool started = start(run, STACK_SIZE) || start(run, 0);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}
