/* SPDX-License-Identifier: MIT */
/* api.c -- models of hooks, of fork, and of the background thread. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "api/background.h"
#include "api/hook.h"
#include "api/world.h"
#include "arena/purge.h"
#include "base/fail.h"
#include "map/pagemap.h"
#include "models.h"
#include "stage.h"
#include "theap/bin.h"
#include "theap/heap_table.h"
#include "theap/thread.h"

#include <mialloc.h>

/* ---- hooks: a function is called with its own argument ---- */

static int first_arg, second_arg, third_arg;

static void at_first(const char *text, void *arg) {
  (void)text;
  race_check(arg == &first_arg || arg == &third_arg);
  race_check(*(int *)arg == 1);
}
static void at_second(const char *text, void *arg) {
  (void)text;
  race_check(arg == &second_arg && second_arg == 1);
}
static void register_first(void) {
  first_arg = 1;
  mia_register_output(at_first, &first_arg);
}
static void register_second(void) {
  second_arg = 1;
  mia_register_output(at_second, &second_arg);
}
static void register_two(void) {
  register_first();
  register_second();
}
static void register_again(void) {
  register_two();
  third_arg = 1;
  mia_register_output(at_first, &third_arg);
}
static void call_hook(void) { mia_api_write_message(NULL, NULL, ""); }
static void begin_hooks(void) {
  stage_begin();
  race_ignore(&mia_base_all, sizeof mia_base_all);
}

static const race_model hooks = {.name = "hook/register",
                                 .subject = "a function is replaced while it is called",
                                 .begin = begin_hooks,
                                 .threads = {register_two, call_hook}};
static const race_model hooks_again = {.name = "hook/again",
                                       .subject = "a function is replaced and registered again",
                                       .begin = begin_hooks,
                                       .threads = {register_again, call_hook}};
static const race_model hooks_two = {.name = "hook/two",
                                     .subject = "two threads register functions, one calls them",
                                     .begin = begin_hooks,
                                     .threads = {register_first, register_second, call_hook}};

/* ---- fork: while all locks are held, nothing that they protect is half done ---- */

static mia_page *page;
static mia_block *block;

static void begin_fork(void) {
  stage_begin_theaps();
  page = stage_page(0, 4, 1, &block);
}
static void fork_now(void) {
  stage_forks.prepare();
  size_t count = 0, theaps = 0;
  for (const mia_page *p = mia_theap_all.main.abandoned[STAGE_CLASS]; p != NULL;
       p = p->next, count++)
    race_check(p->next == NULL || p->next->prev == p);
  race_check(count == mia_aword_get(&mia_theap_all.main.abandoned_count[STAGE_CLASS]));
  for (const mia_theap *theap = mia_theap_all.unused_theaps; theap != NULL; theap = theap->unused)
    theaps++;
  race_check(theaps <= RACE_THREADS);
  race_check(mia_arena_all.meta_at <= mia_arena_all.meta_end);
  race_check(mia_arena_all.first.purge_expire.cell < 2);
  stage_forks.child();
  race_check(mia_theap_take(mia_theap_main_heap()) != NULL);
}
static void detach_0(void) {
  stage_set_self(0);
  mia_theap_detach();
}
static void attach_and_detach(void) {
  mia_theap_self = &mia_theap_all.none;
  race_check(mia_theap_attach() != NULL);
  mia_theap_detach();
}
static void purge(void) { mia_arena_purge_due(1, 1, &(mia_budget)MIA_BUDGET_ALL); }

static const race_model fork_threads = {
    .name = "fork/threads",
    .subject = "fork while threads start, end and abandon pages",
    .begin = begin_fork,
    .threads = {detach_0, fork_now, attach_and_detach}};
/* A purge does nothing unless something is idle. */
static void begin_fork_purge(void) {
  begin_fork();
  mia_aword_set(&mia_arena_all.idle, MIA_SLICE_SIZE);
}
static const race_model fork_purge = {.name = "fork/purge",
                                      .subject = "fork during a purge",
                                      .begin = begin_fork_purge,
                                      .threads = {purge, fork_now, purge}};

/* ---- the background thread ---- */

/* There are two threads, and idle memory is purged without delay. */
static void begin_background(void) {
  stage_begin_threads();
  race_check(mia_option_set(MIA_OPTION_PURGE_DELAY, 0));
  mia_aword_set(&mia_theap_all.attached.now, 2);
}
static void start_and_detach(void) {
  race_check(mia_api_start_background());
  detach_0();
}
static void start_and_run(void) {
  start_and_detach();
  mia_theap_self = &mia_theap_all.none;
  stage_run_started();
}
static void detach_1(void) {
  stage_set_self(1);
  mia_theap_detach();
}
static void wake_and_detach(void) {
  mia_api_wake_background();
  detach_1();
}
static const race_model end_with_last_thread = {
    .name = "background/end",
    .subject = "the background thread ends with the last thread",
    .begin = begin_background,
    .threads = {start_and_detach, detach_1, stage_run_started}};
static const race_model start_late = {.name = "background/start",
                                      .subject = "the background thread is woken before it sleeps",
                                      .begin = begin_background,
                                      .threads = {start_and_run, wake_and_detach}};

static void begin_freeing(void) {
  begin_background();
  page = stage_page(1, 4, 1, &block);
  race_ignore(&mia_arena_all.reserved,
              offsetof(mia_arena_world, idle) - offsetof(mia_arena_world, reserved));
  race_ignore(mia_map_pages.root, sizeof mia_map_pages.root);
}
/* Waits until it sees the background thread, since otherwise it wakes none. */
static void free_and_wait_for_purge(void) {
  stage_set_self(1);
  while (mia_aword_get(&mia_api_all.background) == 0) race_yield();
  mia_alloc_free(block);
  mia_theap_collect(stage_theaps[1]);
  mia_api_wake_background();
  while (mia_aword_get(&mia_arena_all.purged) == 0) race_yield();
  mia_theap_detach();
}
static const race_model wake = {.name = "background/wake",
                                .subject = "what was freed before the wake-up is given back",
                                .begin = begin_freeing,
                                .threads = {start_and_run, free_and_wait_for_purge}};

const race_model *const race_models_api[] = {&hooks,        &hooks_again, &hooks_two,
                                             &fork_threads, &fork_purge,  &end_with_last_thread,
                                             &start_late,   &wake,        NULL};
