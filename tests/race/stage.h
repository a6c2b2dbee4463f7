/* stage.h -- what models share: memory, threads' locals, pages with few blocks. */
#ifndef TESTS_RACE_STAGE_H
#define TESTS_RACE_STAGE_H

#include "engine.h"
#include "theap/theap.h"

/* What the library wants called around fork. */
typedef struct stage_fork_hooks {
  void (*prepare)(void);
  void (*parent)(void);
  void (*child)(void);
} stage_fork_hooks;

extern stage_fork_hooks stage_forks;

/* By how much a look at the clock moves it; 0: it stands still. */
extern mia_tick stage_tick;

/* Is the thread that another starts, once it does. */
void stage_run_started(void);

/* Before anything else: memory that is watched. */
void stage_begin(void);

/* The same, and a local for each thread; statistics are not explored, nor, by the
 * second, how many threads there are and how much memory is used or idle. */
void stage_begin_threads(void);
void stage_begin_locals(void);
extern mia_theap *stage_locals[RACE_THREADS];

/* Statistics of a local are not explored, nor its spares of other classes. */
void stage_ignore(const mia_theap *local);

/* From here on the running thread has the local of that number. */
void stage_be(unsigned i);

/* The class of the largest blocks in pages of one slice: a page has eight, and
 * carves no more than two at a time. */
#define STAGE_CLASS (MIA_CLASS_COUNT - 17)

/* Has a local allocate `live' blocks of a new page of STAGE_CLASS with room for
 * `total': the page is the one in use. */
mia_page *stage_page(unsigned local, uint32_t total, uint32_t live, mia_block **blocks);

/* A local's page in use is no longer: the next is made or taken. */
void stage_forget_page(unsigned local);

/* A local frees a block and sends it home. */
void stage_free(unsigned local, mia_block *block);

/* As if the program had written a block. */
void stage_use(mia_block *block);

/* Pages that were retired so far. */
size_t stage_retired(void);

#endif
