/* SPDX-License-Identifier: MIT */
/* litmus.c -- the checker's own tests: it never shows what C11 forbids, shows what C11
 * allows, and finds data races exactly where there are any.
 *
 * A test for something that is allowed has a check that fails when it is seen. */
#include "base/prelude.h"

#include "base/atomic.h"
#include "models.h"
#include "stage.h"

static mia_aword x, y;
static int plain;
static uintptr_t saw[RACE_THREADS][2];

#define MODEL(id, label, what, found, ...)               \
  static const race_model id = {.name = "litmus/" label, \
                                .subject = what,         \
                                .begin = stage_begin,    \
                                .finds = found,          \
                                .threads = {__VA_ARGS__}}

/* ---- message passing ---- */

static void mp_write(void) {
  plain = 1;
  mia_aword_set_rel(&x, 1);
}
static void mp_write_relaxed(void) {
  plain = 1;
  mia_aword_set(&x, 1);
}
static void mp_read(void) {
  if (mia_aword_get_acq(&x) == 1) race_check(plain == 1);
}
static void mp_read_relaxed(void) {
  if (mia_aword_get(&x) == 1) race_check(plain == 1);
}

MODEL(mp, "mp", "message passing by release and acquire", NULL, mp_write, mp_read);
MODEL(mp_no_release, "mp-no-release", "message passing without release", "data race",
      mp_write_relaxed, mp_read);
MODEL(mp_no_acquire, "mp-no-acquire", "message passing without acquire", "data race", mp_write,
      mp_read_relaxed);

static void mp_atomic_write(void) {
  mia_aword_set(&y, 1);
  mia_aword_set(&x, 1);
}
static void mp_atomic_read(void) {
  if (mia_aword_get(&x) == 1) race_check(mia_aword_get(&y) == 1);
}
MODEL(mp_stale, "mp-stale", "a relaxed message overtakes another", "check failed", mp_atomic_write,
      mp_atomic_read);

/* One thread writes, one passes on, one reads: happens-before is transitive. */
static void wrc_pass(void) {
  if (mia_aword_get_acq(&x) == 1) mia_aword_set_rel(&y, 1);
}
static void wrc_read(void) {
  if (mia_aword_get_acq(&y) == 1) race_check(plain == 1);
}
MODEL(wrc, "wrc", "a thread passes a message on", NULL, mp_write, wrc_pass, wrc_read);

/* A thread that acquires cannot read an older value than the releasing thread had read. */
static void corr_write(void) { mia_aword_set(&x, 1); }
static void corr_pass(void) {
  if (mia_aword_get(&x) == 1) mia_aword_set_rel(&y, 1);
}
static void corr_read(void) {
  if (mia_aword_get_acq(&y) == 1) race_check(mia_aword_get(&x) == 1);
}
MODEL(corr, "corr", "a value read before a release is not read older", NULL, corr_write, corr_pass,
      corr_read);

/* ---- release sequences ---- */

static void rs_add(void) { (void)mia_aword_add(&x, 1); }
static void rs_read(void) {
  if (mia_aword_get_acq(&x) == 2) race_check(plain == 1);
}
MODEL(rs, "release-sequence", "a relaxed add passes on what was released", NULL, mp_write, rs_add,
      rs_read);

static void rs_store(void) {
  if (mia_aword_get(&x) == 1) mia_aword_set(&x, 2);
}
MODEL(rs_broken, "release-sequence-broken", "a relaxed store does not pass it on", "data race",
      mp_write, rs_store, rs_read);

/* ---- what is allowed ---- */

static void sb_first(void) {
  mia_aword_set_rel(&x, 1);
  saw[0][0] = mia_aword_get_acq(&y);
}
static void sb_second(void) {
  mia_aword_set_rel(&y, 1);
  saw[1][0] = mia_aword_get_acq(&x);
}
static void sb_end(void) { race_check(saw[0][0] == 1 || saw[1][0] == 1); }
static const race_model sb = {.name = "litmus/sb",
                              .subject = "store buffering is seen",
                              .begin = stage_begin,
                              .threads = {sb_first, sb_second},
                              .end = sb_end,
                              .finds = "check failed"};

static void iriw_x(void) { mia_aword_set_rel(&x, 1); }
static void iriw_y(void) { mia_aword_set_rel(&y, 1); }
static void iriw_first(void) {
  saw[0][0] = mia_aword_get_acq(&x);
  saw[0][1] = mia_aword_get_acq(&y);
}
static void iriw_second(void) {
  saw[1][0] = mia_aword_get_acq(&y);
  saw[1][1] = mia_aword_get_acq(&x);
}
static void iriw_end(void) {
  race_check(!(saw[0][0] == 1 && saw[0][1] == 0 && saw[1][0] == 1 && saw[1][1] == 0));
}
static const race_model iriw = {.name = "litmus/iriw",
                                .subject = "two readers see two stores in either order",
                                .begin = stage_begin,
                                .threads = {iriw_x, iriw_y, iriw_first, iriw_second},
                                .end = iriw_end,
                                .finds = "check failed"};

/* The first store of each thread may come last in the modification order. */
static void two_first(void) {
  mia_aword_set(&x, 1);
  mia_aword_set(&y, 2);
}
static void two_second(void) {
  mia_aword_set(&y, 1);
  mia_aword_set(&x, 2);
}
static void two_end(void) { race_check(!(mia_aword_get(&x) == 1 && mia_aword_get(&y) == 1)); }
static const race_model two = {.name = "litmus/2+2w",
                               .subject = "stores take effect in another order",
                               .begin = stage_begin,
                               .threads = {two_first, two_second},
                               .end = two_end,
                               .finds = "check failed"};

/* ---- coherence ---- */

static void co_write(void) {
  mia_aword_set(&x, 1);
  mia_aword_set(&x, 2);
}
static void co_read(void) {
  uintptr_t first = mia_aword_get(&x);
  race_check(mia_aword_get(&x) >= first);
}
static void co_end(void) { race_check(mia_aword_get(&x) == 2); }
static const race_model coherence = {.name = "litmus/coherence",
                                     .subject = "one cell has one order",
                                     .begin = stage_begin,
                                     .threads = {co_write, co_read, co_read},
                                     .end = co_end};

/* ---- read-modify-write ---- */

static void add_twice(void) {
  (void)mia_aword_add(&x, 1);
  (void)mia_aword_add(&x, 1);
}
static void add_end(void) { race_check(mia_aword_get(&x) == 6); }
static const race_model adds = {.name = "litmus/add",
                                .subject = "no add is lost",
                                .begin = stage_begin,
                                .threads = {add_twice, add_twice, add_twice},
                                .end = add_end};

static void cas_add(void) {
  uintptr_t was = mia_aword_get(&x);
  while (!mia_aword_cas(&x, &was, was + 1)) {}
}
static void cas_end(void) { race_check(mia_aword_get(&x) == 3); }
static const race_model exchange = {.name = "litmus/cas",
                                    .subject = "no exchange is lost, spurious failures included",
                                    .begin = stage_begin,
                                    .threads = {cas_add, cas_add, cas_add},
                                    .end = cas_end,
                                    .spurious = 2};

static void load_store(void) { mia_aword_set(&x, mia_aword_get(&x) + 1); }
static const race_model lost = {.name = "litmus/lost-add",
                                .subject = "a load and a store lose adds",
                                .begin = stage_begin,
                                .threads = {load_store, load_store, load_store},
                                .end = cas_end,
                                .finds = "check failed"};

/* A store may come before or behind an exchange, but not between the value that the exchange read
 * and the value that it wrote. */
static void put_five(void) { mia_aword_set(&x, 5); }
static void swap_one(void) { saw[0][0] = mia_aword_swap_acq_rel(&x, 1); }
static void swap_end(void) {
  uintptr_t last = mia_aword_get(&x);
  race_check(saw[0][0] == 5 ? last == 1 : saw[0][0] == 0 && last == 5);
}
static const race_model swaps = {.name = "litmus/swap",
                                 .subject = "nothing comes between reading and writing",
                                 .begin = stage_begin,
                                 .threads = {swap_one, put_five},
                                 .end = swap_end};

/* ---- plain memory ---- */

static void plain_write(void) { plain = 1; }
static void plain_read(void) { race_check(plain >= 0); }
MODEL(race_ww, "race-write-write", "two plain writes", "data race", plain_write, plain_write);
MODEL(race_rw, "race-read-write", "a plain read and a plain write", "data race", plain_read,
      plain_write);
MODEL(no_race, "no-race", "two plain reads", NULL, plain_read, plain_read);

static struct { char first, second; } bytes;
static void write_first(void) { bytes.first = 1; }
static void write_second(void) { bytes.second = 1; }
MODEL(neighbours, "neighbours", "bytes side by side", NULL, write_first, write_second);

static void mixed(void) { x.cell = 1; }
MODEL(race_mixed, "race-mixed", "an atomic and a plain access", "data race", mixed, corr_write);

/* ---- locks and waiting ---- */

static char lock;
static void locked_add(void) {
  race_lock(&lock);
  plain++;
  race_unlock(&lock);
}
static void locked_end(void) { race_check(plain == 3); }
static const race_model locked = {.name = "litmus/lock",
                                  .subject = "a lock orders what is under it",
                                  .begin = stage_begin,
                                  .threads = {locked_add, locked_add, locked_add},
                                  .end = locked_end};

static char other;
static void lock_both(void) {
  race_lock(&lock);
  race_lock(&other);
  race_unlock(&other);
  race_unlock(&lock);
}
static void lock_both_other_way(void) {
  race_lock(&other);
  race_lock(&lock);
  race_unlock(&lock);
  race_unlock(&other);
}
MODEL(deadlock, "deadlock", "locks in two orders", "all threads wait", lock_both,
      lock_both_other_way);

static void wait_for_x(void) {
  while (mia_aword_get_acq(&x) == 0) race_yield();
  race_check(plain == 1);
}
MODEL(waiting, "wait", "waiting ends when the value comes", NULL, mp_write, wait_for_x);
MODEL(waiting_in_vain, "wait-in-vain", "waiting for what never comes fails", "all threads wait",
      iriw_y, wait_for_x);

const race_model *const race_litmus[] = {&mp,
                                         &mp_no_release,
                                         &mp_no_acquire,
                                         &mp_stale,
                                         &wrc,
                                         &corr,
                                         &rs,
                                         &rs_broken,
                                         &sb,
                                         &iriw,
                                         &two,
                                         &coherence,
                                         &adds,
                                         &exchange,
                                         &lost,
                                         &swaps,
                                         &race_ww,
                                         &race_rw,
                                         &no_race,
                                         &neighbours,
                                         &race_mixed,
                                         &locked,
                                         &deadlock,
                                         &waiting,
                                         &waiting_in_vain,
                                         NULL};
