/* hooks.c -- functions of the program that the library calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/suite.h"

#include <errno.h>
#include <mialloc.h>

static unsigned calls;
static int last_error;
static bool last_force;
static unsigned long long last_beat;
static char said[512];
static char tag;

static void forget(void) {
  mia_register_output(NULL, NULL);
  mia_register_error(NULL, NULL);
  mia_register_deferred_free(NULL, NULL);
  mia_option_set(MIA_OPTION_SHOW_ERRORS, 0);
  mia_option_set(MIA_OPTION_MAX_WARNINGS, 16);
  calls = 0;
  said[0] = 0;
}

static void hear(const char *text, void *arg) {
  need(arg == &tag);
  strncat(said, text, sizeof said - strlen(said) - 1);
  mia_free(launder(mia_malloc(3000))); /* allowed */
  errno = 99;
}

static void be_told(int error, void *arg) {
  need(arg == &tag);
  calls++;
  last_error = error;
  mia_free(launder(mia_malloc(100)));
  errno = 98;
}

START_TEST(an_error_is_told) {
  mia_register_error(be_told, &tag);
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
  ck_assert_ptr_null(mia_malloc_aligned(10, opaque(3))); /* no lack of memory */
  ck_assert_int_eq(errno, EINVAL);
  ck_assert_uint_eq(calls, 5);
  mia_register_error(NULL, NULL);
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_uint_eq(calls, 5);
  mia_free(p);
}
END_TEST

START_TEST(errors_are_written_on_demand) {
  mia_register_output(hear, &tag);
  size_t huge = opaque(SIZE_MAX / 2);
  errno = 0;
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_msg(strcmp(said, "") == 0, "%.150s", said);
  ck_assert(mia_option_set(MIA_OPTION_SHOW_ERRORS, 1));
  ck_assert_ptr_null(mia_malloc(huge));
  ck_assert_int_eq(errno, ENOMEM);
  char expected[100];
  snprintf(expected, sizeof expected, "mialloc: no memory for %zu bytes\n", huge);
  ck_assert_msg(strcmp(said, expected) == 0, "%.150s", said);
}
END_TEST

START_TEST(warnings_come_to_an_end) {
  mia_register_output(hear, &tag);
  ck_assert(mia_option_set(MIA_OPTION_SHOW_ERRORS, 1));
  ck_assert(mia_option_set(MIA_OPTION_MAX_WARNINGS, 0));
  ck_assert_ptr_null(mia_malloc(opaque(SIZE_MAX)));
  ck_assert_msg(strcmp(said, "") == 0, "%.150s", said);
}
END_TEST

/* Whoever is told of misuse may leave, but not return. */
static void leave(int error, void *arg) {
  need(arg == &tag && error == EINVAL);
  raise(SIGTERM);
}

START_TEST(misuse_is_told) {
  mia_register_error(leave, &tag);
  static int data;
  mia_free(launder(&data));
}
END_TEST

static void write_and_leave(const char *text, void *arg) {
  (void)arg;
  if (strncmp(text, "mialloc: ", 9) == 0 && strchr(text, '\n') != NULL) raise(SIGTERM);
}

START_TEST(misuse_is_written_where_messages_go) {
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

START_TEST(no_memory_may_be_the_end) {
  ck_assert(mia_option_set(MIA_OPTION_ABORT_ON_OOM, 1));
  (void)launder(mia_malloc(opaque(SIZE_MAX)));
}
END_TEST

/* ---- freeing that was put off ---- */

static void *put_off;

static void free_now(bool force, unsigned long long heartbeat, void *arg) {
  need(arg == &tag);
  need(calls == 0 || heartbeat == last_beat + 1);
  calls++;
  last_force = force;
  last_beat = heartbeat;
  mia_free(put_off);
  put_off = NULL;
  for (int i = 0; i < 2000; i++) { /* more than any list holds: not called again */
    void *p = launder(mia_malloc(64));
    need(p != NULL);
    if (i % 2 == 0) {
      mia_free(put_off);
      put_off = p;
    } else {
      mia_free(p);
    }
  }
  errno = 97;
}

START_TEST(deferred_freeing_gets_its_turn) {
  enum { COUNT = 20000 };
  static void *blocks[COUNT];
  mia_register_deferred_free(free_now, &tag);
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
  mia_free(put_off);
  put_off = NULL;
}
END_TEST

START_TEST(deferred_freeing_comes_before_failure) {
  mia_free(launder(mia_malloc(1))); /* the thread has a heap */
  mia_register_deferred_free(free_now, &tag);
  ck_assert_ptr_null(mia_malloc_aligned(opaque(SIZE_MAX / 2), 64));
  ck_assert_uint_eq(calls, 1);
  ck_assert(last_force);
  mia_free(put_off);
  put_off = NULL;
}
END_TEST

SUITE("api/hooks") {
  CASE(forget, forget);
  TEST(an_error_is_told);
  TEST(errors_are_written_on_demand);
  TEST(warnings_come_to_an_end);
  DIES(misuse_is_told, SIGTERM);
  DIES(misuse_is_written_where_messages_go, SIGTERM);
  DIES(misuse_ends_the_process, SIGABRT);
  DIES(no_memory_may_be_the_end, SIGABRT);
  TEST(deferred_freeing_gets_its_turn);
  TEST(deferred_freeing_comes_before_failure);
  TIMEOUT(60);
}
