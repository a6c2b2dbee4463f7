/* SPDX-License-Identifier: MIT */
/* parked.c -- parks spans, and finds them again. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirty.h"
#include "arena/parked.h"
#include "arena/purge.h"
#include "arena/tier.h"
#include "base/bits.h"

/* Lies at the end of the descriptor of the first slice: statistics may still read what a page has at
 * its start. */
typedef struct mia_parked_span {
  struct mia_parked_span *next;
  mia_arena *arena;
  char *start;
  size_t slices;
} mia_parked_span;

mia_static_assert(sizeof(mia_parked_span) <= MIA_DESCRIPTOR_SIZE / 2, "the start stays");

static mia_parked_span *place_of(const mia_span *span) {
  return (mia_parked_span *)(void *)(mia_arena_descriptor(span) + 1) - 1;
}

static void push(unsigned kind, mia_parked_span *parked) {
  mia_os_lock(&mia_arena_all.parked.lock);
  parked->next = mia_arena_all.parked.kinds[kind];
  mia_arena_all.parked.kinds[kind] = parked;
  mia_os_unlock(&mia_arena_all.parked.lock);
}

/* Most requests take the newest span: any serves them. */
static mia_parked_span *pop(unsigned kind, const mia_arena *only, size_t align) {
  mia_os_lock(&mia_arena_all.parked.lock);
  mia_parked_span **at = &mia_arena_all.parked.kinds[kind], *found;
  for (; (found = *at) != NULL; at = &found->next)
    if ((only == NULL || found->arena == only) && mia_is_aligned(found->start, align)) break;
  if (found != NULL) *at = found->next;
  mia_os_unlock(&mia_arena_all.parked.lock);
  return found;
}

bool mia_arena_park(const mia_span *span, unsigned kind) {
  mia_arena *arena = span->arena;
  if (!mia_tier_is_hardened() || arena->exclusive || arena->commit != NULL) return false;
  size_t size = span->slices << MIA_SLICE_SHIFT;
  if (!mia_arena_purge_part(arena, span->start, size)) return false;
  mia_arena_mark_clean(arena, mia_arena_slice_of(arena, span->start), size);
  mia_arena_count_unused(size);
  mia_parked_span *parked = place_of(span);
  *parked = (mia_parked_span){.arena = arena, .start = span->start, .slices = span->slices};
  push(kind, parked);
  return true;
}

bool mia_arena_unpark(unsigned kind, const mia_arena *only, size_t align, mia_span *span) {
  if (!mia_tier_is_hardened()) return false;
  mia_parked_span *parked = pop(kind, only, align);
  if (parked == NULL) return false;
  if (!mia_arena_count_used(parked->slices << MIA_SLICE_SHIFT)) {
    push(kind, parked);
    return false;
  }
  mia_arena_note_peak();
  *span = (mia_span){parked->arena, parked->start, parked->slices, true};
  return true;
}

bool mia_arena_free_parked(size_t size) {
  bool found = false;
  if (!mia_tier_is_hardened() || !mia_arena_allows(size)) return found;
  for (unsigned kind = 0; kind < MIA_KINDS; kind++)
    for (mia_parked_span *parked; (parked = pop(kind, NULL, 1)) != NULL; found = true)
      mia_arena_free_slices(parked->arena, mia_arena_slice_of(parked->arena, parked->start),
                            parked->slices);
  return found;
}
