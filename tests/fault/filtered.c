/* filtered.c -- processes that may not make one of the calls for memory, as a
 * filter of system calls says EPERM (seccomp); prints TAP.
 *
 * Each runs a mixed load against the shadow model (tests/fuzz/model.h): once with
 * the filter there before the first request, once after some.  What cannot be had
 * is refused with NULL and ENOMEM; what was had stays as it was; memory goes back
 * by those calls that are left.
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

/* ---- what is refused ---- */

#ifdef SYS_mmap2
#define MMAP_CALL SYS_mmap2
#else
#define MMAP_CALL SYS_mmap
#endif

enum { MMAP, MUNMAP, MPROTECT, MADVISE, MREMAP, MBIND, CALLS, ALL = CALLS };

static const struct {
  const char *name;
  unsigned number;
} calls[CALLS] = {{"mmap", MMAP_CALL},      {"munmap", SYS_munmap}, {"mprotect", SYS_mprotect},
                  {"madvise", SYS_madvise}, {"mremap", SYS_mremap}, {"mbind", SYS_mbind}};

/* The kernel's, whose headers may not be there (musl): a program that reads the call's
 * number, which comes first of what it is told, and decides. */
typedef struct step {
  uint16_t code;
  uint8_t if_so; /* steps to jump over */
  uint8_t if_not;
  uint32_t value;
} step;

typedef struct filter {
  unsigned short count;
  step *steps;
} filter;

enum { LOAD = 0x20, IS_EQUAL = 0x15, RETURN = 0x06, FILTER_MODE = 2 };
#define ALLOWED UINT32_C(0x7fff0000)
#define REFUSED UINT32_C(0x00050000) /* and an errno */

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

static void play(uint64_t random) {
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

/* The model walks heaps, which is not for two at a time. */
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

/* On stacks that need no mapping. */
static void churn_beside_each_other(void) {
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

/* ---- what is left ---- */

/* A stream may need memory of the C library's own. */
static size_t resident(void) {
  char text[64];
  size_t all, pages = 0;
  int file = open("/proc/self/statm", O_RDONLY);
  ssize_t size = read(file, text, sizeof text - 1);
  need(file >= 0 && size > 0);
  text[size] = 0;
  need(sscanf(text, "%zu %zu", &all, &pages) == 2);
  (void)close(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Refused or served, the right way.  True: served, and written to. */
static bool have(void *p, size_t size) {
  need(p != NULL ? errno == MODEL_ERRNO : errno == ENOMEM);
  errno = MODEL_ERRNO;
  if (p != NULL) memset(p, 0xa5, size);
  return p != NULL;
}

/* Blocks that are mappings of their own leave nothing behind but address space. */
static void huge_blocks_come_and_go(void) {
  const size_t size = 34 * MIB;
  size_t before = resident();
  bool served = !is_refused(MMAP);
  for (int i = 0; i < 5; i++) {
    void *p = mia_malloc(size);
    need(have(p, size) == served);
    unsigned char *q = mia_realloc(p, size + 9 * MIB);
    need(q != NULL || (errno == ENOMEM && is_refused(MMAP)));
    errno = MODEL_ERRNO;
    need(q == NULL || p == NULL || (q[0] == 0xa5 && q[size - 1] == 0xa5));
    mia_free(q != NULL ? q : p);
    need(errno == MODEL_ERRNO);
  }
  /* Either call gives it back, as soon as the mappings are not kept for others. */
  (void)mia_purge();
  if (!is_refused(MUNMAP) || !is_refused(MADVISE)) need(resident() < before + size / 2);
}

/* Small ones leave their memory where it is reused, and goes back if it may. */
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
      (void)have(blocks[i], SIZE);
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

static void finish(bool served) {
  small_blocks_come_and_go(served);
  huge_blocks_come_and_go();
  play(1);
  churn_beside_each_other();
  play(2);
  small_blocks_come_and_go(served);
  struct rusage usage;
  need(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_utime.tv_sec < CHILD_SECONDS / 2);
}

static void from_the_start(void) {
  refuse();
  finish(!is_refused(MMAP));
}

static void after_some(void) {
  errno = MODEL_ERRNO;
  play(3);
  char *block = mia_malloc(100), *huge = mia_malloc(34 * MIB);
  need(block != NULL && huge != NULL);
  memset(huge, 7, 34 * MIB);
  refuse();
  finish(true);
  need(huge[34 * MIB - 1] == 7);
  size_t before = resident();
  mia_free(huge);
  mia_free(block);
  (void)mia_purge();
  if (!is_refused(MUNMAP) || !is_refused(MADVISE)) need(resident() < before - 33 * MIB);
}

/* ---- a background thread that may not sleep ---- */

enum { IDLE_MS = 1500, MS = 1000 };

/* What it has to do it does; then it waits, and uses no time. */
static int stay_idle(void) {
  struct rusage usage;
  char *p = mia_malloc(3 * MIB);
  if (p == NULL) return EXIT_FAILURE;
  memset(p, 1, 3 * MIB);
  mia_free(p);
  (void)poll(NULL, 0, IDLE_MS);
  mia_free(mia_malloc(40 * MIB)); /* once more */
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

/* ---- whether there are filters ---- */

static void filters_can_be_had(void) {
  need(add_filter(calls[MREMAP].number));
  need(mremap(&child_number, 4096, 4096, 0) == MAP_FAILED && errno == EPERM);
}

int main(int argc, char **argv) {
  char what[80];
  if (argc > 1 && strcmp(argv[1], "idle") == 0) return stay_idle();
  run_case("there are filters of system calls", filters_can_be_had, 0);
  if (child_wrong > 0 && getenv("TEST_EMULATOR") != NULL) {
    printf("# an emulator has none: %d cases left out\n", 2 * (CALLS + 1) + 1);
    child_wrong = 0;
    return all_cases_ran();
  }
  for (size_t i = 0; i <= ALL; i++) {
    const char *name = i < CALLS ? calls[i].name : "every call";
    snprintf(what, sizeof what, "%s: EPERM from the start", name);
    run_case(what, from_the_start, i);
    snprintf(what, sizeof what, "%s: EPERM after some requests", name);
    run_case(what, after_some, i);
  }
  run_case("nanosleep: EPERM, and a background thread", sleeping_is_refused, 0);
  return all_cases_ran();
}
