/* Locks exclude; their ranks are kept, which debug builds assert. */
#include "unit/suite.h"

#include "os/lock.h"

#include <sys/wait.h>
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
  pthread_t thread[THREADS];
  counter = 0;
  for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, count, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  ck_assert_int_eq(counter, THREADS * ROUNDS);
}
END_TEST

static void *fail_to_lock(void *unused) {
  note(!mia_os_try_lock(&high));
  /* Failing left nothing behind. */
  mia_os_lock(&same);
  mia_os_lock(&low);
  mia_os_unlock(&low);
  mia_os_unlock(&same);
  return unused;
}

START_TEST(try_lock_does_not_wait) {
  pthread_t thread;
  mia_os_lock(&high);
  pthread_create(&thread, NULL, fail_to_lock, NULL);
  pthread_join(thread, NULL);
  need_nothing_noted();
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

START_TEST(a_child_renews_what_was_held) {
  mia_os_lock(&high);
  pid_t pid = fork();
  if (pid == 0) {
    mia_os_renew_lock(&high);
    mia_os_lock(&high);
    _exit(0);
  }
  int status = 1;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  mia_os_unlock(&high);
  ck_assert_int_eq(status, 0);
}
END_TEST

SUITE("os/lock") {
  CASE(NULL, NULL);
  TEST(a_lock_excludes_others);
  TEST(try_lock_does_not_wait);
  TEST(descending_ranks_nest);
  TEST(a_child_renews_what_was_held);
  DIES_IN_DEBUG(ascending_ranks_are_fatal, SIGABRT);
  DIES_IN_DEBUG(equal_ranks_are_fatal, SIGABRT);
  DIES_IN_DEBUG(ascending_by_trying_is_fatal, SIGABRT);
}
