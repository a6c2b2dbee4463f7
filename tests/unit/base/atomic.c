/* SPDX-License-Identifier: MIT */
/* Tests the alignment of cells, what their operations return, and that none is lost. */
#include "unit/threads.h"

#include "base/layout.h"
#include "base/peak.h"

#include <pthread.h>

enum { THREADS = 3, ROUNDS = 100000, RAISES = 1000000 };

/* A char before each cell makes the compiler misalign the cell if it ever does. */
static struct {
  char odd;
  mia_acell cell;
  char odd_too;
  mia_aword word;
} odd;

START_TEST(cells_lie_at_multiples_of_their_size) {
  ck_assert_uint_eq((uintptr_t)&odd.cell % sizeof odd.cell, 0);
  ck_assert_uint_eq((uintptr_t)&odd.word % sizeof odd.word, 0);
  ck_assert_uint_eq(sizeof(mia_acell) * CHAR_BIT, MIA_CELL_BITS);
}
END_TEST

#define RETURNS(A, T)                                                  \
  do {                                                                 \
    A a;                                                               \
    T was = 0, top = (T)1 << (sizeof(T) * CHAR_BIT - 1);               \
    A##_set(&a, 5);                                                    \
    ck_assert_uint_eq(A##_get(&a), 5);                                 \
    A##_set_rel(&a, top | 6);                                          \
    ck_assert(A##_get_acq(&a) == (top | 6));                           \
    ck_assert(A##_swap_acq_rel(&a, 9) == (top | 6));                   \
    ck_assert(A##_swap(&a, 7) == 9);                                   \
    ck_assert(A##_swap_acq(&a, 8) == 7 && A##_swap_rel(&a, 7) == 8);   \
    ck_assert_uint_eq(A##_add(&a, 3), 7);                              \
    ck_assert_uint_eq(A##_sub(&a, 11), 10);                            \
    ck_assert(A##_get(&a) == (T)-1);                                   \
    ck_assert(A##_and(&a, 0x0f) == (T)-1);                             \
    ck_assert_uint_eq(A##_or(&a, 0x30), 0x0f);                         \
    ck_assert_uint_eq(A##_or_rel(&a, 0x40), 0x3f);                     \
    ck_assert_uint_eq(A##_get(&a), 0x7f);                              \
    ck_assert(!A##_cas(&a, &was, 1) && was == 0x7f);                   \
    while (!A##_cas(&a, &was, 1)) ck_assert(was == 0x7f);              \
    for (was = 0; !A##_cas_acq(&a, &was, 2);) ck_assert(was == 1);     \
    for (was = 0; !A##_cas_rel(&a, &was, 3);) ck_assert(was == 2);     \
    for (was = 0; !A##_cas_acq_rel(&a, &was, 4);) ck_assert(was == 3); \
    ck_assert_uint_eq(A##_get(&a), 4);                                 \
  } while (0)

START_TEST(a_word_returns_what_was) { RETURNS(mia_aword, uintptr_t); }
END_TEST
START_TEST(a_cell_returns_what_was) { RETURNS(mia_acell, mia_bits); }
END_TEST

START_TEST(raise_keeps_the_largest) {
  mia_aword peak = {0};
  mia_aword_raise(&peak, 5);
  mia_aword_raise(&peak, 3);
  ck_assert_uint_eq(mia_aword_get(&peak), 5);
  mia_aword_raise(&peak, UINTPTR_MAX);
  ck_assert(mia_aword_get(&peak) == UINTPTR_MAX);
}
END_TEST

static struct {
  mia_aword sum, swaps, peak;
  mia_acell bits;
} shared;

static pthread_barrier_t together;

static void *mix(void *arg) {
  uintptr_t me = (uintptr_t)arg;
  mia_bits mine = (mia_bits)1 << me;
  pthread_barrier_wait(&together);
  for (uintptr_t i = 0; i < ROUNDS; i++) {
    mia_aword_add(&shared.sum, 3);
    mia_aword_sub(&shared.sum, 2);
    uintptr_t was = mia_aword_get(&shared.swaps);
    while (!mia_aword_cas_acq_rel(&shared.swaps, &was, was + 1)) {}
    note((mia_acell_or(&shared.bits, mine) & mine) == 0);
    note((mia_acell_and(&shared.bits, ~mine) & mine) != 0);
  }
  for (uintptr_t i = 0; i < RAISES; i++) {
    mia_aword_raise(&shared.peak, i * THREADS + me);
    note(mia_aword_get(&shared.peak) >= i * THREADS + me);
  }
  return NULL;
}

START_TEST(no_change_of_any_thread_is_lost) {
  memset(&shared, 0, sizeof shared);
  pthread_barrier_init(&together, NULL, THREADS);
  run_threads(THREADS, mix);
  pthread_barrier_destroy(&together);
  ck_assert_uint_eq(mia_aword_get(&shared.sum), THREADS * ROUNDS);
  ck_assert_uint_eq(mia_aword_get(&shared.swaps), THREADS * ROUNDS);
  ck_assert_uint_eq(mia_acell_get(&shared.bits), 0);
  ck_assert_uint_eq(mia_aword_get(&shared.peak), THREADS * RAISES - 1);
}
END_TEST

/* What was written before a release is seen after an acquire. */
static int message;
static mia_aword flag;
static void *publish(void *unused) {
  (void)unused;
  message = 42;
  mia_aword_set_rel(&flag, 1);
  return NULL;
}
START_TEST(release_publishes_what_came_before) {
  pthread_t thread;
  message = 0;
  mia_aword_set(&flag, 0);
  pthread_create(&thread, NULL, publish, NULL);
  while (mia_aword_get_acq(&flag) == 0) {}
  ck_assert_int_eq(message, 42);
  pthread_join(thread, NULL);
}
END_TEST

/* Ticks are compared by their difference: a deadline counts as reached for half the range. */
START_TEST(ticks_are_reached_across_the_wrap) {
  const mia_time_ms last = (mia_time_ms)-1, half = (mia_time_ms)1 << (MIA_CELL_BITS - 1);
  const mia_time_ms at[] = {1, 1000, half - 1, half, half + 1, last - 5, last};
  for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
    mia_time_ms t = at[i];
    ck_assert(mia_time_reached(t, t));
    ck_assert(mia_time_reached(t + 1, t));
    ck_assert(mia_time_reached(t + 100, t));
    ck_assert(mia_time_reached(t + half - 1, t));
    ck_assert(!mia_time_reached(t - 1, t));
    ck_assert(!mia_time_reached(t - 100, t));
    ck_assert(!mia_time_reached(t + half, t));
  }
}
END_TEST

SUITE("base/atomic") {
  CASE(NULL, NULL);
  TEST(cells_lie_at_multiples_of_their_size);
  TEST(a_word_returns_what_was);
  TEST(a_cell_returns_what_was);
  TEST(raise_keeps_the_largest);
  TEST(no_change_of_any_thread_is_lost);
  TEST(release_publishes_what_came_before);
  TEST(ticks_are_reached_across_the_wrap);
}
