/* limits.c -- systems with little memory, address space or mappings; prints TAP.
 *
 * Each case runs in its own process.  Requests that cannot be served fail with NULL and
 * ENOMEM, existing blocks do not change, and after something was freed requests succeed
 * again.
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

/* ---- allocating until requests fail ---- */

typedef struct node {
  struct node *next;
  size_t size;
} node;

/* Allocates blocks of at most `most' bytes in total.  Returns how many bytes it got. */
static size_t allocate_all(node **list, size_t size, size_t most) {
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

/* Frees one block in `one_in', and checks the contents of all. */
static size_t free_some(node **list, size_t one_in) {
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

/* Allocates all there is, frees it, and repeats: it must get as much again. */
static void fill_and_free(size_t size, size_t least, size_t most) {
  node *list = NULL;
  size_t first = allocate_all(&list, size, most);
  need(first >= least);
  for (int round = 0; round < 3; round++) {
    size_t freed = free_some(&list, 2);
    need(freed >= first / 2 - size);
    size_t again = allocate_all(&list, size, freed);
    need(again >= freed);
  }
  (void)free_some(&list, 1);
  mia_purge();
  size_t last = allocate_all(&list, size, first);
  need(last >= first - first / 8);
  (void)free_some(&list, 1);
}

/* ---- cases ---- */

static size_t address_space(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  need(file != NULL && fscanf(file, "%zu", &pages) == 1);
  (void)fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* With so much more address space allowed, most of it can be used, for blocks of any size. */
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
  need(allocate_all(&list, 2 * child_argument, SIZE_MAX) == 0);
  mia_system.any_max = 0;
  need(allocate_all(&list, 2 * child_argument, 4 * child_argument) == 4 * child_argument);
  (void)free_some(&list, 1);
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
  void *q = mia_malloc(48); /* the memory that was just freed */
  need(q != NULL);
  mia_free(q);
  return p == NULL && error == ENOMEM ? NULL : block;
}

/* Every thread needs a theap.  While there is no memory for it malloc fails, and works again
 * after something was freed. */
static void first_malloc_of_a_thread(void) {
  node *list = NULL;
  void *result = &list;
  pthread_t thread;
  void *block = mia_malloc(48);
  need(allocate_all(&list, 200, MIB) > 0);
  system_refuse(SYSTEM_ANY, 1, SYSTEM_ALWAYS);
  (void)allocate_all(&list, 3 * MIB, SIZE_MAX);
  (void)allocate_all(&list, 65536, SIZE_MAX);
  (void)allocate_all(&list, sizeof(node), SIZE_MAX);
  need(mia_heap_new() == NULL);
  need(pthread_create(&thread, NULL, free_and_ask, block) == 0);
  need(pthread_join(thread, &result) == 0 && result == NULL);
  (void)free_some(&list, 1);
}

static unsigned long long purged(void) {
  mia_stats stats = {.size = sizeof stats};
  need(mia_stats_get(&stats));
  return stats.purged;
}

/* madvise fails for a long time, as it does when pages are locked. */
static void purging_is_refused(void) {
  mia_system.error = (int)child_argument;
  system_refuse(SYSTEM_MADVISE, 1, SYSTEM_ALWAYS);
  (void)mia_option_set(MIA_OPTION_PURGE_DELAY, 0);
  size_t mapped = 0;
  for (int round = 0; round < 30; round++) {
    node *list = NULL;
    need(allocate_all(&list, 40000, 8 * MIB) >= 8 * MIB);
    (void)free_some(&list, 1);
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

/* ---- the limit of the number of mappings ---- */

enum { MAPPINGS_MAX = 200000 };

static size_t mappings_allowed(void) {
  size_t most = 0;
  FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%zu", &most) != 1) most = 0;
  (void)fclose(file);
  return most;
}

/* Protects alternate pages, so that each page is a mapping. */
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
  need(allocate_all(&list, 3000, 20 * MIB) >= 20 * MIB);
  for (int i = 0; i < 3; i++) {
    char *p = mia_malloc(block); /* may still be placed in an existing mapping */
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
  (void)free_some(&list, 1);
  (void)mia_purge();
  /* What stays belongs to arenas, or could not be trimmed. */
  need(address_space() < before + block);
}

int main(void) {
  size_t mappings = mappings_allowed();
  if (!ASAN && !TSAN)
    for (size_t size = 2 * MIB; size <= 128 * MIB; size *= 2)
      run_case("RLIMIT_AS of the current size and so many bytes", rlimit_as, size);
  for (size_t size = MIB; size <= 16 * MIB; size *= 4)
    run_case("larger mappings are refused", large_mappings_are_refused, size);
  run_case("the first malloc of a thread without free memory", first_malloc_of_a_thread, 0);
  run_case("madvise always fails with EAGAIN", purging_is_refused, EAGAIN);
  run_case("madvise always fails with EINVAL", purging_is_refused, EINVAL);
  if (mappings > 0 && mappings <= MAPPINGS_MAX && !ASAN && !TSAN)
    run_case("the limit of mappings is reached", no_more_mappings, mappings);
  return tap_end();
}
