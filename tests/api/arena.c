/* arena.c -- arenas that the program reserves, and external arenas.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tsan.h"
#include "unit/threads.h"

#include <errno.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 2000 };

static void *blocks[BLOCKS];
static size_t size_of(size_t i) { return i * 7919 % 2000 + 1; }

/* Fills the heap and checks that all blocks lie in the arena. */
static void fill(mia_heap *h, const mia_arena *arena) {
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = launder(mia_heap_zalloc(h, size_of(i)));
    need_at(blocks[i] != NULL && mia_arena_contains(arena, blocks[i]), i);
    need_at(all_zero(blocks[i], mia_usable_size(blocks[i])), i);
    pattern_fill(blocks[i], mia_usable_size(blocks[i]), i);
  }
}

static void free_all(void) {
  for (size_t i = 0; i < BLOCKS; i++) {
    need_at(pattern_holds(blocks[i], mia_usable_size(blocks[i]), i), i);
    mia_free(blocks[i]);
  }
}

/* After an exclusive arena's heap was deleted, no other heap allocates from the memory that
 * it left there, whatever the size of the blocks and whichever thread frees them. */
static void *free_block(void *p) {
  mia_free(p);
  return NULL;
}
START_TEST(main_heap_never_allocates_from_an_exclusive_arena) {
  const size_t size[] = {24, 64, 1000, 5000, 40000, 100000};
  enum { EACH = 40, SIZES = 6 };
  static void *left[SIZES][EACH];
  mia_arena *arena = NULL;
  ck_assert_int_eq(mia_reserve_memory(16 * MIB, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  mia_heap *h = mia_heap_new_in_arena(arena);
  for (int s = 0; s < SIZES; s++)
    for (int i = 0; i < EACH; i++) {
      left[s][i] = mia_heap_malloc(h, size[s]);
      mia_free(mia_malloc(size[s]));
    }
  mia_heap_delete(h);
  for (int s = 0; s < SIZES; s++) {
    for (int i = 0; i < EACH; i++) {
      if (i % 10 == 0) run_thread(free_block, left[s][i]);
      if (i % 10 != 0) mia_free(left[s][i]);
      void *p = mia_malloc(size[s]), *q = mia_calloc(1, size[s]);
      need_at(!mia_arena_contains(arena, p) && !mia_arena_contains(arena, q), s * EACH + i);
      mia_free(p);
      mia_free(q);
    }
    for (int i = 0; i < 3000; i++) need_at(!mia_arena_contains(arena, mia_malloc(size[s])), s);
  }
  ck_assert(mia_arena_unload(arena));
}
END_TEST

START_TEST(exclusive_arenas_serve_their_heaps) {
  mia_arena *arena = NULL;
  size_t size = 0;
  ck_assert_int_eq(mia_reserve_memory(8 * MIB, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  char *start = mia_arena_area(arena, &size);
  ck_assert(arena != NULL && start != NULL && size >= 8 * MIB);
  ck_assert(mia_arena_contains(arena, start) && mia_arena_contains(arena, start + size - 1));
  ck_assert(!mia_arena_contains(arena, start + size) && !mia_arena_contains(arena, start - 1));
  mia_heap *h = mia_heap_new_in_arena(arena);
  for (int round = 0; round < 3; round++) {
    fill(h, arena);
    free_all();
  }
  ck_assert_ptr_nonnull(launder(mia_heap_malloc(h, 5 * MIB)));
  errno = 0;
  ck_assert_ptr_null(mia_heap_malloc(h, 5 * MIB)); /* it is full */
  ck_assert_int_eq(errno, ENOMEM);
  ck_assert_ptr_null(mia_heap_malloc(h, 500 * MIB));
  for (int i = 0; i < 1000; i++) {
    void *p = launder(mia_malloc(1 << 16));
    need(!mia_arena_contains(arena, p));
    mia_free(p);
  }
  mia_heap_destroy(h);
  h = mia_heap_new_in_arena(arena);
  ck_assert_ptr_nonnull(launder(mia_heap_malloc(h, 5 * MIB)));
  mia_heap_destroy(h);
}
END_TEST

START_TEST(invalid_requests_are_refused) {
  mia_arena *arena = (void *)blocks;
  ck_assert_int_eq(mia_reserve_memory(SIZE_MAX - 5, 0, &arena), ENOMEM);
  ck_assert_ptr_null(arena);
  ck_assert_int_eq(mia_reserve_memory(0, 0, NULL), ENOMEM);
  ck_assert_int_eq(mia_reserve_memory(MIB, MIA_ARENA_IS_PINNED, &arena), EINVAL);
  ck_assert_int_eq(mia_reserve_huge_pages(1, -1, 10, MIA_ARENA_IS_ZEROED, &arena), EINVAL);
  ck_assert_int_eq(mia_manage_memory(blocks, sizeof blocks, 1u << 31, NULL, NULL, &arena), EINVAL);
  ck_assert(mia_manage_memory(NULL, 1 << 20,
                              MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED | MIA_ARENA_IS_ZEROED |
                                  MIA_ARENA_IS_EXCLUSIVE,
                              NULL, NULL, &arena) == EINVAL);
  static char small[1000];
  ck_assert(mia_manage_memory(small, sizeof small,
                              MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED | MIA_ARENA_IS_ZEROED |
                                  MIA_ARENA_IS_EXCLUSIVE,
                              NULL, NULL, NULL) == EINVAL);
  /* the area would wrap around the end of the address space */
  const size_t beyond[] = {SIZE_MAX, SIZE_MAX - 65535, SIZE_MAX - (uintptr_t)small + 2};
  for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
    ck_assert(mia_manage_memory(small, beyond[i],
                                MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED | MIA_ARENA_IS_ZEROED |
                                    MIA_ARENA_IS_EXCLUSIVE,
                                NULL, NULL, &arena) == EINVAL);
  int error = mia_reserve_huge_pages(1, -1, 10, MIA_ARENA_IS_EXCLUSIVE,
                                     &arena); /* few systems have one */
  ck_assert((error == 0) == (arena != NULL));
  ck_assert(error == 0 || error == ENOMEM || error == ETIMEDOUT);
  ck_assert_int_eq(mia_reserve_huge_pages(SIZE_MAX / 2, 0, 10, MIA_ARENA_IS_EXCLUSIVE, &arena),
                   ENOMEM);
  ck_assert_int_eq(mia_reserve_huge_pages_interleave(1000000, 2, 10), ENOMEM);
  size_t size = 1;
  ck_assert(mia_arena_area(NULL, &size) == NULL && size == 0 && !mia_arena_contains(NULL, small));
}
END_TEST

/* External arenas with every combination of the flags.  The memory is dirty unless the flag
 * says that it is zero. */
START_TEST(external_arena_with_all_flags) {
  bool committed = (_i & 1) != 0, zero = (_i & 2) != 0;
  size_t size = 6 * MIB, off = (_i & 4) != 0 ? 4096 : 0;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(p != MAP_FAILED);
  if (!zero) memset(p, 0xa5, size);
  if (!committed) ck_assert_int_eq(mprotect(p, size, PROT_NONE), 0);
  mia_arena *arena = NULL;
  ck_assert(mia_manage_memory(p + off, size - off,
                              (committed ? MIA_ARENA_IS_COMMITTED : 0) |
                                  (zero ? MIA_ARENA_IS_ZEROED : 0) | MIA_ARENA_IS_EXCLUSIVE,
                              NULL, NULL, &arena) == 0);
  ck_assert((char *)mia_arena_area(arena, NULL) >= p + off);
  mia_heap *h = mia_heap_new_in_arena(arena);
  fill(h, arena);
  mia_purge();
  free_all();
  mia_purge();
  fill(h, arena);
  free_all();
  mia_heap_delete(h);
}
END_TEST

START_TEST(arena_of_minimum_size_works) {
  size_t size = mia_arena_min_size();
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(p != MAP_FAILED && mia_arena_min_alignment() <= size);
  mia_arena *arena = NULL;
  ck_assert(mia_manage_memory(p, size,
                              MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED | MIA_ARENA_IS_ZEROED |
                                  MIA_ARENA_IS_EXCLUSIVE,
                              NULL, NULL, &arena) == 0);
  mia_heap *h = mia_heap_new_in_arena(arena);
  ck_assert(mia_arena_contains(arena, launder(mia_heap_malloc(h, 100))));
  mia_heap_destroy(h);
}
END_TEST

/* ---- with a function that commits ---- */

enum { SLICE = 64 * KIB, ON_DEMAND = 6 * MIB };

static struct {
  size_t commits, decommits, bytes;
  bool refuse;
  const char *start;
  bool accessible[ON_DEMAND / SLICE];
} calls;

/* Nothing is made accessible that is, and nothing given back that is not. */
static void note_call(bool commits, const char *start, size_t size) {
  for (const char *at = start; at < start + size; at += SLICE) {
    bool *accessible = &calls.accessible[(size_t)(at - calls.start) / SLICE];
    need(*accessible != commits);
    *accessible = commits;
  }
}

static bool commit(bool commits, void *start, size_t size, bool *zero, void *arg) {
  need(arg == &calls && size > 0);
  if (calls.refuse) return false;
  note_call(commits, start, size);
  if (commits) {
    calls.commits++;
    if (mprotect(start, size, PROT_READ | PROT_WRITE) != 0) return false;
    *zero = false;
  } else {
    calls.decommits++;
    if (mprotect(start, size, PROT_NONE) != 0) return false;
  }
  calls.bytes += size;
  return true;
}

START_TEST(memory_is_committed_on_demand) {
  size_t size = ON_DEMAND;
  char *p = mmap(NULL, size + SLICE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(p != MAP_FAILED);
  p += -(uintptr_t)p & (SLICE - 1);
  calls.start = p;
  mia_arena *arena = NULL;
  ck_assert(mia_manage_memory(p, size, MIA_ARENA_IS_EXCLUSIVE, commit, &calls, &arena) == 0);
  ck_assert_uint_eq(calls.commits, 1);
  (void)mia_purge();
  ck_assert_uint_eq(calls.decommits, 0); /* the rest is not accessible */
  mia_heap *h = mia_heap_new_in_arena(arena);
  for (int round = 0; round < 3; round++) {
    fill(h, arena);
    ck_assert_uint_gt(calls.commits, 10);
    free_all();
    size_t before = calls.decommits;
    mia_heap_collect(h, true);
    ck_assert_uint_gt(calls.decommits, before); /* the next round commits again */
  }
  calls.refuse = true;
  errno = 0;
  ck_assert_ptr_null(mia_heap_malloc(h, 3 * MIB));
  ck_assert_int_eq(errno, ENOMEM);
  calls.refuse = false;
  ck_assert_ptr_nonnull(launder(mia_heap_malloc(h, 3 * MIB)));
  mia_heap_destroy(h);
}
END_TEST

enum { LINE_SIZE = 256 };

static size_t lines;
static void count_lines(const char *text, void *arg) {
  need(arg == &lines && strncmp(text, "arena ", 6) == 0);
  lines++;
}

START_TEST(all_arenas_are_printed) {
  mia_free(launder(mia_malloc(10)));
  ck_assert_int_eq(mia_reserve_memory(MIB, MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_LARGE, NULL), 0);
  mia_stats s = {.size = sizeof s};
  ck_assert(mia_stats_get(&s));
  lines = 0;
  mia_arenas_print(count_lines, &lines);
  ck_assert_uint_eq(lines, s.arenas);
}
END_TEST

/* Keeps the line of the only exclusive arena. */
static void keep_exclusive(const char *text, void *line) {
  if (strstr(text, ", exclusive") != NULL) snprintf(line, LINE_SIZE, "%s", text);
}

START_TEST(printed_figures_are_right) {
  enum { NEARLY = MIB - 8 * KIB }; /* leaves room for redzone and canary */
  char line[LINE_SIZE];
  mia_arena *arena;
  ck_assert_int_eq(
      mia_reserve_memory(4 * MIB, MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  mia_heap *h = mia_heap_new_in_arena(arena);
  ck_assert_ptr_nonnull(launder(memset(mia_heap_malloc(h, NEARLY), 1, NEARLY)));
  mia_arenas_print(keep_exclusive, line);
  need(strstr(line, ", used 1.0 MiB") != NULL && strstr(line, "purged 0 B") != NULL);
  mia_heap_destroy(h);
  mia_arenas_print(keep_exclusive, line);
  need(strstr(line, "purged 1.0 MiB") != NULL);
  mia_purge();
  mia_arenas_print(keep_exclusive, line);
  need(strstr(line, ", used 64.0 KiB") != NULL && strstr(line, "purged 0 B") != NULL);
  ck_assert(mia_arena_unload(arena));
}
END_TEST

/* ---- unloading ---- */

static mia_stats current_stats(void) {
  mia_stats s = {.size = sizeof s};
  ck_assert(mia_stats_get(&s));
  return s;
}

static bool is_busy(mia_arena *arena) {
  errno = 0;
  return !mia_arena_unload(arena) && errno == EBUSY;
}

START_TEST(arena_in_use_is_not_unloaded) {
  mia_arena *arena = NULL, *for_all = NULL;
  ck_assert_int_eq(mia_reserve_memory(8 * MIB, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  ck_assert_int_eq(mia_reserve_memory(MIB, 0, &for_all), 0);
  ck_assert(is_busy(NULL) && is_busy(for_all));
  mia_heap *h = mia_heap_new_in_arena(arena);
  ck_assert(is_busy(arena)); /* it has a heap */
  void *p = launder(mia_heap_malloc(h, 100));
  mia_heap_delete(h);
  ck_assert(is_busy(arena)); /* it has a block */
  ck_assert(mia_arena_contains(arena, p) && mia_is_in_heap_region(p));
  mia_free(p);
  ck_assert(mia_arena_unload(arena));
  ck_assert(!mia_is_in_heap_region(p));
  ck_assert(is_busy(arena)); /* it was unloaded before */
}
END_TEST

START_TEST(an_unloaded_arena_leaves_nothing) {
  mia_free(launder(mia_malloc(100)));
  mia_heap_destroy(mia_heap_new());
  mia_purge();
  mia_stats before = current_stats();
  for (int i = 0; i < 1000; i++) { /* more than the number of arenas that can exist */
    mia_arena *arena = NULL;
    need_at(mia_reserve_memory(8 * MIB, MIA_ARENA_IS_EXCLUSIVE, &arena) == 0, i);
    mia_heap *h = mia_heap_new_in_arena(arena);
    if (i % 100 == 0) {
      fill(h, arena);
      free_all();
    }
    mia_free(launder(mia_heap_malloc(h, 3 * MIB)));
    void *p = launder(mia_heap_malloc(h, 10));
    mia_heap_destroy(h);
    need_at(mia_arena_unload(arena), i);
    need_at(!mia_is_in_heap_region(p) && mia_heap_of(p) == NULL, i);
  }
  mia_stats after = current_stats();
  ck_assert_uint_eq(after.arenas, before.arenas);
  ck_assert_uint_eq(after.reserved, before.reserved);
  ck_assert_uint_eq(after.used, before.used);
  ck_assert_uint_le(after.committed, before.committed);
  lines = 0;
  mia_arenas_print(count_lines, &lines);
  ck_assert_uint_eq(lines, after.arenas);
}
END_TEST

START_TEST(external_memory_is_usable_after_unload) {
  size_t size = 6 * MIB;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(p != MAP_FAILED);
  for (int round = 0; round < 3; round++) {
    mia_arena *arena = NULL;
    ck_assert(mia_manage_memory(p, size,
                                MIA_ARENA_IS_COMMITTED | ((round == 1) ? MIA_ARENA_IS_PINNED : 0) |
                                    MIA_ARENA_IS_EXCLUSIVE,
                                NULL, NULL, &arena) == 0);
    mia_heap *h = mia_heap_new_in_arena(arena);
    fill(h, arena);
    mia_heap_destroy(h);
    ck_assert(mia_arena_unload(arena));
    memset(p, 0xa5, size);
  }
  ck_assert_int_eq(munmap(p, size), 0);
  mia_purge();
}
END_TEST

static void check_text(const char *text, void *arg) { note(text != NULL && arg == NULL); }

static int done;

/* Reads all arenas while they come and go. */
static void *read_all_arenas(void *unused) {
  while (__atomic_load_n(&done, __ATOMIC_RELAXED) == 0) {
    mia_stats s = {.size = sizeof s};
    note(mia_stats_get(&s));
    mia_arenas_print(check_text, NULL);
    mia_free(launder(mia_malloc(MIB)));
    note(!mia_is_in_heap_region(&s));
    mia_purge();
  }
  return unused;
}

/* Frees a block in an arena that is being unloaded. */
static void *free_it(void *p) {
  mia_free(p);
  return NULL;
}

START_TEST(arenas_are_unloaded_while_others_read_them) {
  pthread_t looking, freeing;
  done = 0;
  ck_assert_int_eq(pthread_create(&looking, NULL, read_all_arenas, NULL), 0);
  for (int i = 0; i < 200; i++) {
    mia_arena *arena = NULL;
    need_at(mia_reserve_memory(4 * MIB, MIA_ARENA_IS_EXCLUSIVE, &arena) == 0, i);
    mia_heap *h = mia_heap_new_in_arena(arena);
    void *p = launder(mia_heap_malloc(h, i % 2 == 0 ? 100 : MIB));
    mia_heap_delete(h);
    need(pthread_create(&freeing, NULL, free_it, p) == 0);
    while (!mia_arena_unload(arena)) need(errno == EBUSY);
    pthread_join(freeing, NULL);
  }
  __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
  pthread_join(looking, NULL);
  need_nothing_noted();
}
END_TEST

static bool count_block(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                        void *count) {
  (void)heap, (void)area, (void)size;
  *(size_t *)count += block != NULL;
  return true;
}

/* Large, so that a walk over it takes a while. */
#define LARGE_ARENA ((sizeof(void *) > 4 ? (size_t)2048 : 16) * MIB)

/* Walks a heap that does not change while arenas come and go. */
static void *walk_repeatedly(void *unused) {
  size_t first = 0;
  while (__atomic_load_n(&done, __ATOMIC_RELAXED) == 0) {
    size_t count = 0;
    note(mia_heap_visit_blocks(mia_heap_main(), true, count_block, &count));
    if (first == 0) first = count;
    note(count > 0 && count == first);
  }
  return unused;
}

START_TEST(walk_continues_during_an_unload) {
  if (TSAN) return; /* this test provokes a walk during changes of the heap */
  pthread_t walking;
  done = 0;
  void *kept = launder(mia_malloc(100));
  ck_assert_int_eq(pthread_create(&walking, NULL, walk_repeatedly, NULL), 0);
  for (int i = 0; i < 200; i++) {
    mia_arena *arena = NULL;
    need_at(mia_reserve_memory(LARGE_ARENA, MIA_ARENA_IS_EXCLUSIVE, &arena) == 0, i);
    mia_heap *h = mia_heap_new_in_arena(arena);
    need_at(launder(mia_heap_malloc(h, 100)) != NULL, i);
    mia_heap_destroy(h);
    while (!mia_arena_unload(arena)) need(errno == EBUSY);
    usleep(1000); /* before another arena gets the address */
  }
  __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
  pthread_join(walking, NULL);
  need_nothing_noted();
  mia_free(kept);
}
END_TEST

/* Blocks of heaps that come and go are never the main heap's. */
START_TEST(walk_visits_no_block_of_another_heap) {
  if (TSAN) return;
  enum { HEAPS = 3000, EACH = 3 };
  pthread_t walking;
  done = 0;
  void *kept = launder(mia_malloc(100));
  ck_assert_int_eq(pthread_create(&walking, NULL, walk_repeatedly, NULL), 0);
  for (int i = 0; i < HEAPS; i++) {
    mia_heap *h = mia_heap_new();
    need_at(h != NULL, i);
    for (size_t k = 0; k < EACH; k++)
      need_at(launder(mia_heap_malloc(h, 50 + k * 30 * KIB)) != NULL, i);
    mia_heap_destroy(h);
  }
  __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
  pthread_join(walking, NULL);
  need_nothing_noted();
  mia_free(kept);
}
END_TEST

SUITE("api/arena") {
  CASE(NULL, NULL);
  TEST(main_heap_never_allocates_from_an_exclusive_arena);
  TEST(exclusive_arenas_serve_their_heaps);
  TEST(invalid_requests_are_refused);
  LOOP(external_arena_with_all_flags, 0, 8);
  TEST(arena_of_minimum_size_works);
  TEST(memory_is_committed_on_demand);
  TEST(all_arenas_are_printed);
  TEST(printed_figures_are_right);
  TEST(arena_in_use_is_not_unloaded);
  TEST(an_unloaded_arena_leaves_nothing);
  TEST(external_memory_is_usable_after_unload);
  TEST(arenas_are_unloaded_while_others_read_them);
  TEST(walk_continues_during_an_unload);
  TEST(walk_visits_no_block_of_another_heap);
}
