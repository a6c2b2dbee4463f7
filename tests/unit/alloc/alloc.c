/* SPDX-License-Identifier: MIT */
/* Allocating: sizes, zeroes, alignments, errno, and the failure of every call to the OS that can
 * fail. */
#include "fake/world.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "arena/purge.h"
#include "base/bits.h"
#include "theap/bin.h"
#include "theap/page_cache.h"
#include "theap/thread.h"

#include <errno.h>
#include <pthread.h>

static void *allocate(size_t size) {
  void *p = mia_fast_malloc(size);
  return p != NULL ? p : mia_alloc_slow(size, false);
}

/* Sizes at which the way of allocating changes, and their neighbours. */
static size_t boundary_size(size_t i) {
  static const size_t at[] = {
      1,     8,         16,     128,      1024,         4096,
      8192,  65536,     65537,  131072,   MIA_MIB,      8 * MIA_MIB,
      65000, 3 * 65536, 100000, SPAN_MAX, SPAN_MAX + 1, SPAN_MAX + 5 * 65536};
  return i / 3 < sizeof at / sizeof at[0] ? at[i / 3] + i % 3 - 1 : 0;
}
enum { BOUNDARY_SIZES = 3 * 18 };

START_TEST(blocks_are_as_large_and_aligned_as_promised) {
  for (size_t i = 0; i < BOUNDARY_SIZES; i++) {
    size_t size = boundary_size(i);
    errno = ERRNO_MARK;
    char *p = allocate(size);
    need_at(p != NULL && errno == ERRNO_MARK, size);
    need_at(mia_is_aligned(p, size <= 8 ? 8 : 16), size);
    need_at(mia_alloc_usable(p) >= size && mia_alloc_usable(p) == mia_alloc_good_size(size, 1),
            size);
    if (mia_alloc_usable(p) > 0) p[0] = p[mia_alloc_usable(p) - 1] = 1;
    mia_alloc_free(p);
  }
}
END_TEST

START_TEST(zeroed_blocks_are_zero_in_new_and_in_used_memory) {
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < BOUNDARY_SIZES; i++) {
      size_t size = boundary_size(i) % (2 * MIA_MIB);
      char *p[3];
      for (int k = 0; k < 3; k++) {
        errno = ERRNO_MARK;
        p[k] = k == 2 ? mia_alloc_aligned(size, 64, true) : mia_alloc_zeroed(size);
        need_at(p[k] != NULL && errno == ERRNO_MARK, size);
        need_at(all_zero(p[k], mia_alloc_usable(p[k])), size);
        memset(p[k], 0xff, mia_alloc_usable(p[k]));
      }
      for (int k = 0; k < 3; k++) mia_alloc_free(p[k]);
      if (i % 16 == 0) (void)mia_arena_purge_now();
    }
}
END_TEST

START_TEST(aligned_blocks_of_any_size) {
  for (size_t align = 1; align <= 64 * MIA_MIB; align *= 2)
    for (size_t i = 0; i < BOUNDARY_SIZES; i += 2) {
      size_t size = boundary_size(i);
      char *p = mia_alloc_aligned(size, align, false);
      need_at(p != NULL && mia_is_aligned(p, align), align);
      need_at(mia_alloc_usable(p) >= size, size);
      if (mia_alloc_usable(p) > 0) p[0] = p[mia_alloc_usable(p) - 1] = 1;
      mia_alloc_free(p);
    }
}
END_TEST

static void fails_with(int error, const void *p) {
  ck_assert_ptr_null(p);
  ck_assert_int_eq(errno, error);
  errno = ERRNO_MARK;
}

START_TEST(impossible_requests_fail) {
  void *kept = allocate(100);
  const size_t sizes[] = {SIZE_MAX,
                          SIZE_MAX - 1,
                          SIZE_MAX - 65536,
                          MIA_SIZE_MAX,
                          MIA_SIZE_MAX + 1,
                          MIA_SIZE_MAX - MIA_SLICE_SIZE,
                          MIA_SIZE_MAX / 4 * 3};
  /* all but the last two are too large everywhere; these may find room in 32 bits */
  const size_t count = sizeof sizes / sizeof sizes[0] - (MIA_POINTER_64 ? 0 : 2);
  errno = ERRNO_MARK;
  for (size_t i = 0; i < count; i++) {
    fails_with(ENOMEM, mia_alloc_slow(sizes[i], false));
    fails_with(ENOMEM, mia_alloc_zeroed(sizes[i]));
    fails_with(ENOMEM, mia_alloc_aligned(sizes[i], 64, false));
    fails_with(ENOMEM, mia_alloc_aligned(sizes[i], MIA_ALIGN_MAX, false));
    fails_with(ENOMEM, mia_alloc_resize(kept, sizes[i], 1));
    fails_with(ENOMEM, mia_alloc_resize(NULL, sizes[i], 1));
  }
  fails_with(ENOMEM, mia_alloc_aligned(8, MIA_ALIGN_MAX * 2, false));
  const size_t aligns[] = {0, 3, 24, SIZE_MAX, 4097};
  for (size_t i = 0; i < 5; i++) {
    fails_with(EINVAL, mia_alloc_aligned(8, aligns[i], false));
    fails_with(EINVAL, mia_alloc_resize(kept, 8, aligns[i]));
  }
  ck_assert_uint_eq(mia_alloc_good_size(SIZE_MAX, 1), SIZE_MAX);
  ck_assert_uint_eq(mia_alloc_good_size(MIA_SIZE_MAX, 1), MIA_SIZE_MAX);
}
END_TEST

START_TEST(a_request_of_0_bytes_gets_a_block) {
  void *p = allocate(0), *q = allocate(0), *r = mia_alloc_zeroed(0);
  ck_assert(p != NULL && q != NULL && r != NULL && p != q && q != r);
  ck_assert_uint_eq(mia_alloc_usable(p), MIA_DEBUG ? 0 : MIA_BLOCK_MIN);
}
END_TEST

START_TEST(mixed_blocks_keep_their_content) {
  enum { LIVE = 400, TURNS = 20000 };
  static struct {
    void *p;
    size_t size;
  } live[LIVE];
  uint64_t random = suite_random(1);
  for (int i = 0; i < TURNS; i++) {
    size_t k = random_below(&random, LIVE);
    if (live[k].p != NULL) {
      need_at(pattern_holds(live[k].p, live[k].size, k), i);
      mia_alloc_free(live[k].p);
      live[k].p = NULL;
    } else {
      live[k].size = random_size(&random, i % 50 == 0 ? 20 : 12);
      live[k].p = i % 3 == 0 ? mia_alloc_aligned(live[k].size,
                                                 (size_t)1 << random_below(&random, 13), false)
                             : allocate(live[k].size);
      need_at(live[k].p != NULL, i);
      pattern_fill(live[k].p, live[k].size, k);
    }
  }
  for (size_t k = 0; k < LIVE; k++) mia_alloc_free(live[k].p);
  memset(live, 0, sizeof live);
}
END_TEST

/* ---- the failure of each call to the OS ---- */

enum { BLOCKS = 64, GROWTH = 8 };
static char *blocks[BLOCKS];
static size_t block_count, failures;

/* Stores the result of an allocation, or checks that it failed as documented. */
static char *check_result(void *p, size_t size) {
  if (p == NULL) {
    need(errno == ENOMEM);
    failures++;
  } else {
    need(errno == ERRNO_MARK);
    blocks[block_count++] = p;
    need_at(mia_alloc_usable(p) >= size, size);
    blocks[block_count - 1][0] = blocks[block_count - 1][size - 1] = 1;
  }
  errno = ERRNO_MARK;
  return p;
}

static void check_zeroed_result(void *p, size_t size) {
  if (p != NULL) need_at(all_zero(p, 4096) && all_zero((char *)p + size - 4096, 4096), size);
  (void)check_result(p, size);
}

static void free_some(size_t from, size_t step) {
  size_t kept = from < block_count ? from : block_count;
  for (size_t i = from; i < block_count; i++)
    if ((i - from) % step == 0)
      mia_alloc_free(blocks[i]);
    else
      blocks[kept++] = blocks[i];
  block_count = kept;
}

/* Grows and shrinks a block through all kinds; a resize that fails must not change it. */
static void grow(void) {
  const size_t sizes[GROWTH] = {
      5000, 70000, MIA_MIB, 9 * MIA_MIB, SPAN_MAX + 1, SPAN_MAX + 4 * MIA_MIB, MIA_MIB, 50};
  size_t size = 100;
  char *p = allocate(size);
  if (check_result(p, size) == NULL) return;
  block_count--;
  for (int i = 0; i < GROWTH; i++) {
    p[0] = 'a';
    p[size - 1] = 'z';
    errno = ERRNO_MARK;
    char *q = mia_alloc_resize(p, sizes[i], 1);
    need(errno == (q == NULL ? ENOMEM : ERRNO_MARK));
    if (q == NULL) {
      failures++;
      need(p[0] == 'a' && p[size - 1] == 'z');
      continue;
    }
    p = q;
    need_at(p[0] == 'a' && (sizes[i] < size || p[size - 1] == 'z'), i);
    size = sizes[i];
  }
  mia_alloc_free(p);
}

static void run_all_kinds(void) {
  errno = ERRNO_MARK;
  for (size_t size = 8; size <= 65536; size *= 8) (void)check_result(allocate(size), size);
  check_zeroed_result(mia_alloc_zeroed(50000), 50000);
  check_zeroed_result(mia_alloc_zeroed(300000), 300000);
  (void)check_result(mia_alloc_aligned(200000, 4096, false), 200000);
  (void)check_result(mia_alloc_aligned(MIA_MIB, MIA_MIB, false), MIA_MIB);
  (void)check_result(allocate(SPAN_MAX + 1), SPAN_MAX + 1);
  check_zeroed_result(mia_alloc_zeroed(SPAN_MAX + 9 * MIA_MIB), SPAN_MAX + 9 * MIA_MIB);
  (void)check_result(mia_alloc_aligned(MIA_MIB, SPAN_MAX, false), MIA_MIB);
  free_some(0, 2);
  mia_theap_detach(); /* a thread ends and another begins */
  errno = ERRNO_MARK;
  for (int i = 0; i < 12; i++) (void)check_result(allocate(3 * MIA_MIB), 3 * MIA_MIB);
  grow();
  free_some(3, 2);
  (void)mia_arena_purge_now();
  errno = ERRNO_MARK;
  check_zeroed_result(mia_alloc_zeroed(2 * MIA_MIB), 2 * MIA_MIB);
  free_some(0, 1);
  mia_theap_detach();
  errno = ERRNO_MARK;
}

/* Checks that no block, no page and no mapping outside arenas is left. */
static void all_is_returned(bool strict) {
  ck_assert_uint_eq(block_count, 0);
  for (unsigned c = 0; c < MIA_CLASS_KINDS; c++)
    need_at(mia_aword_get(&mia_theap_all.pages[c].now) == 0, c);
  size_t meta = mia_arena_all.meta_at != NULL ? MIA_SLICE_SIZE : 0;
  ck_assert_uint_eq(used_bytes(), meta);
  if (strict)
    ck_assert_uint_eq(fake.mapped, mia_aword_get(&mia_arena_all.reserved) + world_of_leaves());
}

static void begin_world(void) {
  world_end();
  world_of_theaps();
  block_count = failures = 0;
}

enum { OVERCOMMIT, NO_OVERCOMMIT, BIG_PAGES, MODES };

static void set_mode(int mode) {
  if (mode == NO_OVERCOMMIT) world_without_overcommit();
  if (mode == BIG_PAGES) fake.page_size = 64 * MIA_KIB;
}

static size_t count_calls(int mode, unsigned calls) {
  begin_world();
  set_mode(mode);
  fake_count_anew();
  run_all_kinds();
  ck_assert_uint_eq(failures, 0);
  all_is_returned(true);
  return fake_calls(calls);
}

/* Refuses `count' calls from the n-th on; afterwards everything works as if none had been refused.
 * Returns true if there was an n-th call: some calls depend on where the kernel puts memory, so
 * that there may be fewer than before. */
static bool run_refusing(int mode, unsigned calls, size_t nth, size_t count) {
  begin_world();
  set_mode(mode);
  fake_refuse(calls, nth, count);
  run_all_kinds();
  bool refused = fake_refused() > 0;
  need_at(refused || fake_calls(calls) < nth, nth);
  /* Memory that the kernel refused to unmap is still mapped. */
  bool strict = (calls & FAKE_RELEASE) == 0;
  all_is_returned(strict);
  fake_allow();
  failures = 0;
  run_all_kinds();
  need_at(failures == 0, nth);
  all_is_returned(strict);
  return refused;
}

static void refuse_each(int mode, unsigned calls, size_t count) {
  size_t last = count_calls(mode, calls), refused = 0;
  for (size_t n = 1; n <= last; n++) refused += run_refusing(mode, calls, n, count);
  ck_assert_uint_gt(refused, last / 2);
}

enum { NOT_RELEASE = FAKE_ANY & ~FAKE_RELEASE };

START_TEST(the_nth_call_is_refused) { refuse_each(_i, NOT_RELEASE, 1); }
END_TEST
START_TEST(all_calls_from_the_nth_on_are_refused) { refuse_each(_i, NOT_RELEASE, FAKE_EVER); }
END_TEST
START_TEST(the_nth_release_is_refused) { refuse_each(_i, FAKE_RELEASE, 1); }
END_TEST
START_TEST(all_calls_and_releases_from_the_nth_on_are_refused) {
  refuse_each(_i, FAKE_ANY, FAKE_EVER);
}
END_TEST

/* Before an allocation fails, a cached page of another class is used for it. */
START_TEST(cached_pages_are_the_last_resort) {
  enum {
    BLOCK = 8192 - MIA_CANARY_SIZE,
    OTHER = 4096,
    PAGES = MIA_ARENA_FIRST_SLICES,
    PER_PAGE = 8 - MIA_DEBUG /* the padding: canary.h */
  };
  static void *b[PER_PAGE * PAGES];
  size_t n = 0;
  void *p;
  b[n++] = allocate(BLOCK);
  fake_refuse(FAKE_MEMORY, 1, FAKE_EVER);
  while (n < PER_PAGE * PAGES && (p = allocate(BLOCK)) != NULL) b[n++] = p;
  ck_assert_uint_eq(n, PER_PAGE * PAGES);
  ck_assert(allocate(BLOCK) == NULL && errno == ENOMEM);
  ck_assert(allocate(OTHER) == NULL && errno == ENOMEM);
  for (size_t i = 0; i < PER_PAGE; i++) mia_alloc_free(b[i]);
  mia_theap_flush_batches(mia_theap_self);
  ck_assert_ptr_null(mia_page_of(b[0])); /* cached for its class */
  ck_assert_uint_eq(used_bytes(), PAGES * MIA_SLICE_SIZE);
  ck_assert_ptr_nonnull(allocate(OTHER));
}
END_TEST

/* ---- requests that fail, and their cost for other threads ---- */

/* Uses up all memory except for one cached page, and refuses all calls for more. */
static void use_up_all_but_a_cached_page(size_t size, size_t per_page) {
  void *first[16] = {NULL};
  for (size_t i = 0; i < per_page; i++) first[i] = allocate(size);
  fake_refuse(FAKE_MEMORY, 1, FAKE_EVER);
  while (allocate(size) != NULL) {}
  for (size_t i = 0; i < per_page; i++) mia_alloc_free(first[i]);
  mia_theap_flush_batches(mia_theap_self);
  ck_assert(mia_theap_has_cached_page());
}

/* Idle memory and cached pages that could not serve the request are left alone. */
START_TEST(an_impossible_request_flushes_no_cache) {
  mia_alloc_free(allocate(2 * SPAN_MAX)); /* its descriptor takes a slice */
  mia_alloc_free(allocate(300000));
  void *large = allocate(3 * MIA_MIB);
  memset(large, 1, 3 * MIA_MIB);
  mia_alloc_free(large);
  size_t idle = mia_arena_idle(), before = used_bytes();
  ck_assert(idle >= 3 * MIA_MIB && mia_theap_has_cached_page());
  fake_refuse(FAKE_MEMORY & ~FAKE_PURGE, 1, FAKE_EVER);
  for (size_t size = MIA_SIZE_MAX / 2; size > SPAN_MAX; size /= 2)
    need_at(allocate(size) == NULL && errno == ENOMEM, size);
  ck_assert(mia_arena_idle() == idle && used_bytes() == before && fake.purged == 0);
  ck_assert(mia_theap_has_cached_page());
}
END_TEST

/* Cached pages count towards the limit, so they are flushed for a request that then fits it. */
START_TEST(an_impossible_request_within_a_limit) {
  const size_t huge = SPAN_MAX + MIA_MIB;
  mia_alloc_free(allocate(huge));
  mia_alloc_free(allocate(300000));
  size_t before = used_bytes(), limit = before + huge - MIA_SLICE_SIZE;
  ck_assert(mia_theap_has_cached_page());
  mia_aword_set(&mia_arena_all.limit, limit);
  ck_assert(allocate(limit + 1) == NULL && errno == ENOMEM);
  ck_assert(used_bytes() == before && mia_theap_has_cached_page());
  ck_assert_ptr_nonnull(allocate(huge));
  ck_assert(!mia_theap_has_cached_page());
}
END_TEST

/* The first requests of threads when no memory is left for their theaps. */
typedef struct request_series {
  size_t size;
  int count;
} request_series;

static void *first_requests(void *arg) {
  const request_series *r = arg;
  size_t size = r->size;
  for (int i = 0; i < r->count; i++) {
    errno = 0;
    unsigned char *p = mia_alloc_slow(size, true);
    note(p != NULL && errno == 0);
    if (p == NULL) continue;
    for (size_t j = 0; j < size; j++) note(p[j] == 0);
    memset(p, 0xee, size);
    unsigned char *q = mia_alloc_resize(p, size - 1, 1);
    note(q != NULL && q[size - 2] == 0xee);
    mia_alloc_free(q);
  }
  return NULL;
}

enum { THREADS = 4 };

static void run_first_requests(request_series r, int count) {
  pthread_t threads[THREADS];
  for (int i = 0; i < count; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, first_requests, &r), 0);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  need_nothing_noted();
}

enum { SIZE_8K = 8192 - MIA_CANARY_SIZE };

/* The page comes from the cache of another thread. */
START_TEST(a_first_request_is_served_by_a_cached_page) {
  use_up_all_but_a_cached_page(SIZE_8K, BLOCKS_OF_8K);
  run_first_requests((request_series){.size = 4000, .count = 1}, 1);
}
END_TEST

/* The blocks come from abandoned pages. */
START_TEST(first_requests_are_served_by_abandoned_pages) {
  void *p[40];
  for (int i = 0; i < 40; i++) p[i] = allocate(100);
  use_up_all_but_a_cached_page(SIZE_8K, BLOCKS_OF_8K);
  while (allocate(SIZE_8K) != NULL || allocate(3000) != NULL) {}
  for (int i = 1; i < 40; i++) mia_alloc_free(p[i]);
  mia_theap_abandon(mia_theap_self);
  size_t before = used_bytes();
  run_first_requests((request_series){.size = 100, .count = 20}, THREADS);
  ck_assert_uint_eq(used_bytes(), before);
  ck_assert(mia_aword_get(&mia_theap_all.attached.now) == 1);
}
END_TEST

/* A refill with blocks that the owner freed is not zeroed, although the page was zero. */
START_TEST(zeroed_after_a_refill_with_used_blocks) {
  enum { SIZE = 1024 };
  char *p[8];
  p[0] = mia_alloc_zeroed(SIZE);
  for (int i = 1; i < 4; i++) p[i] = allocate(SIZE); /* the free list is empty then */
  ck_assert_ptr_null(mia_theap_self->free_list[mia_class_of(SIZE)]);
  for (int i = 0; i < 4; i++) memset(p[i], 0xff, SIZE);
  for (int i = 0; i < 3; i++) mia_alloc_free(p[i]);
  p[4] = allocate(SIZE);
  p[5] = mia_alloc_zeroed(SIZE);
  ck_assert(page_of(p[4]) == page_of(p[3]) && page_of(p[5]) == page_of(p[3]));
  ck_assert(all_zero(p[5], SIZE));
}
END_TEST

/* ---- borrowing ---- */

static size_t lent_size(size_t class_size) { return mia_power_above(class_size); }

/* Borrows until that is refused, and returns how many blocks that were. */
static size_t borrow_all(size_t room) {
  size_t size = room - (MIA_DEBUG ? MIA_CANARY_SIZE : 0), count = 0;
  for (void *p; (p = mia_alloc_borrow(room, size)) != NULL; count++) {
    need_at(page_of(p)->size == lent_size(mia_class_size(mia_class_of(room))), room);
    need_at(MIA_DEBUG || mia_is_aligned(p, page_of(p)->size), room);
    memset(p, 1, size);
  }
  return count;
}

START_TEST(a_class_borrows_few_blocks_of_a_power_of_two) {
  (void)mia_theap_attach();
  ck_assert_uint_eq(borrow_all(48), 32);
  ck_assert_uint_eq(borrow_all(320), 4096 / 320);
  ck_assert_uint_eq(borrow_all(960), 4);
  ck_assert_uint_eq(borrow_all(512), 0);
  ck_assert_uint_eq(borrow_all(1024), 0);
  ck_assert(page_of(allocate(48))->size < 64 || MIA_DEBUG);
}
END_TEST

START_TEST(a_class_with_a_page_borrows_nothing) {
  size_t room = 320;
  void *p = allocate(room - (MIA_DEBUG ? MIA_CANARY_SIZE : 0));
  ck_assert_uint_eq(page_of(p)->size, room);
  ck_assert_uint_eq(borrow_all(room), 0);
}
END_TEST

START_TEST(a_thread_without_a_theap_borrows_nothing) {
  ck_assert_ptr_null(mia_alloc_borrow(48, 30));
}
END_TEST

SUITE("alloc/alloc") {
  CASE(world_of_theaps, world_end);
  TEST(blocks_are_as_large_and_aligned_as_promised);
  TEST(zeroed_blocks_are_zero_in_new_and_in_used_memory);
  TEST(aligned_blocks_of_any_size);
  TEST(impossible_requests_fail);
  TEST(a_request_of_0_bytes_gets_a_block);
  TEST(mixed_blocks_keep_their_content);
  LOOP(the_nth_call_is_refused, 0, MODES);
  LOOP(all_calls_from_the_nth_on_are_refused, 0, MODES);
  LOOP(the_nth_release_is_refused, 0, MODES);
  LOOP(all_calls_and_releases_from_the_nth_on_are_refused, 0, MODES);
  TEST(cached_pages_are_the_last_resort);
  TEST(an_impossible_request_flushes_no_cache);
  TEST(an_impossible_request_within_a_limit);
  TEST(a_first_request_is_served_by_a_cached_page);
  TEST(first_requests_are_served_by_abandoned_pages);
  TEST(zeroed_after_a_refill_with_used_blocks);
  TEST(a_class_borrows_few_blocks_of_a_power_of_two);
  TEST(a_class_with_a_page_borrows_nothing);
  TEST(a_thread_without_a_theap_borrows_nothing);
}
