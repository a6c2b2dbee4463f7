/* demo.c -- one workload, for any malloc: what bench/demo.sh runs.
 *
 *   demo [SEED]     runs the workload and prints one line: wall and CPU time in
 *                   milliseconds, peak resident memory in KiB, page faults
 *   demo warm MIB   touches and releases so much memory: a virtual machine may
 *                   have to get it from its host first, which must not be timed
 *
 * Four threads do what servers do: they keep tables of blocks of mixed sizes that come and
 * go, grow buffers, and send every fourth block to the next thread, which frees it.  The
 * program calls plain malloc and free; LD_PRELOAD selects the allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum {
  THREADS = 4,
  ROUNDS = 3,     /* after each round new threads take over */
  SLOTS = 20000,  /* blocks that a thread keeps */
  STEPS = 250000, /* blocks that a thread makes in a round */
  MAILBOX = 512,  /* slots for blocks sent to a thread */
  SEND_ONE_IN = 4,
  BUFFERS_ONE_IN = 2000, /* one step in so many grows a buffer instead */
  BUFFER_TOP = 1 << 20,
  CACHE_LINE = 64
};

typedef struct {
  unsigned char *slots[SLOTS];
  _Atomic(unsigned char *) mailbox[MAILBOX];
  uint64_t random;
  uint64_t sum; /* of the bytes read, so that the compiler cannot omit the reads */
} worker;

static worker workers[THREADS];

/* xorshift64 (Marsaglia): cheap, so that the time is spent in the allocator. */
static uint64_t next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

/* Mostly up to 256 bytes, some to 4 KiB, few to 64 KiB. */
static size_t any_size(uint64_t random) {
  enum { SMALL = 256, MEDIUM = 4096, LARGE = 65536 };
  unsigned dice = (unsigned)(random % 1000);
  size_t value = (size_t)(random >> 16);
  if (dice < 900) return 8 + value % SMALL;
  if (dice < 995) return SMALL + value % MEDIUM;
  return MEDIUM + value % LARGE;
}

static unsigned char *make(uint64_t random) {
  size_t size = any_size(random);
  unsigned char *p = malloc(size);
  if (p == NULL) {
    fputs("demo: out of memory\n", stderr);
    exit(EXIT_FAILURE);
  }
  for (size_t i = 0; i < size; i += CACHE_LINE) p[i] = (unsigned char)random;
  return p;
}

static void consume(worker *w, unsigned char *p) {
  if (p == NULL) return;
  w->sum += p[0];
  free(p);
}

/* Grows a buffer by doubling it as it is filled, as strings and vectors do. */
static void grow_buffer(worker *w) {
  size_t top = (size_t)(next(&w->random) % BUFFER_TOP) + 1;
  unsigned char *p = NULL;
  for (size_t size = CACHE_LINE, used = 0; used < top; size *= 2) {
    unsigned char *q = realloc(p, size);
    if (q == NULL) break;
    p = q;
    memset(p + used, (int)size, size - used);
    used = size;
  }
  consume(w, p);
}

static void *work(void *arg) {
  worker *w = arg;
  worker *neighbour = &workers[(size_t)(w - workers + 1) % THREADS];
  for (int step = 0; step < STEPS; step++) {
    uint64_t random = next(&w->random);
    unsigned char **slot = &w->slots[(random >> 32) % SLOTS];
    if (random % BUFFERS_ONE_IN == 0) grow_buffer(w);
    consume(w, *slot);
    *slot = make(next(&w->random));
    if (random % SEND_ONE_IN == 0) {
      size_t place = (random >> 8) % MAILBOX;
      consume(w, atomic_exchange(&neighbour->mailbox[place], *slot));
      *slot = NULL;
      consume(w, atomic_exchange(&w->mailbox[place], NULL));
    }
  }
  return NULL;
}

static double milliseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int run(uint64_t seed) {
  double start = milliseconds(CLOCK_MONOTONIC);
  for (size_t i = 0; i < THREADS; i++) workers[i].random = seed * 2654435761u + i + 1;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
      if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
        fputs("demo: no thread\n", stderr);
        return EXIT_FAILURE;
      }
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < SLOTS; j++) consume(&workers[i], workers[i].slots[j]);
    for (size_t j = 0; j < MAILBOX; j++) consume(&workers[i], atomic_load(&workers[i].mailbox[j]));
    sum += workers[i].sum;
  }
  double wall = milliseconds(CLOCK_MONOTONIC) - start;
  double cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%.1f %.1f %ld %ld\n", wall, cpu, usage.ru_maxrss, usage.ru_minflt + usage.ru_majflt);
  return sum != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int warm(size_t mib) {
  size_t size = mib << 20;
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return EXIT_FAILURE;
  memset(p, 1, size);
  munmap(p, size);
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "warm") == 0) return warm(strtoul(argv[2], NULL, 10));
  if (argc > 2) {
    fputs("usage: demo [SEED] | demo warm MIB\n", stderr);
    return EXIT_FAILURE;
  }
  return run(argc == 2 ? strtoull(argv[1], NULL, 10) : 1);
}
