/* SPDX-License-Identifier: MIT */
/* parked.c -- parks spans, and finds them again. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirty.h"
#include "arena/parked.h"
#include "arena/purge.h"
#include "arena/tier.h"
#include "base/bits.h"

/* Lies in the descriptor of the first slice. */
typedef struct mia_parked_span {
  struct mia_parked_span *next;
  mia_span span; /* `zero' is not used */
} mia_parked_span;

mia_static_assert(sizeof(mia_parked_span) <= MIA_DESCRIPTOR_SIZE, "it fits the descriptor");

static void push(unsigned kind, mia_parked_span *parked) {
  mia_os_lock(&mia_arena_all.parked.lock);
  parked->next = mia_arena_all.parked.kinds[kind];
  mia_arena_all.parked.kinds[kind] = parked;
  mia_os_unlock(&mia_arena_all.parked.lock);
}

/* Looks at the newest span only: most requests have the alignment of every slice. */
static mia_parked_span *pop(unsigned kind, size_t align) {
  mia_parked_span **list = &mia_arena_all.parked.kinds[kind];
  mia_os_lock(&mia_arena_all.parked.lock);
  mia_parked_span *parked = *list;
  if (parked != NULL && !mia_is_aligned(parked->span.start, align)) parked = NULL;
  if (parked != NULL) *list = parked->next;
  mia_os_unlock(&mia_arena_all.parked.lock);
  return parked;
}

bool mia_arena_park(const mia_span *span, unsigned kind) {
  mia_arena *arena = span->arena;
  if (!mia_tier_is_hardened() || arena->exclusive || arena->commit != NULL) return false;
  size_t first = mia_arena_slice_of(arena, span->start), size = span->slices << MIA_SLICE_SHIFT;
  if (mia_arena_purge_part(arena, span->start, size))
    mia_arena_mark_clean(arena, first, size);
  else
    mia_arena_mark_dirty(arena, first, size);
  mia_arena_count_unused(size);
  mia_parked_span *parked = (void *)mia_arena_descriptor(span);
  parked->span = *span;
  push(kind, parked);
  return true;
}

bool mia_arena_unpark(unsigned kind, size_t align, mia_span *span) {
  if (!mia_tier_is_hardened()) return false;
  mia_parked_span *parked = pop(kind, align);
  if (parked == NULL) return false;
  if (!mia_arena_count_used(parked->span.slices << MIA_SLICE_SHIFT)) {
    push(kind, parked);
    return false;
  }
  mia_arena_note_peak();
  *span = parked->span;
  span->zero = mia_arena_count_dirty(span->arena, mia_arena_slice_of(span->arena, span->start),
                                     span->slices) == 0;
  return true;
}

bool mia_arena_free_parked(void) {
  bool found = false;
  if (!mia_tier_is_hardened()) return found;
  for (unsigned kind = 0; kind < MIA_KIND_LARGE + MIA_SPAN_MAX_SLICES; kind++)
    for (mia_parked_span *parked; (parked = pop(kind, 1)) != NULL; found = true)
      mia_arena_free_slices(parked->span.arena,
                            mia_arena_slice_of(parked->span.arena, parked->span.start),
                            parked->span.slices);
  return found;
}
