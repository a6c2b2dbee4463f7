/* floor.c -- counts the bytes that a program asks for, to tell the least memory that it could do
 * with.  To be preloaded before libmialloc.so, which it calls.
 *
 * When the process ends, appends a line to the file that FLOOR_RESULT names: its peak memory (RSS),
 * and the least one.  That is the peak of the bytes in live blocks, as they were asked for, and
 * the memory that is not the allocator's.  The latter is what the peak exceeds mialloc's by, or
 * what the process began with if that is more; so that mialloc keeps nothing idle meanwhile,
 * MIALLOC_PURGE_DELAY should be 0.
 *
 * Each block ends in its size and a mark.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <mialloc.h>
#include <mialloc/stats.h>

enum { PAGE = 4096, KIB = 1024 };
#define MARK UINT64_C(0xf100000000000000)
#define MARKED UINT64_C(0xff00000000000000)

static size_t live, live_peak, rss_at_start;

static void count(size_t size) {
  size_t now = __atomic_add_fetch(&live, size, __ATOMIC_RELAXED);
  size_t peak = __atomic_load_n(&live_peak, __ATOMIC_RELAXED);
  while (now > peak && !__atomic_compare_exchange_n(&live_peak, &peak, now, 1, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED)) {}
}

/* ---- the end of a block ---- */

static char *end_of(void *block) {
  return (char *)block + mia_usable_size(block) - sizeof(uint64_t);
}

/* The size with room for its end, or one that every allocator refuses. */
static size_t with_end(size_t size) {
  return size < PTRDIFF_MAX - sizeof(uint64_t) ? size + sizeof(uint64_t) : SIZE_MAX;
}

static void *begin(void *block, size_t size) {
  if (block == NULL) return NULL;
  uint64_t end = MARK | size;
  memcpy(end_of(block), &end, sizeof end);
  count(size);
  return block;
}

/* What mialloc itself has allocated has no mark. */
static size_t size_of(void *block) {
  uint64_t end;
  memcpy(&end, end_of(block), sizeof end);
  return (end & MARKED) == MARK ? (size_t)(end & ~MARKED) : 0;
}

static void finish(void *block) {
  uint64_t none = 0;
  __atomic_sub_fetch(&live, size_of(block), __ATOMIC_RELAXED);
  memcpy(end_of(block), &none, sizeof none);
}

/* ---- malloc and its kin ---- */

void *malloc(size_t size) { return begin(mia_malloc(with_end(size)), size); }

void free(void *block) {
  if (block != NULL) finish(block);
  mia_free(block);
}

void *calloc(size_t items, size_t size) {
  size_t all;
  if (__builtin_mul_overflow(items, size, &all)) all = SIZE_MAX;
  return begin(mia_calloc(1, with_end(all)), all);
}

void *realloc(void *block, size_t size) {
  if (block == NULL) return malloc(size);
  size_t before = size_of(block);
  void *p = mia_realloc(block, with_end(size));
  if (p == NULL) return NULL;
  __atomic_sub_fetch(&live, before, __ATOMIC_RELAXED);
  return begin(p, size);
}

void *reallocarray(void *block, size_t items, size_t size) {
  size_t all;
  if (!__builtin_mul_overflow(items, size, &all)) return realloc(block, all);
  errno = ENOMEM;
  return NULL;
}

void *memalign(size_t align, size_t size) {
  return begin(mia_memalign(align, with_end(size)), size);
}
void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
void *valloc(size_t size) { return memalign(PAGE, size); }
int posix_memalign(void **result, size_t align, size_t size) {
  int error = mia_posix_memalign(result, align, with_end(size));
  if (error == 0) (void)begin(*result, size);
  return error;
}

size_t malloc_usable_size(void *block) { return block != NULL ? size_of(block) : 0; }

/* ---- C++, whose operator new gives up where there is no memory ---- */

static void *or_abort(void *block) {
  if (block == NULL) abort();
  return block;
}

#define OPERATOR_NEW(name)                                                                      \
  void *name##m(size_t size) { return or_abort(malloc(size)); }                                 \
  void *name##mRKSt9nothrow_t(size_t size, const void *tag) { return (void)tag, malloc(size); } \
  void *name##mSt11align_val_t(size_t size, size_t align) {                                     \
    return or_abort(memalign(align, size));                                                     \
  }                                                                                             \
  void *name##mSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag) {      \
    return (void)tag, memalign(align, size);                                                    \
  }
#define OPERATOR_DELETE(name)                                                              \
  void name##Pv(void *block) { free(block); }                                              \
  void name##Pvm(void *block, size_t size) { (void)size, free(block); }                    \
  void name##PvRKSt9nothrow_t(void *block, const void *tag) { (void)tag, free(block); }    \
  void name##PvSt11align_val_t(void *block, size_t align) { (void)align, free(block); }    \
  void name##PvmSt11align_val_t(void *block, size_t size, size_t align) {                  \
    (void)size, (void)align, free(block);                                                  \
  }                                                                                        \
  void name##PvSt11align_val_tRKSt9nothrow_t(void *block, size_t align, const void *tag) { \
    (void)align, (void)tag, free(block);                                                   \
  }

OPERATOR_NEW(_Znw)
OPERATOR_NEW(_Zna)
OPERATOR_DELETE(_Zdl)
OPERATOR_DELETE(_Zda)

/* ---- the result ---- */

static size_t rss_peak(void) {
  struct rusage used;
  return getrusage(RUSAGE_SELF, &used) == 0 ? (size_t)used.ru_maxrss * KIB : 0;
}

__attribute__((constructor)) static void start(void) { rss_at_start = rss_peak(); }

__attribute__((destructor)) static void report(void) {
  const char *name = getenv("FLOOR_RESULT");
  size_t rss = rss_peak();
  mia_stats stats = {.size = sizeof stats};
  if (name == NULL || !mia_stats_get(&stats)) return;
  size_t others = rss > stats.used_peak ? rss - stats.used_peak : 0;
  if (others < rss_at_start) others = rss_at_start;
  size_t least = others + live_peak < rss ? others + live_peak : rss;
  FILE *result = fopen(name, "a");
  if (result == NULL) return;
  fprintf(result, "%zu %zu\n", rss, least);
  (void)fclose(result);
}
