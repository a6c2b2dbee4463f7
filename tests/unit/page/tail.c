/* SPDX-License-Identifier: MIT */
/* Tails: what a longer block wrote behind the end of a shorter one. */
#include "fake/world.h"

#include "page/canary.h"
#include "page/owner.h"
#include "page/tail.h"

#include <errno.h>

/* If there is more of them than this, tails are given back, however much memory is in use. */
#define TAILS_MAX (6 * MIA_MIB)

static size_t counted_tails(void) { return mia_aword_get(&mia_arena_all.tails); }

/* Makes a page whose padding and block take `bytes' of its span, and fills the block. */
static mia_page *make_page(size_t bytes) {
  bool zero;
  mia_page *page = mia_page_make_singleton(
      &(mia_singleton_request){
          .size = bytes - MIA_SINGLETON_PADDING, .align = 1, .redzone = MIA_DEBUG},
      &zero);
  ck_assert(page != NULL && page->padding + page->size == bytes);
  memset(page->start, 7, page->size);
  return page;
}

static void make_empty(mia_page *page) {
  ck_assert(mia_owner_claim(page));
  page->used = 0;
  mia_page_hide_singleton(page);
}

static void renew(mia_page *page, size_t bytes) {
  make_empty(page);
  mia_page_reuse_singleton(page, bytes - page->padding);
  memset(page->start, 7, page->size);
}

static void retire(mia_page *page) {
  make_empty(page);
  mia_page_retire(page);
}

START_TEST(counted_while_it_is_there) {
  mia_page *page = make_page(SLICE);
  ck_assert_uint_eq(counted_tails(), 0);
  renew(page, 9 * OS_PAGE);
  ck_assert_uint_eq(counted_tails(), SLICE - 9 * OS_PAGE);
  renew(page, 10 * OS_PAGE);
  ck_assert_uint_eq(counted_tails(), SLICE - 10 * OS_PAGE);
  renew(page, 10 * OS_PAGE - 5);
  ck_assert_uint_eq(counted_tails(), SLICE - 10 * OS_PAGE);
  renew(page, SLICE);
  ck_assert_uint_eq(counted_tails(), 0);
  renew(page, 9 * OS_PAGE);
  retire(page);
  ck_assert_uint_eq(counted_tails(), 0);
  ck_assert_uint_eq(fake.purged, 0);
}
END_TEST

START_TEST(memory_never_written_is_no_tail) {
  mia_page *page = make_page(9 * OS_PAGE);
  ck_assert_uint_eq(counted_tails(), 0);
  renew(page, 12 * OS_PAGE);
  renew(page, 10 * OS_PAGE);
  ck_assert_uint_eq(counted_tails(), 2 * OS_PAGE);
}
END_TEST

/* How far a span was written by its users before is not recorded. */
START_TEST(a_dirty_span_counts_as_written) {
  retire(make_page(2 * SLICE));
  mia_page *page = make_page(SLICE + OS_PAGE);
  ck_assert_uint_eq(counted_tails(), SLICE - OS_PAGE);
  retire(page);
  ck_assert_uint_eq(counted_tails(), 0);
}
END_TEST

START_TEST(resizing_counts_anew) {
  size_t zero_from;
  mia_page *page = make_page(3 * SLICE);
  ck_assert(
      mia_page_resize_singleton(page, 2 * SLICE + OS_PAGE - page->padding, false, &zero_from));
  ck_assert_uint_eq(counted_tails(), SLICE - OS_PAGE);
  ck_assert(mia_page_resize_singleton(page, 2 * SLICE - page->padding, false, &zero_from));
  ck_assert_uint_eq(counted_tails(), 0);
  ck_assert(
      mia_page_resize_singleton(page, 2 * SLICE + OS_PAGE - page->padding, false, &zero_from));
  ck_assert_uint_eq(counted_tails(), SLICE - OS_PAGE); /* that slice is dirty */
  ck_assert(mia_page_resize_singleton(page, 4 * SLICE - page->padding, false, &zero_from));
  ck_assert_uint_eq(counted_tails(), 0);
}
END_TEST

/* Only the tail is given back, and its bytes then read as zero. */
START_TEST(given_back_where_there_is_much) {
  const size_t end = 8 * OS_PAGE + OS_PAGE, tail = SLICE - end;
  size_t kept = 0;
  for (size_t bytes = 0; bytes < TAILS_MAX; bytes += tail) {
    mia_page *page = make_page(SLICE);
    size_t before = counted_tails(), purged = fake.purged;
    renew(page, end);
    bool gone = fake.purged > purged;
    need_at(fake.purged - purged == (gone ? tail : 0), bytes);
    need_at(counted_tails() == before + (gone ? 0 : tail), bytes);
    const char *span = mia_page_span(page);
    need_at(page->start[0] == 7 && span[end - 1] == 7 && span[end] == (gone ? 0 : 7), bytes);
    need_at(span[SLICE - 1] == (gone ? 0 : 7), bytes);
    if (!gone) kept++;
  }
  ck_assert_uint_gt(fake.purged, 0);
  ck_assert_uint_eq(counted_tails(), kept * tail);
  ck_assert_uint_lt(counted_tails(), TAILS_MAX - MIA_MIB / 2);
}
END_TEST

/* Makes pages with tails until one is given back.  Returns the sum of those before. */
static size_t tails_until_one_goes(size_t tail) {
  size_t kept = counted_tails();
  while (fake.purged == 0 && kept < TAILS_MAX) {
    kept = counted_tails();
    renew(make_page(SLICE), SLICE - tail);
  }
  return kept;
}

/* Loop index: MiB of idle memory elsewhere. */
START_TEST(idle_memory_lowers_the_bound_to_3_mib) {
  const size_t tail = 7 * OS_PAGE, most = 9 * MIA_MIB / 2, idle = (size_t)_i * MIA_MIB;
  const size_t bound = idle < MIA_MIB * 3 / 2 ? most - idle : 3 * MIA_MIB;
  mia_aword_set(&mia_arena_all.idle, idle);
  size_t kept = tails_until_one_goes(tail);
  ck_assert_uint_le(kept, bound);
  ck_assert_uint_gt(kept, bound - tail);
}
END_TEST

START_TEST(what_cannot_be_given_back_is_not_counted) {
  mia_page *page = make_page(SLICE);
  mia_aword_set(&mia_arena_all.tails, TAILS_MAX);
  errno = ERRNO_MARK;
  fake_refuse(FAKE_PURGE, 1, FAKE_EVER);
  renew(page, 9 * OS_PAGE);
  ck_assert_uint_eq(fake_calls(FAKE_PURGE), 1);
  ck_assert(counted_tails() == TAILS_MAX && errno == ERRNO_MARK);
  ck_assert(page->start[0] == 7);
}
END_TEST

SUITE("page/tail") {
  CASE(world_of_pages, world_end);
  TEST(counted_while_it_is_there);
  TEST(memory_never_written_is_no_tail);
  TEST(a_dirty_span_counts_as_written);
  TEST(resizing_counts_anew);
  TEST(given_back_where_there_is_much);
  LOOP(idle_memory_lowers_the_bound_to_3_mib, 0, 8);
  TEST(what_cannot_be_given_back_is_not_counted);
}
