/* SPDX-License-Identifier: MIT */
/* Freeing, usable sizes, and pointers that are no blocks, which are detected and reported. */
#include "fake/world.h"
#include "unit/threads.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "arena/arena.h"
#include "arena/meta.h"
#include "theap/bin.h"
#include "theap/thread.h"

#include <errno.h>

enum { BLOCKS = 500 };

static char *allocate(size_t size) {
  void *p = mia_fast_malloc(size);
  if (p == NULL) p = mia_alloc_slow(size, false);
  if (p == NULL) abort();
  return p;
}

static size_t pages(void) {
  size_t n = 0;
  for (unsigned c = 0; c < MIA_CLASS_KINDS; c++) n += mia_aword_get(&mia_theap_all.pages[c].now);
  return n;
}

static const size_t kinds[] = {8, 100, 5000, 65536, 70000, MIA_MIB, HUGE_MIN};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

START_TEST(NULL_can_be_freed_and_has_size_0) {
  errno = ERRNO_MARK;
  mia_alloc_free(NULL);
  mia_alloc_free_slow(NULL);
  ck_assert_uint_eq(mia_alloc_usable(NULL), 0);
  ck_assert(mia_alloc_is_sized(NULL, 5, 3));
  ck_assert_int_eq(errno, ERRNO_MARK);
  ck_assert_uint_eq(fake_calls(FAKE_ANY), 0);
}
END_TEST

START_TEST(free_keeps_errno) {
  for (size_t i = 0; i < KINDS; i++) {
    void *p = allocate(kinds[i]);
    fake_refuse(FAKE_MEMORY, 1, FAKE_EVER); /* a munmap that fails sets errno */
    errno = ERRNO_MARK;
    mia_alloc_free(p);
    need_at(errno == ERRNO_MARK, i);
    fake_allow();
  }
}
END_TEST

START_TEST(all_memory_is_returned) {
  static void *p[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) p[i] = allocate(kinds[(size_t)i % (KINDS - 1)]);
  for (int i = 0; i < BLOCKS; i++) mia_alloc_free(p[i]);
  mia_theap_detach();
  ck_assert_uint_eq(pages(), 0);
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

/* A loop that frees and allocates takes the slow path only when a free list is empty.  The free of
 * the last block of a page that is not allocated from takes it too, to dispose of the page. */
START_TEST(the_fast_path_empties_only_the_page_allocated_from) {
  static void *p[BLOCKS];
  const size_t size = 4096 - MIA_CANARY_SIZE;
  void *one = allocate(size), *two = allocate(size);
  const mia_page *page = mia_page_require_of(one);
  ck_assert(mia_page_of(two) == page && page->used == 2);
  ck_assert(mia_fast_free(one) && mia_fast_free(two) && page->used == 0);
  if (!MIA_DEBUG) ck_assert(!mia_fast_free(two)); /* the slow path would report it */
  for (int i = 0; i <= BLOCKS_OF_4K; i++) p[i] = allocate(size);
  ck_assert(mia_page_of(p[BLOCKS_OF_4K]) != page && page->used == BLOCKS_OF_4K);
  /* The page was full and has no owner: the first free makes the thread its owner again, beside
   * the page that it allocates from. */
  mia_alloc_free(p[0]);
  for (int i = 1; i < BLOCKS_OF_4K - 1; i++) ck_assert(mia_fast_free(p[i]));
  ck_assert(page->used == 1 && !mia_fast_free(p[BLOCKS_OF_4K - 1]) && page->used == 1);
  mia_alloc_free(p[BLOCKS_OF_4K - 1]);
  ck_assert_ptr_null(mia_page_of(p[BLOCKS_OF_4K - 1]));
}
END_TEST

static void *free_all(void *arg) {
  void **p = arg;
  for (int i = 0; i < BLOCKS; i++) mia_alloc_free(p[i]);
  return NULL;
}

/* A thread that only frees has a theap while it lives.  A thread that has been detached at its end
 * has none, even if it frees blocks then. */
static void *free_at_the_end(void *arg) {
  ck_assert_ptr_nonnull(mia_theap_attach());
  mia_theap_detach();
  free_all(arg);
  ck_assert_ptr_eq(mia_theap_self, &mia_theap_all.ended);
  return NULL;
}

START_TEST(other_threads_may_free) {
  static void *p[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) p[i] = allocate(kinds[(size_t)i % (KINDS - 1)]);
  run_thread(_i == 0 ? free_all : free_at_the_end, p);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.attached.now), 1);
  mia_theap_detach();
  ck_assert_uint_eq(pages(), 0);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.attached.peak), 2);
}
END_TEST

START_TEST(the_requested_size_is_accepted) {
  for (size_t i = 0; i < KINDS; i++) {
    void *p = mia_alloc_aligned(kinds[i], 64, false);
    ck_assert(mia_alloc_is_sized(p, kinds[i], 64));
    if (!MIA_DEBUG) ck_assert(mia_alloc_is_sized(p, 0, 1));
    ck_assert(mia_alloc_is_sized(p, mia_alloc_usable(p), 1));
  }
}
END_TEST

/* ---- misuse ---- */

static char in_data[64];

START_TEST(freeing_a_static_object_is_fatal) { mia_alloc_free(in_data); }
END_TEST
START_TEST(freeing_a_local_object_is_fatal) {
  char here[64];
  mia_alloc_free(launder(here));
}
END_TEST
START_TEST(freeing_an_arbitrary_address_is_fatal) { mia_alloc_free((void *)(uintptr_t)0x1230); }
END_TEST
START_TEST(freeing_our_own_memory_is_fatal) { mia_alloc_free(mia_arena_meta(64)); }
END_TEST
START_TEST(freeing_a_large_block_twice_is_fatal) {
  char *p = allocate(MIA_MIB);
  mia_alloc_free(p);
  mia_alloc_free(p);
}
END_TEST
START_TEST(freeing_a_huge_block_twice_is_fatal) {
  char *p = allocate(HUGE_MIN);
  mia_alloc_free(p);
  mia_alloc_free(p);
}
END_TEST
START_TEST(freeing_the_start_of_a_large_block_is_fatal) { mia_alloc_free(allocate(MIA_MIB) + 16); }
END_TEST
START_TEST(freeing_the_middle_of_a_large_block_is_fatal) {
  mia_alloc_free(allocate(MIA_MIB) + MIA_MIB / 2);
}
END_TEST
START_TEST(freeing_the_middle_of_a_huge_block_is_fatal) {
  mia_alloc_free(allocate(HUGE_MIN) + HUGE_MIN / 2);
}
END_TEST
START_TEST(measuring_no_block_is_fatal) { (void)mia_alloc_usable(in_data); }
END_TEST
START_TEST(resizing_no_block_is_fatal) { (void)mia_alloc_resize(in_data, 100, 1); }
END_TEST
START_TEST(resizing_the_inside_of_a_block_is_fatal) {
  (void)mia_alloc_resize(allocate(100) + 16, 200, 1);
}
END_TEST
START_TEST(a_size_that_was_not_requested_is_fatal) {
  (void)mia_alloc_is_sized(allocate(100), 113, 1);
}
END_TEST
START_TEST(an_alignment_that_was_not_requested_is_fatal) {
  (void)allocate(16);
  char *p = allocate(16);
  (void)mia_alloc_is_sized(p, 16, (uintptr_t)p % 32 == 0 ? MIA_ALIGN_MAX : 32);
}
END_TEST

static void *free_inside(void *p) {
  mia_alloc_free((char *)p + 16);
  mia_theap_detach();
  return NULL;
}
START_TEST(anothers_inside_of_a_block_is_fatal) { run_thread(free_inside, allocate(100)); }
END_TEST

START_TEST(freeing_the_inside_of_a_block_is_fatal) { mia_alloc_free(allocate(100) + 16); }
END_TEST
START_TEST(measuring_the_inside_of_a_block_is_fatal) { (void)mia_alloc_usable(allocate(100) + 16); }
END_TEST

SUITE("alloc/free") {
  CASE(world_of_theaps, world_end);
  TEST(NULL_can_be_freed_and_has_size_0);
  TEST(free_keeps_errno);
  TEST(all_memory_is_returned);
  TEST(the_fast_path_empties_only_the_page_allocated_from);
  LOOP(other_threads_may_free, 0, 2);
  TEST(the_requested_size_is_accepted);
  DIES(freeing_a_static_object_is_fatal, SIGABRT);
  DIES(freeing_a_local_object_is_fatal, SIGABRT);
  DIES(freeing_an_arbitrary_address_is_fatal, SIGABRT);
  DIES(freeing_our_own_memory_is_fatal, SIGABRT);
  DIES(freeing_a_large_block_twice_is_fatal, SIGABRT);
  DIES(freeing_a_huge_block_twice_is_fatal, SIGABRT);
  DIES(freeing_the_start_of_a_large_block_is_fatal, SIGABRT);
  DIES(freeing_the_middle_of_a_large_block_is_fatal, SIGABRT);
  DIES(freeing_the_middle_of_a_huge_block_is_fatal, SIGABRT);
  DIES(measuring_no_block_is_fatal, SIGABRT);
  DIES(resizing_no_block_is_fatal, SIGABRT);
  DIES(resizing_the_inside_of_a_block_is_fatal, SIGABRT);
  DIES(a_size_that_was_not_requested_is_fatal, SIGABRT);
  DIES(an_alignment_that_was_not_requested_is_fatal, SIGABRT);
  DIES(anothers_inside_of_a_block_is_fatal, SIGABRT);
  DIES_IN_DEBUG(freeing_the_inside_of_a_block_is_fatal, SIGABRT);
  DIES_IN_DEBUG(measuring_the_inside_of_a_block_is_fatal, SIGABRT);
}
