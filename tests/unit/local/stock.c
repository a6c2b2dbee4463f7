/* Pages made and retired are counted, and stir their thread. */
#include "fake/world.h"

#include "local/stock.h"
#include "local/thread.h"
#include "page/owner.h"

START_TEST(tallies_keep_their_peak) {
  mia_tally t = {{0}, {0}};
  mia_local_tally_up(&t);
  mia_local_tally_up(&t);
  mia_local_tally_down(&t);
  mia_local_tally_up(&t);
  ck_assert_uint_eq(mia_aword_get(&t.now), 2);
  ck_assert_uint_eq(mia_aword_get(&t.peak), 2);
}
END_TEST

static void expect(unsigned kind, size_t now, size_t peak) {
  ck_assert_uint_eq(mia_aword_get(&mia_local_all.pages[kind].now), now);
  ck_assert_uint_eq(mia_aword_get(&mia_local_all.pages[kind].peak), peak);
}

START_TEST(pages_are_counted_by_class) {
  mia_local *self = mia_local_attach();
  bool zero;
  self->stirred = false;
  mia_page *small = mia_local_make(self, 7);
  ck_assert(small != NULL && self->stirred);
  mia_page *large = mia_local_make_single(
      self, &(mia_single){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  mia_page *huge = mia_local_make_single(
      self, &(mia_single){.size = MIA_MIB, .align = 1, .huge = true}, &zero);
  expect(7, 1, 1);
  expect(MIA_CLASS_LARGE, 1, 1);
  expect(MIA_CLASS_HUGE, 1, 1);
  self->stirred = false;
  mia_local_retire(self, small);
  ck_assert(self->stirred);
  large->used = huge->used = 0;
  mia_local_retire(self, large);
  mia_local_retire(self, huge);
  expect(7, 0, 1);
  expect(MIA_CLASS_LARGE, 0, 1);
  expect(MIA_CLASS_HUGE, 0, 1);
}
END_TEST

START_TEST(what_was_not_made_is_not_counted) {
  mia_local *self = mia_local_attach();
  bool zero;
  fake_refuse(FAKE_ANY, 1, FAKE_EVER);
  self->stirred = false;
  ck_assert_ptr_null(mia_local_make(self, 7));
  ck_assert_ptr_null(
      mia_local_make_single(self, &(mia_single){.size = MIA_MIB, .align = 1, .huge = true}, &zero));
  expect(7, 0, 0);
  expect(MIA_CLASS_HUGE, 0, 0);
}
END_TEST

START_TEST(the_local_of_no_thread_is_never_written) {
  bool zero;
  mia_page *large = mia_local_make_single(
      mia_local_self, &(mia_single){.size = MIA_MIB, .align = 1, .huge = false}, &zero);
  large->used = 0;
  mia_local_retire(mia_local_self, large);
  static const mia_local empty = {.plain = MIA_LOCAL_UNPLAIN};
  ck_assert_mem_eq(&mia_local_all.none, &empty, sizeof empty);
}
END_TEST

SUITE("local/stock") {
  CASE(world_of_locals, world_end);
  TEST(tallies_keep_their_peak);
  TEST(pages_are_counted_by_class);
  TEST(what_was_not_made_is_not_counted);
  TEST(the_local_of_no_thread_is_never_written);
}
