/* SPDX-License-Identifier: MIT */
/* meta.c -- memory for mialloc's own structures outside arena heads. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/meta.h"
#include "base/bits.h"
#include "base/fail.h"

#include <string.h>

static bool take(size_t slices, mia_span *span) {
  return mia_arena_take(slices, MIA_SLICE_SIZE, span) ||
         (mia_arena_free_parked(slices << MIA_SLICE_SHIFT) &&
          mia_arena_take(slices, MIA_SLICE_SIZE, span));
}

static bool take_slice(void) {
  mia_span span;
  if (!take(1, &span)) return false;
  mia_arena_all.meta_at = span.start;
  mia_arena_all.meta_end = span.start + MIA_SLICE_SIZE;
  mia_arena_all.meta_zero = span.zero;
  return true;
}

/* A structure larger than a slice gets a span of its own. */
static void *take_span(size_t size) {
  mia_span span;
  size_t slices = mia_slices_of(size);
  if (slices > MIA_SPAN_MAX_SLICES || !take(slices, &span)) return NULL;
  return span.zero ? span.start : memset(span.start, 0, size);
}

void *mia_arena_meta(size_t size) {
  if (size > MIA_SLICE_SIZE) return size <= MIA_SIZE_MAX ? take_span(size) : NULL;
  size = mia_align_up(size, MIA_DESCRIPTOR_SIZE);
  char *p = NULL;
  mia_os_lock(&mia_arena_all.meta);
  size_t room = (size_t)(mia_arena_all.meta_end - mia_arena_all.meta_at);
  if (room >= size || take_slice()) {
    p = mia_arena_all.meta_at;
    mia_arena_all.meta_at += size;
    if (!mia_arena_all.meta_zero) memset(p, 0, size);
  }
  mia_os_unlock(&mia_arena_all.meta);
  return p;
}
