/* soak.h -- helpers for the soak programs: figures of memory and time, cases in processes of
 * their own, and threads that pass stages together.
 *
 * Each program takes a scale: small in `make check', full in the CI job `soak'.  Memory is
 * checked in bytes or as a ratio; time is only printed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_SOAK_H
#define MIA_TEST_SOAK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../api/pattern.h"
#include "../resident.h"
#include "../tap.h"

/* With -DSOAK_LIBC the programs call malloc, to compare allocators; what only mialloc has is
 * left out. */
#ifdef SOAK_LIBC
#define MALLOC malloc
#define REALLOC realloc
#define FREE free
#else
#include <mialloc.h>
#define MALLOC mia_malloc
#define REALLOC mia_realloc
#define FREE mia_free
#endif

/* Runs `part', which has one case, in a process of its own. */
static inline void soak_apart(void (*part)(void *), void *arg) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    part(arg);
    fflush(stdout);
    _exit(tap_failures > 0);
  }
  bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  tap_cases++;
  tap_failures += !ended || WEXITSTATUS(status) != 0;
  if (!ended) printf("not ok %u - it ended by signal %d\n", tap_cases, WTERMSIG(status));
}

/* Returns the first argument, or `standard', the scale of make check. */
static inline unsigned long soak_scale(int argc, char **argv, unsigned long standard) {
  unsigned long scale = argc > 1 ? strtoul(argv[1], NULL, 0) : standard;
  if (scale > 0) return scale;
  fprintf(stderr, "%s: the scale is a number above 0\n", argv[0]);
  exit(EXIT_FAILURE);
}

/* Returns the resident memory of the process in bytes. */
static inline size_t soak_rss(void) {
  size_t bytes = resident_bytes();
  if (bytes == 0) {
    fputs("Bail out! no resident size in /proc/self\n", stdout);
    exit(EXIT_FAILURE);
  }
  return bytes;
}

/* Nonzero if the memory of the process tells something about the allocator.  A sanitizer's
 * shadow memory grows with what is touched and does not shrink. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOAK_RSS_TELLS 0
#elif defined(__has_feature)
#define SOAK_RSS_TELLS !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SOAK_RSS_TELLS 1
#endif

static inline bool soak_within(size_t rss, size_t limit) { return rss <= limit || !SOAK_RSS_TELLS; }

static inline size_t soak_above(size_t bytes, size_t base) {
  return bytes > base ? bytes - base : 0;
}

static inline unsigned long soak_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

static inline void soak_sleep(unsigned long ms) {
  struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) {}
}

/* Returns a block, completely written. */
static inline void *soak_block(size_t size) {
  void *p = MALLOC(size);
  if (p == NULL) {
    printf("Bail out! no memory for %zu bytes\n", size);
    exit(EXIT_FAILURE);
  }
  return memset(p, 0x5a, size);
}

/* A stage that one thread advances and others wait for. */
typedef struct soak_gate {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  unsigned stage;
  unsigned arrived; /* threads that wait for the next stage */
} soak_gate;

#define SOAK_GATE \
  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 }

static inline void soak_open(soak_gate *gate, unsigned stage) {
  pthread_mutex_lock(&gate->mutex);
  gate->stage = stage;
  gate->arrived = 0;
  pthread_cond_broadcast(&gate->cond);
  pthread_mutex_unlock(&gate->mutex);
}

static inline void soak_await(soak_gate *gate, unsigned stage) {
  pthread_mutex_lock(&gate->mutex);
  gate->arrived++;
  pthread_cond_broadcast(&gate->cond);
  while (gate->stage < stage) pthread_cond_wait(&gate->cond, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

/* Waits until `threads' threads wait for the next stage. */
static inline void soak_await_threads(soak_gate *gate, unsigned threads) {
  pthread_mutex_lock(&gate->mutex);
  while (gate->arrived < threads) pthread_cond_wait(&gate->cond, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

static inline pthread_t soak_thread(void *(*function)(void *), void *arg) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, function, arg);
  if (error == 0) return thread;
  printf("Bail out! no thread: %s\n", strerror(error));
  exit(EXIT_FAILURE);
}

#endif
