/* SPDX-License-Identifier: MIT */
/* Spans of slices: A1 to A3 of arena.h, growth, and an OS that refuses. */
#include "fake/world.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "map/bitmap.h"

#include <pthread.h>
#include <unistd.h>

#define FIRST_SIZE (MIA_ARENA_FIRST_SLICES * MIA_SLICE_SIZE)

enum { SPANS_MAX = 1200, THREADS = 3, ROUNDS = 60, TURNS = 40 };

static mia_span taken(size_t slices, size_t align) {
  mia_span span = {0};
  ck_assert(mia_arena_take(slices, align, &span));
  return span;
}

static void give(const mia_span *span, size_t touched) {
  mia_arena_give(span->arena, span->start, span->slices, touched);
}

static size_t bytes(const mia_span *span) { return span->slices << MIA_SLICE_SHIFT; }

static size_t arenas(void) { return mia_aword_get(&mia_arena_all.count); }
static size_t reserved(void) { return mia_aword_get(&mia_arena_all.reserved); }

START_TEST(a_span_is_live_zero_and_aligned) {
  for (size_t align = 1; align <= SPAN_MAX / 2; align *= 2) {
    mia_span s = taken(1 + align % 5, align);
    need_at(mia_is_aligned(s.start, align) && mia_is_aligned(s.start, MIA_SLICE_SIZE), align);
    need_at(s.zero && all_zero(s.start, bytes(&s)) && fake_is_live(s.start, bytes(&s)), align);
    memset(s.start, 1, bytes(&s));
  }
}
END_TEST

START_TEST(A1_spans_do_not_overlap) {
  uint64_t random = suite_random(1);
  mia_span spans[40];
  for (int i = 0; i < 40; i++) {
    spans[i] = taken(1 + random_below(&random, 30), MIA_SLICE_SIZE << random_below(&random, 5));
    memset(spans[i].start, i + 1, bytes(&spans[i]));
  }
  for (int i = 0; i < 40; i++)
    for (size_t b = 0; b < bytes(&spans[i]); b += 512) need_at(spans[i].start[b] == i + 1, i);
}
END_TEST

START_TEST(A2_only_slices_that_were_written_are_not_zero) {
  mia_span s = taken(4, 1);
  s.start[0] = s.start[MIA_SLICE_SIZE] = 1;
  give(&s, MIA_SLICE_SIZE + 1);
  mia_span low = taken(2, 1), high = taken(2, 1);
  ck_assert_ptr_eq(low.start, s.start);
  ck_assert(!low.zero && high.zero);
  ck_assert_ptr_eq(high.start, s.start + 2 * MIA_SLICE_SIZE);
  give(&high, 0);
  high = taken(2, 1);
  ck_assert(high.zero);
}
END_TEST

/* Takes spans until there are three arenas: no slice is part of a head or behind the end. */
START_TEST(A3_heads_and_ends_are_never_free) {
  static mia_span spans[SPANS_MAX];
  size_t n = 0;
  while (arenas() < 3 && n < SPANS_MAX) spans[n++] = taken(MIA_POINTER_64 ? 7 : 3, 1);
  ck_assert_uint_eq(arenas(), 3);
  for (size_t i = 0; i < 3; i++) {
    mia_arena *a = mia_arena_nth(i);
    size_t end = (a->slices + MIA_CELL_BITS - 1) / MIA_CELL_BITS * MIA_CELL_BITS;
    ck_assert(!mia_map_any(a->free, a->slices, end - a->slices));
    ck_assert_ptr_eq(a, i == 0 ? &mia_arena_all.first : (void *)a->start);
  }
  for (size_t i = 0; i < n; i++) {
    const mia_arena *a = spans[i].arena;
    need_at(spans[i].start + bytes(&spans[i]) <= a->start + (a->slices << MIA_SLICE_SHIFT), i);
    if (a == &mia_arena_all.first) continue;
    need_at(spans[i].start >= (char *)(a->descriptors + a->slices), i);
    need_at(spans[i].start >= (char *)(a->aged + a->slices / MIA_CELL_BITS), i);
  }
}
END_TEST

START_TEST(bytes_are_counted) {
  mia_span a = taken(3, 1), b = taken(5, 1);
  ck_assert_uint_eq(used_bytes(), 8 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(reserved(), fake.mapped);
  give(&a, MIA_SLICE_SIZE);
  ck_assert_uint_eq(used_bytes(), 5 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(mia_arena_idle(), MIA_SLICE_SIZE);
  give(&b, 5 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(mia_arena_idle(), 6 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(used_bytes(), 0);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.used_peak), 8 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.first.stale), 1);
}
END_TEST

START_TEST(a_descriptor_belongs_to_the_spans_first_slice) {
  mia_span a = taken(3, 1), b = taken(1, 1);
  ck_assert_ptr_eq(mia_arena_descriptor(&a), &mia_arena_all.first_descriptors[0]);
  ck_assert_ptr_eq(mia_arena_descriptor(&b), &mia_arena_all.first_descriptors[3]);
}
END_TEST

START_TEST(a_small_process_reserves_little_and_asks_once) {
  for (int i = 0; i < 100; i++) (void)taken(1, 1);
  ck_assert_uint_le(fake.mapped, FIRST_SIZE + MIA_SLICE_SIZE);
  ck_assert_uint_eq(fake_calls(FAKE_MEMORY), 1);
  ck_assert_uint_eq(fake_calls(FAKE_SMALL_PAGES), 1);
}
END_TEST

START_TEST(arenas_grow_geometrically) {
  size_t most = MIA_SPAN_MAX_SLICES, size = 0;
  for (int i = 0; i < 32; i++) size += most * (taken(most, 1).slices == most);
  ck_assert_uint_eq(size, 32 * most);
  ck_assert_uint_le(arenas(), MIA_POINTER_64 ? 7 : 6);
  ck_assert_uint_le(reserved(), 4 * 32 * most * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(the_largest_span_has_the_largest_alignment) {
  mia_span s = taken(MIA_SPAN_MAX_SLICES, SPAN_MAX / 2);
  ck_assert(mia_is_aligned(s.start, SPAN_MAX / 2));
  memset(s.start, 1, bytes(&s));
  s = taken(MIA_SPAN_MAX_SLICES, SPAN_MAX);
  ck_assert(mia_is_aligned(s.start, SPAN_MAX));
}
END_TEST

/* No free slice is lost to the search, so no second arena is made. */
START_TEST(every_free_slice_is_found_again) {
  static mia_span spans[MIA_ARENA_FIRST_SLICES];
  uint64_t random = suite_random(2);
  for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++) spans[i] = taken(1, 1);
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++)
      if (random_below(&random, 3) == 0) {
        give(&spans[i], 0);
        spans[i].arena = NULL;
      }
    for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++)
      if (spans[i].arena == NULL) spans[i] = taken(1, 1);
    need_at(arenas() == 1, round);
  }
  (void)taken(1, 1);
  ck_assert_uint_eq(arenas(), 2);
}
END_TEST

START_TEST(the_lowest_free_slice_is_taken) {
  mia_span spans[9];
  for (int i = 0; i < 9; i++) spans[i] = taken(1, 1);
  give(&spans[7], 0);
  give(&spans[2], 0);
  give(&spans[5], 0);
  ck_assert_ptr_eq(taken(1, 1).start, spans[2].start);
  ck_assert_ptr_eq(taken(1, 1).start, spans[5].start);
  ck_assert_ptr_eq(taken(1, 1).start, spans[7].start);
}
END_TEST

/* ---- extending ---- */

START_TEST(extending_takes_the_slices_behind) {
  bool zero = false;
  mia_span a = taken(2, 1);
  ck_assert(mia_arena_extend(a.arena, a.start, 2, 6, &zero) && zero);
  ck_assert_uint_eq(used_bytes(), 6 * MIA_SLICE_SIZE);
  mia_span b = taken(1, 1);
  ck_assert_ptr_eq(b.start, a.start + 6 * MIA_SLICE_SIZE);
  ck_assert(!mia_arena_extend(a.arena, a.start, 6, 7, &zero));
  ck_assert(!mia_arena_extend(a.arena, a.start, 6, 8, &zero));
  give(&b, 1);
  ck_assert(mia_arena_extend(a.arena, a.start, 6, 8, &zero) && !zero);
  ck_assert_uint_eq(used_bytes(), 8 * MIA_SLICE_SIZE);
}
END_TEST

START_TEST(extending_ends_with_the_arena) {
  bool zero;
  if (_i == 1) fake_refuse(FAKE_RESERVE_LIVE, 1, FAKE_EVER);
  mia_span a = {0};
  for (size_t i = 0; i < MIA_ARENA_FIRST_SLICES; i++) a = taken(1, 1);
  give(&a, 0);
  a = taken(1, 1);
  ck_assert(!mia_arena_extend(a.arena, a.start, 1, 2, &zero));
  ck_assert(!mia_arena_extend(a.arena, a.start, 1, MIA_SPAN_MAX_SLICES, &zero));
}
END_TEST

/* ---- an OS that refuses ---- */

START_TEST(running_out_of_address_space_is_not_permanent) {
  mia_span s;
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  ck_assert(!mia_arena_take(1, 1, &s));
  ck_assert(!mia_arena_take(MIA_SPAN_MAX_SLICES, SPAN_MAX, &s));
  ck_assert(fake.mapped == 0 && reserved() == 0 && used_bytes() == 0 && arenas() == 0);
  fake_allow();
  ck_assert(mia_arena_take(1, 1, &s));
}
END_TEST

/* The size is halved until the system grants it, down to what is needed. */
START_TEST(a_smaller_arena_is_better_than_none) {
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, 6);
  (void)taken(3, 1);
  ck_assert_uint_eq(mia_arena_all.first.slices, MIA_ARENA_FIRST_SLICES / 8);
  ck_assert(!mia_map_any(mia_arena_all.first.free, MIA_ARENA_FIRST_SLICES / 8,
                         MIA_ARENA_FIRST_SLICES - MIA_ARENA_FIRST_SLICES / 8));
  ck_assert_uint_eq(reserved(), fake.mapped);
  while (arenas() == 1) (void)taken(1, 1);
}
END_TEST

START_TEST(reserved_space_is_committed_span_by_span) {
  world_without_overcommit();
  mia_span a = taken(3, 1), b = taken(2, 1);
  ck_assert(!mia_arena_all.first.live);
  ck_assert_uint_eq(fake.live, 5 * MIA_SLICE_SIZE);
  ck_assert(fake_is_live(a.start, bytes(&a)) && fake_is_live(b.start, bytes(&b)));
  memset(a.start, 1, bytes(&a));
  give(&a, bytes(&a));
  size_t commits = fake_calls(FAKE_COMMIT);
  a = taken(2, 1);
  ck_assert(!a.zero && fake_calls(FAKE_COMMIT) == commits);
  bool zero;
  ck_assert(mia_arena_extend(b.arena, b.start, 2, 9, &zero) && zero);
  ck_assert(fake_is_live(b.start, 9 * MIA_SLICE_SIZE));
  while (arenas() < 3) {
    mia_span s = taken(5, 1);
    need(fake_is_live(s.start, bytes(&s)));
    s.start[bytes(&s) - 1] = 1;
  }
}
END_TEST

/* If the process locks its memory, committed slices are backed at once: they read as zero,
 * but go back to the OS when they are free. */
START_TEST(locked_arenas_are_committed_span_by_span) {
  fake.locks = true;
  mia_span a = taken(3, 1);
  ck_assert(a.zero && !mia_arena_all.first.live);
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_LIVE), 0);
  ck_assert_uint_eq(fake.live, 3 * MIA_SLICE_SIZE);
  bool zero;
  ck_assert(mia_arena_extend(a.arena, a.start, 3, 5, &zero) && zero);
  a.slices = 5;
  give(&a, 1); /* only one byte may have been written */
  ck_assert_uint_eq(mia_arena_idle(), 5 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(mia_arena_purge_now(), 5 * MIA_SLICE_SIZE);
  a = taken(5, 1);
  ck_assert(a.zero);
  give(&a, 1);
  ck_assert_uint_eq(mia_arena_idle(), MIA_SLICE_SIZE);
  while (arenas() < 2) (void)taken(5, 1);
  ck_assert(!mia_arena_nth(1)->live && fake.live < fake.mapped);
}
END_TEST

START_TEST(slices_that_cannot_be_committed_stay_free) {
  world_without_overcommit();
  mia_span a = taken(3, 1), s;
  bool zero;
  size_t mapped = fake.mapped, live = fake.live;
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_COMMIT, 1, FAKE_EVER);
  ck_assert(!mia_arena_take(4, 1, &s));
  ck_assert(!mia_arena_take(1, 1, &s));
  ck_assert(!mia_arena_extend(a.arena, a.start, 3, 4, &zero));
  ck_assert_uint_eq(used_bytes(), 3 * MIA_SLICE_SIZE);
  ck_assert_uint_eq(fake.live, live);
  ck_assert_uint_eq(fake.mapped, mapped);
  ck_assert_uint_eq(reserved(), mapped);
  fake_allow();
  ck_assert(mia_arena_extend(a.arena, a.start, 3, 4, &zero));
  ck_assert(mia_arena_take(1, 1, &s));
  ck_assert_ptr_eq(s.start, a.start + 4 * MIA_SLICE_SIZE);
}
END_TEST

/* The page map gets no leaf for an arena in another 4 GiB: the whole arena is unmapped. */
START_TEST(an_arena_without_a_leaf_is_unmapped) {
  if (!MIA_POINTER_64) return;
  mia_span s = taken(MIA_SPAN_MAX_SLICES, 1);
  size_t mapped = fake.mapped;
  fake.place = (void *)((uintptr_t)s.start - ((uintptr_t)1 << (MIA_POINTER_64 ? 34 : 0)) +
                        3 * fake.page_size);
  fake_refuse(FAKE_RESERVE_LIVE, 2, 1); /* the first is the arena, the second its leaf */
  ck_assert(!mia_arena_take(MIA_SPAN_MAX_SLICES, 1, &s));
  ck_assert_uint_eq(fake_refused(), 1);
  ck_assert_ptr_null(fake.broken);
  ck_assert_uint_eq(fake.mapped, mapped);
  ck_assert_uint_eq(reserved(), mapped);
  ck_assert(mia_arena_take(MIA_SPAN_MAX_SLICES, 1, &s));
}
END_TEST

START_TEST(an_arena_without_a_head_is_unmapped) {
  world_without_overcommit();
  for (size_t n = 0; n < MIA_ARENA_FIRST_SLICES; n += MIA_SPAN_MAX_SLICES)
    (void)taken(MIA_SPAN_MAX_SLICES, 1);
  size_t mapped = fake.mapped;
  mia_span s;
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_COMMIT, 1, FAKE_EVER);
  ck_assert(!mia_arena_take(1, 1, &s));
  ck_assert_uint_eq(fake.mapped, mapped);
  ck_assert_uint_eq(reserved(), mapped);
}
END_TEST

START_TEST(every_os_page_size_is_served) {
  const size_t sizes[] = {4 * MIA_KIB, 16 * MIA_KIB, 64 * MIA_KIB};
  fake.page_size = sizes[_i % 3];
  if (_i >= 3) world_without_overcommit();
  while (arenas() < 3) {
    mia_span s = taken(9, 1), one = taken(1, 1);
    bool written = _i % 2 == 0;
    if (written) s.start[bytes(&s) - 1] = 1;
    give(&s, written ? bytes(&s) : 0);
    (void)one;
    (void)taken(9, 1);
  }
  world_end();
}
END_TEST

/* ---- threads ---- */

static pthread_barrier_t barrier;
static mia_span held[THREADS][TURNS];

/* At the end of each round the thread holds some spans. */
static void *take_and_give(void *arg) {
  uintptr_t me = (uintptr_t)arg;
  uint64_t random = suite_random(100 + (unsigned)me);
  for (int round = 0; round < ROUNDS; round++) {
    for (int turn = 0; turn < 400; turn++) {
      mia_span *s = &held[me][random_below(&random, TURNS)];
      if (s->arena != NULL) {
        note(s->start[0] == (char)(me + 1));
        give(s, bytes(s));
        s->arena = NULL;
      } else if (mia_arena_take(random_below(&random, 8) == 0 ? 3 : 1, 1, s)) {
        for (size_t i = 0; i < s->slices; i++) s->start[i * MIA_SLICE_SIZE] = (char)(me + 1);
      }
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

/* The spans that all threads hold are what is counted as used. */
static void check_used(void) {
  size_t sum = 0;
  for (int t = 0; t < THREADS; t++)
    for (int i = 0; i < TURNS; i++) sum += held[t][i].arena != NULL ? held[t][i].slices : 0;
  note(sum << MIA_SLICE_SHIFT == used_bytes());
}

START_TEST(threads_share_arenas) {
  pthread_t thread[THREADS];
  memset(held, 0, sizeof held);
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  for (uintptr_t i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, take_and_give, (void *)i);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_wait(&barrier);
    check_used();
    pthread_barrier_wait(&barrier);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  pthread_barrier_destroy(&barrier);
  need_nothing_noted();
  /* No free slice was lost. */
  ck_assert_uint_eq(arenas(), 1);
  for (size_t left = MIA_ARENA_FIRST_SLICES - used_bytes() / MIA_SLICE_SIZE; left > 0; left--)
    (void)taken(1, 1);
  ck_assert_uint_eq(arenas(), 1);
}
END_TEST

START_TEST(parent_and_child_of_a_fork_can_allocate) {
  (void)taken(1, 1);
  mia_arena_before_fork(mia_os_begin_fork());
  pid_t pid = fork();
  ck_assert(mia_os_end_fork());
  mia_arena_after_fork(pid == 0);
  mia_span s;
  bool good = mia_arena_take(MIA_SPAN_MAX_SLICES, 1, &s);
  if (pid == 0) _exit(good ? 0 : 1);
  ck_assert(child_ends_well(pid) && good);
}
END_TEST

SUITE("arena/arena") {
  CASE(world_of_arenas, world_end);
  TEST(a_span_is_live_zero_and_aligned);
  TEST(A1_spans_do_not_overlap);
  TEST(A2_only_slices_that_were_written_are_not_zero);
  TEST(A3_heads_and_ends_are_never_free);
  TEST(bytes_are_counted);
  TEST(a_descriptor_belongs_to_the_spans_first_slice);
  TEST(a_small_process_reserves_little_and_asks_once);
  TEST(arenas_grow_geometrically);
  TEST(the_largest_span_has_the_largest_alignment);
  TEST(every_free_slice_is_found_again);
  TEST(the_lowest_free_slice_is_taken);
  TEST(extending_takes_the_slices_behind);
  LOOP(extending_ends_with_the_arena, 0, 2);
  TEST(running_out_of_address_space_is_not_permanent);
  TEST(a_smaller_arena_is_better_than_none);
  TEST(reserved_space_is_committed_span_by_span);
  TEST(locked_arenas_are_committed_span_by_span);
  TEST(slices_that_cannot_be_committed_stay_free);
  TEST(an_arena_without_a_leaf_is_unmapped);
  TEST(an_arena_without_a_head_is_unmapped);
  LOOP(every_os_page_size_is_served, 0, 6);
  TEST(threads_share_arenas);
  TEST(parent_and_child_of_a_fork_can_allocate);
}
