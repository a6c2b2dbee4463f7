/* SPDX-License-Identifier: MIT */
/* schedule.c -- exploring all executions of a model.
 *
 * Each execution is run from its start: it repeats the recorded choices and takes the
 * first alternative where they end.  The next execution differs in the last choice
 * that has alternatives left.  What threads know and what cells hold depends only on
 * what each thread has read from which other, and on the order of stores to each cell.
 * So an execution ends when it reaches a state that was met before, by whatever
 * interleaving. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHOICES = 4096, OPERATIONS = 400, STATES_MIN = 1 << 16 };
#define STATES_MAX ((size_t)1 << 25)

core_state core;

typedef enum ending { COMPLETE, MET_AGAIN } ending;

static struct {
  const race_model *model;
  uint16_t choices[CHOICES], ways[CHOICES];
  size_t depth, length, replayed;
  unsigned thread_count;
  bool starting;
  ending ending;
  race_result *result;
  void **own;
  uint64_t *states; /* a hash set; 0 marks an empty entry */
  size_t state_room, state_count;
} run;

/* ---- states ---- */

uint64_t core_mix(uint64_t hash, uint64_t value) {
  uint64_t h = (hash ^ value) + 0x9e3779b97f4a7c15u + (hash << 7);
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

static bool can_go_on(unsigned i);

static uint64_t hash_state(void) {
  uint64_t hash = core_hash_places();
  for (unsigned i = 0; i < run.thread_count; i++) {
    bool awake = core.threads[i].wait == CORE_YIELDS && can_go_on(i);
    hash = core_mix(hash, core.threads[i].history + awake);
  }
  return hash != 0 ? hash : 1;
}

static bool put_state(uint64_t *states, size_t room, uint64_t hash) {
  size_t i = hash & (room - 1);
  for (; states[i] != 0; i = (i + 1) & (room - 1))
    if (states[i] == hash) return false;
  states[i] = hash;
  return true;
}

static void more_states(void) {
  size_t room = run.state_room != 0 ? run.state_room * 2 : STATES_MIN;
  uint64_t *states = room <= STATES_MAX ? calloc(room, sizeof *states) : NULL;
  if (states == NULL) race_fail("model too large: states");
  for (size_t i = 0; i < run.state_room; i++)
    if (run.states[i] != 0) (void)put_state(states, room, run.states[i]);
  free(run.states);
  run.states = states;
  run.state_room = room;
}

static bool is_new_state(void) {
  if (run.state_count >= run.state_room / 2) more_states();
  if (!put_state(run.states, run.state_room, hash_state())) return false;
  run.state_count++;
  return true;
}

/* ---- choices ---- */

size_t core_choose(size_t n) {
  if (n == 1) return 0;
  if (n == 0 || n > UINT16_MAX) race_fail("no way to go on");
  if (run.depth == CHOICES) race_fail("model too long: choices");
  if (run.depth == run.length) {
    run.choices[run.depth] = 0;
    run.ways[run.depth] = (uint16_t)n;
    run.length++;
  }
  if (run.ways[run.depth] != n) race_fail("the model does not run the same way twice");
  return run.choices[run.depth++];
}

static bool next_choices(void) {
  while (run.length > 0 && run.choices[run.length - 1] + 1 == run.ways[run.length - 1])
    run.length--;
  if (run.length > 0) run.choices[run.length - 1]++;
  return run.length > 0;
}

/* ---- scheduling ---- */

/* The locks of a model, by address. */
enum { LOCKS = 16 };
typedef struct lock {
  const void *name;
  bool held;
  uint64_t id; /* of the last operation on it */
  core_view released;
} lock;

static struct {
  lock all[LOCKS];
  size_t count;
} locks;

static lock *lock_of(const void *name) {
  for (size_t i = 0; i < locks.count; i++)
    if (locks.all[i].name == name) return &locks.all[i];
  if (locks.count == LOCKS) race_fail("too many locks");
  lock *l = &locks.all[locks.count++];
  memset(l, 0, sizeof *l);
  l->name = name;
  return l;
}

static bool can_go_on(unsigned i) {
  const core_thread *t = &core.threads[i];
  if (t->done) return false;
  if (t->wait == CORE_WANTS_LOCK) return !lock_of(t->lock)->held;
  return t->wait != CORE_YIELDS || core.changes > t->yielded_at;
}

static void leave(ending how) {
  run.ending = how;
  core_fiber_pause();
}

static void go_on_with(unsigned next) {
  unsigned before = core.current;
  if (next == before) return;
  if (run.own != NULL) {
    core.threads[before].own = *run.own;
    *run.own = core.threads[next].own;
  }
  core.current = next;
  core_fiber_swap(before, next);
}

/* Called when the running thread's step is over: chooses the thread of the next step. */
static void schedule(void) {
  if (run.depth >= run.replayed && !is_new_state()) leave(MET_AGAIN);
  unsigned able[RACE_THREADS], count = 0;
  bool all_done = true;
  if (can_go_on(core.current)) able[count++] = core.current;
  for (unsigned i = 0; i < run.thread_count; i++) {
    all_done = all_done && core.threads[i].done;
    if (i != core.current && can_go_on(i)) able[count++] = i;
  }
  if (all_done) leave(COMPLETE);
  if (count == 0) race_fail("all threads wait");
  go_on_with(able[core_choose(count)]);
}

void core_arrive(core_wait wait, const void *name) {
  core_thread *self = core_self();
  self->wait = wait;
  self->lock = name;
  if (run.starting)
    core_fiber_pause();
  else
    schedule();
  core_self()->wait = CORE_GOES_ON;
  if (++core_self()->operations > OPERATIONS) race_fail("a thread goes on for ever");
}

void core_note(uint64_t kind, uint64_t what, uint64_t result) {
  core_thread *self = core_self();
  self->history = core_mix(core_mix(core_mix(self->history, kind), what), result);
}

void core_tick(void) { core_self()->view.clock[core.current]++; }

/* ---- locks ---- */

enum { LOCKED = 16, NOT_LOCKED, YIELDED };

static void take_lock(lock *l) {
  l->held = true;
  core_join(&core_self()->view, &l->released);
  core_note(LOCKED, (uintptr_t)l->name, l->id);
  l->id = core_self()->history;
  core_trace("", l->name, 0, "locked");
  core_tick();
}

void race_lock(const void *name) {
  if (core.mode != CORE_RUNNING) return;
  core_arrive(CORE_WANTS_LOCK, name);
  take_lock(lock_of(name));
}

bool race_try_lock(const void *name) {
  if (core.mode != CORE_RUNNING) return true;
  core_arrive(CORE_GOES_ON, NULL);
  lock *l = lock_of(name);
  if (l->held) {
    core_note(NOT_LOCKED, (uintptr_t)name, l->id);
    core_tick();
    return false;
  }
  take_lock(l);
  return true;
}

/* Unlocking is not a step of its own: if it came later, threads that want the lock would only wait
 * longer. */
void race_unlock(const void *name) {
  if (core.mode != CORE_RUNNING) return;
  lock *l = lock_of(name);
  if (!l->held) race_fail("unlocked twice");
  l->held = false;
  l->released.places = 0;
  memset(l->released.clock, 0, sizeof l->released.clock);
  core_join(&l->released, &core_self()->view);
  core.changes++;
  core_tick();
}

void race_yield(void) {
  if (core.mode != CORE_RUNNING) return;
  core_self()->yielded_at = core.changes - core_can_see_newer();
  core_note(YIELDED, 0, 0);
  core_arrive(CORE_YIELDS, NULL);
  core_see_latest();
}

/* ---- executions ---- */

unsigned race_self(void) { return core.mode == CORE_RUNNING ? core.current : RACE_THREADS; }

void race_set_own(void **variable) {
  run.own = variable;
  core_unwatch(variable);
}

static void body(void) {
  run.model->threads[core.current]();
  core_self()->done = true;
  core_note(0, 0, 0);
  if (run.starting)
    core_fiber_pause();
  else
    schedule();
  __builtin_unreachable();
}

static void start_execution(void *own) {
  core.execution++;
  core.changes = 0;
  core.accesses = 0;
  core_forget_places();
  core_forget_trace();
  locks.count = 0;
  run.depth = 0;
  run.replayed = run.length;
  for (unsigned i = 0; i < run.thread_count; i++) {
    core_thread *t = &core.threads[i];
    memset(t, 0, sizeof *t);
    t->history = core_mix(i, 0);
    t->view.clock[i] = 1;
    t->own = own;
    core_fiber_make(i, body);
  }
}

/* Runs every thread up to its first operation. */
static void start_threads(void *own) {
  run.starting = true;
  for (core.current = 0; core.current < run.thread_count; core.current++) {
    core_fiber_go(core.current);
    if (run.own == NULL) continue;
    core_self()->own = *run.own;
    *run.own = own;
  }
  run.starting = false;
}

static void execute(void *own) {
  start_execution(own);
  core.mode = CORE_RUNNING;
  start_threads(own);
  unsigned able[RACE_THREADS], count = 0;
  for (unsigned i = 0; i < run.thread_count; i++)
    if (can_go_on(i)) able[count++] = i;
  core.current = count > 0 ? able[core_choose(count)] : 0;
  if (run.own != NULL) *run.own = core_self()->own;
  if (count > 0) core_fiber_go(core.current);
  core.mode = CORE_AFTER;
  if (run.own != NULL) *run.own = own;
  if (run.ending == COMPLETE && run.model->end != NULL) run.model->end();
  core.mode = CORE_ALONE;
  core_undo();
  if (run.own != NULL) *run.own = own;
}

void race_explore(const race_model *model, race_result *result) {
  run.model = model;
  run.result = result;
  core.spurious = model->spurious;
  while (run.thread_count < RACE_THREADS && model->threads[run.thread_count] != NULL)
    run.thread_count++;
  if (model->begin != NULL) model->begin();
  void *own = run.own != NULL ? *run.own : NULL;
  do {
    execute(own);
    *(run.ending == COMPLETE ? &result->executions : &result->repeated) += 1;
    result->states = run.state_count;
  } while (next_choices());
}

_Noreturn void race_fail(const char *what) {
  if (run.result == NULL) abort();
  (void)snprintf(run.result->failure, sizeof run.result->failure, "%s", what);
  run.result->states = run.state_count;
  if (run.result->traced) race_print_trace();
  (void)fflush(stdout);
  _exit(EXIT_FAILURE);
}
