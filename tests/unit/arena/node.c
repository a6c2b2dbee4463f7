/* SPDX-License-Identifier: MIT */
/* Arenas by NUMA node, on systems that the fake OS makes up.  Nodes here have the OS's numbers. */
#include "fake/world.h"

#include "arena/reserve.h"

enum { FIRST = MIA_ARENA_FIRST_SLICES };

static size_t arenas(void) { return mia_aword_get(&mia_arena_all.count); }

/* Takes a span for a thread that prefers the node. */
static mia_span taken(int node, size_t slices) {
  mia_span span = {0};
  ck_assert(mia_arena_take_near(mia_node_of_number(node), slices, 1, &span));
  return span;
}

static void give(const mia_span *span, size_t touched) {
  mia_arena_give(span->arena, span->start, span->slices, touched);
}

static int node_of(const mia_arena *arena) { return (int)arena->node - 1; }

/* Takes all that is near a node, without another arena; the result is the number of slices. */
static size_t use_up(int node) {
  size_t n = 0, before = arenas();
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  for (mia_span span;; n++) {
    if (!mia_arena_take_near(mia_node_of_number(node), 1, 1, &span)) break;
    if (node >= 0 && !mia_arena_is_near(span.arena, mia_node_of_number(node))) {
      give(&span, 0);
      break;
    }
  }
  fake_allow();
  ck_assert_uint_eq(arenas(), before);
  return n;
}

/* Makes an arena for each of nodes 0 to 2, behind the first one, which is full.  Afterwards the
 * calling thread runs on node 0. */
static void begin_nodes(void) {
  world_of_arenas();
  (void)taken(-1, 1);
  ck_assert_uint_eq(use_up(-1), FIRST - 1);
  world_has_nodes();
  for (fake.node = 0; fake.node < 3; fake.node++)
    (void)taken(arenas() > 1 ? fake.node : -1, 1); /* the first names none */
  fake.node = 0;
}

static void begin(void) {
  world_of_arenas();
  if (MIA_POINTER_64) begin_nodes();
}

/* ---- what is asked ---- */

START_TEST(a_small_process_asks_nothing) {
  world_of_arenas();
  fake.node = 1;
  for (int i = 0; i < FIRST; i++) (void)taken(-1, 1);
  ck_assert_uint_eq(arenas(), 1);
  ck_assert_uint_eq(fake_calls(FAKE_NODE), 0);
}
END_TEST

START_TEST(with_one_node_only_arenas_ask) {
  world_of_arenas();
  while (arenas() < 4) (void)taken(-1, MIA_SPAN_MAX_SLICES);
  ck_assert_uint_eq(fake_calls(FAKE_NODE), MIA_POINTER_64 ? 3 : 0);
  ck_assert(!mia_arena_has_nodes());
}
END_TEST

/* Not every system tells. */
START_TEST(without_an_answer_all_is_as_with_one_node) {
  world_of_arenas();
  fake.node = -1;
  while (arenas() < 4) (void)taken(-1, MIA_SPAN_MAX_SLICES);
  ck_assert(!mia_arena_has_nodes());
  ck_assert_uint_eq(mia_arena_ask_node(), MIA_NODE_ANY);
  for (size_t i = 0; i < arenas(); i++) ck_assert_int_eq(node_of(mia_arena_nth(i)), -1);
}
END_TEST

START_TEST(a_small_address_space_has_no_nodes) {
  world_of_arenas();
  fake.node = 1;
  while (arenas() < 2) (void)taken(-1, 1);
  ck_assert(mia_arena_has_nodes() == MIA_POINTER_64);
}
END_TEST

/* Arenas that are made before are of node 0 then. */
START_TEST(nodes_are_known_once_a_thread_is_on_another) {
  if (!MIA_POINTER_64) return;
  world_of_arenas();
  while (arenas() < 3) (void)taken(-1, MIA_SPAN_MAX_SLICES);
  ck_assert(!mia_arena_has_nodes());
  fake.node = 1;
  while (arenas() < 4) (void)taken(-1, MIA_SPAN_MAX_SLICES);
  ck_assert(mia_arena_has_nodes());
  ck_assert_ptr_eq(taken(1, 1).arena, mia_arena_nth(3));
  ck_assert(node_of(mia_arena_nth(1)) == 0 && node_of(mia_arena_nth(2)) == 0);
}
END_TEST

/* ---- arenas made on demand ---- */

START_TEST(an_arena_is_of_the_node_that_needs_it) {
  if (!MIA_POINTER_64) return;
  ck_assert_uint_eq(arenas(), 4);
  ck_assert_int_eq(node_of(mia_arena_nth(0)), -1);
  for (int node = 0; node < 3; node++) {
    ck_assert_int_eq(node_of(mia_arena_nth((size_t)node + 1)), node);
    ck_assert_ptr_eq(taken(node, 1).arena, mia_arena_nth((size_t)node + 1));
  }
  ck_assert_uint_eq(arenas(), 4);
}
END_TEST

/* The thread may run elsewhere by now.  What it prefers counts, or it would never find a span. */
START_TEST(the_preferred_node_counts) {
  if (!MIA_POINTER_64) return;
  fake.node = 2;
  ck_assert_ptr_eq(taken(7, 1).arena, mia_arena_nth(4));
  ck_assert_int_eq(node_of(mia_arena_nth(4)), 7);
}
END_TEST

/* Otherwise the address space of sixteen nodes would be doubled sixteen times. */
START_TEST(an_arena_is_as_large_as_those_near_it) {
  if (!MIA_POINTER_64) return;
  for (int node = 3; node < 16; node++) ck_assert_uint_eq(taken(node, 1).arena->slices, FIRST);
  (void)use_up(15);
  ck_assert_uint_eq(taken(15, 1).arena->slices, 2 * FIRST);
}
END_TEST

START_TEST(what_was_near_is_near_again) {
  if (!MIA_POINTER_64) return;
  mia_span spans[3];
  for (int node = 0; node < 3; node++) {
    spans[node] = taken(node, 5);
    memset(spans[node].start, 1, SLICE);
  }
  for (int node = 0; node < 3; node++) give(&spans[node], 5 * SLICE);
  for (int node = 2; node >= 0; node--) ck_assert_ptr_eq(taken(node, 5).start, spans[node].start);
}
END_TEST

START_TEST(another_arena_is_made_before_far_ones_are_used) {
  if (!MIA_POINTER_64) return;
  (void)use_up(1);
  ck_assert_uint_eq(arenas(), 4);
  ck_assert_ptr_eq(taken(1, 1).arena, mia_arena_nth(4));
  ck_assert_int_eq(node_of(mia_arena_nth(4)), 1);
}
END_TEST

START_TEST(far_arenas_are_used_when_there_is_no_other) {
  if (!MIA_POINTER_64) return;
  (void)use_up(1);
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  ck_assert_ptr_eq(taken(1, 1).arena, mia_arena_nth(1));
  (void)use_up(0);
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  ck_assert_ptr_eq(taken(1, 1).arena, mia_arena_nth(3));
  (void)use_up(2);
  fake_refuse(FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  mia_span span;
  ck_assert(!mia_arena_take_near(mia_node_of_number(1), 1, 1, &span));
}
END_TEST

/* Near slices are free, but the OS does not commit them; far ones are committed. */
START_TEST(far_arenas_are_used_when_near_memory_is_refused) {
  if (!MIA_POINTER_64) return;
  world_without_overcommit();
  begin_nodes();
  world_without_overcommit();
  while (arenas() < 5) (void)taken(0, 1); /* an arena that is committed span by span */
  ck_assert(!mia_arena_nth(4)->live && mia_arena_nth(2)->live);
  fake_refuse(FAKE_COMMIT | FAKE_RESERVE_LIVE | FAKE_RESERVE_SPACE, 1, FAKE_EVER);
  ck_assert_ptr_eq(taken(0, 1).arena, mia_arena_nth(2));
}
END_TEST

START_TEST(a_request_without_a_node_takes_any_memory) {
  if (!MIA_POINTER_64) return;
  ck_assert_ptr_eq(taken(-1, 1).arena, mia_arena_nth(1));
  for (int node = 0; node < 3; node++) (void)use_up(node);
  fake.node = 2;
  ck_assert_ptr_eq(taken(-1, 1).arena, mia_arena_nth(4));
  ck_assert_int_eq(node_of(mia_arena_nth(4)), 2);
}
END_TEST

START_TEST(the_limit_holds_on_every_node) {
  if (!MIA_POINTER_64) return;
  mia_aword_set(&mia_arena_all.limit, used_bytes() + SLICE);
  (void)taken(1, 1);
  mia_span span;
  for (unsigned node = 0; node < 5; node++) ck_assert(!mia_arena_take_near(node, 1, 1, &span));
  ck_assert_uint_eq(arenas(), 4);
}
END_TEST

/* ---- arenas that the program requests ---- */

static mia_arena *supplied(int node, bool exclusive) {
  const size_t size = 4 * MIA_MIB;
  char *memory = mia_os_reserve_aligned(size, SLICE);
  ck_assert_ptr_nonnull(memory);
  mia_arena *arena = mia_arena_manage(&(mia_arena_external){.start = memory,
                                                            .size = size,
                                                            .committed = true,
                                                            .zero = true,
                                                            .pinned = true,
                                                            .exclusive = exclusive,
                                                            .node = mia_node_of_number(node)});
  ck_assert_ptr_nonnull(arena);
  return arena;
}

START_TEST(reserved_memory_is_near_all_nodes) {
  if (!MIA_POINTER_64) return;
  for (int node = 0; node < 3; node++) (void)use_up(node);
  mia_arena *arena = mia_arena_reserve_os(&(mia_arena_request){.size = 4 * MIA_MIB});
  for (int node = 0; node < 4; node++) ck_assert_ptr_eq(taken(node, 1).arena, arena);
}
END_TEST

/* The memory is backed already: it is better than more memory, but near memory is better still. */
START_TEST(pinned_memory_is_used_before_another_arena) {
  if (!MIA_POINTER_64) return;
  const mia_arena *here = supplied(0, false), *there = supplied(1, false);
  (void)use_up(2);
  ck_assert_ptr_eq(taken(2, 1).arena, here);
  ck_assert_ptr_eq(taken(0, 1).arena, mia_arena_nth(1));
  ck_assert_ptr_eq(taken(1, 1).arena, mia_arena_nth(2));
  (void)use_up(0);
  ck_assert_ptr_eq(taken(0, 1).arena, there);
  (void)use_up(1);
  ck_assert_uint_eq(arenas(), 6);
  ck_assert_ptr_eq(taken(0, 1).arena, mia_arena_nth(6));
}
END_TEST

START_TEST(memory_of_a_node_makes_nodes_known) {
  world_of_arenas();
  const mia_arena *any = supplied(-1, false);
  (void)supplied(0, false);
  ck_assert(!mia_arena_has_nodes());
  const mia_arena *near = supplied(1, false);
  ck_assert(mia_arena_has_nodes() == MIA_POINTER_64);
  ck_assert(node_of(any) == -1 && node_of(near) == 1);
}
END_TEST

START_TEST(exclusive_arenas_are_of_no_node) {
  const mia_arena *arena = supplied(1, true);
  ck_assert_uint_eq(arena->node, MIA_NODE_ANY);
}
END_TEST

SUITE("arena/node") {
  CASE(begin, world_end);
  TEST(a_small_process_asks_nothing);
  TEST(with_one_node_only_arenas_ask);
  TEST(without_an_answer_all_is_as_with_one_node);
  TEST(a_small_address_space_has_no_nodes);
  TEST(nodes_are_known_once_a_thread_is_on_another);
  TEST(an_arena_is_of_the_node_that_needs_it);
  TEST(the_preferred_node_counts);
  TEST(an_arena_is_as_large_as_those_near_it);
  TEST(what_was_near_is_near_again);
  TEST(another_arena_is_made_before_far_ones_are_used);
  TEST(far_arenas_are_used_when_there_is_no_other);
  TEST(far_arenas_are_used_when_near_memory_is_refused);
  TEST(a_request_without_a_node_takes_any_memory);
  TEST(the_limit_holds_on_every_node);
  TEST(reserved_memory_is_near_all_nodes);
  TEST(pinned_memory_is_used_before_another_arena);
  TEST(memory_of_a_node_makes_nodes_known);
  TEST(exclusive_arenas_are_of_no_node);
}
