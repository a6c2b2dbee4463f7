/* SPDX-License-Identifier: MIT */
/* check.h -- the part of check (libcheck.github.io) that the tests use, in one header, for
 * hosts without check: musl, cross builds under qemu.
 *
 * Tests run in this process, one after the other.  A failed assertion leaves its test by
 * longjmp, or ends the program if it failed in another thread.  Only a test that must die of a
 * signal runs in its own process.  Output is TAP.  Include the header in only one file of a
 * program. */
#ifndef TESTS_LITE_CHECK_H
#define TESTS_LITE_CHECK_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  const char *name;
  void (*run)(int);
} lite_test;

typedef struct {
  const lite_test *test;
  int from, to, signo;
  void (*setup)(void);
  void (*teardown)(void);
} lite_entry;

/* Suites, cases and runners are one type here: the list of tests. */
typedef struct {
  const char *name;
  int failed;
  unsigned timeout;
  int count;
  void (*setup)(void);
  void (*teardown)(void);
  lite_entry list[512];
} Suite;
typedef Suite TCase;
typedef Suite SRunner;

static Suite lite;
static jmp_buf lite_out;
static pthread_t lite_thread;
static char lite_why[400];

enum print_output { CK_SILENT, CK_MINIMAL, CK_NORMAL, CK_VERBOSE, CK_ENV };

#define START_TEST(test)                                    \
  static void test##_run(int);                              \
  static const lite_test test##_test = {#test, test##_run}; \
  static const lite_test *const test = &test##_test;        \
  static void test##_run(int _i __attribute__((unused)))
#define END_TEST

static inline Suite *suite_create(const char *name) {
  lite.name = name;
  return &lite;
}
static inline TCase *tcase_create(const char *name) {
  (void)name;
  lite.setup = lite.teardown = NULL;
  return &lite;
}
static inline void suite_add_tcase(Suite *s, TCase *t) { (void)s, (void)t; }
static inline void tcase_add_checked_fixture(TCase *t, void (*up)(void), void (*down)(void)) {
  t->setup = up;
  t->teardown = down;
}
static inline void tcase_set_timeout(TCase *t, double seconds) {
  if (t->timeout < seconds) t->timeout = (unsigned)seconds;
}
static inline void lite_add(TCase *t, const lite_test *test, int from, int to, int signo) {
  if (t->count == (int)(sizeof t->list / sizeof t->list[0])) abort();
  t->list[t->count++] = (lite_entry){test, from, to, signo, t->setup, t->teardown};
}
#define tcase_add_test(t, test) lite_add(t, test, 0, 1, 0)
#define tcase_add_loop_test(t, test, from, to) lite_add(t, test, from, to, 0)
#define tcase_add_test_raise_signal(t, test, signo) lite_add(t, test, 0, 1, signo)
#define tcase_add_loop_test_raise_signal(t, test, signo, from, to) \
  lite_add(t, test, from, to, signo)

static inline SRunner *srunner_create(Suite *s) { return s; }
static inline int srunner_ntests_failed(SRunner *r) { return r->failed; }
static inline void srunner_free(SRunner *r) { (void)r; }

static inline void lite_run_here(const lite_entry *e, int i) {
  if (e->setup) e->setup();
  e->test->run(i);
  if (e->teardown) e->teardown();
}

/* Returns true if the test died of the expected signal. */
static inline int lite_run_to_death(const lite_entry *e, int i) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (setjmp(lite_out) == 0) lite_run_here(e, i);
    _exit(0);
  }
  snprintf(lite_why, sizeof lite_why, "expected signal %d", e->signo);
  return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
         WTERMSIG(status) == e->signo;
}

/* A separate function, so that longjmp does not change its locals. */
static inline int lite_passes(const lite_entry *e, int i) {
  if (e->signo != 0) return lite_run_to_death(e, i);
  if (setjmp(lite_out) != 0) return 0;
  lite_run_here(e, i);
  return 1;
}

static inline void srunner_run_all(SRunner *r, enum print_output verbosity) {
  int n = 0;
  (void)verbosity;
  lite_thread = pthread_self();
  for (int t = 0; t < r->count; t++)
    for (int i = r->list[t].from; i < r->list[t].to; i++) {
      int good = (alarm(r->timeout ? 2 * r->timeout : 120), lite_passes(&r->list[t], i));
      alarm(0);
      if (!good) r->failed++;
      printf("%sok %d - %s:%s:%d%s%s\n", good ? "" : "not ", ++n, r->name, r->list[t].test->name, i,
             good ? "" : ": ", good ? "" : lite_why);
      fflush(stdout);
    }
  printf("1..%d\n", n);
}

__attribute__((format(printf, 3, 4))) static inline _Noreturn void
lite_fail(const char *file, int line, const char *format, ...) {
  va_list args;
  int n = snprintf(lite_why, sizeof lite_why, "%s:%d: ", file, line);
  va_start(args, format);
  vsnprintf(lite_why + n, sizeof lite_why - (size_t)n, format, args);
  va_end(args);
  if (pthread_equal(pthread_self(), lite_thread)) longjmp(lite_out, 1);
  printf("Bail out! %s\n", lite_why);
  fflush(stdout);
  abort();
}

#define ck_abort_msg(...) lite_fail(__FILE__, __LINE__, __VA_ARGS__)
#define ck_abort() ck_abort_msg("aborted")
#define ck_assert_msg(e, ...)            \
  do {                                   \
    if (!(e)) ck_abort_msg(__VA_ARGS__); \
  } while (0)
#define ck_assert(e) ck_assert_msg(e, "%s", #e)

#define LITE_COMPARE(T, F, a, op, b)                                                       \
  do {                                                                                     \
    __typeof__(T) lite_a = (a), lite_b = (b);                                              \
    ck_assert_msg(lite_a op lite_b, "%s %s %s: %" F ", %" F, #a, #op, #b, lite_a, lite_b); \
  } while (0)
#define ck_assert_int_eq(a, b) LITE_COMPARE(long long, "lld", a, ==, b)
#define ck_assert_int_ne(a, b) LITE_COMPARE(long long, "lld", a, !=, b)
#define ck_assert_int_lt(a, b) LITE_COMPARE(long long, "lld", a, <, b)
#define ck_assert_int_le(a, b) LITE_COMPARE(long long, "lld", a, <=, b)
#define ck_assert_int_gt(a, b) LITE_COMPARE(long long, "lld", a, >, b)
#define ck_assert_int_ge(a, b) LITE_COMPARE(long long, "lld", a, >=, b)
#define ck_assert_uint_eq(a, b) LITE_COMPARE(unsigned long long, "llu", a, ==, b)
#define ck_assert_uint_ne(a, b) LITE_COMPARE(unsigned long long, "llu", a, !=, b)
#define ck_assert_uint_lt(a, b) LITE_COMPARE(unsigned long long, "llu", a, <, b)
#define ck_assert_uint_le(a, b) LITE_COMPARE(unsigned long long, "llu", a, <=, b)
#define ck_assert_uint_gt(a, b) LITE_COMPARE(unsigned long long, "llu", a, >, b)
#define ck_assert_uint_ge(a, b) LITE_COMPARE(unsigned long long, "llu", a, >=, b)
#define ck_assert_ptr_eq(a, b) LITE_COMPARE(const void *, "p", a, ==, b)
#define ck_assert_ptr_ne(a, b) LITE_COMPARE(const void *, "p", a, !=, b)
#define ck_assert_ptr_null(p) ck_assert_msg((p) == NULL, "%s is not NULL", #p)
#define ck_assert_ptr_nonnull(p) ck_assert_msg((p) != NULL, "%s is NULL", #p)
#define ck_assert_str_eq(a, b)                                                             \
  do {                                                                                     \
    const char *lite_a = (a), *lite_b = (b);                                               \
    ck_assert_msg(strcmp(lite_a, lite_b) == 0, "%s == %s: \"%s\", \"%s\"", #a, #b, lite_a, \
                  lite_b);                                                                 \
  } while (0)
#define ck_assert_str_ne(a, b) ck_assert_msg(strcmp(a, b) != 0, "%s != %s", #a, #b)
#define ck_assert_mem_eq(a, b, n) ck_assert_msg(memcmp(a, b, n) == 0, "%s == %s", #a, #b)
#define ck_assert_mem_ne(a, b, n) ck_assert_msg(memcmp(a, b, n) != 0, "%s != %s", #a, #b)

#endif
