/* SPDX-License-Identifier: MIT */
/* Making and retiring pages counts them and requests a tick.  Which pages get large OS pages. */
#include "fake/world.h"

#include "arena/thp.h"
#include "page/owner.h"
#include "theap/heap_table.h"
#include "theap/pages.h"
#include "theap/thread.h"

START_TEST(counts_keep_their_peak) {
  mia_peak_count t = {{0}, {0}};
  mia_theap_count_up(&t);
  mia_theap_count_up(&t);
  mia_theap_count_down(&t);
  mia_theap_count_up(&t);
  ck_assert_uint_eq(mia_aword_get(&t.now), 2);
  ck_assert_uint_eq(mia_aword_get(&t.peak), 2);
}
END_TEST

static void expect(unsigned kind, size_t now, size_t peak) {
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.pages[kind].now), now);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.pages[kind].peak), peak);
}

START_TEST(pages_are_counted_by_class) {
  mia_theap *self = mia_theap_attach();
  bool zero;
  self->clock.requested = false;
  mia_page *small = mia_theap_make_page(self, CLASS_112);
  ck_assert(small != NULL && self->clock.requested);
  mia_page *large = mia_theap_make_singleton(
      self, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  mia_page *huge = mia_theap_make_singleton(
      self, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = true}, &zero);
  expect(CLASS_112, 1, 1);
  expect(MIA_CLASS_LARGE, 1, 1);
  expect(MIA_CLASS_HUGE, 1, 1);
  self->clock.requested = false;
  mia_theap_retire_page(self, small);
  ck_assert(self->clock.requested);
  large->used = huge->used = 0;
  mia_theap_retire_page(self, large);
  mia_theap_retire_page(self, huge);
  expect(CLASS_112, 0, 1);
  expect(MIA_CLASS_LARGE, 0, 1);
  expect(MIA_CLASS_HUGE, 0, 1);
}
END_TEST

START_TEST(a_page_that_was_not_made_is_not_counted) {
  mia_theap *self = mia_theap_attach();
  bool zero;
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  self->clock.requested = false;
  ck_assert_ptr_null(mia_theap_make_page(self, CLASS_112));
  ck_assert_ptr_null(mia_theap_make_singleton(
      self, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = true}, &zero));
  expect(CLASS_112, 0, 0);
  expect(MIA_CLASS_HUGE, 0, 0);
}
END_TEST

START_TEST(the_empty_theap_is_never_written) {
  bool zero;
  mia_page *large = mia_theap_make_singleton(
      mia_theap_self, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  large->used = 0;
  mia_theap_retire_page(mia_theap_self, large);
  static const mia_theap empty;
  ck_assert_mem_eq(&mia_theap_all.none, &empty, sizeof empty);
}
END_TEST

/* Uses as much as large OS pages want, by pages of a class. */
static void use_much(void) {
  for (size_t used = 0; used < MIA_ARENA_THP_MIN; used += SLICE)
    ck_assert_ptr_nonnull(mia_theap_make_page(mia_theap_self, CLASS_16));
}

/* Makes as many pages of a class as a frame has slices.  Returns how many frames got a large OS
 * page. */
static size_t frames_after(mia_theap *self, unsigned size_class) {
  fake_count_anew();
  for (size_t slices = 0; slices < MIA_OS_LARGE_PAGE / SLICE; slices++)
    ck_assert_ptr_nonnull(mia_theap_make_page(self, size_class));
  return fake_calls(FAKE_LARGE_PAGES);
}

/* Loop index: threads. */
START_TEST(classes_with_many_pages_get_large_os_pages) {
  size_t few = 16 * (size_t)_i;
  mia_theap *self = mia_theap_attach();
  use_much();
  mia_aword_set(&mia_theap_all.attached.now, (uintptr_t)_i);
  mia_aword_set(&mia_theap_all.pages[CLASS_112].now, few - MIA_OS_LARGE_PAGE / SLICE + 1);
  ck_assert_uint_eq(frames_after(self, CLASS_112), 0);
  ck_assert_uint_eq(frames_after(self, CLASS_112), 1);
  mia_aword_set(&mia_theap_all.attached.now, 1);
}
END_TEST

START_TEST(large_blocks_prevent_large_os_pages) {
  bool zero;
  mia_theap *self = mia_theap_attach();
  use_much();
  ck_assert_ptr_nonnull(
      mia_theap_make_singleton(self, &(mia_singleton_request){.size = MIA_MIB, .align = 1}, &zero));
  ck_assert_uint_eq(frames_after(self, CLASS_16), 0);
  ck_assert_uint_eq(frames_after(self, CLASS_16), 1);
}
END_TEST

/* Blocks larger than an OS page. */
START_TEST(blocks_that_may_be_sparse_prevent_large_os_pages) {
  mia_theap *self = mia_theap_attach();
  use_much();
  for (int i = 0; i < 2; i++) ck_assert_uint_eq(frames_after(self, CLASS_8K), 0);
  ck_assert_uint_eq(frames_after(self, CLASS_16), 0); /* what was taken last is sparse */
  ck_assert_uint_eq(frames_after(self, CLASS_16), 1);
}
END_TEST

START_TEST(heaps_of_the_program_get_none) {
  mia_theap *self = mia_theap_attach();
  mia_theap theap = {.heap = mia_theap_heap_new(NULL)};
  ck_assert_ptr_nonnull(theap.heap);
  use_much();
  ck_assert_uint_eq(frames_after(self, CLASS_16), 1);
  ck_assert_uint_eq(frames_after(&theap, CLASS_16), 0);
}
END_TEST

/* ---- nodes ---- */

/* Each thread asks after so many uses. */
enum { NODE_USES = 32 };

static void begin_nodes(void) {
  world_has_nodes();
  world_add_arena();
  fake_count_anew();
}

START_TEST(with_one_node_no_thread_asks_for_it) {
  mia_theap *self = mia_theap_attach();
  begin_nodes();
  mia_aword_set(&mia_arena_all.nodes, 0);
  for (int i = 0; i < 3 * NODE_USES; i++) (void)mia_theap_make_page(self, CLASS_112);
  ck_assert_uint_eq(mia_theap_node(self), MIA_NODE_ANY);
  ck_assert_uint_eq(fake_calls(FAKE_NODE), 0);
}
END_TEST

/* A process with one arena does not ask. */
START_TEST(a_new_thread_tells_of_its_node) {
  fake.node = 1;
  (void)mia_theap_take(mia_theap_main_heap());
  ck_assert(!mia_arena_has_nodes());
  begin_nodes();
  mia_aword_set(&mia_arena_all.nodes, 0);
  (void)mia_theap_take(mia_theap_main_heap());
  ck_assert(mia_arena_has_nodes() == MIA_POINTER_64);
}
END_TEST

START_TEST(a_thread_asks_for_its_node_from_time_to_time) {
  if (!MIA_POINTER_64) return;
  mia_theap *self = mia_theap_attach();
  begin_nodes();
  fake.node = 3;
  for (int i = 0; i < NODE_USES; i++) {
    ck_assert_uint_eq(mia_theap_node(self), 4);
    fake.node = 5; /* the thread migrates */
  }
  ck_assert_uint_eq(fake_calls(FAKE_NODE), 1);
  ck_assert_uint_eq(mia_theap_node(self), 6);
  ck_assert_uint_eq(fake_calls(FAKE_NODE), 2);
}
END_TEST

START_TEST(a_theap_forgets_the_node_of_its_last_thread) {
  if (!MIA_POINTER_64) return;
  mia_theap *self = mia_theap_attach();
  begin_nodes();
  fake.node = 3;
  ck_assert_uint_eq(mia_theap_node(self), 4);
  mia_theap_detach();
  fake.node = 1;
  ck_assert_ptr_eq(mia_theap_take(mia_theap_main_heap()), self);
  ck_assert_uint_eq(mia_theap_node(self), 2);
}
END_TEST

START_TEST(a_thread_without_a_theap_prefers_no_node) {
  begin_nodes();
  ck_assert_uint_eq(mia_theap_node(&mia_theap_all.none), MIA_NODE_ANY);
  ck_assert_uint_eq(mia_theap_all.none.node_uses, 0);
}
END_TEST

START_TEST(pages_are_made_near_the_thread) {
  if (!MIA_POINTER_64) return;
  mia_theap *self = mia_theap_attach();
  bool zero;
  begin_nodes(); /* which leaves no room in the first arena */
  for (fake.node = 1; fake.node < 4; fake.node++) {
    self->node_uses = 0;
    const mia_page *page = mia_theap_make_page(self, CLASS_112);
    ck_assert_uint_eq(page->arena->node, fake.node + 1);
    page = mia_theap_make_singleton(
        self, &(mia_singleton_request){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
    ck_assert_uint_eq(page->arena->node, fake.node + 1);
  }
}
END_TEST

SUITE("theap/pages") {
  CASE(world_of_theaps, world_end);
  TEST(counts_keep_their_peak);
  TEST(pages_are_counted_by_class);
  TEST(a_page_that_was_not_made_is_not_counted);
  TEST(the_empty_theap_is_never_written);
  LOOP(classes_with_many_pages_get_large_os_pages, 8, 10);
  TEST(blocks_that_may_be_sparse_prevent_large_os_pages);
  TEST(large_blocks_prevent_large_os_pages);
  TEST(heaps_of_the_program_get_none);
  TEST(with_one_node_no_thread_asks_for_it);
  TEST(a_new_thread_tells_of_its_node);
  TEST(a_thread_asks_for_its_node_from_time_to_time);
  TEST(a_theap_forgets_the_node_of_its_last_thread);
  TEST(a_thread_without_a_theap_prefers_no_node);
  TEST(pages_are_made_near_the_thread);
}
