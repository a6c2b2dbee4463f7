/* SPDX-License-Identifier: MIT */
/* thp.c -- which memory of an arena the kernel may back by large OS pages. */
#include "base/prelude.h"

#include "arena/budget.h"
#include "arena/thp.h"
#include "base/bits.h"
#include "map/bitmap.h"
#include "os/os.h"

enum { FRAME_SLICES = MIA_OS_LARGE_PAGE >> MIA_SLICE_SHIFT };

/* The kernel maps what borders on each other in one piece if it has the same advice.  So scattered
 * frames are mappings of their own, of which a process may have 65,530.  With more frames than
 * this, 32 GiB, no further ones get large OS pages. */
enum { FRAMES_MAX = 16384 };

/* ---- frames ---- */

/* Some frames of an arena, as the slices with which they begin. */
typedef struct frames {
  size_t at, end;
} frames;

/* Returns the frames that have slices in [from, to) and lie in the arena as a whole.  The arena begins
 * `lead' slices behind a multiple of a frame. */
static frames frames_of(const mia_arena *arena, size_t from, size_t to) {
  size_t slices = FRAME_SLICES;
  size_t lead = ((uintptr_t)arena->start & (MIA_OS_LARGE_PAGE - 1)) >> MIA_SLICE_SHIFT;
  size_t at = (from + lead) / slices * slices, end = mia_align_up(to + lead, slices);
  size_t limit = (arena->slices + lead) / slices * slices;
  if (at < lead) at += slices;
  if (end > limit) end = limit;
  return at < end ? (frames){at - lead, end - lead} : (frames){0, 0};
}

/* Likewise for a range of bytes, which is not empty. */
static frames frames_at(const mia_arena *arena, const char *start, size_t size) {
  return frames_of(arena, mia_arena_slice_of(arena, start),
                   mia_arena_slice_of(arena, start + size - 1) + 1);
}

static char *address_of(const mia_arena *arena, size_t slice) {
  return arena->start + (slice << MIA_SLICE_SHIFT);
}

static bool is_large(const mia_arena *arena, size_t frame) {
  return mia_map_any(arena->thp, frame, FRAME_SLICES);
}

/* Returns true if the range has a part of the frame only. */
static bool is_part(const mia_arena *arena, size_t frame, const char *start, size_t size) {
  const char *at = address_of(arena, frame);
  return at < start || at + MIA_OS_LARGE_PAGE > start + size;
}

/* ---- beginning ---- */

/* What was taken last foretells what the rest of a frame will be for.  A slice that will be filled
 * gives a credit of 1, a slice of a large block costs SPARSE_COST, and a frame wants as much credit as
 * it has slices.  Without this, buffers of 1 MiB of which 16 KiB are written have 1.7 of the memory. */
enum { CREDIT_WANTED = FRAME_SLICES, CREDIT_MAX = 2 * FRAME_SLICES, SPARSE_COST = 8 };

/* Threads may overwrite each other's credit. */
void mia_arena_note_filled(size_t slices) {
  size_t credit = mia_aword_get(&mia_arena_all.frames.credit) + slices;
  mia_aword_set(&mia_arena_all.frames.credit, credit < CREDIT_MAX ? credit : CREDIT_MAX);
}

void mia_arena_note_sparse(size_t slices) {
  size_t credit = mia_aword_get(&mia_arena_all.frames.credit), cost = slices * SPARSE_COST;
  mia_aword_set(&mia_arena_all.frames.credit, credit > cost ? credit - cost : 0);
}

bool mia_arena_may_begin_thp(const mia_arena *arena) {
  return mia_arena_in_spans() >= MIA_ARENA_THP_MIN &&
         mia_aword_get(&mia_arena_all.frames.credit) >= CREDIT_WANTED && arena->live &&
         !arena->external && !arena->pinned && !arena->large && !arena->exclusive &&
         mia_aword_get(&mia_arena_all.frames.off) == 0 &&
         mia_aword_get(&mia_arena_all.frames.count) < FRAMES_MAX;
}

/* Returns true if no slice of a frame was used before those in [first, end) were taken. */
static bool is_new(const mia_arena *arena, size_t frame, size_t first, size_t end) {
  size_t limit = frame + FRAME_SLICES;
  return !mia_map_any(arena->dirty, frame, FRAME_SLICES) && !is_large(arena, frame) &&
         (first <= frame || mia_map_all(arena->free, frame, first - frame)) &&
         (end >= limit || mia_map_all(arena->free, end, limit - end));
}

/* Another thread may take slices of the frame meanwhile, give them back and end the large OS page.
 * Then its advice must be the last. */
static void begin(mia_arena *arena, size_t frame) {
  char *at = address_of(arena, frame);
  if (mia_os_is_locked(at)) return; /* the kernel would not split it */
  mia_map_set(arena->thp, frame, FRAME_SLICES);
  mia_aword_add(&mia_arena_all.frames.count, 1);
  mia_os_large_pages(at, MIA_OS_LARGE_PAGE);
  if (!is_large(arena, frame)) mia_os_small_pages(at, MIA_OS_LARGE_PAGE);
}

void mia_arena_begin_thp(mia_arena *arena, const char *start, size_t slices) {
  size_t first = mia_arena_slice_of(arena, start), end = first + slices;
  for (frames f = frames_of(arena, first, end); f.at < f.end; f.at += FRAME_SLICES)
    if (is_new(arena, f.at, first, end)) begin(arena, f.at);
}

/* ---- ending ---- */

/* The kernel keeps a large OS page whole until all of it is given back, or until the system lacks
 * memory; it only no longer shows what was given back in the process's RSS.  So it is split. */
static void split(const mia_arena *arena, size_t frame, char *start) {
  char *at = address_of(arena, frame);
  mia_os_split_large_page(at > start ? at : start);
}

/* Of several threads one claims the bits, and counts. */
static void forget(const mia_arena *arena, size_t frame) {
  if (mia_map_claim(arena->thp, frame, FRAME_SLICES)) mia_aword_sub(&mia_arena_all.frames.count, 1);
}

void mia_arena_end_thp(const mia_arena *arena, char *start, size_t size, bool purges) {
  for (frames f = frames_at(arena, start, size); f.at < f.end; f.at += FRAME_SLICES) {
    if (!is_large(arena, f.at)) continue;
    forget(arena, f.at);
    mia_os_small_pages(address_of(arena, f.at), MIA_OS_LARGE_PAGE);
    if (purges && is_part(arena, f.at, start, size)) split(arena, f.at, start);
  }
}

size_t mia_arena_cost_to_end_thp(const mia_arena *arena, const char *start, size_t size) {
  size_t parts = 0;
  for (frames f = frames_at(arena, start, size); f.at < f.end; f.at += FRAME_SLICES)
    parts += is_large(arena, f.at) && is_part(arena, f.at, start, size);
  return parts * MIA_BUDGET_SPLIT;
}
