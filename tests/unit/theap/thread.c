/* SPDX-License-Identifier: MIT */
/* Attaching and detaching theaps; the pages of a thread outlive it. */
#include "unit/theap/theaps.h"
#include "unit/threads.h"

#include "theap/thread.h"
#include "tsan.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS_IN_A_ROW = 2000, CROWD = 6, ROUNDS = 20 };

/* The theap is that of the thread. */
static mia_block *alloc_here(unsigned size_class) { return alloc(mia_theap_attach(), size_class); }
static void release_here(mia_block *b) { release(mia_theap_self, b); }

static size_t registered(void) {
  size_t n = 0;
  const mia_theap *l = (const mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; l != NULL; l = l->all) n++;
  return n;
}

static size_t attached(void) { return mia_aword_get(&mia_theap_all.attached.now); }

START_TEST(a_thread_starts_without_a_theap) {
  ck_assert(mia_theap_is_none(mia_theap_self) && attached() == 0 && registered() == 0);
  mia_theap_detach();
  ck_assert(attached() == 0);
}
END_TEST

START_TEST(the_first_theap_needs_no_memory) {
  fake_refuse(FAKE_MEMORY, 1, FAKE_EVER);
  mia_theap *self = mia_theap_attach();
  ck_assert(self == &mia_theap_all.first && mia_theap_self == self);
  ck_assert_ptr_eq(mia_theap_attach(), self);
  ck_assert(attached() == 1 && registered() == 1);
  ck_assert_uint_eq(fake_calls(FAKE_MEMORY), 0);
}
END_TEST

START_TEST(a_theap_is_attached_again) {
  mia_theap *self = mia_theap_attach();
  mia_block *b = alloc_here(CLASS_896);
  mia_theap_detach();
  ck_assert(mia_theap_is_none(mia_theap_self) && attached() == 0);
  ck_assert(mia_theap_all.main.abandoned[CLASS_896] == page_of(b) && pages(CLASS_896) == 1);
  ck_assert_ptr_eq(mia_theap_attach(), self);
  ck_assert(registered() == 1 && attached() == 1);
  ck_assert_ptr_eq(page_of(alloc_here(CLASS_896)), page_of(b));
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.attached.peak), 1);
}
END_TEST

static void *live_shortly(void *block) {
  note(mia_theap_is_none(mia_theap_self));
  mia_block *b = alloc_here(CLASS_896);
  note(b != NULL);
  if (block != NULL)
    *(mia_block **)block = b;
  else
    release_here(b);
  return NULL;
}

START_TEST(an_ended_thread_leaves_its_blocks) {
  mia_block *b[2];
  (void)mia_theap_attach();
  run_thread(live_shortly, &b[0]);
  run_thread(live_shortly, &b[1]);
  ck_assert_uint_eq(attached(), 1);
  ck_assert_ptr_eq(page_of(b[0]), page_of(b[1])); /* the second thread reclaimed it */
  ck_assert(pages(CLASS_896) == 1 && mia_theap_all.main.abandoned[CLASS_896] == page_of(b[0]));
  release_here(b[0]);
  mia_theap_flush_batches(mia_theap_self);
  ck_assert_uint_eq(pages(CLASS_896), 1);
  release_here(b[1]);
  mia_theap_collect(mia_theap_self);
  ck_assert_uint_eq(pages(CLASS_896), 0);
}
END_TEST

START_TEST(thousands_of_threads_in_a_row_need_one_theap) {
  (void)mia_theap_attach();
  run_thread(live_shortly, NULL);
  size_t used = used_bytes(), mapped = fake.mapped;
  for (int i = 0; i < THREADS_IN_A_ROW; i++) run_thread(live_shortly, NULL);
  ck_assert_uint_eq(registered(), 2);
  ck_assert_uint_eq(mia_aword_get(&mia_theap_all.attached.peak), 2);
  ck_assert_uint_eq(used_bytes(), used);
  ck_assert_uint_eq(fake.mapped, mapped);
}
END_TEST

static pthread_barrier_t barrier;
static void *crowd(void *unused) {
  mia_block *b[4];
  for (int i = 0; i < 4; i++) b[i] = alloc_here(CLASS_896);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 4; i++) release_here(b[i]);
  return unused;
}

START_TEST(threads_at_the_same_time_need_a_theap_each) {
  pthread_barrier_init(&barrier, NULL, CROWD);
  for (int round = 0; round < ROUNDS; round++) {
    run_threads(CROWD, crowd);
    need_at(registered() == CROWD && attached() == 0 && pages(CLASS_896) == 0, round);
  }
  pthread_barrier_destroy(&barrier);
}
END_TEST

/* Destructors of other pthread keys may run after ours, and allocate. */
static pthread_key_t late_key;
static void late(void *value) {
  uintptr_t left = (uintptr_t)value - 1;
  release_here(alloc_here(CLASS_896));
  if (left > 0) pthread_setspecific(late_key, (void *)left);
}
static void *end_late(void *unused) {
  pthread_setspecific(late_key, (void *)(uintptr_t)(TSAN ? 1 : 3));
  release_here(alloc_here(CLASS_896));
  return unused;
}

START_TEST(a_thread_can_allocate_after_its_end) {
  pthread_key_create(&late_key, late);
  for (int i = 0; i < 20; i++) run_thread(end_late, NULL);
  pthread_key_delete(late_key);
  ck_assert(attached() == 0 && registered() == 1 && pages(CLASS_896) == 0);
}
END_TEST

static void *fail_to_attach(void *unused) {
  note(mia_theap_attach() == NULL);
  note(mia_theap_is_none(mia_theap_self));
  fake_allow();
  note(mia_theap_attach() != NULL);
  return unused;
}

START_TEST(attaching_works_again_after_memory_was_short) {
  (void)mia_theap_attach();
  fake_refuse(FAKE_MEMORY, 1, FAKE_EVER);
  run_thread(fail_to_attach, NULL);
  ck_assert(attached() == 1 && registered() == 2);
}
END_TEST

START_TEST(without_a_hook_a_theap_is_not_recycled) {
  mia_block *b;
  fake_refuse(FAKE_HOOK, 1, FAKE_EVER);
  run_thread(live_shortly, &b);
  ck_assert(attached() == 1 && pages(CLASS_896) == 1);
  fake_allow();
  run_thread(live_shortly, NULL);
  (void)mia_theap_attach();
  release_here(b);
  mia_theap_flush_batches(mia_theap_self);
  ck_assert_uint_eq(attached(), 2);
}
END_TEST

static void *use_classes(void *unused) {
  for (unsigned c = 0; c < 60; c += 7) {
    mia_block *b = alloc_here(c);
    note(b != NULL);
    release_here(b);
  }
  return unused;
}

START_TEST(both_processes_work_after_fork) {
  mia_block *b = alloc_here(CLASS_896);
  mia_time_ms until = mia_os_begin_fork();
  mia_theap_before_fork(until);
  mia_page_before_fork(until);
  mia_arena_before_fork(until);
  pid_t pid = fork();
  ck_assert(mia_os_end_fork());
  mia_arena_after_fork(pid == 0);
  mia_page_after_fork(pid == 0);
  mia_theap_after_fork(pid == 0);
  release_here(b);
  (void)use_classes(NULL);
  mia_theap_detach(); /* takes all locks of this layer */
  (void)use_classes(NULL);
  if (pid == 0) _exit(suite_noted == NULL ? 0 : 1);
  ck_assert(child_ends_well(pid));
  run_thread(use_classes, NULL);
}
END_TEST

SUITE("theap/thread") {
  CASE(world_of_theaps, world_end);
  TEST(a_thread_starts_without_a_theap);
  TEST(the_first_theap_needs_no_memory);
  TEST(a_theap_is_attached_again);
  TEST(an_ended_thread_leaves_its_blocks);
  TEST(thousands_of_threads_in_a_row_need_one_theap);
  TEST(threads_at_the_same_time_need_a_theap_each);
  TEST(a_thread_can_allocate_after_its_end);
  TEST(attaching_works_again_after_memory_was_short);
  TEST(without_a_hook_a_theap_is_not_recycled);
  TEST(both_processes_work_after_fork);
}
