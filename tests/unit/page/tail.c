/* What a longer block left behind a shorter one. */
#include "fake/world.h"

#include "page/canary.h"
#include "page/owner.h"
#include "page/tail.h"

#include <errno.h>

#define SLICE MIA_SLICE_SIZE
#define UNIT MIA_OS_PAGE_MIN

/* Beyond this much some is given back, whatever is in use. */
#define MUCH (6 * MIA_MIB)

static size_t tails(void) { return mia_aword_get(&mia_arena_all.tails); }

/* A block that takes so many bytes of its span. */
static mia_page *made(size_t bytes) {
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){
          .size = bytes - MIA_SINGLETON_PADDING, .align = 1, .redzone = MIA_DEBUG},
      &zero);
  ck_assert(page != NULL && page->padding + page->size == bytes);
  memset(page->start, 7, page->size);
  return page;
}

static void empty(mia_page *page) {
  ck_assert(mia_owner_claim(page));
  page->used = 0;
  mia_page_hide_singleton(page);
}

static void renew(mia_page *page, size_t bytes) {
  empty(page);
  mia_page_reuse_singleton(page, bytes - page->padding);
  memset(page->start, 7, page->size);
}

static void retire(mia_page *page) {
  empty(page);
  mia_page_retire(page);
}

START_TEST(counted_while_it_is_there) {
  mia_page *page = made(SLICE);
  ck_assert_uint_eq(tails(), 0);
  renew(page, 9 * UNIT);
  ck_assert_uint_eq(tails(), SLICE - 9 * UNIT);
  renew(page, 10 * UNIT);
  ck_assert_uint_eq(tails(), SLICE - 10 * UNIT);
  renew(page, 10 * UNIT - 5);
  ck_assert_uint_eq(tails(), SLICE - 10 * UNIT);
  renew(page, SLICE);
  ck_assert_uint_eq(tails(), 0);
  renew(page, 9 * UNIT);
  retire(page);
  ck_assert_uint_eq(tails(), 0);
  ck_assert_uint_eq(fake.purged, 0);
}
END_TEST

START_TEST(none_where_nothing_was_written) {
  mia_page *page = made(9 * UNIT);
  ck_assert_uint_eq(tails(), 0);
  renew(page, 12 * UNIT);
  renew(page, 10 * UNIT);
  ck_assert_uint_eq(tails(), 2 * UNIT);
}
END_TEST

/* Nobody knows how far a span was written that others had. */
START_TEST(all_of_a_span_that_is_dirty) {
  retire(made(2 * SLICE));
  mia_page *page = made(SLICE + UNIT);
  ck_assert_uint_eq(tails(), SLICE - UNIT);
  retire(page);
  ck_assert_uint_eq(tails(), 0);
}
END_TEST

START_TEST(resizing_counts_anew) {
  size_t zero_from;
  mia_page *page = made(3 * SLICE);
  ck_assert(mia_page_resize_singleton(page, 2 * SLICE + UNIT - page->padding, false, &zero_from));
  ck_assert_uint_eq(tails(), SLICE - UNIT);
  ck_assert(mia_page_resize_singleton(page, 2 * SLICE - page->padding, false, &zero_from));
  ck_assert_uint_eq(tails(), 0);
  ck_assert(mia_page_resize_singleton(page, 2 * SLICE + UNIT - page->padding, false, &zero_from));
  ck_assert_uint_eq(tails(), SLICE - UNIT); /* that slice is dirty */
  ck_assert(mia_page_resize_singleton(page, 4 * SLICE - page->padding, false, &zero_from));
  ck_assert_uint_eq(tails(), 0);
}
END_TEST

/* Nothing but the tail, whose bytes then read as zero. */
START_TEST(given_back_where_there_is_much) {
  const size_t end = 8 * UNIT + UNIT, tail = SLICE - end;
  size_t counted = 0;
  for (size_t bytes = 0; bytes < MUCH; bytes += tail) {
    mia_page *page = made(SLICE);
    size_t before = tails(), purged = fake.purged;
    renew(page, end);
    bool gone = fake.purged > purged;
    need_at(fake.purged - purged == (gone ? tail : 0), bytes);
    need_at(tails() == before + (gone ? 0 : tail), bytes);
    const char *span = mia_page_span(page);
    need_at(page->start[0] == 7 && span[end - 1] == 7 && span[end] == (gone ? 0 : 7), bytes);
    need_at(span[SLICE - 1] == (gone ? 0 : 7), bytes);
    if (!gone) counted++;
  }
  ck_assert_uint_gt(fake.purged, 0);
  ck_assert_uint_eq(tails(), counted * tail);
  ck_assert_uint_lt(tails(), MUCH - MIA_MIB / 2);
}
END_TEST

START_TEST(what_cannot_be_given_back_is_not_counted) {
  mia_page *page = made(SLICE);
  mia_aword_set(&mia_arena_all.tails, MUCH);
  errno = 123;
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  renew(page, 9 * UNIT);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 1);
  ck_assert(tails() == MUCH && errno == 123);
  ck_assert(page->start[0] == 7);
}
END_TEST

SUITE("page/tail") {
  CASE(world_of_pages, world_end);
  TEST(counted_while_it_is_there);
  TEST(none_where_nothing_was_written);
  TEST(all_of_a_span_that_is_dirty);
  TEST(resizing_counts_anew);
  TEST(given_back_where_there_is_much);
  TEST(what_cannot_be_given_back_is_not_counted);
}
