/* SPDX-License-Identifier: MIT */
/* Compares runs of bits with an array of bools. */
#include "unit/threads.h"

#include "fuzz/bits.h"

#include <pthread.h>

enum { THREADS = 3, ROUNDS = 30000, RANDOM_OPS = 60000 };

/* Tries runs from every bit on, also across the borders of cells. */
START_TEST(a_run_is_given_and_claimed_exactly) {
  for (size_t first = 0; first < BITS; first++)
    for (size_t count = 1; first + count <= BITS; count += 1 + count / 9) {
      mia_map_give(cells, first, count);
      bits_fill(first, count, true);
      need_at(bits_agree(), first);
      need_at(mia_map_all(cells, first, count) && mia_map_any(cells, first, count), first);
      need_at(mia_map_count(cells, 0, BITS) == count, first);
      need_at(mia_map_count(cells, first + count / 2, count - count / 2) == count - count / 2,
              first);
      need_at(mia_map_claim(cells, first, count), first);
      bits_fill(first, count, false);
      need_at(bits_agree(), first);
    }
}
END_TEST

START_TEST(a_claim_takes_all_or_nothing) {
  for (size_t missing = 0; missing < BITS; missing++) {
    bits_begin();
    mia_map_set(cells, 0, BITS);
    mia_map_clear(cells, missing, 1);
    bits_fill(0, BITS, true);
    bits_fill(missing, 1, false);
    need_at(!mia_map_claim(cells, 0, BITS), missing);
    need_at(!mia_map_claim(cells, missing, 1), missing);
    need_at(!mia_map_claim(cells, missing / 2, BITS - missing / 2), missing);
    need_at(bits_agree(), missing);
    need_at(mia_map_claim(cells, 0, missing), missing);
    need_at(mia_map_claim(cells, missing + 1, BITS - missing - 1), missing);
    need_at(!mia_map_any(cells, 0, BITS), missing);
  }
}
END_TEST

START_TEST(set_and_clear_work_on_runs_that_are_mixed) {
  mia_map_set(cells, 3, 2 * MIA_CELL_BITS);
  mia_map_set(cells, 1, 4);
  bits_fill(1, 2 * MIA_CELL_BITS + 2, true);
  ck_assert(bits_agree());
  mia_map_clear(cells, 0, MIA_CELL_BITS + 1);
  mia_map_clear(cells, 2, 9);
  bits_fill(0, MIA_CELL_BITS + 1, false);
  ck_assert(bits_agree());
}
END_TEST

START_TEST(searches_of_nothing_and_at_the_end) {
  ck_assert_uint_eq(mia_map_next_set(cells, 0, BITS), BITS);
  ck_assert_uint_eq(mia_map_next_clear(cells, 5, 5), 5);
  ck_assert(!mia_map_any(cells, 7, 0) && mia_map_all(cells, 7, 0));
  ck_assert(mia_map_find(cells, 0, BITS, 1, 1, 0) == MIA_MAP_NONE);
  mia_map_set(cells, BITS - 1, 1);
  ck_assert_uint_eq(mia_map_find(cells, 0, BITS, 1, 1, 0), BITS - 1);
  ck_assert(mia_map_find(cells, 0, BITS, 2, 1, 0) == MIA_MAP_NONE);
  ck_assert(mia_map_find(cells, 0, BITS - 1, 1, 1, 0) == MIA_MAP_NONE);
  ck_assert(mia_map_find(cells, BITS, BITS, 1, 1, 0) == MIA_MAP_NONE);
}
END_TEST

START_TEST(find_keeps_alignment_in_every_phase) {
  mia_map_set(cells, 1, BITS - 2);
  bits_fill(1, BITS - 2, true);
  for (size_t step = 1; step <= 64; step *= 2)
    for (size_t phase = 0; phase < step; phase++)
      for (size_t count = 1; count < BITS; count += 13) {
        size_t found = mia_map_find(cells, 0, BITS, count, step, phase);
        need_at(found == bits_find(0, BITS, count, step, phase), phase);
      }
}
END_TEST

START_TEST(random_changes_match_the_model) {
  uint64_t random = suite_random(1);
  for (int i = 0; i < RANDOM_OPS; i++) {
    size_t first = random_below(&random, BITS);
    size_t most = BITS - first,
           count = 1 + random_below(&random, i % 8 == 0 ? most : 1 + most / 16);
    need_at(bits_change(random_below(&random, BITS_CHANGES), first, count) == NULL, i);
    size_t from = random_below(&random, BITS),
           limit = from + random_below(&random, BITS - from + 1);
    size_t step = (size_t)1 << random_below(&random, 6), phase = random_below(&random, step);
    size_t run = 1 + random_below(&random, 12);
    need_at(bits_ask(first, count) == NULL, i);
    need_at(bits_search(from, limit, run, step, phase) == NULL, i);
    if (i % 64 == 0) need_at(bits_agree(), i);
  }
  ck_assert(bits_agree());
}
END_TEST

/* ---- threads ----
 * A thread that has claimed a run writes to bytes that stand for its bits.  Two owners
 * of a bit would see each other's writes, and TSan would report them. */

static unsigned char owner[BITS_MAX];
static size_t shared; /* bits that the threads contend for */
static pthread_barrier_t together;

static void *claim_and_give(void *arg) {
  unsigned char me = (unsigned char)((uintptr_t)arg + 1);
  uint64_t random = suite_random(1000u + me);
  pthread_barrier_wait(&together);
  int rounds = shared == BITS ? ROUNDS
                              : 30 * ROUNDS; /* longer than a time slice of the scheduler */
  for (int i = 0; i < rounds; i++) {
    size_t count = 1 + random_below(&random, i % 4 == 0 ? MIA_CELL_BITS + 7 : 5);
    size_t step = (size_t)1 << random_below(&random, 3);
    size_t first = mia_map_find(cells, random_below(&random, shared), shared, count, step, 0);
    if (first == MIA_MAP_NONE || !mia_map_claim(cells, first, count)) continue;
    for (size_t b = first; b < first + count; b++) {
      note(owner[b] == 0);
      owner[b] = me;
    }
    for (size_t b = first; b < first + count; b++) {
      note(owner[b] == me);
      owner[b] = 0;
    }
    mia_map_give(cells, first, count);
  }
  return NULL;
}

START_TEST(a_bit_has_one_owner) {
  shared = _i == 0 ? BITS : 6;
  mia_map_give(cells, 0, BITS);
  pthread_barrier_init(&together, NULL, THREADS);
  run_threads(THREADS, claim_and_give);
  pthread_barrier_destroy(&together);
  ck_assert(mia_map_all(cells, 0, BITS));
}
END_TEST

START_TEST(giving_what_nobody_holds_is_fatal) {
  mia_map_give(cells, 3, 4);
  mia_map_give(cells, 6, 4);
}
END_TEST

SUITE("map/bitmap") {
  CASE(bits_begin, NULL);
  TEST(a_run_is_given_and_claimed_exactly);
  TEST(a_claim_takes_all_or_nothing);
  TEST(set_and_clear_work_on_runs_that_are_mixed);
  TEST(searches_of_nothing_and_at_the_end);
  TEST(find_keeps_alignment_in_every_phase);
  TEST(random_changes_match_the_model);
  LOOP(a_bit_has_one_owner, 0, 2);
  DIES_IN_DEBUG(giving_what_nobody_holds_is_fatal, SIGABRT);
}
