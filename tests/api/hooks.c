/* hooks.c -- functions of the program that the library calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <errno.h>
#include <mialloc.h>
#include <mialloc/stats.h>
#include <unistd.h>

static unsigned calls;
static int last_error;
static bool last_force;
static unsigned long long last_heartbeat;
static char output[512];
static char tag;

static void forget(void) {
  mia_register_output(NULL, NULL);
  mia_register_error(NULL, NULL);
  mia_register_deferred_free(NULL, NULL);
  mia_option_set(MIA_OPTION_SHOW_ERRORS, 0);
  mia_option_set(MIA_OPTION_MAX_WARNINGS, 16);
  calls = 0;
  output[0] = 0;
}

static void keep_output(const char *text, void *arg) {
  need(arg == &tag);
  strncat(output, text, sizeof output - strlen(output) - 1);
  mia_free(launder(mia_malloc(3000))); /* an output function may allocate */
  errno = 99;
}

static void count_errors(int error, void *arg) {
  need(arg == &tag);
  calls++;
  last_error = error;
  mia_free(launder(mia_malloc(100)));
  errno = 98;
}

START_TEST(lack_of_memory_calls_the_error_function) {
  mia_register_error(count_errors, &tag);
  size_t huge = opaque(SIZE_MAX / 2);
  void *p = launder(mia_malloc(10));
  errno = 0;
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_int_eq(errno, ENOMEM);
  ck_assert_int_eq(last_error, ENOMEM);
  ck_assert_uint_eq(calls, 1);
  ck_assert_ptr_null(mia_calloc(huge, 4));
  ck_assert_ptr_null(mia_zalloc(huge));
  ck_assert_ptr_null(mia_realloc(p, huge));
  ck_assert_ptr_null(mia_malloc_aligned(huge, 64));
  ck_assert_uint_eq(calls, 5);
  ck_assert_ptr_null(mia_malloc_aligned(10, opaque(3))); /* not for lack of memory */
  ck_assert_int_eq(errno, EINVAL);
  ck_assert_uint_eq(calls, 5);
  mia_register_error(NULL, NULL);
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_uint_eq(calls, 5);
  mia_free(p);
}
END_TEST

START_TEST(errors_are_written_on_demand) {
  mia_register_output(keep_output, &tag);
  size_t huge = opaque(SIZE_MAX / 2);
  errno = 0;
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_msg(strcmp(output, "") == 0, "%.150s", output);
  ck_assert(mia_option_set(MIA_OPTION_SHOW_ERRORS, 1));
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_int_eq(errno, ENOMEM);
  char expected[100];
  snprintf(expected, sizeof expected, "mialloc: no memory for %zu bytes\n", huge);
  ck_assert_msg(strcmp(output, expected) == 0, "%.150s", output);
}
END_TEST

START_TEST(max_warnings_silences_warnings) {
  mia_register_output(keep_output, &tag);
  ck_assert(mia_option_set(MIA_OPTION_SHOW_ERRORS, 1));
  ck_assert(mia_option_set(MIA_OPTION_MAX_WARNINGS, 0));
  ck_assert_ptr_null(mia_malloc(opaque(SIZE_MAX)));
  ck_assert_msg(strcmp(output, "") == 0, "%.150s", output);
}
END_TEST

/* An error function that is called for misuse may leave by a signal, but must not return. */
static void leave(int error, void *arg) {
  need(arg == &tag && error == EINVAL);
  raise(SIGTERM);
}

START_TEST(misuse_calls_the_error_function) {
  mia_register_error(leave, &tag);
  static int data;
  mia_free(launder(&data));
}
END_TEST

static void write_and_leave(const char *text, void *arg) {
  (void)arg;
  if (strncmp(text, "mialloc: ", 9) == 0 && strchr(text, '\n') != NULL) raise(SIGTERM);
}

START_TEST(misuse_is_written_to_the_output_function) {
  mia_register_output(write_and_leave, NULL);
  static int data;
  mia_free(launder(&data));
}
END_TEST

static void ignore(int error, void *arg) {
  (void)error;
  (void)arg;
}

START_TEST(misuse_ends_the_process) {
  mia_register_error(ignore, NULL);
  static int data;
  mia_free(launder(&data));
}
END_TEST

START_TEST(abort_on_oom_ends_the_process) {
  ck_assert(mia_option_set(MIA_OPTION_ABORT_ON_OOM, 1));
  (void)launder(mia_malloc(opaque(SIZE_MAX)));
}
END_TEST

/* ---- deferred frees ---- */

static void *deferred;

static void deferred_free(bool force, unsigned long long heartbeat, void *arg) {
  need(arg == &tag);
  need(calls == 0 || heartbeat == last_heartbeat + 1);
  calls++;
  last_force = force;
  last_heartbeat = heartbeat;
  mia_free(deferred);
  deferred = NULL;
  /* More blocks than a free list holds: a refill here must not call this function again. */
  for (int i = 0; i < 2000; i++) {
    void *p = launder(mia_malloc(64));
    need(p != NULL);
    if (i % 2 == 0) {
      mia_free(deferred);
      deferred = p;
    } else {
      mia_free(p);
    }
  }
  errno = 97;
}

START_TEST(deferred_frees_run_regularly) {
  enum { COUNT = 20000 };
  static void *blocks[COUNT];
  mia_register_deferred_free(deferred_free, &tag);
  errno = 5;
  for (int i = 0; i < COUNT; i++) blocks[i] = launder(mia_malloc(100));
  ck_assert_int_eq(errno, 5);
  ck_assert_uint_ge(calls, 10);
  ck_assert_uint_le(calls, COUNT);
  ck_assert(!last_force);
  unsigned before = calls;
  mia_collect(true);
  ck_assert_uint_ge(calls, before + 1);
  ck_assert(last_force);
  mia_collect(false);
  ck_assert(!last_force);
  for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
  mia_register_deferred_free(NULL, NULL);
  before = calls;
  for (int i = 0; i < COUNT; i++) blocks[i] = launder(mia_malloc(100));
  ck_assert_uint_eq(calls, before);
  for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
  mia_free(deferred);
  deferred = NULL;
}
END_TEST

static void *one_malloc(void) { return mia_malloc(100); }
static void *one_calloc(void) { return mia_calloc(1, 100); }
static void *one_realloc(void) { return mia_realloc(NULL, 100); }
static void *one_aligned(void) { return mia_malloc_aligned(100, 64); }
static void *one_in_heap(void) { return mia_heap_malloc(mia_heap_main(), 100); }

/* Loop index: the function by which the program allocates. */
START_TEST(deferred_frees_run_whichever_function_allocates) {
  static void *(*const allocate[])(void) = {one_malloc, one_calloc, one_realloc, one_aligned,
                                            one_in_heap};
  enum { COUNT = 4000 };
  static void *blocks[COUNT];
  mia_register_deferred_free(deferred_free, &tag);
  for (int i = 0; i < COUNT; i++) blocks[i] = launder(allocate[_i]());
  ck_assert_uint_ge(calls, 3);
  ck_assert_uint_le(calls, COUNT / 2); /* now and then, not in each call */
  for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
  mia_register_deferred_free(NULL, NULL);
  mia_free(deferred);
  deferred = NULL;
}
END_TEST

/* Takes longer than the clock's millisecond, so that the next slow path runs a tick. */
static void slow_deferred_free(bool force, unsigned long long heartbeat, void *arg) {
  (void)force, (void)heartbeat, (void)arg;
  calls++;
  usleep(2000);
  mia_free(launder(mia_malloc(64)));
}

START_TEST(slow_deferred_frees_do_not_run_each_time) {
  enum { COUNT = 200 };
  static void *blocks[COUNT];
  mia_register_deferred_free(slow_deferred_free, &tag);
  for (int i = 0; i < COUNT; i++) blocks[i] = launder(mia_malloc(100));
  ck_assert_uint_ge(calls, 1);
  ck_assert_uint_le(calls, COUNT / 2);
  mia_register_deferred_free(NULL, NULL);
  for (int i = 0; i < COUNT; i++) mia_free(blocks[i]);
}
END_TEST

START_TEST(deferred_frees_run_before_a_request_fails) {
  mia_free(launder(mia_malloc(1))); /* creates the thread's theap */
  mia_register_deferred_free(deferred_free, &tag);
  ck_assert_ptr_null(mia_malloc_aligned(opaque(SIZE_MAX / 2), 64));
  ck_assert_uint_eq(calls, 1);
  ck_assert(last_force);
  mia_free(deferred);
  deferred = NULL;
}
END_TEST

/* ---- functions that give up the thread's memory ---- */

static size_t threads_now(void) {
  mia_stats stats = {.size = sizeof stats};
  return mia_stats_get(&stats) ? stats.threads : 0;
}

/* The library goes on to use the thread's memory, so mia_thread_done does nothing. */
static void end_thread(void) {
  size_t before = threads_now();
  mia_thread_done();
  need(before > 0 && threads_now() == before);
  calls++;
}
static void end_in_deferred(bool force, unsigned long long heartbeat, void *arg) {
  (void)force, (void)heartbeat, (void)arg;
  end_thread();
}
static void end_in_output(const char *text, void *arg) {
  (void)text, (void)arg;
  end_thread();
}

START_TEST(thread_done_within_a_function_does_nothing) {
  mia_free(launder(mia_malloc(1)));
  mia_register_deferred_free(end_in_deferred, NULL);
  mia_collect(true);
  ck_assert_uint_eq(calls, 1);
  mia_register_deferred_free(NULL, NULL);
  mia_register_output(end_in_output, NULL);
  mia_option_set(MIA_OPTION_SHOW_ERRORS, 1);
  ck_assert_ptr_null(mia_malloc(opaque(SIZE_MAX / 2)));
  ck_assert_uint_eq(calls, 2);
  mia_register_output(NULL, NULL);
  size_t before = threads_now();
  mia_thread_done();
  ck_assert_uint_eq(threads_now(), before - 1);
  need_nothing_noted();
}
END_TEST

SUITE("api/hooks") {
  CASE(forget, forget);
  TEST(lack_of_memory_calls_the_error_function);
  TEST(errors_are_written_on_demand);
  TEST(max_warnings_silences_warnings);
  DIES(misuse_calls_the_error_function, SIGTERM);
  DIES(misuse_is_written_to_the_output_function, SIGTERM);
  DIES(misuse_ends_the_process, SIGABRT);
  DIES(abort_on_oom_ends_the_process, SIGABRT);
  TEST(deferred_frees_run_regularly);
  LOOP(deferred_frees_run_whichever_function_allocates, 0, 5);
  TEST(slow_deferred_frees_do_not_run_each_time);
  TEST(deferred_frees_run_before_a_request_fails);
  TEST(thread_done_within_a_function_does_nothing);
}
