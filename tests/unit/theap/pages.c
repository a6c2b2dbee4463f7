/* Making and retiring pages counts them and requests a tick. */
#include "fake/world.h"

#include "page/owner.h"
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

SUITE("theap/pages") {
  CASE(world_of_theaps, world_end);
  TEST(counts_keep_their_peak);
  TEST(pages_are_counted_by_class);
  TEST(a_page_that_was_not_made_is_not_counted);
  TEST(the_empty_theap_is_never_written);
}
