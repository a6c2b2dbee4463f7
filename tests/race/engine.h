/* SPDX-License-Identifier: MIT */
/* engine.h -- a model checker for C11's memory model that runs the library's code.
 *
 * A model is a few threads.  The checker runs them one operation on an atomic
 * cell or lock at a time, again and again, until every order of operations and
 * every value that a load may return has been tried (doc/races.md).  It finds
 * data races on plain memory, failed assertions and checks, misuse, threads that
 * wait for ever, and crashes.
 *
 * The code under test calls the checker by way of instead/base/atomic.h, of the calls
 * that -fsanitize=thread puts before each plain access, and of the locks of os.c.
 * The engine itself is compiled without -fsanitize=thread. */
#ifndef TESTS_RACE_ENGINE_H
#define TESTS_RACE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RACE_THREADS = 4 };

typedef struct race_model {
  const char *name;
  const char *subject; /* what happens, for the table of doc/races.md */
  void (*begin)(void); /* called once, before any thread runs: prepares memory */
  void (*threads[RACE_THREADS])(void);
  void (*end)(void); /* called after each execution, knows all its writes; may be NULL */
  const char *finds; /* the start of the failure that must be found; NULL: there must be none */
  bool longer;       /* left out of the short run */
  unsigned spurious; /* weak exchanges that may fail for no reason, in each thread */
} race_model;

typedef struct race_result {
  unsigned long executions; /* executions that ran to their end */
  unsigned long repeated;   /* executions that ended in a state that had been met before */
  unsigned long states;     /* different states */
  bool traced;              /* shows a failure step by step */
  char failure[128];        /* empty if there was none */
} race_result;

/* Explores a model.  May be called once in a process.  The first failure is stored in the result
 * and ends the process; a crash ends the process without that. */
void race_explore(const race_model *model, race_result *result);

/* Prints what the threads did in the last execution. */
void race_print_trace(void);

/* ---- for models ---- */

/* Reports a failure and ends the process. */
_Noreturn void race_fail(const char *what);
#define race_check(e) ((e) ? (void)0 : race_fail("check failed: " #e))

/* Returns the number of the running thread, or RACE_THREADS while no thread runs; gives each thread
 * its own value of a variable. */
unsigned race_self(void);
void race_set_own(void **variable);

/* Does not explore memory that nothing depends on, such as counters. */
void race_ignore(const void *start, size_t size);

/* Watches plain accesses to a range of memory. */
void race_watch(const void *start, size_t size);

/* Count as plain accesses of the running thread. */
void race_read(const void *start, size_t size);
void race_write(const void *start, size_t size);
void *race_memset(void *to, int c, size_t size);
void *race_memcpy(void *to, const void *from, size_t size);
void *race_memmove(void *to, const void *from, size_t size);

/* Locks, which are identified by their addresses.  race_yield waits until another thread has
 * changed something. */
void race_lock(const void *lock);
bool race_try_lock(const void *lock);
void race_unlock(const void *lock);
void race_yield(void);

/* ---- for base/atomic.h ---- */

typedef enum race_order {
  RACE_RELAXED = 0,
  RACE_ACQUIRE = 1,
  RACE_RELEASE = 2,
  RACE_ACQ_REL = RACE_ACQUIRE | RACE_RELEASE
} race_order;

typedef enum race_update { RACE_SWAP, RACE_ADD, RACE_SUB, RACE_OR, RACE_AND } race_update;

/* `site' names the place in the source: "file:line:operation". */
uint64_t race_load(const void *at, size_t size, race_order order, const char *site);
void race_store(void *at, size_t size, uint64_t v, race_order order, const char *site);
uint64_t race_change(void *at, size_t size, race_update how, uint64_t v, race_order order,
                     const char *site);
bool race_swap_if(void *at, size_t size, uint64_t *was, uint64_t now, race_order order,
                  const char *site);

/* ---- weakening an order ---- */

enum { RACE_SITE_LENGTH = 96 };

typedef struct race_site {
  char name[RACE_SITE_LENGTH]; /* from "src/" on */
  race_order order;            /* the order in the source */
  race_order used;             /* the order that the checker uses */
  bool seen;                   /* the site was run since this was last cleared */
} race_site;

enum { RACE_SITES = 256 };

/* The sites with an order other than relaxed that were run so far, in memory that the processes
 * share. */
typedef struct race_site_table {
  size_t count;
  race_site sites[RACE_SITES];
} race_site_table;

extern race_site_table *race_sites;

#endif
