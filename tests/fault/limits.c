/* limits.c -- systems that have little to give; prints TAP.
 *
 * Each case is a process of its own.  What is asked for in vain is refused with
 * NULL and ENOMEM, what was had stays as it was, and after something was freed
 * there is room again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/prelude.h"

#include "child.h"
#include "system.h"

#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- blocks until there are no more ---- */

typedef struct node {
  struct node *next;
  size_t size;
} node;

/* At most `most' bytes of them; how many it were, in bytes. */
static size_t take_all(node **list, size_t size, size_t most) {
  size_t bytes = 0;
  while (bytes < most) {
    errno = 0;
    node *n = mia_malloc(size);
    if (n == NULL) {
      need(errno == ENOMEM);
      break;
    }
    *n = (node){*list, size};
    pattern_fill(n + 1, size - sizeof *n, (uintptr_t)n);
    *list = n;
    bytes += size;
  }
  return bytes;
}

/* Frees one in `one_in'; what is there must be as it was. */
static size_t give(node **list, size_t one_in) {
  size_t bytes = 0;
  size_t i = 0;
  for (node **link = list; *link != NULL; i++) {
    node *n = *link;
    need(pattern_holds(n + 1, n->size - sizeof *n, (uintptr_t)n));
    if (i % one_in != 0) {
      link = &n->next;
      continue;
    }
    *link = n->next;
    bytes += n->size;
    mia_free(n);
  }
  return bytes;
}

/* Fills what there is, several times, and wants it all again. */
static void fill_and_free(size_t size, size_t least, size_t most) {
  node *list = NULL;
  size_t first = take_all(&list, size, most);
  need(first >= least);
  for (int round = 0; round < 3; round++) {
    size_t freed = give(&list, 2);
    need(freed >= first / 2 - size);
    size_t again = take_all(&list, size, freed);
    need(again >= freed);
  }
  (void)give(&list, 1);
  mia_purge();
  size_t last = take_all(&list, size, first);
  need(last >= first - first / 8);
  (void)give(&list, 1);
}

/* ---- cases ---- */

static size_t address_space(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  need(file != NULL && fscanf(file, "%zu", &pages) == 1);
  (void)fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* So many bytes more of address space: most of them can be used, whatever the
 * size of blocks. */
static void rlimit_as(void) {
  enum { SIZES = 4 };
  static const size_t sizes[SIZES] = {64, 1000, 20000, 300000};
  struct rlimit limit = {.rlim_cur = address_space() + child_argument, .rlim_max = RLIM_INFINITY};
  need(setrlimit(RLIMIT_AS, &limit) == 0);
  for (int i = 0; i < SIZES; i++) {
    fill_and_free(sizes[i], child_argument / 2, child_argument);
    need(mia_malloc(child_argument * 2) == NULL && errno == ENOMEM);
  }
}

static void large_mappings_are_refused(void) {
  mia_system.any_max = child_argument;
  fill_and_free(5000, 40 * MIB, 40 * MIB);
  node *list = NULL;
  need(take_all(&list, 2 * child_argument, SIZE_MAX) == 0);
  mia_system.any_max = 0;
  need(take_all(&list, 2 * child_argument, 4 * child_argument) == 4 * child_argument);
  (void)give(&list, 1);
}

static void *free_and_ask(void *block) {
  mia_thread_init();
  mia_free(block);
  errno = 0;
  void *p = mia_calloc(1, 48);
  int error = errno;
  mia_thread_done();
  need(mia_stats_get(&(mia_stats){.size = sizeof(mia_stats)}));
  system_allow();
  void *q = mia_malloc(48); /* and now there is something */
  need(q != NULL);
  mia_free(q);
  return p == NULL && error == ENOMEM ? NULL : block;
}

/* Every thread has a structure of its own: there is no room for it, until some
 * was freed. */
static void first_malloc_of_a_thread(void) {
  node *list = NULL;
  void *result = &list;
  pthread_t thread;
  void *block = mia_malloc(48);
  need(take_all(&list, 200, MIB) > 0);
  system_refuse(SYSTEM_ANY, 1, SYSTEM_EVER);
  (void)take_all(&list, 3 * MIB, SIZE_MAX);
  (void)take_all(&list, 65536, SIZE_MAX);
  (void)take_all(&list, sizeof(node), SIZE_MAX);
  need(mia_heap_new() == NULL);
  need(pthread_create(&thread, NULL, free_and_ask, block) == 0);
  need(pthread_join(thread, &result) == 0 && result == NULL);
  (void)give(&list, 1);
}

static unsigned long long purged(void) {
  mia_stats stats = {.size = sizeof stats};
  need(mia_stats_get(&stats));
  return stats.purged;
}

/* madvise has no success for a long time, as when pages are locked. */
static void purging_is_refused(void) {
  mia_system.error = (int)child_argument;
  system_refuse(SYSTEM_MADVISE, 1, SYSTEM_EVER);
  (void)mia_option_set(MIA_OPTION_PURGE_DELAY, 0);
  size_t mapped = 0;
  for (int round = 0; round < 30; round++) {
    node *list = NULL;
    need(take_all(&list, 40000, 8 * MIB) >= 8 * MIB);
    (void)give(&list, 1);
    errno = 12345;
    need(!mia_purge() && errno == 12345);
    if (round == 0) mapped = mia_system.mapped;
    need(mia_system.mapped == mapped);
    unsigned char *zero = mia_zalloc(200 * KIB);
    need(zero != NULL && all_zero(zero, 200 * KIB));
    memset(zero, 1, 200 * KIB);
    mia_free(zero);
  }
  need(purged() == 0);
  system_allow();
  need(mia_purge() && purged() >= 7 * MIB);
}

/* ---- as many mappings as a process may have ---- */

enum { MAPPINGS_MAX = 200000 };

static size_t mappings_allowed(void) {
  size_t most = 0;
  FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%zu", &most) != 1) most = 0;
  (void)fclose(file);
  return most;
}

/* Pages that are protected in turn are a mapping each. */
static char *use_up_mappings(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  need(p != MAP_FAILED);
  for (size_t i = 0; i < size; i += 2 * page)
    if (mprotect(p + i, page, PROT_NONE) != 0) break;
  return p;
}

static void no_more_mappings(void) {
  enum { BLOCKS = 6 };
  const size_t block = 40 * MIB;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t size = (child_argument + 2) * page;
  node *list = NULL;
  char *blocks[BLOCKS];
  mia_free(mia_malloc(1));
  size_t before = address_space();
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = mia_malloc(block);
    need(blocks[i] != NULL);
    memset(blocks[i], i, MIB);
  }
  char *filler = use_up_mappings(size);
  for (int i = 1; i < BLOCKS; i += 2) mia_free(blocks[i]);
  need(take_all(&list, 3000, 20 * MIB) >= 20 * MIB);
  for (int i = 0; i < 3; i++) {
    char *p = mia_malloc(block); /* it may have a place beside others */
    need(p != NULL || errno == ENOMEM);
    mia_free(p);
  }
  for (int i = 0; i < BLOCKS; i += 2) {
    need(blocks[i][0] == i && blocks[i][MIB - 1] == i);
    char *p = mia_realloc(blocks[i], block + 9 * MIB);
    need(p != NULL || errno == ENOMEM);
    if (p != NULL) blocks[i] = p;
    need(blocks[i][0] == i && blocks[i][MIB - 1] == i);
  }
  need(munmap(filler, size) == 0);
  for (int i = 0; i < BLOCKS; i += 2) mia_free(blocks[i]);
  (void)give(&list, 1);
  (void)mia_purge();
  /* What stays is an arena's, and what could not be trimmed. */
  need(address_space() < before + block);
}

int main(void) {
  size_t mappings = mappings_allowed();
  if (!ASAN && !TSAN)
    for (size_t size = 2 * MIB; size <= 128 * MIB; size *= 2)
      run_case("RLIMIT_AS of what there is and so much", rlimit_as, size);
  for (size_t size = MIB; size <= 16 * MIB; size *= 4)
    run_case("larger mappings are refused", large_mappings_are_refused, size);
  run_case("the first malloc of a thread, and nothing is left", first_malloc_of_a_thread, 0);
  run_case("madvise says EAGAIN for ever", purging_is_refused, EAGAIN);
  run_case("madvise says EINVAL for ever", purging_is_refused, EINVAL);
  if (mappings > 0 && mappings <= MAPPINGS_MAX && !ASAN && !TSAN)
    run_case("as many mappings as there may be", no_more_mappings, mappings);
  return all_cases_ran();
}
