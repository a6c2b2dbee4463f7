/* filtered.c -- processes in which a seccomp filter refuses one of the memory calls with
 * EPERM; prints TAP.
 *
 * Each case runs a mixed load against the shadow model (tests/fuzz/model.h): once with the
 * filter installed before the first request, once with it installed later.  Requests that
 * cannot be served fail with NULL and ENOMEM, existing blocks do not change, and memory is
 * given back by the calls that are left.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for mremap */
#endif

#include "base/prelude.h"

#include "../fuzz/model.h"
#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- the filter ---- */

#ifdef SYS_mmap2
#define MMAP_CALL SYS_mmap2
#else
#define MMAP_CALL SYS_mmap
#endif

enum { MMAP, MUNMAP, MPROTECT, MADVISE, MREMAP, MBIND, GETCPU, CALLS, ALL = CALLS };

static const struct {
  const char *name;
  unsigned number;
} calls[CALLS] = {{"mmap", MMAP_CALL},      {"munmap", SYS_munmap}, {"mprotect", SYS_mprotect},
                  {"madvise", SYS_madvise}, {"mremap", SYS_mremap}, {"mbind", SYS_mbind},
                  {"getcpu", SYS_getcpu}};

/* The kernel's definitions, whose headers may be missing (musl).  A filter is a program that
 * reads the number of the system call, the first field of its input, and decides. */
typedef struct step {
  uint16_t code;
  uint8_t if_so; /* steps to skip */
  uint8_t if_not;
  uint32_t value;
} step;

typedef struct filter {
  unsigned short count;
  step *steps;
} filter;

enum { LOAD = 0x20, IS_EQUAL = 0x15, RETURN = 0x06, FILTER_MODE = 2 };
#define ALLOWED UINT32_C(0x7fff0000)
#define REFUSED UINT32_C(0x00050000) /* combined with an errno */

static bool add_filter(unsigned number) {
  step steps[] = {{LOAD, 0, 0, 0},
                  {IS_EQUAL, 0, 1, number},
                  {RETURN, 0, 0, REFUSED | EPERM},
                  {RETURN, 0, 0, ALLOWED}};
  filter all = {.count = sizeof steps / sizeof steps[0], .steps = steps};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, FILTER_MODE, &all) == 0;
}

static bool is_refused(size_t call) { return child_argument == call || child_argument == ALL; }

static void refuse(void) {
  for (size_t i = 0; i < CALLS; i++)
    if (is_refused(i)) need(add_filter(calls[i].number));
  errno = MODEL_ERRNO;
}

/* ---- the load ---- */

enum { ROUNDS = 300, THREADS = 2, STACK = 1 << 20 };

static void play_model(uint64_t random) {
  static model m;
  memset(&m, 0, sizeof m);
  m.heaps[0] = mia_heap_main();
  m.may_fail = true;
  errno = MODEL_ERRNO;
  for (size_t n = 0; n < ROUNDS; n++) {
    unsigned char bytes[MODEL_CALL_BYTES];
    for (size_t j = 0; j < sizeof bytes; j++) bytes[j] = (unsigned char)random_next(&random);
    model_one(&m, bytes);
  }
  model_end(&m);
}

/* The model walks heaps, which only one thread at a time may do. */
static void *churn(void *arg) {
  enum { SLOTS = 32, EXPONENT = 23 };
  struct {
    unsigned char *p;
    size_t size;
  } slots[SLOTS] = {{NULL, 0}};
  uint64_t random = *(const size_t *)arg;
  for (size_t n = 0; n < 4 * ROUNDS; n++) {
    size_t k = random_below(&random, SLOTS), size = random_size(&random, EXPONENT);
    need(slots[k].p == NULL || pattern_holds(slots[k].p, slots[k].size, k));
    if (slots[k].p != NULL && n % 2 == 0) {
      mia_free(slots[k].p);
      slots[k].p = NULL;
      continue;
    }
    errno = MODEL_ERRNO;
    unsigned char *p = mia_realloc(slots[k].p, size);
    need(errno == (p != NULL ? MODEL_ERRNO : ENOMEM));
    if (p == NULL) continue;
    pattern_fill(p, size, k);
    slots[k].p = p;
    slots[k].size = size;
  }
  for (size_t k = 0; k < SLOTS; k++) mia_free(slots[k].p);
  return NULL;
}

/* Runs the threads on static stacks, which need no mapping. */
static void churn_in_threads(void) {
  static alignas(4096) char stacks[THREADS][STACK];
  static size_t seeds[THREADS];
  pthread_t threads[THREADS];
  bool started[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    pthread_attr_t attributes;
    seeds[i] = 100 + i;
    need(pthread_attr_init(&attributes) == 0);
    need(pthread_attr_setstack(&attributes, stacks[i], STACK) == 0);
    started[i] = pthread_create(&threads[i], &attributes, churn, &seeds[i]) == 0;
    (void)pthread_attr_destroy(&attributes);
  }
  for (size_t i = 0; i < THREADS; i++)
    if (started[i]) (void)pthread_join(threads[i], NULL);
}

/* ---- the remaining memory ---- */

/* Checks that a request was served or refused correctly.  Returns true if it was served, after
 * writing to the block. */
static bool check_and_fill(void *p, size_t size) {
  need(p != NULL ? errno == MODEL_ERRNO : errno == ENOMEM);
  errno = MODEL_ERRNO;
  if (p != NULL) memset(p, 0xa5, size);
  return p != NULL;
}

/* Freed huge blocks must leave nothing but address space. */
static void huge_blocks_come_and_go(void) {
  const size_t size = 34 * MIB;
  size_t before = resident();
  bool served = !is_refused(MMAP);
  for (int i = 0; i < 5; i++) {
    void *p = mia_malloc(size);
    need(check_and_fill(p, size) == served);
    unsigned char *q = mia_realloc(p, size + 9 * MIB);
    need(q != NULL || (errno == ENOMEM && is_refused(MMAP)));
    errno = MODEL_ERRNO;
    need(q == NULL || p == NULL || (q[0] == 0xa5 && q[size - 1] == 0xa5));
    mia_free(q != NULL ? q : p);
    need(errno == MODEL_ERRNO);
  }
  /* Either call gives the memory back, once the mapping cache is empty. */
  (void)mia_purge();
  if (!is_refused(MUNMAP) || !is_refused(MADVISE)) need(resident() < before + size / 2);
}

/* Memory of freed small blocks is reused, and given back if that is allowed. */
static void small_blocks_come_and_go(bool served) {
  enum { COUNT = 2000, SIZE = 8000 };
  static void *blocks[COUNT];
  size_t first = 0;
  for (int round = 0; round < 5; round++) {
    size_t count = 0;
    for (size_t i = 0; i < COUNT; i++) {
      blocks[i] = mia_zalloc(SIZE);
      count += blocks[i] != NULL;
      need(blocks[i] == NULL || all_zero(blocks[i], SIZE));
      (void)check_and_fill(blocks[i], SIZE);
    }
    need(count == (served ? COUNT : 0));
    size_t full = resident();
    for (size_t i = 0; i < COUNT; i++) mia_free(blocks[i]);
    need(errno == MODEL_ERRNO);
    bool purged = mia_purge();
    need(!(purged && is_refused(MADVISE)) && (purged || is_refused(MADVISE) || !served));
    size_t left = resident();
    if (purged) need(full - left >= (size_t)COUNT * SIZE * 3 / 4);
    if (round == 0) first = full;
    need(full <= first + first / 8 + MIB);
  }
}

static void run_load(bool served) {
  small_blocks_come_and_go(served);
  huge_blocks_come_and_go();
  play_model(1);
  churn_in_threads();
  play_model(2);
  small_blocks_come_and_go(served);
  struct rusage usage;
  need(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_utime.tv_sec < CHILD_SECONDS / 2);
}

static void refuse_from_the_start(void) {
  refuse();
  run_load(!is_refused(MMAP));
}

static void refuse_later(void) {
  errno = MODEL_ERRNO;
  play_model(3);
  char *block = mia_malloc(100), *huge = mia_malloc(34 * MIB);
  need(block != NULL && huge != NULL);
  memset(huge, 7, 34 * MIB);
  refuse();
  run_load(true);
  need(huge[34 * MIB - 1] == 7);
  size_t before = resident();
  mia_free(huge);
  mia_free(block);
  (void)mia_purge();
  if (!is_refused(MUNMAP) || !is_refused(MADVISE)) need(resident() < before - 33 * MIB);
}

/* ---- a background thread that may not sleep ---- */

enum { IDLE_MS = 1500, MS = 1000 };

/* Lets the background thread do its work, then checks that it waits without using time. */
static int check_idle_time(void) {
  struct rusage usage;
  char *p = mia_malloc(3 * MIB);
  if (p == NULL) return EXIT_FAILURE;
  memset(p, 1, 3 * MIB);
  mia_free(p);
  (void)poll(NULL, 0, IDLE_MS);
  mia_free(mia_malloc(40 * MIB)); /* gives it more work */
  (void)poll(NULL, 0, IDLE_MS);
  if (getrusage(RUSAGE_SELF, &usage) != 0) return EXIT_FAILURE;
  long us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * MS * MS + usage.ru_utime.tv_usec +
            usage.ru_stime.tv_usec;
  if (us < IDLE_MS * MS / 4) return EXIT_SUCCESS;
  printf("# it used %ld us\n", us);
  return EXIT_FAILURE;
}

static void sleeping_is_refused(void) {
#ifdef SYS_nanosleep
  need(add_filter(SYS_nanosleep));
#endif
#ifdef SYS_clock_nanosleep
  need(add_filter(SYS_clock_nanosleep));
#endif
#ifdef SYS_clock_nanosleep_time64
  need(add_filter(SYS_clock_nanosleep_time64));
#endif
  need(setenv("MIALLOC_BACKGROUND_PURGE", "1", 1) == 0);
  (void)execl("/proc/self/exe", "filtered", "idle", (char *)NULL);
  need(false);
}

/* ---- whether the system has filters ---- */

static void system_has_filters(void) {
  need(add_filter(calls[MREMAP].number));
  need(mremap(&child_argument, 4096, 4096, 0) == MAP_FAILED && errno == EPERM);
}

int main(int argc, char **argv) {
  char what[80];
  if (argc > 1 && strcmp(argv[1], "idle") == 0) return check_idle_time();
  run_case("the system has filters of system calls", system_has_filters, 0);
  if (tap_failures > 0 && getenv("TEST_EMULATOR") != NULL) {
    printf("# an emulator has none: %d cases left out\n", 2 * (CALLS + 1) + 1);
    tap_failures = 0;
    return tap_end();
  }
  for (size_t i = 0; i <= ALL; i++) {
    const char *name = i < CALLS ? calls[i].name : "every call";
    snprintf(what, sizeof what, "%s: EPERM from the start", name);
    run_case(what, refuse_from_the_start, i);
    snprintf(what, sizeof what, "%s: EPERM after some requests", name);
    run_case(what, refuse_later, i);
  }
  run_case("nanosleep: EPERM, and a background thread", sleeping_is_refused, 0);
  return tap_end();
}
