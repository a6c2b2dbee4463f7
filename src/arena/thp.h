/* SPDX-License-Identifier: MIT */
/* thp.h -- which memory of an arena mialloc asks the kernel to back by large OS pages (Linux:
 * transparent huge pages, THP).
 *
 * A large OS page saves hundreds of page faults, but all of it is resident as soon as one byte of
 * it was written.  So the kernel is asked for one only where most of it is likely to be used: when
 * the process uses much, and a span that will be filled is the first use of a part of an arena.
 * Such a part is a frame: as long as a large OS page, at a multiple of its length.
 *
 * When memory of a frame is given back, the kernel is asked for small OS pages there again, and a
 * large one is split.  Otherwise the memory would not return to the system, or the kernel might
 * back what is left of the frame by a large OS page once more.
 *
 * All of this is advice.  Threads that take and give slices of one frame may change its bits at the
 * same time; what any memory contains does not depend on them. */
#ifndef MIA_ARENA_THP_H
#define MIA_ARENA_THP_H

#include "arena/arena.h"

/* Returns the bytes in spans, of which frames consist. */
mia_inline size_t mia_arena_in_spans(void) {
  size_t used = mia_aword_get(&mia_arena_all.used), huge = mia_aword_get(&mia_arena_all.huge);
  return used > huge ? used - huge : 0;
}

/* Frames get large OS pages while at least so many of these are in use.  A process that uses less
 * would notice the part of the last frame that it never fills. */
#define MIA_ARENA_THP_MIN (32 * MIA_MIB)

/* Notes for what spans are taken, before mia_arena_may_begin_thp is asked: memory that will be filled,
 * or a large block, of which a program may write as little as it likes. */
void mia_arena_note_filled(size_t slices);
void mia_arena_note_sparse(size_t slices);

/* Returns true if frames of the arena may get large OS pages now. */
bool mia_arena_may_begin_thp(const mia_arena *arena);

/* Asks for large OS pages in the frames of which a span is the first use.  To be called when the span
 * has just been taken, if it is for memory that will be filled. */
void mia_arena_begin_thp(mia_arena *arena, const char *start, size_t slices);

/* Asks for small OS pages in the frames of a range of bytes.  If the caller `purges' the range next,
 * splits large OS pages of which the range is a part; then the content of the range is lost. */
void mia_arena_end_thp(const mia_arena *arena, char *start, size_t size, bool purges);

/* Returns what the splitting that mia_arena_end_thp would do counts as in a budget. */
size_t mia_arena_cost_to_end_thp(const mia_arena *arena, const char *start, size_t size);

#endif
