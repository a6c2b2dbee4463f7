/* SPDX-License-Identifier: MIT */
/* Tests that locks exclude other threads, that debug builds assert the order of ranks,
 * and what a fork does with locks. */
#include "unit/threads.h"

#include "os/lock.h"
#include "os/os.h"

#include <unistd.h>

enum { THREADS = 3, ROUNDS = 20000 };

static mia_lock high = MIA_LOCK_INIT(MIA_RANK_PURGE);
static mia_lock same = MIA_LOCK_INIT(MIA_RANK_PURGE);
static mia_lock low = MIA_LOCK_INIT(MIA_RANK_GROW);

static long counter;
static void *count(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    if (i % 3 != 0)
      mia_os_lock(&high);
    else
      while (!mia_os_try_lock(&high)) {}
    counter++;
    mia_os_unlock(&high);
  }
  return unused;
}

START_TEST(a_lock_excludes_others) {
  counter = 0;
  run_threads(THREADS, count);
  ck_assert_int_eq(counter, THREADS * ROUNDS);
}
END_TEST

static void *fail_to_lock(void *unused) {
  note(!mia_os_try_lock(&high));
  /* The failure left no rank behind. */
  mia_os_lock(&same);
  mia_os_lock(&low);
  mia_os_unlock(&low);
  mia_os_unlock(&same);
  return unused;
}

START_TEST(try_lock_does_not_wait) {
  mia_os_lock(&high);
  run_thread(fail_to_lock, NULL);
  mia_os_unlock(&high);
  ck_assert(mia_os_try_lock(&high));
  mia_os_unlock(&high);
}
END_TEST

START_TEST(descending_ranks_nest) {
  mia_os_lock(&high);
  mia_os_lock(&low);
  mia_os_unlock(&high); /* in any order */
  mia_os_unlock(&low);
  mia_os_lock(&low);
  mia_os_unlock(&low);
  mia_os_lock(&high);
  mia_os_unlock(&high);
}
END_TEST

START_TEST(ascending_ranks_are_fatal) {
  mia_os_lock(&low);
  mia_os_lock(&high);
}
END_TEST
START_TEST(equal_ranks_are_fatal) {
  mia_os_lock(&high);
  mia_os_lock(&same);
}
END_TEST
START_TEST(ascending_by_trying_is_fatal) {
  mia_os_lock(&low);
  (void)mia_os_try_lock(&high);
}
END_TEST

static pid_t fork_holding(mia_lock *lock) {
  mia_os_lock_for_fork(lock, mia_os_begin_fork());
  pid_t pid = fork();
  need(mia_os_end_fork());
  mia_os_unlock_after_fork(lock, pid == 0);
  return pid;
}

static bool is_free(mia_lock *lock) {
  bool free = mia_os_try_lock(lock);
  if (free) mia_os_unlock(lock);
  return free;
}

START_TEST(a_fork_releases_its_lock_on_both_sides) {
  pid_t pid = fork_holding(&high);
  bool free = is_free(&high);
  if (pid == 0) _exit(free ? 0 : 1);
  ck_assert(free && child_ends_well(pid));
}
END_TEST

static pthread_barrier_t barrier;
static void *hold_high(void *unused) {
  mia_os_lock(&high);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  mia_os_unlock(&high);
  return unused;
}

/* The fork waits for the lock before it goes on without. */
START_TEST(a_child_frees_a_lock_of_another_thread) {
  pthread_t thread;
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_create(&thread, NULL, hold_high, NULL);
  pthread_barrier_wait(&barrier);
  mia_time_ms before = mia_os_now();
  pid_t pid = fork_holding(&high);
  mia_time_ms waited = mia_os_now() - before;
  bool free = is_free(&high);
  if (pid == 0) _exit(free ? 0 : 1);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  ck_assert(!free && child_ends_well(pid) && is_free(&high));
  ck_assert(waited >= 1000);
  pthread_barrier_destroy(&barrier);
}
END_TEST

/* The fork stands for one in a signal handler that interrupted the code with the lock. */
START_TEST(interrupted_code_releases_its_lock_itself) {
  mia_os_lock(&low);
  pid_t pid = fork_holding(&low);
  bool free = pthread_mutex_trylock(&low.mutex) == 0;
  mia_os_unlock(&low);
  free = free || !is_free(&low);
  if (pid == 0) _exit(free ? 1 : 0);
  ck_assert(!free && child_ends_well(pid));
}
END_TEST

static void *take_high(void *unused) {
  mia_os_lock(&high);
  counter++;
  mia_os_unlock(&high);
  return unused;
}

/* Another fork handler may start a thread in the child before our handler runs. */
START_TEST(a_thread_that_waits_in_a_child_is_woken) {
  mia_os_lock_for_fork(&high, mia_os_begin_fork());
  pid_t pid = fork();
  pthread_t thread;
  counter = 0;
  if (pid == 0) {
    alarm(20);
    pthread_create(&thread, NULL, take_high, NULL);
    usleep(100000); /* the thread waits by now; if it does not, the test still passes */
  }
  bool waits = counter == 0;
  need(mia_os_end_fork());
  mia_os_unlock_after_fork(&high, pid == 0);
  if (pid == 0) {
    pthread_join(thread, NULL);
    _exit(waits && counter == 1 ? 0 : 1);
  }
  ck_assert(child_ends_well(pid));
}
END_TEST

START_TEST(taking_a_lock_that_a_fork_holds_does_nothing) {
  mia_os_lock_for_fork(&high, mia_os_begin_fork());
  mia_os_lock(&high);
  need(mia_os_try_lock(&high));
  mia_os_lock(&same); /* has the same rank, but a lock held for a fork has none */
  mia_os_unlock(&same);
  mia_os_unlock(&high);
  mia_os_unlock(&high);
  run_thread(fail_to_lock, NULL);
  need(mia_os_begin_fork() == 0 && !mia_os_end_fork());
  need(mia_os_end_fork());
  mia_os_unlock_after_fork(&high, false);
  need(!mia_os_end_fork() && is_free(&high));
}
END_TEST

SUITE("os/lock") {
  CASE(NULL, NULL);
  TEST(a_lock_excludes_others);
  TEST(try_lock_does_not_wait);
  TEST(descending_ranks_nest);
  TEST(a_fork_releases_its_lock_on_both_sides);
  TEST(a_child_frees_a_lock_of_another_thread);
  TEST(interrupted_code_releases_its_lock_itself);
  TEST(a_thread_that_waits_in_a_child_is_woken);
  TEST(taking_a_lock_that_a_fork_holds_does_nothing);
  DIES_IN_DEBUG(ascending_ranks_are_fatal, SIGABRT);
  DIES_IN_DEBUG(equal_ranks_are_fatal, SIGABRT);
  DIES_IN_DEBUG(ascending_by_trying_is_fatal, SIGABRT);
}
