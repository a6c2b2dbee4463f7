/* SPDX-License-Identifier: MIT */
/* Tests that addresses lead to their pages. */
#include "fake/world.h"
#include "unit/threads.h"

/* The page map does not access these addresses: nothing need be mapped there. */
static const char *at(uint64_t address) { return (const char *)(uintptr_t)address; }

#define LEAF_SPAN ((uint64_t)1 << (MIA_SLICE_SHIFT + MIA_MAP_LEAF_SHIFT))
#define HERE (MIA_POINTER_64 ? (uint64_t)0x700000000000 : (uint64_t)0x40000000)

enum { THREADS = 3, LEAVES = 24 };

/* These stand for pages. */
static int pages[THREADS];

START_TEST(what_was_never_set_is_not_ours) {
  uint64_t random = suite_random(1);
  int local;
  ck_assert_ptr_null(mia_map_page_at(NULL));
  ck_assert_ptr_null(mia_map_page_at(&local));
  ck_assert_ptr_null(mia_map_page_at(&pages[0]));
  ck_assert_ptr_null(mia_map_page_at(at(UINT64_MAX)));
  for (int i = 0; i < 10000; i++) need_at(mia_map_page_at(at(random_next(&random))) == NULL, i);
}
END_TEST

START_TEST(a_page_is_found_from_every_byte_of_its_slices) {
  const char *start = at(HERE + 5 * MIA_SLICE_SIZE);
  const size_t slices = 3, size = slices * MIA_SLICE_SIZE;
  ck_assert(mia_map_cover(start, size));
  mia_map_set_page(start, slices, &pages[0]);
  mia_map_set_page(start + size, 1, &pages[1]);
  for (size_t i = 0; i < size; i += 997) need_at(mia_map_page_at(start + i) == &pages[0], i);
  ck_assert_ptr_eq(mia_map_page_at(start + size - 1), &pages[0]);
  ck_assert_ptr_eq(mia_map_page_at(start + size), &pages[1]);
  ck_assert_ptr_null(mia_map_page_at(start - 1));
  ck_assert_ptr_null(mia_map_page_at(start + size + MIA_SLICE_SIZE));
  mia_map_set_page(start, slices, NULL);
  for (size_t i = 0; i < size; i += 997) need_at(mia_map_page_at(start + i) == NULL, i);
  ck_assert_ptr_eq(mia_map_page_at(start + size), &pages[1]);
}
END_TEST

START_TEST(a_block_begins_at_a_multiple_of_the_smallest) {
  const char *start = at(HERE + 5 * MIA_SLICE_SIZE);
  ck_assert(mia_map_cover(start, MIA_SLICE_SIZE));
  mia_map_set_page(start, 1, &pages[0]);
  for (size_t i = 0; i < MIA_SLICE_SIZE; i++) {
    const void *found = i % MIA_BLOCK_MIN == 0 ? &pages[0] : NULL;
    need_at(mia_map_page_of_block(start + i) == found, i);
  }
  ck_assert_ptr_null(mia_map_page_of_block(start - MIA_BLOCK_MIN));
  ck_assert_ptr_null(mia_map_page_of_block(start + MIA_SLICE_SIZE));
  ck_assert_ptr_null(mia_map_page_of_block(NULL));
}
END_TEST

START_TEST(the_first_leaf_costs_nothing) {
  ck_assert(mia_map_cover(at(HERE), MIA_SLICE_SIZE));
  ck_assert(mia_map_cover(at(HERE), LEAF_SPAN / 2));
  ck_assert_uint_eq(fake_calls(FAKE_ANY), 0);
}
END_TEST

START_TEST(setting_over_a_page_is_fatal) {
  (void)mia_map_cover(at(HERE), MIA_SLICE_SIZE);
  mia_map_set_page(at(HERE), 1, &pages[0]);
  mia_map_set_page(at(HERE), 1, &pages[1]);
}
END_TEST

#if MIA_POINTER_64

enum { TAG_BIT = 56, ADDRESS_BITS = 48 };

/* Returns what is found if this bit, above the lowest 48, is set in a page's address. */
static const void *expected(unsigned bit) {
  bool ignored = MIA_ADDRESS_SIGNED || (MIA_ADDRESS_TAGGED && bit >= TAG_BIT);
  return ignored ? &pages[0] : NULL;
}

START_TEST(an_address_has_48_bits) {
  ck_assert(mia_map_cover(at(HERE), 1));
  mia_map_set_page(at(HERE), 1, &pages[0]);
  for (unsigned bit = ADDRESS_BITS; bit < 64; bit++) {
    const char *wild = at((HERE + MIA_BLOCK_ALIGN) | (uint64_t)1 << bit);
    need_at(mia_map_page_at(wild) == expected(bit), bit);
    need_at(mia_map_page_of_block(wild) == expected(bit), bit);
  }
  ck_assert_int_eq(mia_map_cover(at(HERE | (uint64_t)1 << ADDRESS_BITS), 1), MIA_ADDRESS_SIGNED);
  ck_assert_int_eq(mia_map_cover(at(((uint64_t)1 << ADDRESS_BITS) - 1), 2), MIA_ADDRESS_SIGNED);
}
END_TEST

START_TEST(another_4_gib_need_one_leaf_once) {
  ck_assert(mia_map_cover(at(HERE), 1));
  ck_assert(mia_map_cover(at(HERE + 7 * LEAF_SPAN), 1));
  ck_assert_uint_eq(fake_calls(FAKE_ANY), 1);
  ck_assert(mia_map_cover(at(HERE + 7 * LEAF_SPAN), 3 * LEAF_SPAN));
  ck_assert_uint_eq(fake_calls(FAKE_ANY), 3);
  mia_map_set_page(at(HERE), 1, &pages[0]);
  mia_map_set_page(at(HERE + 7 * LEAF_SPAN), 1, &pages[1]);
  ck_assert_ptr_eq(mia_map_page_at(at(HERE)), &pages[0]);
  ck_assert_ptr_eq(mia_map_page_at(at(HERE + 7 * LEAF_SPAN)), &pages[1]);
  ck_assert_ptr_null(mia_map_page_at(at(HERE + 8 * LEAF_SPAN)));
}
END_TEST

START_TEST(a_page_may_lie_across_leaves) {
  const char *start = at(HERE + LEAF_SPAN - 2 * MIA_SLICE_SIZE);
  ck_assert(mia_map_cover(start, 4 * MIA_SLICE_SIZE));
  mia_map_set_page(start, 4, &pages[0]);
  for (size_t i = 0; i < 4; i++)
    ck_assert_ptr_eq(mia_map_page_at(start + i * MIA_SLICE_SIZE), &pages[0]);
  ck_assert_ptr_null(mia_map_page_at(start - 1));
  ck_assert_ptr_null(mia_map_page_at(start + 4 * MIA_SLICE_SIZE));
}
END_TEST

START_TEST(a_failure_to_make_a_leaf_is_not_final) {
  ck_assert(mia_map_cover(at(HERE), 1));
  fake_refuse(FAKE_RESERVE_LIVE, 1, 1);
  ck_assert(!mia_map_cover(at(HERE + LEAF_SPAN), 1));
  ck_assert(mia_map_cover(at(HERE + LEAF_SPAN), 1));
}
END_TEST

static void *cover_all(void *arg) {
  uintptr_t me = (uintptr_t)arg;
  for (uint64_t i = 0; i < LEAVES; i++) {
    const char *p = at(HERE + i * LEAF_SPAN + me * MIA_SLICE_SIZE);
    note(mia_map_cover(p, 1));
    mia_map_set_page(p, 1, &pages[me]);
    note(mia_map_page_at(p) == &pages[me]);
  }
  return NULL;
}

/* If an address has a leaf already, the prepared one is released. */
START_TEST(what_was_prepared_covers_and_is_used_once) {
  for (int i = 0; i < 2; i++) {
    void *prepared = mia_map_prepare();
    fake_refuse(FAKE_RESERVE_LIVE, 1, FAKE_EVER);
    mia_map_cover_prepared(at(HERE), prepared);
    ck_assert_uint_eq(fake.mapped, world_of_leaves());
    fake_allow();
  }
  mia_map_set_page(at(HERE), 1, &pages[0]);
  ck_assert_ptr_eq(mia_map_page_at(at(HERE)), &pages[0]);
  fake_refuse(FAKE_RESERVE_LIVE, 1, 1);
  ck_assert_ptr_null(mia_map_prepare());
}
END_TEST

/* A thread that loses the race for a leaf releases its own. */
START_TEST(leaves_made_at_once_are_one) {
  run_threads(THREADS, cover_all);
  size_t leaf = sizeof(mia_aword) * MIA_MAP_LEAF_ENTRIES;
  ck_assert(fake.mapped == (LEAVES - 1) * leaf || fake.mapped == LEAVES * leaf);
  for (uint64_t i = 0; i < LEAVES; i++)
    for (int t = 0; t < THREADS; t++)
      need_at(mia_map_page_at(at(HERE + i * LEAF_SPAN + (uint64_t)t * MIA_SLICE_SIZE)) == &pages[t],
              i);
}
END_TEST

#endif

SUITE("map/pagemap") {
  CASE(world_of_arenas, world_end);
  TEST(what_was_never_set_is_not_ours);
  TEST(a_page_is_found_from_every_byte_of_its_slices);
  TEST(a_block_begins_at_a_multiple_of_the_smallest);
  TEST(the_first_leaf_costs_nothing);
#if MIA_POINTER_64
  TEST(an_address_has_48_bits);
  TEST(another_4_gib_need_one_leaf_once);
  TEST(a_page_may_lie_across_leaves);
  TEST(a_failure_to_make_a_leaf_is_not_final);
  TEST(what_was_prepared_covers_and_is_used_once);
  TEST(leaves_made_at_once_are_one);
#endif
  DIES_IN_DEBUG(setting_over_a_page_is_fatal, SIGABRT);
}
