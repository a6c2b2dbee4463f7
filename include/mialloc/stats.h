/* mialloc/stats.h -- memory statistics of a process, a heap or a thread.
 *
 * The figures are exact if every other thread that has allocated has ended, or has called
 * mia_thread_done.  Otherwise each figure is one that was true a moment ago.  The free blocks
 * that a thread, also a sleeping one, holds to allocate from then count as in use, and so do
 * those that it has freed but not yet returned to their pages.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_STATS_H
#define MIALLOC_STATS_H

#include <mialloc.h>
#include <mialloc/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when the meaning of a field of mia_stats changes.  New fields are added at the end. */
#define MIA_STATS_VERSION 1

/* Enough entries for every size class, for large blocks and for huge blocks. */
#define MIA_STATS_CLASSES 80

/* The statistics of the blocks of one size class. */
typedef struct mia_stats_class {
  size_t block_size;            /* usable bytes of each block; 0: they differ */
  size_t pages;                 /* pages that hold such blocks */
  size_t pages_peak;            /* peak of pages, in the process */
  size_t blocks;                /* blocks in use */
  size_t bytes;                 /* usable bytes of the blocks in use */
  unsigned long long allocated; /* blocks allocated so far */
  unsigned long long freed;     /* blocks allocated so far and not in use any more */
} mia_stats_class;

/* How often events on slow paths happened. */
typedef struct mia_stats_events {
  unsigned long long refills;                  /* a thread's free list was empty */
  unsigned long long pages_made;               /* pages taken from an arena or the OS */
  unsigned long long pages_retired;            /* pages given back to an arena or the OS */
  unsigned long long pages_reused;             /* empty pages that were cached and used again */
  unsigned long long pages_reclaimed_on_free;  /* by a thread that freed blocks in them */
  unsigned long long pages_abandoned;          /* pages with free blocks, left to any thread */
  unsigned long long pages_reclaimed_on_alloc; /* abandoned pages that a thread allocates from */
  unsigned long long batches_sent;             /* remote batches sent to their pages */
} mia_stats_events;

/* The statistics of a process, a heap or a thread.  Sizes are in bytes. */
typedef struct mia_stats {
  size_t size;          /* of the structure, set by the caller; then what was filled in */
  unsigned version;     /* MIA_STATS_VERSION of the library */
  unsigned class_count; /* number of entries of `classes' in use */
  /* Sums over the classes. */
  size_t pages;
  size_t blocks;
  size_t bytes;
  unsigned long long allocated;
  unsigned long long freed;
  mia_stats_events events; /* 0 for a heap and for a sub-process */
  /* Always those of the process. */
  size_t arenas;                   /* number of arenas */
  size_t reserved;                 /* bytes of address space, including mappings of huge blocks */
  size_t committed;                /* bytes of it that may have memory */
  size_t used;                     /* bytes of it in pages */
  size_t used_peak;                /* peak of `used' */
  unsigned long long purged;       /* bytes given back to the OS so far */
  size_t threads;                  /* threads that have allocated and not ended */
  size_t threads_peak;             /* peak of `threads' */
  size_t rss;                      /* resident bytes as the OS reports them; 0: unknown */
  size_t rss_peak;                 /* peak of `rss' */
  unsigned long long faults;       /* page faults, of which ... */
  unsigned long long faults_major; /* ... had to wait for a disk */
  unsigned long long elapsed_ms;   /* since the library began */
  unsigned long long user_ms;      /* of processor time in user mode */
  unsigned long long system_ms;    /* of processor time in the kernel */
  mia_stats_class classes[MIA_STATS_CLASSES]; /* the last two entries: large blocks, huge blocks */
} mia_stats;

/* Fill in *stats, whose `size' the caller has set, for the process, for a heap, or for the
 * calling thread: the blocks that it allocated, and the pages that it allocates from.  The
 * allocations of a heap that has ended count as those of the main heap of its sub-process.
 *
 * Program and library may be of different versions.  If `size' is less than the library's, only
 * that much is filled in, and `class_count' is the number of complete entries of `classes'.  If
 * `size' is greater, all that the library has is filled in, `size' becomes the library's, and
 * the rest is unchanged.  Returns false and fills in nothing on failure: EINVAL if `size' does
 * not even cover `version' and `class_count'; ENOMEM if `size' is not the library's and memory
 * is short. */
MIA_API bool mia_stats_get(mia_stats *stats);
MIA_API bool mia_heap_stats_get(mia_heap *heap, mia_stats *stats);
MIA_API bool mia_thread_stats_get(mia_stats *stats);

/* mia_stats_get for all heaps of a sub-process together. */
MIA_API bool mia_subproc_stats_get(mia_subproc *subproc, mia_stats *stats);

/* The next two functions accept a structure of any size, as those above fill it in.
 *
 * Formats statistics as a JSON object whose members have the names of the fields.  Writes it to
 * `buffer' of `size' bytes, cut if that is too small; or, if `buffer' is NULL, to a new block,
 * which the caller frees.  Returns the text; NULL with errno set to ENOMEM if memory is short. */
MIA_API char *mia_stats_as_json(const mia_stats *stats, size_t size, char *buffer);

/* Writes statistics as text, in whole lines, to `out'; if that is NULL, to stderr or to the
 * function that mia_register_output registered. */
MIA_API void mia_stats_print_as(const mia_stats *stats, mia_output_function *out, void *arg);

/* mia_stats_print_as for the process; and for what the OS reports of it: times, memory, page
 * faults. */
MIA_API void mia_stats_print_out(mia_output_function *out, void *arg);
MIA_API void mia_process_print_out(mia_output_function *out, void *arg);

#ifdef __cplusplus
}
#endif
#endif
