/* SPDX-License-Identifier: MIT */
/* Arenas of OS pages of 1 GiB and of 2 MiB, which few systems have: the fake OS provides them. */
#include "fake/world.h"

#include "arena/unload.h"

#include <errno.h>
#include <mialloc/heap.h>
#include <sys/mman.h>

enum { GIB_SHIFT = 30 };

static mia_arena *arena;

static size_t arenas(void) { return mia_aword_get(&mia_arena_all.count); }

static size_t gib(const mia_arena *a) {
  size_t size;
  (void)mia_arena_area(a, &size);
  return size >> GIB_SHIFT;
}

/* A 32-bit address space has no room for more than one. */
static size_t max_pages(void) { return MIA_POINTER_64 ? 4 : 1; }

/* A 32-bit emulator may not have so much in one piece.  Aligning takes one page more. */
static bool has_room(void) {
  size_t size = (max_pages() + 1) << GIB_SHIFT;
  void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p != MAP_FAILED && munmap(p, size) == 0;
}

static void begin(void) {
  world_of_theaps();
  fake.huge_pages = max_pages();
  arena = NULL;
}

START_TEST(huge_pages_are_adjacent) {
  if (!has_room()) return;
  ck_assert_int_eq(mia_reserve_huge_pages(max_pages(), 3, 0, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  ck_assert_uint_eq(gib(arena), max_pages());
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_HUGE), max_pages());
  ck_assert_int_eq(fake.huge_node, 3);
  ck_assert(arena->live && arena->pinned && arena->exclusive);
  mia_span s;
  ck_assert(mia_arena_take_in(arena, MIA_SPAN_MAX_SLICES, MIA_SLICE_SIZE, &s) && s.zero);
  s.start[0] = 1;
}
END_TEST

START_TEST(fewer_huge_pages_than_requested) {
  if (!has_room()) return;
  ck_assert_int_eq(mia_reserve_huge_pages(max_pages() + (MIA_POINTER_64 ? 5 : 0), -1, 0, 0, &arena),
                   0);
  ck_assert_uint_eq(gib(arena), max_pages());
  size_t mapped = fake.mapped;
  ck_assert_int_eq(mia_reserve_huge_pages(1, -1, 0, 0, &arena), ENOMEM);
  ck_assert_ptr_null(arena);
  ck_assert_uint_eq(fake.mapped, mapped);
}
END_TEST

START_TEST(the_timeout_is_respected) {
  if (!MIA_POINTER_64) return;
  fake.huge_ms = 100;
  ck_assert_int_eq(mia_reserve_huge_pages(4, -1, 150, 0, &arena), 0);
  ck_assert_uint_eq(gib(arena), 2);
  ck_assert_uint_eq(fake_calls(FAKE_RESERVE_HUGE), 2);
  fake.huge_pages = 0;
  ck_assert_int_eq(mia_reserve_huge_pages(4, -1, 50, 0, &arena), ETIMEDOUT);
  ck_assert_ptr_null(arena);
  ck_assert_int_eq(mia_reserve_huge_pages(4, -1, 150, 0, &arena), ENOMEM);
}
END_TEST

START_TEST(pages_are_spread_over_nodes) {
  if (!MIA_POINTER_64) return;
  ck_assert_int_eq(mia_reserve_huge_pages_interleave(4, 3, 0), 0);
  ck_assert_uint_eq(arenas(), 3);
  ck_assert_uint_eq(gib(mia_arena_nth(0)), 2);
  ck_assert_uint_eq(gib(mia_arena_nth(1)), 1);
  ck_assert_uint_eq(gib(mia_arena_nth(2)), 1);
  for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(mia_arena_nth(i)->node, i + 1);
  ck_assert_int_eq(fake.huge_node, 2);
  fake.huge_pages = 1;
  ck_assert_int_eq(mia_reserve_huge_pages_interleave(2, 2, 0), ENOMEM);
  ck_assert_uint_eq(arenas(), 4); /* earlier arenas stay */
}
END_TEST

START_TEST(nodes_share_the_timeout) {
  if (!MIA_POINTER_64) return;
  fake.huge_ms = 100;
  ck_assert_int_eq(mia_reserve_huge_pages_interleave(4, 4, 150), ETIMEDOUT);
  ck_assert_uint_eq(arenas(), 2);
  ck_assert_int_eq(mia_reserve_huge_pages_interleave(2, 0, 0), 0); /* any node: one arena */
  ck_assert_uint_eq(arenas(), 3);
  ck_assert_int_eq(fake.huge_node, -1);
}
END_TEST

START_TEST(pages_without_an_arena_are_released) {
  mia_aword_set(&mia_arena_all.count, MIA_ARENA_COUNT);
  ck_assert_int_eq(mia_reserve_huge_pages(max_pages(), -1, 0, 0, &arena), ENOMEM);
  ck_assert_uint_eq(fake.mapped, 0);
  ck_assert_int_eq(mia_reserve_memory(MIA_MIB, MIA_ARENA_IS_LARGE, &arena), ENOMEM);
  ck_assert_uint_eq(fake.mapped, 0);
}
END_TEST

/* ---- large pages of 2 MiB ---- */

START_TEST(large_pages_are_used_if_available) {
  fake.huge_pages = 100;
  ck_assert_int_eq(
      mia_reserve_memory(5 * MIA_MIB, MIA_ARENA_IS_LARGE | MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  ck_assert_uint_eq(fake.huge_pages, 97);
  ck_assert(arena->live && arena->pinned && arena->exclusive);
  mia_span s;
  ck_assert(mia_arena_take_in(arena, 5 * MIA_MIB >> MIA_SLICE_SHIFT, 1, &s));
}
END_TEST

START_TEST(otherwise_transparent_huge_pages_are_used) {
  fake.huge_pages = 0;
  ck_assert_int_eq(mia_reserve_memory(5 * MIA_MIB, MIA_ARENA_IS_LARGE, &arena), 0);
  ck_assert(fake_calls(FAKE_LARGE_PAGES) == 1 && fake_calls(FAKE_SMALL_PAGES) == 0);
  ck_assert(arena->live && !arena->pinned);
  ck_assert_int_eq(mia_reserve_memory(5 * MIA_MIB, 0, &arena), 0);
  ck_assert(fake_calls(FAKE_LARGE_PAGES) == 1 && fake_calls(FAKE_SMALL_PAGES) == 1);
}
END_TEST

/* ---- committed arenas ---- */

START_TEST(commit_makes_all_accessible_or_fails) {
  bool large = _i != 0;
  world_without_overcommit();
  fake.huge_pages = 0;
  ck_assert_int_eq(mia_reserve_memory(8 * MIA_MIB,
                                      MIA_ARENA_IS_COMMITTED | (large ? MIA_ARENA_IS_LARGE : 0),
                                      &arena),
                   ENOMEM);
  ck_assert(arena == NULL && fake.mapped == 0);
  ck_assert_int_eq(mia_reserve_memory(8 * MIA_MIB, large ? MIA_ARENA_IS_LARGE : 0, &arena), 0);
  ck_assert(!arena->live);
  fake.live_max = SIZE_MAX;
  ck_assert_int_eq(mia_reserve_memory(8 * MIA_MIB,
                                      MIA_ARENA_IS_COMMITTED | (large ? MIA_ARENA_IS_LARGE : 0) |
                                          MIA_ARENA_IS_EXCLUSIVE,
                                      &arena),
                   0);
  ck_assert(arena->live && fake_is_live(mia_arena_area(arena, NULL), 8 * MIA_MIB));
  mia_span s;
  fake_refuse(FAKE_COMMIT, 1, FAKE_EVER);
  ck_assert(mia_arena_take_in(arena, MIA_SPAN_MAX_SLICES / 4, 1, &s));
}
END_TEST

/* ---- unloading ---- */

START_TEST(unloading_releases_all_address_space) {
  if (!has_room()) return;
  size_t mapped = fake.mapped, reserved = mia_aword_get(&mia_arena_all.reserved);
  fake.huge_pages = _i == 1 ? 100 : _i == 2 ? max_pages() : 0;
  if (_i == 2)
    ck_assert_int_eq(mia_reserve_huge_pages(max_pages(), -1, 0, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  else
    ck_assert_int_eq(
        mia_reserve_memory(8 * MIA_MIB,
                           ((_i == 1) ? MIA_ARENA_IS_LARGE : 0) | MIA_ARENA_IS_EXCLUSIVE, &arena),
        0);
  ck_assert_uint_gt(fake.mapped, mapped);
  mia_span s;
  ck_assert(mia_arena_take_in(arena, 3, 1, &s));
  ck_assert(!mia_arena_unload(arena));
  mia_arena_give(arena, s.start, 3, 2 * MIA_SLICE_SIZE);
  ck_assert(mia_arena_unload(arena));
  ck_assert_uint_eq(fake.mapped, mapped + world_of_leaves());
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.reserved), reserved);
  ck_assert_uint_eq(mia_arena_idle(), 0);
}
END_TEST

/* Unloading does not wait for a reader for ever.  It fails, and the arena remains usable. */
START_TEST(a_reader_prevents_unloading) {
  ck_assert_int_eq(mia_reserve_memory(8 * MIA_MIB, MIA_ARENA_IS_EXCLUSIVE, &arena), 0);
  mia_arena_begin_read();
  fake.yield_ms = 1;
  ck_assert(!mia_arena_unload(arena) && errno == EBUSY);
  mia_arena_end_read();
  mia_span s;
  ck_assert(mia_arena_nth(0) == arena && mia_arena_take_in(arena, 3, 1, &s));
  mia_arena_give(arena, s.start, 3, 0);
  ck_assert(mia_arena_unload(arena));
}
END_TEST

SUITE("api/arena_calls") {
  CASE(begin, world_end);
  TEST(huge_pages_are_adjacent);
  TEST(fewer_huge_pages_than_requested);
  TEST(the_timeout_is_respected);
  TEST(pages_are_spread_over_nodes);
  TEST(nodes_share_the_timeout);
  TEST(pages_without_an_arena_are_released);
  TEST(large_pages_are_used_if_available);
  TEST(otherwise_transparent_huge_pages_are_used);
  LOOP(commit_makes_all_accessible_or_fails, 0, 2);
  LOOP(unloading_releases_all_address_space, 0, 3);
  TEST(a_reader_prevents_unloading);
}
