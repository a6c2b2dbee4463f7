/* soak.h -- what the soak programs share: TAP lines, memory and time as numbers,
 * threads that go through stages together.
 *
 * Each program takes a scale: small in `make check', full in the CI's job `soak'.
 * Memory is asserted as bytes or ratios, time is only told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_SOAK_H
#define MIA_TEST_SOAK_H

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* With -DSOAK_LIBC the programs call malloc, to compare allocators with; what
 * only mialloc has is then left out. */
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

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static unsigned soak_cases, soak_failures;

__attribute__((format(printf, 2, 3))) static inline void soak_case(bool ok, const char *format,
                                                                   ...) {
  char line[240];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  printf("%sok %u - %s\n", ok ? "" : "not ", ++soak_cases, line);
  fflush(stdout);
  soak_failures += !ok;
}

/* Runs `part', which has one case, in a process of its own. */
static inline void soak_apart(void (*part)(void *), void *arg) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    part(arg);
    fflush(stdout);
    _exit(soak_failures > 0);
  }
  bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  soak_cases++;
  soak_failures += !ended || WEXITSTATUS(status) != 0;
  if (!ended) printf("not ok %u - it ended by signal %d\n", soak_cases, WTERMSIG(status));
}

static inline int soak_end(void) {
  printf("1..%u\n", soak_cases);
  return soak_failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The first argument, or what make check takes. */
static inline unsigned long soak_scale(int argc, char **argv, unsigned long standard) {
  unsigned long scale = argc > 1 ? strtoul(argv[1], NULL, 0) : standard;
  if (scale > 0) return scale;
  fprintf(stderr, "%s: the scale is a number above 0\n", argv[0]);
  exit(EXIT_FAILURE);
}

/* Bytes of memory that the process has, without asking stdio for a buffer. */
static inline size_t soak_rss(void) {
  char text[128] = "";
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) {
    fputs("Bail out! no /proc/self/statm\n", stdout);
    exit(EXIT_FAILURE);
  }
  close(fd);
  unsigned long pages;
  if (sscanf(text, "%*u %lu", &pages) != 1) abort();
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Whether what the process has says anything of the allocator: a sanitizer's
 * shadow grows with what is touched, and does not shrink. */
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

/* A block, all of it written. */
static inline void *soak_block(size_t size) {
  void *p = MALLOC(size);
  if (p == NULL) {
    printf("Bail out! no memory for %zu bytes\n", size);
    exit(EXIT_FAILURE);
  }
  return memset(p, 0x5a, size);
}

/* What threads wait for: a number that somebody raises. */
typedef struct soak_gate {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  unsigned stage;
  unsigned arrived; /* threads that have come to where they wait next */
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

/* Until so many threads wait for the next stage. */
static inline void soak_gather(soak_gate *gate, unsigned threads) {
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
