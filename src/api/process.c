/* SPDX-License-Identifier: MIT */
/* process.c -- the start and the end of a process, and its forks.
 *
 * Allocation needs nothing of this: the roots of all layers are static and valid before any of
 * our code runs. */
#include "base/prelude.h"

#include "api/background.h"
#include "api/hook.h"
#include "api/options.h"
#include "api/process.h"
#include "api/stats.h"
#include "os/os.h"
#include "theap/thread.h"

/* The locks are taken in descending rank. */
static void before_fork(void) {
  mia_time_ms until = mia_os_begin_fork();
  if (until == 0) return;
  mia_os_lock_for_fork(&mia_api_all.subprocs, until);
  mia_theap_before_fork(until);
  mia_page_before_fork(until);
  mia_arena_before_fork(until);
}

static void after_fork(bool child) {
  if (!mia_os_end_fork()) return;
  mia_arena_after_fork(child);
  mia_page_after_fork(child);
  mia_theap_after_fork(child);
  mia_os_unlock_after_fork(&mia_api_all.subprocs, child);
}

static void after_fork_parent(void) { after_fork(false); }

static void after_fork_child(void) {
  mia_api_reset_hooks();
  mia_api_reset_background();
  after_fork(true);
}

/* Handlers that are registered first run last before a fork and first after it, so that the
 * handlers of others can allocate as at any other time.  A second call does nothing, nor does a
 * call from within the first. */
void mia_api_register_fork(void) {
  if (mia_aword_or(&mia_api_all.at_fork, 1) != 0) return;
  (void)mia_os_at_fork(before_fork, after_fork_parent, after_fork_child);
}

/* Reserves what the options request at start. */
static void reserve_at_start(void) {
  size_t size = (size_t)mia_option_get(MIA_OPTION_RESERVE_MEMORY) * MIA_KIB;
  size_t pages = (size_t)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES);
  int node = (int)mia_option_get(MIA_OPTION_RESERVE_HUGE_PAGES_AT);
  bool large = mia_api_is_on(MIA_OPTION_LARGE_PAGES);
  if (size > 0 && mia_reserve_memory(size, large ? MIA_ARENA_IS_LARGE : 0, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_MEMORY: so much cannot be reserved");
  if (pages > 0 && mia_reserve_huge_pages(pages, node, 0, 0, NULL) != 0)
    mia_api_warn("MIALLOC_RESERVE_HUGE_PAGES: the system has none set aside");
}

/* Before all constructors without a priority: in a static program, before those of all objects. */
enum { FIRST_PRIORITY = 101 };

__attribute__((constructor(FIRST_PRIORITY))) static void begin_first(void) {
  mia_api_begin_options();
  reserve_at_start(); /* before the C library allocates memory for the registration */
  mia_api_register_fork();
}

__attribute__((constructor)) static void begin(void) {
  mia_api_begin_options();
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_open_stats();
  if (mia_api_is_on(MIA_OPTION_VERBOSE)) mia_options_print();
  if (mia_api_is_on(MIA_OPTION_BACKGROUND_PURGE) && !mia_api_start_background())
    mia_api_warn("MIALLOC_BACKGROUND_PURGE: there is no thread to be had");
}

__attribute__((destructor)) static void end(void) {
  if (mia_api_is_on(MIA_OPTION_SHOW_STATS)) mia_api_print_stats();
}

const char mia_api_process_is_linked;
