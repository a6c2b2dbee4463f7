/* SPDX-License-Identifier: MIT */
/* Huge blocks, each in a mapping of its own. */
#include "fake/world.h"

#include "arena/huge.h"
#include "base/bits.h"

static void *take(size_t size, size_t align) {
  bool zero = false;
  void *p = mia_arena_huge_take(&(mia_huge){.size = size, .align = align}, &zero);
  ck_assert(zero);
  return p;
}

static char *taken(size_t size, size_t align) {
  char *p = take(size, align);
  ck_assert_ptr_nonnull(p);
  return p;
}

/* Writes a pattern, by which has_pattern() tells whether the content was kept. */
static void write_pattern(char *p, size_t size) {
  for (size_t i = 0; i < size; i += 256 * MIA_KIB) p[i] = (char)(1 + i / (256 * MIA_KIB) % 100);
}
static bool has_pattern(const char *p, size_t size) {
  for (size_t i = 0; i < size; i += 256 * MIA_KIB)
    if (p[i] != (char)(1 + i / (256 * MIA_KIB) % 100)) return false;
  return true;
}

static size_t reserved(void) { return mia_aword_get(&mia_arena_all.reserved); }
/* In these tests huge blocks are all that is in use. */
static size_t used(void) {
  size_t used = used_bytes();
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), used);
  return used;
}

START_TEST(a_mapping_is_zero_aligned_counted_and_unmapped_when_given) {
  for (size_t align = 1; align <= 64 * MIA_MIB; align *= 8) {
    char *p = taken(HUGE_SIZE, align);
    need_at(mia_is_aligned(p, align) && all_zero(p, HUGE_SIZE), align);
    need_at(used() == HUGE_SIZE && reserved() == HUGE_SIZE && fake.live == HUGE_SIZE, align);
    write_pattern(p, HUGE_SIZE);
    need_at(mia_arena_huge_give(p, HUGE_SIZE, true), align);
    need_at(used() == 0 && reserved() == 0 && fake.mapped == 0, align);
  }
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.used_peak), HUGE_SIZE);
}
END_TEST

START_TEST(a_resized_mapping_keeps_its_content_and_gets_a_zero_tail) {
  char *p = taken(HUGE_SIZE, 1);
  size_t size = HUGE_SIZE;
  write_pattern(p, HUGE_SIZE);
  const size_t wanted[] = {HUGE_SIZE + 4096, HUGE_SIZE / 2, HUGE_SIZE / 2 + MIA_MIB,
                           2 * HUGE_SIZE,    MIA_MIB,       HUGE_SIZE};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    size_t kept = size < wanted[i] ? size : wanted[i];
    p = mia_arena_huge_resize(p, size, 0, wanted[i], true);
    need_at(p != NULL && has_pattern(p, kept) && all_zero(p + kept, wanted[i] - kept), i);
    size = wanted[i];
    write_pattern(p, size);
    need_at(used() == size && reserved() == size && fake.mapped == size, i);
  }
  ck_assert(mia_arena_huge_give(p, size, true));
}
END_TEST

START_TEST(a_mapping_that_grows_is_backed_by_large_os_pages) {
  const size_t least = MIA_ARENA_LARGE_PAGES_MIN;
  char *p = taken(least / 2, 1);
  p = mia_arena_huge_resize(p, least / 2, 0, least - 4096, true);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 0);
  p = mia_arena_huge_resize(p, least - 4096, 0, least, true);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  p = mia_arena_huge_resize(p, least, 0, least - 4096, true);
  ck_assert_uint_eq(fake_calls(FAKE_LARGE_PAGES), 1);
  ck_assert(mia_arena_huge_give(p, least - 4096, true));
}
END_TEST

START_TEST(a_mapping_that_may_not_move_does_not) {
  char *p = taken(HUGE_SIZE, 1);
  write_pattern(p, HUGE_SIZE);
  fake_refuse(FAKE_RESIZE, 1, 1);
  ck_assert_ptr_null(mia_arena_huge_resize(p, HUGE_SIZE, 0, 2 * HUGE_SIZE, false));
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_ALIGNED | FAKE_MOVE), 0);
  ck_assert(used() == HUGE_SIZE && reserved() == HUGE_SIZE && has_pattern(p, HUGE_SIZE));
}
END_TEST

START_TEST(a_mapping_without_room_to_grow_moves) {
  char *p = taken(HUGE_SIZE, 1);
  write_pattern(p, HUGE_SIZE);
  fake_refuse(FAKE_RESIZE, 1, 1);
  char *q = mia_arena_huge_resize(p, HUGE_SIZE, 0, 2 * HUGE_SIZE, true);
  ck_assert(q != NULL && q != p && has_pattern(q, HUGE_SIZE) && all_zero(q + HUGE_SIZE, HUGE_SIZE));
  ck_assert(used() == 2 * HUGE_SIZE && fake.mapped == 2 * HUGE_SIZE);
}
END_TEST

/* Each way in which a resize can fail leaves the block as it was. */
START_TEST(a_refused_resize_changes_nothing) {
  const unsigned refuse[] = {FAKE_RESIZE | FAKE_RESERVE_LIVE, FAKE_RESIZE | FAKE_MOVE};
  if (_i == 0 && !MIA_POINTER_64) return; /* the page map has no leaves */
  char *p = taken(HUGE_SIZE, 1);
  write_pattern(p, HUGE_SIZE);
  fake_refuse(refuse[_i], 1, FAKE_EVER);
  ck_assert_ptr_null(mia_arena_huge_resize(p, HUGE_SIZE, 0, 2 * HUGE_SIZE, true));
  ck_assert_ptr_null(mia_arena_huge_resize(p, HUGE_SIZE, 0, HUGE_SIZE / 2, true));
  fake_allow();
  ck_assert(has_pattern(p, HUGE_SIZE) && fake_is_live(p, HUGE_SIZE));
  ck_assert(used() == HUGE_SIZE && reserved() == HUGE_SIZE && fake.mapped == HUGE_SIZE);
  ck_assert(mia_arena_huge_give(p, HUGE_SIZE, true));
}
END_TEST

/* The page map gets no leaf for an address in another 4 GiB. */
START_TEST(a_mapping_without_a_leaf_is_unmapped) {
  if (!MIA_POINTER_64) return;
  char *p = taken(HUGE_SIZE, 1);
  write_pattern(p, HUGE_SIZE);
  size_t mapped = fake.mapped;
  void *elsewhere = (void *)((uintptr_t)p - ((uintptr_t)1 << (MIA_POINTER_64 ? 34 : 0)));
  fake.place = elsewhere;
  fake_refuse(FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  ck_assert_ptr_null(take(HUGE_SIZE, 4096));
  ck_assert_uint_eq(fake.mapped, mapped);
  fake.place = elsewhere;
  fake_refuse(FAKE_RESIZE | FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  ck_assert_ptr_null(mia_arena_huge_resize(p, HUGE_SIZE, 0, 2 * HUGE_SIZE, true));
  ck_assert_uint_eq(fake.mapped, mapped);
  ck_assert(used() == HUGE_SIZE && reserved() == HUGE_SIZE && has_pattern(p, HUGE_SIZE));
}
END_TEST

START_TEST(running_out_of_memory_is_not_permanent) {
  fake_refuse(FAKE_RESERVE_ALIGNED, 1, 1);
  ck_assert_ptr_null(take(HUGE_SIZE, 1));
  ck_assert(used() == 0 && reserved() == 0);
  (void)taken(HUGE_SIZE, 1);
}
END_TEST

START_TEST(a_mapping_that_cannot_be_unmapped_is_purged) {
  char *p = taken(HUGE_SIZE, 1);
  write_pattern(p, HUGE_SIZE);
  fake_refuse(FAKE_RELEASE, 1, 1);
  ck_assert(!mia_arena_huge_give(p, HUGE_SIZE, true));
  ck_assert_uint_eq(fake.purged, HUGE_SIZE);
  ck_assert(used() == 0 && reserved() == HUGE_SIZE);
  ck_assert(mia_arena_huge_release(p, HUGE_SIZE));
  ck_assert(reserved() == 0 && fake.mapped == 0);
}
END_TEST

/* Detaches three slices and a half of a span of four that was used before. */
START_TEST(a_huge_block_is_detached_from_a_span) {
  const size_t whole = 4 * MIA_SLICE_SIZE, size = whole - MIA_SLICE_SIZE / 2;
  mia_span span, again;
  ck_assert(mia_arena_take(4, 1, &span));
  memset(span.start, 3, whole);
  mia_arena_give(span.arena, span.start, 4, whole);
  ck_assert(mia_arena_take(4, 1, &again) && again.start == span.start && !again.zero);
  size_t before = reserved();
  char *p = mia_arena_huge_detach(span.arena, span.start, size, 0);
  ck_assert_ptr_nonnull(p);
  mia_map_set_page(p, 1, &span); /* the page map covers its slice */
  ck_assert(mia_map_page_at(p) == &span && reserved() == before + size);
  mia_map_set_page(p, 1, NULL);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), size);
  for (size_t i = 0; i < size; i++) need_at(p[i] == 3 && span.start[i] == 0, i);
  for (size_t i = size; i < whole; i++) need_at(span.start[i] == 3, i);
  mia_arena_give(span.arena, span.start, 4, 0);
  ck_assert_uint_eq(mia_arena_idle(), MIA_SLICE_SIZE); /* the last slice */
  ck_assert(mia_arena_take(3, 1, &again) && again.start == span.start && again.zero);
  ck_assert(mia_arena_huge_give(p, size, true));
}
END_TEST

/* Detaches a part of a span that was not used before: only mia_arena_huge_detach knows that
 * the rest of the last slice was written.  The loop varies how much of that slice goes. */
START_TEST(the_rest_of_the_last_slice_is_dirty) {
  const size_t whole = 4 * MIA_SLICE_SIZE, size = whole - MIA_SLICE_SIZE + (size_t)_i * 4096;
  mia_span span, again, last;
  ck_assert(mia_arena_take(4, 1, &span) && span.zero);
  memset(span.start, 3, whole);
  char *p = mia_arena_huge_detach(span.arena, span.start, size, 0);
  ck_assert(p != NULL && span.start[size - 1] == 0 && span.start[size] == 3);
  mia_arena_give(span.arena, span.start, 4, 0);
  ck_assert_uint_eq(mia_arena_idle(), MIA_SLICE_SIZE);
  ck_assert(mia_arena_take(3, 1, &again) && again.start == span.start && again.zero);
  ck_assert(mia_arena_take(1, 1, &last) && last.start == again.start + 3 * MIA_SLICE_SIZE);
  ck_assert(!last.zero);
  ck_assert(mia_arena_huge_give(p, size, true));
}
END_TEST

static bool commits(bool commit, void *start, size_t size, bool *zero, void *arg) {
  (void)commit, (void)start, (void)size, (void)zero, (void)arg;
  return true;
}

/* Memory that mialloc did not map itself is not detached, as the kernel may treat it otherwise. */
enum { EXTERNAL, PINNED, COMMITTED, UNABLE, REFUSED, LIMITED, REASONS };

START_TEST(a_span_that_cannot_be_detached_is_unchanged) {
  mia_span span;
  ck_assert(mia_arena_take(2, 1, &span));
  memset(span.start, 3, 2 * MIA_SLICE_SIZE);
  span.arena->external = _i == EXTERNAL;
  span.arena->pinned = _i == PINNED;
  span.arena->commit = _i == COMMITTED ? commits : NULL;
  fake.no_detach = _i == UNABLE;
  if (_i == REFUSED) fake_refuse(FAKE_DETACH, 1, 1);
  if (_i == LIMITED) mia_aword_set(&mia_arena_all.limit, 3 * MIA_SLICE_SIZE);
  size_t before = reserved();
  ck_assert_ptr_null(mia_arena_huge_detach(span.arena, span.start, 2 * MIA_SLICE_SIZE, 0));
  ck_assert_uint_eq(fake_calls(FAKE_DETACH), _i == REFUSED);
  for (size_t i = 0; i < 2 * MIA_SLICE_SIZE; i++) need_at(span.start[i] == 3, i);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), 0);
  ck_assert_uint_eq(reserved(), before);
}
END_TEST

SUITE("arena/huge") {
  CASE(world_of_arenas, world_end);
  TEST(a_mapping_is_zero_aligned_counted_and_unmapped_when_given);
  TEST(a_resized_mapping_keeps_its_content_and_gets_a_zero_tail);
  TEST(a_mapping_that_grows_is_backed_by_large_os_pages);
  TEST(a_mapping_that_may_not_move_does_not);
  TEST(a_mapping_without_room_to_grow_moves);
  LOOP(a_refused_resize_changes_nothing, 0, 2);
  TEST(a_mapping_without_a_leaf_is_unmapped);
  TEST(running_out_of_memory_is_not_permanent);
  TEST(a_mapping_that_cannot_be_unmapped_is_purged);
  TEST(a_huge_block_is_detached_from_a_span);
  LOOP(the_rest_of_the_last_slice_is_dirty, 1, 16);
  LOOP(a_span_that_cannot_be_detached_is_unchanged, 0, REASONS);
}
