/* SPDX-License-Identifier: MIT */
/* Tests that the real system keeps the contract of os/os.h. */
#include "unit/threads.h"

#include "base/bits.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static size_t os_page;
static int probe[2];

static void begin(void) {
  os_page = mia_os_page_size();
  if (pipe(probe) != 0) ck_abort_msg("no pipe");
}

static void end(void) {
  close(probe[0]);
  close(probe[1]);
}

/* write returns EFAULT where a load would raise SIGSEGV. */
static bool readable(const void *p) {
  char c;
  return write(probe[1], p, 1) == 1 && read(probe[0], &c, 1) == 1;
}

static bool all_are(const char *p, size_t size, char c) {
  for (size_t i = 0; i < size; i++)
    if (p[i] != c) return false;
  return true;
}

START_TEST(page_size_is_what_posix_says) {
  ck_assert_uint_eq(os_page, (size_t)sysconf(_SC_PAGESIZE));
  ck_assert(mia_is_power_of_two(os_page) && os_page >= 4096 && os_page <= MIA_SLICE_SIZE);
}
END_TEST

START_TEST(reserved_live_is_zero_and_writable) {
  char *p = mia_os_reserve(4 * os_page, true);
  ck_assert(p != NULL && mia_is_aligned(p, os_page));
  ck_assert(all_are(p, 4 * os_page, 0));
  memset(p, 1, 4 * os_page);
  ck_assert(mia_os_release(p, 4 * os_page));
}
END_TEST

START_TEST(reserved_space_is_out_of_reach_until_committed) {
  char *p = mia_os_reserve(4 * os_page, false);
  ck_assert_ptr_nonnull(p);
  ck_assert(!readable(p) && !readable(p + 3 * os_page));
  ck_assert(mia_os_commit(p + os_page, 2 * os_page));
  ck_assert(!readable(p) && !readable(p + 3 * os_page));
  ck_assert(all_are(p + os_page, 2 * os_page, 0));
  p[os_page] = 1;
  ck_assert(mia_os_commit(p, 4 * os_page));
  ck_assert_int_eq(p[os_page], 1);
  p[4 * os_page - 1] = 1;
  ck_assert(mia_os_release(p, 4 * os_page));
}
END_TEST

START_TEST(released_is_gone_in_parts_too) {
  char *p = mia_os_reserve(3 * os_page, true);
  p[0] = p[2 * os_page] = 1;
  ck_assert(mia_os_release(p + os_page, os_page));
  ck_assert(!readable(p + os_page) && p[0] == 1 && p[2 * os_page] == 1);
  ck_assert(mia_os_release(p, os_page) && mia_os_release(p + 2 * os_page, os_page));
  ck_assert(!readable(p) && !readable(p + 2 * os_page));
}
END_TEST

START_TEST(purged_reads_as_zero_and_neighbours_stay) {
  char *p = mia_os_reserve(3 * os_page, true);
  memset(p, 7, 3 * os_page);
  ck_assert(mia_os_purge(p + os_page, os_page));
  ck_assert(all_are(p, os_page, 7) && all_are(p + os_page, os_page, 0));
  ck_assert(all_are(p + 2 * os_page, os_page, 7));
  p[os_page] = 1;
  mia_os_small_pages(p, 3 * os_page);
  mia_os_large_pages(p, 3 * os_page);
  ck_assert(p[0] == 7 && p[os_page] == 1);
  ck_assert(mia_os_release(p, 3 * os_page));
}
END_TEST

/* ---- NUMA ---- */

static bool has_file(const char *name) { return access(name, F_OK) == 0; }

static bool node_exists(int node) {
  char name[64];
  snprintf(name, sizeof name, "/sys/devices/system/node/node%d", node);
  return has_file(name);
}

/* A container may show no nodes, and not every machine tells the thread's. */
START_TEST(the_node_is_one_of_the_systems) {
  int node = mia_os_node();
  if (node >= 0 && has_file("/sys/devices/system/node/has_cpu")) ck_assert(node_exists(node));
}
END_TEST

/* Few systems have any. */
START_TEST(large_os_pages_are_given_or_refused) {
  ck_assert_ptr_null(mia_os_reserve_huge(NULL, 0, MIA_OS_LARGE_PAGE, -1));
  char *p = mia_os_reserve_huge(NULL, 2 * MIA_OS_LARGE_PAGE, MIA_OS_LARGE_PAGE, _i - 1);
  if (p == NULL) return;
  ck_assert(mia_is_aligned(p, MIA_OS_LARGE_PAGE) && all_are(p, 2 * MIA_OS_LARGE_PAGE, 0));
  ck_assert_ptr_null(mia_os_reserve_huge(p, MIA_OS_LARGE_PAGE, MIA_OS_LARGE_PAGE, -1)); /* taken */
  memset(p, 1, 2 * MIA_OS_LARGE_PAGE);
  ck_assert(mia_os_release(p, 2 * MIA_OS_LARGE_PAGE));
}
END_TEST

START_TEST(errors_are_reported) {
  char *p = mia_os_reserve(os_page, true);
  ck_assert(!mia_os_release(p + 1, os_page));
  ck_assert(!mia_os_purge(p + 1, os_page));
  /* not p + 1, which musl rounds down to the start of the page */
  ck_assert(!mia_os_commit((void *)mia_align_down(UINTPTR_MAX, os_page), 4 * os_page));
  ck_assert(mia_os_release(p, os_page));
  ck_assert_ptr_null(mia_os_reserve(mia_align_down(SIZE_MAX, os_page), true));
  ck_assert_ptr_null(mia_os_reserve_aligned(mia_align_down(SIZE_MAX, os_page), os_page));
  ck_assert_ptr_null(
      mia_os_reserve_aligned(mia_align_down(SIZE_MAX / 4 * 3, os_page), MIA_ALIGN_MAX));
}
END_TEST

START_TEST(aligned_reservations_are_aligned_and_trimmed) {
  for (size_t align = 1; align <= 64 * MIA_MIB; align *= 4) {
    size_t size = 3 * os_page;
    char *p = mia_os_reserve_aligned(size, align);
    need_at(p != NULL && mia_is_aligned(p, align) && mia_is_aligned(p, os_page), align);
    need_at(all_are(p, size, 0), align);
    memset(p, 1, size);
    need_at(mia_os_release(p, size), align);
  }
}
END_TEST

START_TEST(resize_keeps_content_and_zeroes_the_tail) {
  size_t size = 256 * os_page;
  char *p = mia_os_reserve_aligned(size, os_page);
  memset(p, 5, size);
  if (mia_os_resize(p, size, size / 2)) {
    ck_assert(all_are(p, size / 2, 5) && !readable(p + size / 2));
    if (mia_os_resize(p, size / 2, size)) {
      ck_assert(all_are(p, size / 2, 5) && all_are(p + size / 2, size / 2, 0));
      size *= 2;
    }
    size /= 2;
  }
  ck_assert(!mia_os_resize(p, size, (size_t)1 << (sizeof(size_t) * CHAR_BIT - 2)));
  ck_assert(p[0] == 5 && readable(p + size - 1));
  ck_assert(mia_os_release(p, size));
}
END_TEST

START_TEST(move_takes_content_along) {
  const size_t sizes[][2] = {{4, 5}, {4, 9}, {1, 900}};
  for (size_t i = 0; i < 3; i++) {
    size_t size = sizes[i][0] * os_page, wanted = sizes[i][1] * os_page;
    char *p = mia_os_reserve_aligned(size, os_page);
    memset(p, 6, size);
    char *to = mia_os_move(p, size, wanted);
    if (to == NULL) { /* the platform cannot do so */
      ck_assert(all_are(p, size, 6));
      continue;
    }
    ck_assert(all_are(to, size, 6) && all_are(to + size, wanted - size, 0));
    ck_assert(to == p || (!readable(p) && !readable(p + size - 1)));
    ck_assert(mia_os_release(to, wanted));
  }
  char *p = mia_os_reserve_aligned(os_page, os_page);
  *p = 7;
  ck_assert(mia_os_move(p, os_page, mia_align_down(SIZE_MAX, os_page)) == NULL);
  ck_assert_int_eq(*p, 7);
}
END_TEST

START_TEST(detached_memory_is_a_mapping_and_leaves_zeroes) {
  size_t size = 9 * os_page;
  char *p = mia_os_reserve(16 * os_page, true), *part = p + 3 * os_page;
  memset(p, 4, 16 * os_page);
  char *to = mia_os_detach(part, size);
  if (to != NULL) {
    ck_assert(all_are(to, size, 4) && all_are(part, size, 0));
    ck_assert(readable(part) && readable(part + size - 1)); /* to the kernel too */
    memset(part, 5, size);
    ck_assert(all_are(to, size, 4));
    to = mia_os_move(to, size, 2 * size);
    ck_assert(to != NULL && all_are(to, size, 4) && all_are(to + size, size, 0));
    ck_assert(mia_os_release(to, 2 * size));
    ck_assert(!mia_os_can_detach() || (mia_os_purge(part, size) && all_are(part, size, 0)));
    memset(part, 4, size);
  }
  ck_assert(all_are(p, 16 * os_page, 4)); /* also if the platform cannot detach */
  ck_assert(mia_os_release(p, 16 * os_page));
  /* The range is gone; an emulator of 32 bits may have kept it for the program. */
  ck_assert(!mia_os_can_detach() || mia_os_detach(p, size) == NULL);
}
END_TEST

START_TEST(the_clock_goes_on_and_is_never_0) {
  mia_time_ms before = mia_os_now();
  ck_assert(before != 0);
  usleep(60000);
  mia_time_ms passed = mia_os_now() - before;
  ck_assert_uint_ge(passed, 40);
  ck_assert_uint_le(passed, 60000);
}
END_TEST

START_TEST(writing_is_complete) {
  static char text[3000], back[3000];
  memset(text, 'x', sizeof text);
  mia_os_write(probe[1], text, sizeof text);
  ck_assert_int_eq(read(probe[0], back, sizeof back), sizeof back);
  ck_assert_mem_eq(text, back, sizeof text);
  mia_os_write(-1, text, sizeof text); /* returns */
}
END_TEST

/* The signal of a pipe without a reader would end the process; one that the program
 * waits for stays. */
START_TEST(writing_to_nobody_is_harmless) {
  int ends[2];
  sigset_t pending, set;
  ck_assert(pipe(ends) == 0 && close(ends[0]) == 0);
  errno = EDOM;
  mia_os_write(ends[1], "text", 4);
  ck_assert_int_eq(errno, EDOM);
  ck_assert(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  ck_assert_int_eq(raise(SIGPIPE), 0);
  mia_os_write(ends[1], "text", 4);
  ck_assert(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1);
  close(ends[1]);
}
END_TEST

START_TEST(the_copy_of_stderr_is_high_and_not_inherited) {
  int fd = mia_os_copy_stderr();
  ck_assert_int_ge(fd, 100);
  ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  close(fd);
}
END_TEST

/* Linux adds up the RSS in batches, per processor, so that it may miss some pages. */
START_TEST(usage_is_plausible) {
  mia_os_usage before = mia_os_measure();
  size_t size = 512 * os_page;
  char *p = mia_os_reserve(size, true);
  mia_os_small_pages(p, size);
  memset(p, 1, size);
  mia_os_usage after = mia_os_measure();
  ck_assert_uint_ge(after.minor_faults, before.minor_faults + 1);
  ck_assert_uint_ge(after.peak_rss, size / 2);
  ck_assert(after.user_ms + after.system_ms >= before.user_ms + before.system_ms);
  ck_assert(mia_os_release(p, size));
}
END_TEST

START_TEST(a_test_has_no_rights_of_its_own) { ck_assert(!mia_os_privileged()); }
END_TEST

/* ---- the end of a thread ---- */

static void *hooked_with;
static int hooked, arm_again;
static void hook(void *value) {
  hooked++;
  hooked_with = value;
  if (arm_again-- > 0) note(mia_os_at_thread_exit(hook, value));
}

static int first_value, last_value;
static void *arm(void *value) {
  note(mia_os_at_thread_exit(hook, &first_value));
  note(mia_os_at_thread_exit(hook, value));
  return NULL;
}

static void run(void *value) {
  hooked = 0;
  hooked_with = NULL;
  run_thread(arm, value);
}

START_TEST(the_hook_gets_the_last_value_at_a_threads_end) {
  run(&last_value);
  ck_assert_int_eq(hooked, 1);
  ck_assert_ptr_eq(hooked_with, &last_value);
}
END_TEST

START_TEST(a_hook_without_value_is_not_called) {
  run(NULL);
  ck_assert_int_eq(hooked, 0);
}
END_TEST

START_TEST(the_hook_can_be_armed_from_within) {
  arm_again = 2;
  run(&last_value);
  ck_assert_int_eq(hooked, 3);
  ck_assert_ptr_eq(hooked_with, &last_value);
}
END_TEST

/* ---- fork ---- */

static int forks[3];
static void prepare(void) { forks[0]++; }
static void parent(void) { forks[1]++; }
static void child(void) { forks[2]++; }

START_TEST(fork_calls_each_side) {
  ck_assert(mia_os_at_fork(prepare, parent, child));
  memset(forks, 0, sizeof forks);
  pid_t pid = fork();
  if (pid == 0) _exit(forks[0] == 1 && forks[1] == 0 && forks[2] == 1 ? 0 : 1);
  ck_assert(child_ends_well(pid));
  ck_assert(forks[0] == 1 && forks[1] == 1 && forks[2] == 0);
}
END_TEST

SUITE("os/unix") {
  CASE(begin, end);
  TEST(page_size_is_what_posix_says);
  TEST(reserved_live_is_zero_and_writable);
  TEST(reserved_space_is_out_of_reach_until_committed);
  TEST(released_is_gone_in_parts_too);
  TEST(purged_reads_as_zero_and_neighbours_stay);
  LOOP(large_os_pages_are_given_or_refused, 0, 3);
  TEST(the_node_is_one_of_the_systems);
  TEST(errors_are_reported);
  TEST(aligned_reservations_are_aligned_and_trimmed);
  TEST(resize_keeps_content_and_zeroes_the_tail);
  TEST(move_takes_content_along);
  TEST(detached_memory_is_a_mapping_and_leaves_zeroes);
  TEST(the_clock_goes_on_and_is_never_0);
  TEST(writing_is_complete);
  TEST(writing_to_nobody_is_harmless);
  TEST(the_copy_of_stderr_is_high_and_not_inherited);
  TEST(usage_is_plausible);
  TEST(a_test_has_no_rights_of_its_own);
  TEST(the_hook_gets_the_last_value_at_a_threads_end);
  TEST(a_hook_without_value_is_not_called);
  TEST(the_hook_can_be_armed_from_within);
  TEST(fork_calls_each_side);
}
