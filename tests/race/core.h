/* SPDX-License-Identifier: MIT */
/* core.h -- what the source files of the engine share. */
#ifndef TESTS_RACE_CORE_H
#define TESTS_RACE_CORE_H

#include "engine.h"

enum {
  CORE_PLACES = 192, /* atomic cells that one execution may touch */
  CORE_MESSAGES = 1024,
  CORE_PLACE_MESSAGES = 96
};

/* What a thread knows: how far every other thread has come, and for every place the oldest message
 * that it can still read. */
typedef struct core_view {
  uint32_t clock[RACE_THREADS];
  size_t places;
  uint64_t seen[CORE_PLACES];
} core_view;

void core_join(core_view *v, const core_view *other);

/* ALONE: no model runs and nothing is recorded.  RUNNING: the threads of a model run.  AFTER: they
 * have ended, but writes are still recorded to be undone. */
typedef enum core_mode { CORE_ALONE, CORE_RUNNING, CORE_AFTER } core_mode;

typedef enum core_wait { CORE_GOES_ON, CORE_WANTS_LOCK, CORE_YIELDS } core_wait;

typedef struct core_thread {
  core_view view;
  uint64_t history; /* a hash of all operations and their results */
  unsigned operations;
  unsigned spurious;
  core_wait wait;
  const void *lock; /* the lock that it waits for */
  unsigned long yielded_at;
  bool polled[CORE_PLACES]; /* the places that it has read since it last yielded */
  bool done;
  void *own;
} core_thread;

typedef struct core_state {
  core_mode mode;
  unsigned current;
  core_thread threads[RACE_THREADS];
  unsigned long changes;  /* changes of anything that threads may wait for */
  unsigned long accesses; /* accesses to plain memory in this execution */
  uint32_t execution;     /* the number of this execution */
  unsigned spurious;      /* spurious failures that the model allows in each thread */
} core_state;

extern core_state core;

static inline core_thread *core_self(void) { return &core.threads[core.current]; }

uint64_t core_mix(uint64_t hash, uint64_t value);

/* ---- schedule.c ---- */

/* Ends the running thread's step and returns when its next step begins. */
void core_arrive(core_wait wait, const void *lock);

/* Chooses one of n alternatives.  Over all executions every one is tried, 0 first. */
size_t core_choose(size_t n);

/* Adds an operation to the history of the running thread. */
void core_note(uint64_t kind, uint64_t what, uint64_t result);

/* Advances the thread's clock: what it released so far does not cover what it does from here on. */
void core_tick(void);

/* ---- memory.c ---- */
void core_forget_places(void);
uint64_t core_hash_places(void);
/* Returns true if the running thread could read a newer message of a place that it has polled;
 * makes it know the latest messages of these places. */
bool core_can_see_newer(void);
void core_see_latest(void);

/* Forgets the messages of a place that was written as plain memory. */
void core_drop_place(unsigned place);

/* ---- plain.c ---- */
typedef enum core_access {
  CORE_PLAIN_READ,
  CORE_PLAIN_WRITE,
  CORE_ATOMIC_READ,
  CORE_ATOMIC_WRITE
} core_access;

void core_touch(const void *start, size_t size, core_access access);
void core_set_place(const void *at, unsigned place); /* registers the atomic cell at `at' */
unsigned core_place_at(const void *at);              /* returns 0 if there is none */
/* Writes memory; core_undo restores what was there before. */
void core_put(void *at, size_t size, uint64_t value);
uint64_t core_peek(const void *at, size_t size);
void core_undo(void);
bool core_is_ignored(const void *at);

/* Does not watch a variable of which each thread has its own, nor errno: in a static program musl
 * has the first thread's errno in .bss. */
void core_unwatch(const void *variable);

/* ---- sites.c ---- */
race_order core_order_at(const char *site, race_order order);
void core_trace(const char *site, const void *at, uint64_t value, const char *what);
void core_forget_trace(void);

/* ---- fiber.c ---- */
void core_fiber_make(unsigned thread, void (*body)(void));
void core_fiber_go(unsigned thread); /* from the explorer into a thread */
void core_fiber_swap(unsigned from, unsigned to);
void core_fiber_pause(void); /* from the running thread back to the explorer */

#endif
