/* SPDX-License-Identifier: MIT */
/* world.h -- the state of this layer. */
#ifndef MIA_API_WORLD_H
#define MIA_API_WORLD_H

#include "base/atomic.h"
#include "base/prelude.h"
#include "os/lock.h"
#include "os/worker.h"
#include "theap/theap.h"

#include <mialloc.h>
#include <mialloc/heap.h>

/* A function that the program registered, and the argument for its calls.  Only hook.c reads
 * and writes it. */
typedef struct mia_hook {
  mia_aword function; /* [any] 0: none */
  mia_aword arg;      /* [any] */
  mia_aword version;  /* [any] odd while they change, else twice the number of changes */
} mia_hook;

/* A group of heaps.  Sub-processes are recycled, never unmapped. */
struct mia_subproc {
  mia_heap *main;             /* [const] while in use; NULL: the process's main heap */
  mia_heap *heaps;            /* [lock:subprocs] linked by next */
  struct mia_subproc *unused; /* [lock:subprocs] next in the list of unused ones */
  struct mia_subproc *next;   /* [lock:subprocs] next of all sub-processes */
};

typedef struct mia_api_world {
  /* [any] Values minus their defaults: all zero means that nothing was set, even before
   * anything could be set. */
  mia_aword changes[MIA_OPTION_COUNT];
  mia_aword given;    /* [any] a bit for each option that was set */
  mia_aword warnings; /* [any] number written so far */
  mia_hook output;
  mia_hook error;
  mia_hook deferred;
  mia_lock subprocs;
  mia_subproc main;             /* the sub-process that exists from the start */
  mia_subproc *unused_subprocs; /* [lock:subprocs] */
  mia_acell begun;              /* [any] time at which the library began; 0: not yet */
  mia_acell age_due;            /* [any] time at which cached pages age again; 0: none yet */
  mia_aword stderr_copy;        /* [any] duplicate of stderr; 0: none */
  mia_aword limit_near;         /* [any] 1: the user was warned */
  mia_aword background;         /* [any] state of the background thread: background.c */
  mia_semaphore bell;           /* [any] wakes that thread */
  mia_aword next_atfork;        /* [any] C library's registration of fork handlers; 0: not known */
  mia_aword at_fork;            /* [any] 1: our fork handlers are registered, or about to be */
  mia_once bound;               /* [any] whether the C library's symbols were changed: dlopen.c */
  mia_aword unbound;            /* [any] 1: that failed, and the user was not warned yet */
} mia_api_world;

mia_static_assert(MIA_OPTION_COUNT <= 32, "a bit for each option fits a word");
mia_assert_field_aligned(mia_hook, function);
mia_assert_field_aligned(mia_hook, arg);
mia_assert_field_aligned(mia_hook, version);
mia_assert_field_aligned(mia_api_world, changes);
mia_assert_field_aligned(mia_api_world, given);
mia_assert_field_aligned(mia_api_world, warnings);
mia_assert_field_aligned(mia_api_world, output);
mia_assert_field_aligned(mia_api_world, error);
mia_assert_field_aligned(mia_api_world, deferred);
mia_assert_field_aligned(mia_api_world, begun);
mia_assert_field_aligned(mia_api_world, age_due);
mia_assert_field_aligned(mia_api_world, stderr_copy);
mia_assert_field_aligned(mia_api_world, limit_near);
mia_assert_field_aligned(mia_api_world, background);
mia_assert_field_aligned(mia_api_world, at_fork);
mia_assert_field_aligned(mia_api_world, next_atfork);
mia_assert_field_aligned(mia_api_world, unbound);

extern mia_api_world mia_api_all __attribute__((visibility("hidden")));
mia_assert_object_aligned(mia_api_all, mia_acell);

#endif
