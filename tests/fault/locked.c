/* locked.c -- processes that lock their memory (mlockall); prints TAP.
 *
 * Locked memory that was freed goes back as any other does, and what is only
 * reserved is not backed.  What the program locked stays locked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/prelude.h"

#include "child.h"
#include "system.h"

#include <mialloc.h>
#include <mialloc/stats.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* What a process has at most that has not allocated, and an arena that it has not
 * written to. */
#define LIBRARIES (12 * MIB)
#define ARENA (32 * MIB)
#define FILL (48 * MIB)

enum {
  ON_FAULT = 4,       /* MCL_ONFAULT, since Linux 4.4 */
  BEFORE_COLD = 19,   /* the last advice of Linux 4.14 to 5.3 */
  BEFORE_LOCKED = 23, /* of 5.14 to 5.17 */
  BLOCK = 8000,       /* of many */
  NOBODY = 65534      /* who has no right to lock more than the limit */
};

static size_t resident(void) {
  size_t all, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  need(file != NULL && fscanf(file, "%zu %zu", &all, &pages) == 2);
  (void)fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_locked(void *p) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *start = (char *)p - ((uintptr_t)p & (page - 1));
  return madvise(start, page, MADV_DONTNEED) != 0 && errno == EINVAL;
}

static void **take(size_t size) {
  size_t count = size / BLOCK;
  void **list = mmap(NULL, count * sizeof *list, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(list != MAP_FAILED);
  for (size_t i = 0; i < count; i++) {
    list[i] = mia_zalloc(BLOCK);
    need(list[i] != NULL && all_zero(list[i], BLOCK));
    memset(list[i], 1, BLOCK);
  }
  return list;
}

static void give(void **list, size_t size) {
  for (size_t i = 0; i < size / BLOCK; i++) mia_free(list[i]);
}

/* Fills so much, frees it and purges, several times: no more than a little is left
 * of what the process then has beside what it began with. */
static void fill_and_purge(size_t size, size_t before) {
  for (int round = 0; round < 3; round++) {
    void **list = take(size);
    size_t full = resident();
    give(list, size);
    need(mia_purge());
    size_t left = resident();
    need(full >= size && full <= before + size + size / 8 + 3 * MIB);
    need(left <= before + 3 * MIB);
  }
}

static void lock_first(void) {
  size_t before = resident();
  need(mlockall((int)child_argument) == 0);
  size_t locked = resident();
  mia_free(mia_malloc(1));
  need(resident() <= locked + MIB);
  fill_and_purge(FILL, before > locked ? before : locked);
}

static void lock_later(void) {
  char *p = mia_malloc(3 * MIB);
  size_t before = resident();
  need(p != NULL && mlockall((int)child_argument) == 0);
  size_t locked = resident();
  (void)mia_purge();
  /* The block, and the program with its libraries; not the arena. */
  size_t left = resident();
  need(left <= before + 3 * MIB + LIBRARIES);
  if (locked > before + ARENA) need(left < locked - ARENA / 2);
  fill_and_purge(FILL, left);
  mia_free(p);
}

static void on_an_old_kernel(void) {
  mia_system.advice_max = (int)child_argument;
  child_argument = MCL_CURRENT | MCL_FUTURE;
  lock_first();
  void **list = take(4 * MIB);
  need(is_locked(list[1]));
}

/* A block that grows beyond its arena leaves what it was in as it was: locked. */
static void what_was_locked_stays_locked(void) {
  need(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
  unsigned char *p = mia_malloc(6 * MIB), *behind = mia_malloc(MIB), *q;
  need(p != NULL && behind != NULL);
  pattern_fill(p, 6 * MIB, 5);
  need(is_locked(p + MIB));
  q = mia_realloc(p, 10 * MIB);
  need(q != NULL && q != p && pattern_holds(q, 6 * MIB, 5));
  need(is_locked(p + MIB) && is_locked(q + MIB));
  need(mia_purge() && is_locked(p + MIB));
  q = mia_realloc(q, 40 * MIB);
  need(q != NULL && pattern_holds(q, 6 * MIB, 5) && is_locked(q + 39 * MIB));
  mia_free(q);
  mia_free(behind);
}

/* As much as the limit allows can be had, from smaller arenas than usual, and is
 * there again after it was freed. */
static void within_a_limit(void) {
  struct rlimit limit = {.rlim_cur = child_argument, .rlim_max = child_argument};
  need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  need(geteuid() != 0 || setuid(NOBODY) == 0);
  need(mlockall(MCL_FUTURE) == 0);
  size_t first = 0;
  for (int round = 0; round < 3; round++) {
    void **list = NULL;
    size_t bytes = 0;
    for (;;) {
      errno = 0;
      void **p = mia_malloc(BLOCK);
      if (p == NULL) break;
      need(errno == 0);
      memset(p, 1, BLOCK);
      p[0] = list;
      list = p;
      bytes += BLOCK;
    }
    need(errno == ENOMEM);
    need(bytes >= child_argument / 2 && bytes <= child_argument);
    need(mia_malloc(child_argument) == NULL && errno == ENOMEM);
    void *grown = mia_realloc(list, child_argument);
    need(grown == NULL && errno == ENOMEM);
    while (list != NULL) {
      void **next = list[0];
      mia_free(list);
      list = next;
    }
    need(round == 0 || bytes >= first - first / 8);
    first = bytes;
  }
}

/* Whether the process may lock as much as it has and will have here. */
static bool may_lock(size_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  return geteuid() == 0 || limit.rlim_cur >= size;
}

static void cases_that_lock_all(void) {
  const size_t both = MCL_CURRENT | MCL_FUTURE;
  run_case("locked from the start on", lock_first, both);
  run_case("locked on their first use", lock_first, both | ON_FAULT);
  run_case("locked: what is mapped from then on", lock_first, MCL_FUTURE);
  run_case("locked later", lock_later, both);
  run_case("locked later, on their first use", lock_later, both | ON_FAULT);
  run_case("locked later: what is mapped", lock_later, MCL_CURRENT);
  run_case("locked later: what will be mapped", lock_later, MCL_FUTURE);
  run_case("locked, on Linux 5.17", on_an_old_kernel, BEFORE_LOCKED);
  run_case("locked, on Linux 5.3", on_an_old_kernel, BEFORE_COLD);
  run_case("what was locked stays locked", what_was_locked_stays_locked, 0);
}

int main(void) {
  enum { NEEDED = 512 };
  if (ASAN || TSAN) {
    printf("1..0 # SKIP a sanitizer has more address space than can be locked\n");
    return EXIT_SUCCESS;
  }
  if (may_lock(NEEDED * MIB))
    cases_that_lock_all();
  else
    printf("# 10 cases left out: no right to lock %d MiB\n", NEEDED);
  for (size_t size = 2 * MIB; size <= 8 * MIB; size *= 2)
    if (may_lock(size)) run_case("as much is locked as may be", within_a_limit, size);
  return all_cases_ran();
}
