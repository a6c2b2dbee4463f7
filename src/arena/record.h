/* SPDX-License-Identifier: MIT */
/* record.h -- tiers from 1 on: where it is written which blocks are live.
 *
 * There is a record for each slice of an arena.  The record of the slice in which a page begins is the
 * page's (page/live.h); others are not touched.  The records of an arena lie in a mapping of their
 * own between two guards, so that no write beyond a block reaches them. */
#ifndef MIA_ARENA_RECORD_H
#define MIA_ARENA_RECORD_H

#include "arena/tier.h"

/* In these tiers no block is smaller than MIA_BLOCK_ALIGN. */
#define MIA_RECORD_BLOCKS (MIA_SLICE_SIZE / MIA_BLOCK_ALIGN)
#define MIA_RECORD_CELLS (MIA_RECORD_BLOCKS / MIA_CELL_BITS)

/* A record has an odd number of cache lines: so the first cells of many records, which are used most, do
 * not all fall into the same sets of a processor's cache. */
typedef struct mia_record {
  mia_acell live[MIA_RECORD_CELLS];  /* [any] written by the thread that has claimed the page */
  mia_acell freed[MIA_RECORD_CELLS]; /* [any] */
  mia_acell held[MIA_RECORD_CELLS];  /* [any] tiers from 2 on */
  char unused[MIA_CACHE_LINE];
} mia_record;

mia_static_assert(sizeof(mia_record) / MIA_CACHE_LINE % 2 == 1, "an odd number of lines");
mia_assert_field_aligned(mia_record, live);
mia_assert_field_aligned(mia_record, freed);
mia_assert_field_aligned(mia_record, held);

/* Reserves the records of an arena, if the tier has any.  Returns false if memory is short. */
bool mia_arena_make_records(mia_arena *arena);

/* Releases the records of an arena, if it has any. */
void mia_arena_release_records(mia_arena *arena);

#endif
