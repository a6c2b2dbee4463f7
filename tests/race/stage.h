/* SPDX-License-Identifier: MIT */
/* stage.h -- what models share: memory, a theap for each thread, pages with few blocks. */
#ifndef TESTS_RACE_STAGE_H
#define TESTS_RACE_STAGE_H

#include "engine.h"
#include "theap/theap.h"

/* The functions that the library registers to be called around fork. */
typedef struct stage_fork_hooks {
  void (*prepare)(void);
  void (*parent)(void);
  void (*child)(void);
} stage_fork_hooks;

extern stage_fork_hooks stage_forks;

/* Each read of the clock advances it by this much; with 0 it stands still. */
extern mia_time_ms stage_tick;

/* The environment of the process.  NULL: none. */
extern const char *const *stage_environment;

/* Waits until another thread starts a thread, and runs as that thread. */
void stage_run_started(void);

/* Reserves the memory that the checker watches.  To be called before anything else. */
void stage_begin(void);

/* Calls stage_begin and makes a theap for each thread, without exploring statistics.  The second
 * function does not explore either how many threads there are and how much memory is used or
 * idle. */
void stage_begin_threads(void);
void stage_begin_theaps(void);
extern mia_theap *stage_theaps[RACE_THREADS];

/* Does not explore the statistics of a theap and its cached pages of other classes. */
void stage_ignore(const mia_theap *theap);

/* Makes stage_theaps[i] the theap of the running thread. */
void stage_set_self(unsigned i);

/* The class with the largest blocks in pages of one slice: a page has eight, and is extended by two
 * at a time. */
#define STAGE_CLASS (MIA_CLASS_COUNT - 17)

/* Makes a theap allocate `live' blocks of a new page of STAGE_CLASS that has room for `total'.  The
 * page is the one that the theap then allocates from. */
mia_page *stage_page(unsigned theap, uint32_t total, uint32_t live, mia_block **blocks);

/* Detaches the page that a theap allocates from, so that the next refill takes another page. */
void stage_forget_page(unsigned theap);

/* Frees a block as the thread of a theap and flushes its remote batches. */
void stage_free(unsigned theap, mia_block *block);

/* Counts as a write of the program to a block. */
void stage_write_block(mia_block *block);

/* Returns the number of pages that were retired so far. */
size_t stage_retired(void);

#endif
