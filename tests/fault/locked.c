/* locked.c -- processes that lock their memory (mlockall); prints TAP.
 *
 * Freed memory that is locked returns to the OS like other memory, and memory that is only
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

/* Upper bounds: the memory of a process that has not allocated, and an arena that was not
 * written to. */
#define LIBRARIES (12 * MIB)
#define ARENA (32 * MIB)
#define FILL (48 * MIB)

enum {
  ON_FAULT = 4,             /* MCL_ONFAULT, since Linux 4.4 */
  BEFORE_COLD = 19,         /* the highest advice of Linux 4.14 to 5.3 */
  BEFORE_LOCKED = 23,       /* the highest of Linux 5.14 to 5.17 */
  BLOCK = 8000,             /* bytes */
  UNPRIVILEGED_USER = 65534 /* may not lock more than the limit */
};

static bool is_locked(void *p) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *start = (char *)p - ((uintptr_t)p & (page - 1));
  return madvise(start, page, MADV_DONTNEED) != 0 && errno == EINVAL;
}

static void **allocate_list(size_t size) {
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

static void free_list(void **list, size_t size) {
  for (size_t i = 0; i < size / BLOCK; i++) mia_free(list[i]);
}

/* Allocates FILL bytes, frees them and purges, several times.  Little more may be left than
 * the process had at first. */
static void fill_and_purge(size_t size, size_t before) {
  for (int round = 0; round < 3; round++) {
    void **list = allocate_list(size);
    size_t full = resident();
    free_list(list, size);
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
  /* records and leaves of the page map are locked as well */
  size_t more = mia_option_get(MIA_OPTION_SECURE) >= 2 ? 3 * MIB : MIB;
  need(resident() <= locked + more);
  fill_and_purge(FILL, before > locked ? before : locked);
}

static void lock_later(void) {
  char *p = mia_malloc(3 * MIB);
  size_t before = resident();
  need(p != NULL && mlockall((int)child_argument) == 0);
  size_t locked = resident();
  (void)mia_purge();
  /* Locked are the block and the program with its libraries, not the whole arena. */
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
  void **list = allocate_list(4 * MIB);
  need(is_locked(list[1]));
}

/* A block that grows beyond its arena leaves the memory that it was in locked, if it stays. */
static void what_was_locked_stays_locked(void) {
  need(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
  unsigned char *p = mia_malloc(6 * MIB), *behind = mia_malloc(MIB), *q;
  need(p != NULL && behind != NULL);
  pattern_fill(p, 6 * MIB, 5);
  need(is_locked(p + MIB));
  q = mia_realloc(p, 10 * MIB);
  need(q != NULL && q != p && pattern_holds(q, 6 * MIB, 5));
  bool is_unmapped = mia_option_get(MIA_OPTION_SECURE) >= 2; /* with the block that was there */
  need((is_unmapped || is_locked(p + MIB)) && is_locked(q + MIB));
  need(is_unmapped || (mia_purge() && is_locked(p + MIB)));
  q = mia_realloc(q, 40 * MIB);
  need(q != NULL && pattern_holds(q, 6 * MIB, 5) && is_locked(q + 39 * MIB));
  mia_free(q);
  mia_free(behind);
}

/* A process can allocate as much as the limit allows, from smaller arenas than usual, and
 * again after it was freed. */
static void within_a_limit(void) {
  struct rlimit limit = {.rlim_cur = child_argument, .rlim_max = child_argument};
  need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  need(geteuid() != 0 || setuid(UNPRIVILEGED_USER) == 0);
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

/* Returns true if the process may lock what it has and what the test allocates. */
static bool may_lock(size_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  return geteuid() == 0 || limit.rlim_cur >= size;
}

static void cases_that_lock_all(void) {
  const size_t both = MCL_CURRENT | MCL_FUTURE;
  run_case("memory is locked from the start", lock_first, both);
  run_case("memory is locked on first use", lock_first, both | ON_FAULT);
  run_case("later mappings are locked", lock_first, MCL_FUTURE);
  run_case("memory is locked later", lock_later, both);
  run_case("memory is locked later, on first use", lock_later, both | ON_FAULT);
  run_case("existing mappings are locked later", lock_later, MCL_CURRENT);
  run_case("later mappings are locked, after some allocations", lock_later, MCL_FUTURE);
  run_case("memory is locked, on Linux 5.17", on_an_old_kernel, BEFORE_LOCKED);
  run_case("memory is locked, on Linux 5.3", on_an_old_kernel, BEFORE_COLD);
  run_case("locked memory stays locked", what_was_locked_stays_locked, 0);
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
    if (may_lock(size)) run_case("RLIMIT_MEMLOCK allows so many bytes", within_a_limit, size);
  return tap_end();
}
