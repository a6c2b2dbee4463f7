/* engine.h -- a checker of C11's memory model that runs code of ours.
 *
 * A model is a few threads.  The checker runs them one operation on an atomic
 * cell or lock at a time, again and again, until every order of operations and
 * every value that a load may return has been tried (doc/races.md).  What it
 * finds: data races on plain memory, failed assertions and checks, misuse, threads
 * that wait for ever, crashes.
 *
 * The code under test reaches it by base/atomic.h beside this file, by the calls
 * that -fsanitize=thread puts before each plain access, and by the locks of os.c.
 * The engine itself is compiled without. */
#ifndef TESTS_RACE_ENGINE_H
#define TESTS_RACE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RACE_THREADS = 4 };

typedef struct race_model {
  const char *name;
  const char *subject; /* what it is about, for the table */
  void (*begin)(void); /* once: sets the stage, alone */
  void (*threads[RACE_THREADS])(void);
  void (*end)(void); /* after the threads of each execution, seeing all; may be NULL */
  const char *finds; /* NULL: nothing is to be found; else the start of what must be */
  bool longer;       /* left out of the short run */
  unsigned spurious; /* weak exchanges that fail for no reason, in each thread */
} race_model;

typedef struct race_result {
  unsigned long executions; /* run to their end */
  unsigned long repeated;   /* ended where a state was met again */
  unsigned long states;     /* different ones */
  bool traced;              /* a failure is to be shown step by step */
  char failure[128];        /* empty: none */
} race_result;

/* Explores a model.  The first failure ends the process, after it was put into
 * the result; so does what the failure leads to if it is a crash.  Once in a
 * process. */
void race_explore(const race_model *model, race_result *result);

/* Prints what the threads did in the last execution. */
void race_print_trace(void);

/* ---- for models ---- */

/* Ends it all: this must not be. */
_Noreturn void race_fail(const char *what);
#define race_check(e) ((e) ? (void)0 : race_fail("check failed: " #e))

/* The number of the thread that runs, RACE_THREADS before and after them; and a
 * variable that each has its own of. */
unsigned race_self(void);
void race_set_own(void **variable);

/* Counters that nothing depends on: not explored. */
void race_ignore(const void *start, size_t size);

/* The stretch of memory that plain accesses are watched in, beside that of
 * os.c. */
void race_watch(const void *start, size_t size);

/* As if the running thread had read or written plain memory. */
void race_read(const void *start, size_t size);
void race_write(const void *start, size_t size);
void *race_memset(void *to, int c, size_t size);
void *race_memcpy(void *to, const void *from, size_t size);
void *race_memmove(void *to, const void *from, size_t size);

/* Locks, known by their address; waiting until another thread has done something. */
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

/* A site is "file:line:operation". */
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
  race_order order;            /* as written */
  race_order used;             /* as run */
  bool seen;                   /* it was run since this was last cleared */
} race_site;

enum { RACE_SITES = 256 };

/* The sites with an order that were met so far; in memory that processes share. */
typedef struct race_site_table {
  size_t count;
  race_site sites[RACE_SITES];
} race_site_table;

extern race_site_table *race_sites;

#endif
