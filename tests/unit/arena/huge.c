/* Blocks that are their own mapping. */
#include "fake/world.h"

#include "arena/huge.h"
#include "base/bits.h"

#define SIZE (40 * MIA_MIB)

static bool is_zero(const char *p, size_t size) {
  for (size_t i = 0; i < size; i += 4096)
    if (p[i] != 0 || p[i + 4095] != 0) return false;
  return true;
}

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

/* Marks that tell whether content was kept. */
static void mark(char *p, size_t size) {
  for (size_t i = 0; i < size; i += 256 * MIA_KIB) p[i] = (char)(1 + i / (256 * MIA_KIB) % 100);
}
static bool marked(const char *p, size_t size) {
  for (size_t i = 0; i < size; i += 256 * MIA_KIB)
    if (p[i] != (char)(1 + i / (256 * MIA_KIB) % 100)) return false;
  return true;
}

static size_t reserved(void) { return mia_aword_get(&mia_arena_all.reserved); }
/* Nothing else is. */
static size_t used(void) {
  size_t used = mia_aword_get(&mia_arena_all.used);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), used);
  return used;
}

START_TEST(taken_is_zero_aligned_counted_and_gone_when_given) {
  for (size_t align = 1; align <= 64 * MIA_MIB; align *= 8) {
    char *p = taken(SIZE, align);
    need_at(mia_is_aligned(p, align) && is_zero(p, SIZE), align);
    need_at(used() == SIZE && reserved() == SIZE && fake.live == SIZE, align);
    mark(p, SIZE);
    need_at(mia_arena_huge_give(p, SIZE, true), align);
    need_at(used() == 0 && reserved() == 0 && fake.mapped == 0, align);
  }
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.used_peak), SIZE);
}
END_TEST

START_TEST(resized_keeps_content_and_gets_a_zero_tail) {
  char *p = taken(SIZE, 1);
  size_t size = SIZE;
  mark(p, SIZE);
  const size_t wanted[] = {SIZE + 4096, SIZE / 2, SIZE / 2 + MIA_MIB, 2 * SIZE, MIA_MIB, SIZE};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    size_t kept = size < wanted[i] ? size : wanted[i];
    p = mia_arena_huge_resize(p, size, 0, wanted[i], true);
    need_at(p != NULL && marked(p, kept) && is_zero(p + kept, wanted[i] - kept), i);
    size = wanted[i];
    mark(p, size);
    need_at(used() == size && reserved() == size && fake.mapped == size, i);
  }
  ck_assert(mia_arena_huge_give(p, size, true));
}
END_TEST

START_TEST(what_grows_is_backed_by_large_os_pages) {
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

START_TEST(where_it_is_or_not_at_all) {
  char *p = taken(SIZE, 1);
  mark(p, SIZE);
  fake_refuse(FAKE_RESIZE, 1, 1);
  ck_assert_ptr_null(mia_arena_huge_resize(p, SIZE, 0, 2 * SIZE, false));
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_ALIGNED | FAKE_MOVE), 0);
  ck_assert(used() == SIZE && reserved() == SIZE && marked(p, SIZE));
}
END_TEST

START_TEST(moved_where_there_is_no_room) {
  char *p = taken(SIZE, 1);
  mark(p, SIZE);
  fake_refuse(FAKE_RESIZE, 1, 1);
  char *q = mia_arena_huge_resize(p, SIZE, 0, 2 * SIZE, true);
  ck_assert(q != NULL && q != p && marked(q, SIZE) && is_zero(q + SIZE, SIZE));
  ck_assert(used() == 2 * SIZE && fake.mapped == 2 * SIZE);
}
END_TEST

/* Each way in which a resize can fail leaves the block as it was. */
START_TEST(a_refused_resize_changes_nothing) {
  const unsigned refuse[] = {FAKE_RESIZE | FAKE_RESERVE_LIVE, FAKE_RESIZE | FAKE_MOVE};
  if (_i == 0 && !MIA_POINTER_64) return; /* no leaf is prepared */
  char *p = taken(SIZE, 1);
  mark(p, SIZE);
  fake_refuse(refuse[_i], 1, FAKE_EVER);
  ck_assert_ptr_null(mia_arena_huge_resize(p, SIZE, 0, 2 * SIZE, true));
  ck_assert_ptr_null(mia_arena_huge_resize(p, SIZE, 0, SIZE / 2, true));
  fake_allow();
  ck_assert(marked(p, SIZE) && fake_is_live(p, SIZE));
  ck_assert(used() == SIZE && reserved() == SIZE && fake.mapped == SIZE);
  ck_assert(mia_arena_huge_give(p, SIZE, true));
}
END_TEST

/* The page map has no leaf for other 4 GiB. */
START_TEST(what_cannot_be_mapped_goes_back) {
  if (!MIA_POINTER_64) return;
  char *p = taken(SIZE, 1);
  mark(p, SIZE);
  size_t mapped = fake.mapped;
  void *elsewhere = (void *)((uintptr_t)p - ((uintptr_t)1 << (MIA_POINTER_64 ? 34 : 0)));
  fake.place = elsewhere;
  fake_refuse(FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  ck_assert_ptr_null(take(SIZE, 4096));
  ck_assert_uint_eq(fake.mapped, mapped);
  fake.place = elsewhere;
  fake_refuse(FAKE_RESIZE | FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  ck_assert_ptr_null(mia_arena_huge_resize(p, SIZE, 0, 2 * SIZE, true));
  ck_assert_uint_eq(fake.mapped, mapped);
  ck_assert(used() == SIZE && reserved() == SIZE && marked(p, SIZE));
}
END_TEST

START_TEST(nothing_is_an_error_that_passes) {
  fake_refuse(FAKE_RESERVE_ALIGNED, 1, 1);
  ck_assert_ptr_null(take(SIZE, 1));
  ck_assert(used() == 0 && reserved() == 0);
  (void)taken(SIZE, 1);
}
END_TEST

START_TEST(what_cannot_be_unmapped_is_purged) {
  char *p = taken(SIZE, 1);
  mark(p, SIZE);
  fake_refuse(FAKE_RELEASE, 1, 1);
  ck_assert(!mia_arena_huge_give(p, SIZE, true));
  ck_assert_uint_eq(fake.purged, SIZE);
  ck_assert(used() == 0 && reserved() == SIZE);
  ck_assert(mia_arena_huge_release(p, SIZE));
  ck_assert(reserved() == 0 && fake.mapped == 0);
}
END_TEST

/* Three slices and a half, out of a span of four that was used before. */
START_TEST(detached_from_a_span_without_copying) {
  const size_t whole = 4 * MIA_SLICE_SIZE, size = whole - MIA_SLICE_SIZE / 2;
  mia_span span, again;
  ck_assert(mia_arena_take(4, 1, &span));
  memset(span.start, 3, whole);
  mia_arena_give(span.arena, span.start, 4, whole);
  ck_assert(mia_arena_take(4, 1, &again) && again.start == span.start && !again.zero);
  size_t before = reserved();
  char *p = mia_arena_huge_detach(span.arena, span.start, size, 0);
  ck_assert_ptr_nonnull(p);
  mia_map_set_page(p, 1, &span); /* its slice is covered */
  ck_assert(mia_map_page_at(p) == &span && reserved() == before + size);
  mia_map_set_page(p, 1, NULL);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.huge), size);
  for (size_t i = 0; i < size; i++) need_at(p[i] == 3 && span.start[i] == 0, i);
  for (size_t i = size; i < whole; i++) need_at(span.start[i] == 3, i);
  mia_arena_give(span.arena, span.start, 4, 0);
  ck_assert_uint_eq(mia_arena_idle(), MIA_SLICE_SIZE); /* the last */
  ck_assert(mia_arena_take(3, 1, &again) && again.start == span.start && again.zero);
  ck_assert(mia_arena_huge_give(p, size, true));
}
END_TEST

/* The same of one that was not used before: nothing but the detaching knows that the
 * rest of the last slice was written.  Loop test: how much of that slice goes. */
START_TEST(what_stays_behind_in_the_last_slice_is_dirty) {
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

/* Nobody knows what the kernel makes of other memory than ours. */
enum { BROUGHT, PINNED, COMMITTED, UNABLE, REFUSED, LIMITED, REASONS };

START_TEST(what_cannot_be_detached_stays) {
  mia_span span;
  ck_assert(mia_arena_take(2, 1, &span));
  memset(span.start, 3, 2 * MIA_SLICE_SIZE);
  span.arena->external = _i == BROUGHT;
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
  TEST(taken_is_zero_aligned_counted_and_gone_when_given);
  TEST(resized_keeps_content_and_gets_a_zero_tail);
  TEST(what_grows_is_backed_by_large_os_pages);
  TEST(where_it_is_or_not_at_all);
  TEST(moved_where_there_is_no_room);
  LOOP(a_refused_resize_changes_nothing, 0, 2);
  TEST(what_cannot_be_mapped_goes_back);
  TEST(nothing_is_an_error_that_passes);
  TEST(what_cannot_be_unmapped_is_purged);
  TEST(detached_from_a_span_without_copying);
  LOOP(what_stays_behind_in_the_last_slice_is_dirty, 1, 16);
  LOOP(what_cannot_be_detached_stays, 0, REASONS);
}
