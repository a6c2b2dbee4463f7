/* turns.h -- malloc and its kin in turns.  Included before everything else in the workloads of
 * bench/loads, it makes one call run at a time, each by another thread than the last if another
 * waits, as if each thread had a processor.  Each call is marked (marks.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LINES_TURNS_H
#define BENCH_LINES_TURNS_H

#include <stdlib.h>

void *turns_malloc(size_t size);
void *turns_calloc(size_t count, size_t size);
void *turns_realloc(void *block, size_t size);
void turns_free(void *block);

#define malloc turns_malloc
#define calloc turns_calloc
#define realloc turns_realloc
#define free turns_free

#endif
