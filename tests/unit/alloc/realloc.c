/* SPDX-License-Identifier: MIT */
/* Resizing: content is kept, and blocks do not move if they can stay. */
#include "fake/world.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "os/os.h"

#include <errno.h>

enum { LIVE = 40, TURNS = 2500 };

static char *allocate(size_t size) {
  void *p = mia_fast_malloc(size);
  if (p == NULL) p = mia_alloc_slow(size, false);
  if (p == NULL) abort();
  return p;
}

/* Fills a block of `from' bytes, resizes it to `to' bytes and checks it. */
static char *resize(char *p, size_t from, size_t to) {
  pattern_fill(p, from, 7);
  errno = ERRNO_MARK;
  char *q = mia_alloc_resize(p, to, 1);
  need_at(q != NULL && errno == ERRNO_MARK, to);
  need_at(mia_alloc_usable(q) >= to, to);
  need_at(pattern_holds(q, from < to ? from : to, 7), to);
  return q;
}

START_TEST(NULL_is_allocated) {
  char *p = mia_alloc_resize(NULL, 100, 1);
  ck_assert(p != NULL && mia_alloc_usable(p) >= 100);
  p = mia_alloc_resize(NULL, 100, 4096);
  ck_assert(p != NULL && mia_is_aligned(p, 4096));
}
END_TEST

START_TEST(blocks_that_fit_stay) {
  for (unsigned i = MIA_DEBUG ? mia_class_of(mia_canary_room(1)) : 0; i < MIA_CLASS_COUNT; i++) {
    size_t most = mia_class_size(i) - MIA_CANARY_SIZE;
    char *p = allocate(most);
    need_at(resize(p, most, most) == p, most);
    need_at(resize(p, most, most / 2) == p, most);
    need_at(resize(p, most / 2, most) == p, most);
    need_at(most <= 16 || resize(p, most, most / 2 - 1) != p, most);
  }
  char *p = allocate(8);
  ck_assert_ptr_eq(resize(p, 8, 1), p);
  ck_assert_ptr_eq(resize(p, 1, 0), p);
}
END_TEST

START_TEST(every_size_from_every_size) {
  const size_t sizes[] = {0,         1,           9,           100,         1000,
                          4096,      30000,       65536,       65537,       3 * SLICE,
                          40 * 4096, 5 * MIA_MIB, 9 * MIA_MIB, SPAN_MAX + 1};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  for (size_t i = 0; i < SIZES; i++)
    for (size_t k = 0; k < SIZES; k++)
      mia_alloc_free(resize(allocate(sizes[i]), sizes[i], sizes[k]));
}
END_TEST

START_TEST(large_blocks_grow_where_they_are) {
  char *p = allocate(3 * SLICE);
  ck_assert_ptr_eq(resize(p, 3 * SLICE, 20 * SLICE), p);
  char *wall = allocate(SLICE + 1);
  char *q = resize(p, 20 * SLICE, 30 * SLICE);
  ck_assert(q != p && q > wall);
  ck_assert_ptr_eq(resize(q, 30 * SLICE, 2 * SLICE), q);
  ck_assert_uint_eq(mia_alloc_usable(q), 2 * SLICE);
}
END_TEST

START_TEST(a_block_that_keeps_growing_is_not_copied) {
  size_t size = MIA_MIB, moves = 0;
  char *p = allocate(size);
  memset(p, 3, size);
  while (size < 3 * SPAN_MAX) {
    void *wall = allocate(MIA_CLASS_SIZE_MAX + 1); /* so that it cannot grow in place by luck */
    char *q = mia_alloc_resize(p, size += MIA_MIB, 1);
    ck_assert_ptr_nonnull(q);
    moves += page_of(q)->size_class != MIA_CLASS_HUGE && q != p;
    p = q;
    mia_alloc_free(wall);
  }
  ck_assert_uint_eq(page_of(p)->size_class, MIA_CLASS_HUGE);
  ck_assert_uint_le(moves, 9);
  const size_t step = MIA_DEBUG ? MIA_MIB : MIA_OS_LARGE_PAGE;
  ck_assert_uint_ge(fake_calls(FAKE_RESIZE), 2 * SPAN_MAX / step - 1); /* the first is new */
  ck_assert(p[0] == 3 && p[MIA_MIB - 1] == 3);
}
END_TEST

/* Debug builds have no room that was not requested. */
START_TEST(blocks_that_grow_little_by_little_get_slack) {
  if (MIA_DEBUG) return;
  char *p = resize(allocate(1000), 1000, 1030);
  ck_assert_uint_eq(mia_alloc_usable(p), 1280);
  ck_assert_ptr_eq(resize(p, 1030, 1280), p);
  p = resize(p, 1280, 2000); /* grows by more than a quarter */
  ck_assert_uint_eq(mia_alloc_usable(p), 2048);
  p = resize(allocate(240), 240, 250); /* a small block */
  ck_assert_uint_eq(mia_alloc_usable(p), 256);
  p = resize(allocate(28000), 28000, 30000); /* beyond the largest class */
  ck_assert_uint_eq(mia_alloc_usable(p), 30720);
  p = mia_alloc_aligned(1000, 512, false);
  p = mia_alloc_resize(p, 1100, 512);
  ck_assert(mia_is_aligned(p, 512) && mia_alloc_usable(p) == 1536);
}
END_TEST

START_TEST(huge_blocks_grow_by_large_os_pages) {
  if (MIA_DEBUG) return;
  const size_t size = SPAN_MAX + MIA_MIB, step = MIA_OS_LARGE_PAGE;
  char *p = resize(allocate(size), size, size + 1);
  ck_assert_uint_eq(mia_alloc_usable(p), mia_align_up(size, step));
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  size_t calls = fake_calls(FAKE_RESIZE | FAKE_MOVE);
  ck_assert_ptr_eq(resize(p, size, mia_align_up(size, step)), p);
  ck_assert_ptr_eq(resize(p, size, size - MIA_MIB + 1), p);
  ck_assert(fake_calls(FAKE_RESIZE | FAKE_MOVE) == calls);
  p = resize(p, size, size - MIA_MIB);
  ck_assert_uint_eq(mia_alloc_usable(p), size - MIA_MIB);
  p = mia_alloc_resize_in(mia_theap_main_heap(), p, size, 1, 0, true); /* zeroed: without slack */
  ck_assert_uint_eq(mia_alloc_usable(p), size);
  fake_refuse(FAKE_RESIZE | FAKE_MOVE, 1, 2);
  p = mia_alloc_resize(p, size + 1, 1);
  ck_assert_uint_eq(mia_alloc_usable(p), mia_align_up(size + 1, mia_os_page_size()));
}
END_TEST

/* A large block becomes huge by moving its OS pages, or by copying if that fails.  If the mapping
 * then cannot grow, the block comes back to its arena. */
enum { MOVED, COPIED, BACK, COPIED_AND_BACK, WAYS };

START_TEST(large_blocks_move_to_a_mapping) {
  const unsigned refuse[WAYS] = {0, FAKE_DETACH, FAKE_RESIZE | FAKE_MOVE,
                                 FAKE_DETACH | FAKE_RESIZE | FAKE_MOVE};
  const size_t size = 5 * MIA_MIB + 1000, wanted = 9 * MIA_MIB;
  char *p = allocate(size), *wall = allocate(MIA_CLASS_SIZE_MAX + 1);
  pattern_fill(p, size, 8);
  fake_refuse(refuse[_i], 1, FAKE_EVER);
  errno = ERRNO_MARK;
  char *q = mia_alloc_resize_in(mia_theap_main_heap(), p, wanted, 1, 0, true);
  size_t moves = fake_calls(FAKE_DETACH);
  fake_allow();
  ck_assert(q != NULL && errno == ERRNO_MARK && moves == 1);
  ck_assert(pattern_holds(q, size, 8));
  size_t usable = mia_alloc_usable(q);
  for (size_t i = size; i < usable; i++) need_at(q[i] == 0, i);
  bool huge = page_of(q)->size_class == MIA_CLASS_HUGE;
  ck_assert_int_eq(huge, _i == MOVED || _i == COPIED || wanted > SPAN_MAX);
  mia_alloc_free(q);
  q = mia_alloc_zeroed(size); /* where the block was */
  usable = mia_alloc_usable(q);
  for (size_t i = 0; i < usable; i++) need_at(q[i] == 0, i);
  mia_alloc_free(q);
  mia_alloc_free(wall);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), 0);
}
END_TEST

START_TEST(alignment_is_kept_where_it_is_asked_for) {
  for (size_t align = 32; align <= 2 * MIA_MIB; align *= 4) {
    char *p = mia_alloc_aligned(100, align, false);
    for (size_t size = 200; size < 2 * SPAN_MAX; size *= 9) {
      pattern_fill(p, 100, align);
      p = mia_alloc_resize(p, size, align);
      need_at(p != NULL && mia_is_aligned(p, align), align);
      need_at(pattern_holds(p, 100, align), align);
    }
    mia_alloc_free(p);
    p = allocate(200); /* a block without an alignment gets one */
    p = mia_alloc_resize(p + 0, 200, align);
    need_at(mia_is_aligned(p, align), align);
  }
}
END_TEST

START_TEST(a_refused_resize_leaves_the_block) {
  const size_t sizes[] = {50, 60000, 3 * SLICE, SPAN_MAX + 1};
  for (size_t i = 0; i < 4; i++) {
    char *p = allocate(sizes[i]);
    pattern_fill(p, sizes[i], i);
    fake_refuse(FAKE_MEMORY, 1, FAKE_EVER);
    errno = ERRNO_MARK;
    ck_assert_ptr_null(mia_alloc_resize(p, 3 * SPAN_MAX, 1));
    ck_assert_int_eq(errno, ENOMEM);
    fake_allow();
    ck_assert(pattern_holds(p, sizes[i], i));
    p = mia_alloc_resize(p, 3 * SPAN_MAX, 1);
    ck_assert(p != NULL && pattern_holds(p, sizes[i], i));
    mia_alloc_free(p);
  }
}
END_TEST

START_TEST(random_blocks_keep_their_content) {
  static struct {
    void *p;
    size_t size;
  } live[LIVE];
  uint64_t random = suite_random(1);
  for (int i = 0; i < TURNS; i++) {
    size_t k = random_below(&random, LIVE);
    size_t size = random_size(&random, i % 40 == 0 ? 24 : 16), old = live[k].size;
    bool refuse = i % 5 == 0;
    if (refuse) fake_refuse(FAKE_MEMORY, 1 + random_below(&random, 3), FAKE_EVER);
    void *q = mia_alloc_resize(live[k].p, size, 1);
    fake_allow();
    need_at(q != NULL || refuse, i);
    if (q == NULL) {
      need_at(pattern_holds(live[k].p, old, k), i);
      continue;
    }
    need_at(pattern_holds(q, old < size ? old : size, k), i);
    pattern_fill(q, size, k);
    live[k].p = q;
    live[k].size = size;
  }
  for (size_t k = 0; k < LIVE; k++) mia_alloc_free(live[k].p);
  memset(live, 0, sizeof live);
}
END_TEST

/* Every usable byte is written before a resize, and the new part is zero even if the OS refuses
 * some calls. */
START_TEST(the_new_part_is_zeroed_on_request) {
  uint64_t random = suite_random(2);
  mia_heap *heap = mia_theap_main_heap();
  unsigned char *p = (void *)allocate(1);
  memset(p, 1, mia_alloc_usable(p));
  for (int i = 0; i < TURNS / 2; i++) {
    size_t size = random_size(&random, i % 40 == 0 ? 24 : 19), usable = mia_alloc_usable(p);
    if (i % 3 == 0) fake_refuse(FAKE_MEMORY, 1 + random_below(&random, 3), FAKE_EVER);
    unsigned char *q = mia_alloc_resize_in(heap, p, size, 1, 0, true);
    fake_allow();
    if (q == NULL) continue;
    p = q;
    size_t keep = usable < size ? usable : size;
    usable = mia_alloc_usable(p);
    for (size_t j = 0; j < usable; j++) need_at(p[j] == (j < keep), j);
    memset(p, 1, usable);
  }
  mia_alloc_free(p);
}
END_TEST

SUITE("alloc/realloc") {
  CASE(world_of_theaps, world_end);
  TEST(NULL_is_allocated);
  TEST(blocks_that_fit_stay);
  TEST(every_size_from_every_size);
  TEST(large_blocks_grow_where_they_are);
  TEST(a_block_that_keeps_growing_is_not_copied);
  TEST(blocks_that_grow_little_by_little_get_slack);
  TEST(huge_blocks_grow_by_large_os_pages);
  LOOP(large_blocks_move_to_a_mapping, 0, WAYS);
  TEST(alignment_is_kept_where_it_is_asked_for);
  TEST(a_refused_resize_leaves_the_block);
  TEST(random_blocks_keep_their_content);
  TEST(the_new_part_is_zeroed_on_request);
}
