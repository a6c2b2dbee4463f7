/* SPDX-License-Identifier: MIT */
/* Fork: the locks, and what a child does about threads that it does not have. */
#include "unit/threads.h"

#include "api/background.h"
#include "api/world.h"
#include "arena/arena.h"
#include "os/os.h"
#include "page/owner.h"
#include "theap/theap.h"

#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>

#include <pthread.h>
#include <unistd.h>

/* An alarm ends a hang, in the child as well. */
enum { SECONDS = 60, BLOCKS = 3000 };

static void use_memory(void) {
  void *p[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) p[i] = mia_malloc(1 + i * 7);
  for (size_t i = 0; i < BLOCKS; i++) mia_free(p[i]);
  mia_free(mia_malloc(40 * MIA_MIB));
  mia_purge();
}

/* Runs `work' in a child.  Returns true if that returned true in time. */
static bool child_does(bool (*work)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    _exit(work() ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  return child_ends_well(pid);
}

static bool allocate(void) {
  use_memory();
  mia_heap *heap = mia_heap_new();
  bool good = heap != NULL && mia_heap_malloc(heap, 100) != NULL;
  mia_heap_destroy(heap);
  return good;
}

static mia_lock *lock_at(int i) {
  mia_lock *const locks[] = {&mia_api_all.subprocs,         &mia_theap_all.threads,
                             &mia_theap_all.abandoned_lock, &mia_arena_all.purge,
                             &mia_arena_all.meta,           &mia_arena_all.grow};
  return locks[i];
}
enum { LOCKS = 6 };

/* ---- a thread that waits until the test ends it ---- */

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool ready, over;
} meeting = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_until_over(void) {
  pthread_mutex_lock(&meeting.mutex);
  meeting.ready = true;
  pthread_cond_broadcast(&meeting.changed);
  while (!meeting.over) pthread_cond_wait(&meeting.changed, &meeting.mutex);
  pthread_mutex_unlock(&meeting.mutex);
}

static pthread_t start_thread(void *(*run)(void *), void *arg) {
  pthread_t thread;
  meeting.ready = meeting.over = false;
  ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
  pthread_mutex_lock(&meeting.mutex);
  while (!meeting.ready) pthread_cond_wait(&meeting.changed, &meeting.mutex);
  pthread_mutex_unlock(&meeting.mutex);
  return thread;
}

static void end_thread(pthread_t thread) {
  pthread_mutex_lock(&meeting.mutex);
  meeting.over = true;
  pthread_cond_broadcast(&meeting.changed);
  pthread_mutex_unlock(&meeting.mutex);
  pthread_join(thread, NULL);
}

/* ---- locks ---- */

/* As in a signal handler that forks and has interrupted this code. */
START_TEST(fork_with_a_lock_of_its_own) {
  mia_lock *lock = lock_at(_i);
  mia_time_ms before = mia_os_now();
  mia_os_lock(lock);
  pid_t pid = fork();
  if (pid == 0) alarm(SECONDS);
  mia_os_unlock(lock);
  bool good = allocate();
  if (pid == 0) _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
  ck_assert(child_ends_well(pid) && good);
  ck_assert(mia_os_now() - before < SECONDS * 1000);
}
END_TEST

/* In the child, only the interrupted code releases a lock that it holds. */
static mia_lock *held_lock;
static bool is_still_held(void) {
  bool had = pthread_mutex_trylock(&held_lock->mutex) != 0;
  mia_os_unlock(held_lock);
  return had && mia_os_try_lock(held_lock);
}

START_TEST(the_child_keeps_interrupted_locks) {
  held_lock = lock_at(_i);
  mia_os_lock(held_lock);
  ck_assert(child_does(is_still_held));
  mia_os_unlock(held_lock);
}
END_TEST

static void *hold_lock(void *lock) {
  mia_os_lock(lock);
  wait_until_over();
  mia_os_unlock(lock);
  return NULL;
}

START_TEST(fork_while_another_thread_holds_a_lock) {
  pthread_t thread = start_thread(hold_lock, lock_at(_i));
  ck_assert(child_does(allocate));
  end_thread(thread);
  ck_assert(allocate());
}
END_TEST

/* ---- fork handlers of the program that run while we hold the locks ---- */

static unsigned handled;
static bool in_handlers;

/* This handler is registered after ours, so before a fork it runs first.  The test takes the
 * locks itself, as if our handler had run first because the program's was registered before it. */
static void fork_handler(void) {
  if (!in_handlers) return;
  handled++;
  need(allocate());
}

static void *allocate_in_thread(void *unused) {
  note(allocate());
  return unused;
}

START_TEST(handlers_under_the_locks_may_allocate) {
  mia_time_ms until = mia_os_begin_fork();
  for (int i = 0; i < LOCKS; i++) mia_os_lock_for_fork(lock_at(i), until);
  need(allocate());
  /* Other threads wait. */
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, allocate_in_thread, NULL), 0);
  need(allocate());
  /* A fork within a fork handler. */
  need(mia_os_begin_fork() == 0);
  need(!mia_os_end_fork());
  in_handlers = true;
  handled = 0;
  bool good = child_does(allocate);
  in_handlers = false;
  need(allocate());
  need(mia_os_end_fork());
  for (int i = LOCKS; i-- > 0;) mia_os_unlock_after_fork(lock_at(i), false);
  pthread_join(thread, NULL);
  need_nothing_noted();
  need(good && handled == 2); /* before the fork, and after it in the parent */
  need(allocate());
  /* The outermost fork has ended. */
  need(!mia_os_end_fork());
}
END_TEST

/* ---- threads that the child does not have ---- */

static void *attach(void *unused) {
  mia_free(mia_malloc(10));
  wait_until_over();
  return unused;
}

static size_t threads(size_t *peak) {
  mia_stats stats = {.size = sizeof stats};
  need(mia_stats_get(&stats));
  *peak = stats.threads_peak;
  return stats.threads;
}

static bool is_alone(void) {
  size_t peak;
  return threads(&peak) == 1 && peak == 1;
}

static bool has_none(void) {
  size_t peak;
  return threads(&peak) == 0;
}

static void *fork_without_a_theap(void *unused) {
  note(child_does(has_none));
  return unused;
}

START_TEST(a_child_counts_its_own_threads) {
  size_t peak;
  mia_free(mia_malloc(10));
  pthread_t thread = start_thread(attach, NULL);
  ck_assert_uint_eq(threads(&peak), 2);
  ck_assert(child_does(is_alone));
  run_thread(fork_without_a_theap, NULL);
  ck_assert_uint_eq(threads(&peak), 2);
  end_thread(thread);
}
END_TEST

/* States of background.c: the thread waits for work, or has ended. */
enum { ASLEEP = 3, ENDED = 4, WAIT_MS = 20000 };
static bool becomes(uintptr_t state) {
  mia_time_ms until = mia_os_now() + WAIT_MS;
  while (mia_aword_get(&mia_api_all.background) != state) {
    if (mia_time_reached(mia_os_now(), until)) return false;
    mia_os_yield();
  }
  return true;
}

static void dirty_memory(void) {
  void *p = mia_malloc(MIA_MIB);
  if (p != NULL) memset(p, 1, MIA_MIB);
  mia_free(p);
}

/* The thread starts when there is something to do, ends with the last thread that has
 * allocated, and starts again with the next one. */
static bool has_a_background_thread(void) {
  if (!becomes(ENDED)) return false;
  for (int i = 0; i < 3; i++) {
    dirty_memory();
    mia_collect(false);
    dirty_memory();
    if (!becomes(ASLEEP)) return false;
    mia_thread_done();
    if (!becomes(ENDED)) return false;
  }
  return true;
}

static bool starts_a_background_thread(void) {
  mia_option_set(MIA_OPTION_PURGE_DELAY, 10);
  if (!mia_api_start_background()) return false;
  mia_free(mia_malloc(10));
  mia_thread_done();
  return has_a_background_thread();
}

START_TEST(the_background_thread_restarts) { ck_assert(child_does(starts_a_background_thread)); }
END_TEST

/* Forks while the background thread sleeps: while it starts, it may hold a lock of a sanitizer,
 * which then stays locked in the child. */
static bool fork_with_a_background_thread(void) {
  mia_option_set(MIA_OPTION_PURGE_DELAY, 10);
  if (!mia_api_start_background()) return false;
  mia_free(mia_malloc(10));
  (void)start_thread(attach, NULL);
  if (!becomes(ASLEEP)) return false;
  return child_does(has_a_background_thread);
}

START_TEST(a_childs_background_thread_ends) {
  ck_assert(child_does(fork_with_a_background_thread));
}
END_TEST

/* ---- what another thread had begun ---- */

static mia_hook *hook_at(int i) {
  mia_hook *const hooks[] = {&mia_api_all.output, &mia_api_all.error, &mia_api_all.deferred};
  return hooks[i];
}

static unsigned hook_calls;
static void on_error(int error, void *arg) {
  (void)error;
  hook_calls += arg == &hook_calls;
}
static void on_output(const char *text, void *arg) {
  (void)text;
  hook_calls += arg == &hook_calls;
}
static void on_deferred_free(bool force, unsigned long long heartbeat, void *arg) {
  (void)force, (void)heartbeat;
  hook_calls += arg == &hook_calls;
}

static bool register_all(void) {
  mia_register_output(on_output, &hook_calls);
  mia_register_error(on_error, &hook_calls);
  mia_register_deferred_free(on_deferred_free, &hook_calls);
  hook_calls = 0;
  mia_options_print();
  bool had_output = hook_calls > 0;
  hook_calls = 0;
  mia_collect(false);
  return had_output && hook_calls > 0;
}

static bool register_again(void) {
  for (int i = 0; i < 3; i++)
    if (mia_aword_get(&hook_at(i)->version) % 2 != 0) return false;
  return register_all();
}

/* The other thread had changed the function, but not its argument. */
START_TEST(a_hook_that_was_being_registered) {
  mia_free(mia_malloc(10));
  mia_aword_set(&hook_at(_i)->version, 7);
  mia_aword_set(&hook_at(_i)->function, 4);
  ck_assert(child_does(register_again));
  mia_aword_set(&hook_at(_i)->function, 0);
  mia_aword_set(&hook_at(_i)->version, 8);
}
END_TEST

static mia_heap *heap;
static char *live, *claimed;

static void claim_a_page(void) {
  heap = mia_heap_new();
  claimed = mia_heap_malloc(heap, 100);
  live = mia_heap_malloc(heap, 3000);
  mia_page *page = mia_page_of(claimed);
  if (page == NULL || live == NULL) abort();
  strcpy(claimed, "claimed");
  strcpy(live, "live");
  for (size_t i = 1; i < page->total; i++) need(mia_heap_malloc(heap, 100) != NULL);
  mia_collect(false);
  mia_heap_collect(heap, true);
  /* Now the page is full and has no owner. */
  need(mia_owner_claim(page));
}

static bool delete_it(void) {
  mia_heap_delete(heap);
  bool good = strcmp(claimed, "claimed") == 0 && strcmp(live, "live") == 0;
  mia_free(claimed);
  mia_free(live);
  return good && allocate();
}

static bool destroy_it(void) {
  mia_heap_destroy(heap);
  return allocate();
}

START_TEST(a_heap_ends_with_a_claimed_page) {
  claim_a_page();
  ck_assert(child_does(_i == 0 ? delete_it : destroy_it));
}
END_TEST

static bool destroy_all(void) {
  mia_subproc *subproc = mia_subproc_new();
  bool good = subproc != NULL;
  mia_heap_delete(heap);
  mia_subproc_destroy(subproc);
  return good && allocate();
}

START_TEST(a_claimed_page_moves_to_another_heap) {
  mia_subproc *subproc = mia_subproc_new();
  mia_subproc_add_current_thread(subproc);
  claim_a_page();
  ck_assert(child_does(destroy_all));
}
END_TEST

SUITE("api/fork") {
  pthread_atfork(fork_handler, fork_handler, NULL);
  CASE(NULL, NULL);
  LOOP(fork_with_a_lock_of_its_own, 0, LOCKS);
  LOOP(the_child_keeps_interrupted_locks, 0, LOCKS);
  LOOP(fork_while_another_thread_holds_a_lock, 0, LOCKS);
  TEST(handlers_under_the_locks_may_allocate);
  TEST(a_child_counts_its_own_threads);
  TEST(the_background_thread_restarts);
  TEST(a_childs_background_thread_ends);
  LOOP(a_hook_that_was_being_registered, 0, 3);
  LOOP(a_heap_ends_with_a_claimed_page, 0, 2);
  TEST(a_claimed_page_moves_to_another_heap);
}
