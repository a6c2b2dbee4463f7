/* worker.c -- a thread of our own, and how it sleeps. */
#include "base/prelude.h"

#include "os/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

/* Enough for what it calls and for the thread-locals of any program; where it is
 * not, what every thread of the program has. */
#define STACK_SIZE (256 * MIA_KIB)

/* These fail only for arguments that we do not give. */
void mia_os_make_bell(mia_bell *bell) { (void)sem_init(&bell->rung, 0, 0); }
void mia_os_ring_bell(mia_bell *bell) { (void)sem_post(&bell->rung); }
void mia_os_wait_for_bell(mia_bell *bell) {
  while (sem_wait(&bell->rung) != 0) {}
}

enum { MS = 1000, NS_PER_MS = 1000000 };

void mia_os_sleep(size_t ms) {
  struct timespec left = {.tv_sec = (time_t)(ms / MS), .tv_nsec = (long)(ms % MS) * NS_PER_MS};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {} /* else it cannot be had */
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
