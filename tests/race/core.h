/* core.h -- what the parts of the engine share. */
#ifndef TESTS_RACE_CORE_H
#define TESTS_RACE_CORE_H

#include "engine.h"

enum {
  CORE_PLACES = 192, /* atomic cells that one execution may touch */
  CORE_MESSAGES = 1024,
  CORE_PLACE_MESSAGES = 96
};

/* What a thread knows: of every thread how far it has got, of every place which
 * message it can't look behind any more. */
typedef struct core_view {
  uint32_t clock[RACE_THREADS];
  size_t places;
  uint64_t seen[CORE_PLACES];
} core_view;

void core_join(core_view *v, const core_view *other);

/* ALONE: no model runs, nothing is recorded.  RUNNING: its threads do.  AFTER:
 * they have ended; what is written is undone all the same. */
typedef enum core_mode { CORE_ALONE, CORE_RUNNING, CORE_AFTER } core_mode;

typedef enum core_wait { CORE_GOES_ON, CORE_WANTS_LOCK, CORE_YIELDS } core_wait;

typedef struct core_thread {
  core_view view;
  uint64_t history; /* hash of all operations and what they returned */
  unsigned operations;
  unsigned spurious;
  core_wait wait;
  const void *lock; /* that it wants */
  unsigned long yielded_at;
  bool polled[CORE_PLACES]; /* what it has read since it last yielded */
  bool done;
  void *own;
} core_thread;

typedef struct core_state {
  core_mode mode;
  unsigned current;
  core_thread threads[RACE_THREADS];
  unsigned long changes;  /* of anything that others may wait for */
  unsigned long accesses; /* to plain memory, in this execution */
  uint32_t execution;     /* its number */
  unsigned spurious;      /* the model's */
} core_state;

extern core_state core;

static inline core_thread *core_self(void) { return &core.threads[core.current]; }

uint64_t core_mix(uint64_t hash, uint64_t value);

/* ---- schedule.c ---- */

/* Ends the running thread's step and comes back when its next begins. */
void core_arrive(core_wait wait, const void *lock);

/* One of n ways to go on: all are tried, 0 first. */
size_t core_choose(size_t n);

/* Adds to the history of the running thread. */
void core_note(uint64_t kind, uint64_t what, uint64_t result);

/* Ends a step's effects: from here on is not covered by what was released. */
void core_tick(void);

/* ---- memory.c ---- */
void core_forget_places(void);
uint64_t core_hash_places(void);
bool core_can_see_newer(void); /* of what the running thread has polled */
void core_see_latest(void);    /* does so */

/* Plain memory was written where a cell was: what it was is forgotten. */
void core_drop_place(unsigned place);

/* ---- plain.c ---- */
typedef enum core_access {
  CORE_PLAIN_READ,
  CORE_PLAIN_WRITE,
  CORE_ATOMIC_READ,
  CORE_ATOMIC_WRITE
} core_access;

void core_touch(const void *start, size_t size, core_access access);
void core_set_place(const void *at, unsigned place); /* of the cell at `at' */
unsigned core_place_at(const void *at);              /* 0: none */
/* Writes memory, to be undone. */
void core_put(void *at, size_t size, uint64_t value);
uint64_t core_peek(const void *at, size_t size);
void core_undo(void);
bool core_is_ignored(const void *at);

/* A variable of which each thread has its own, wherever it lies, as errno is: in a
 * static program musl has the first thread's in .bss. */
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
