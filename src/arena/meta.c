/* meta.c -- memory for our own structures outside arena heads. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/meta.h"
#include "base/bits.h"
#include "base/fail.h"

#include <string.h>

static bool refill(void) {
  mia_span span;
  if (!mia_arena_take(1, MIA_SLICE_SIZE, &span)) return false;
  mia_arena_all.meta_at = span.start;
  mia_arena_all.meta_end = span.start + MIA_SLICE_SIZE;
  mia_arena_all.meta_zero = span.zero;
  return true;
}

void *mia_arena_meta(size_t size) {
  mia_assert(size > 0 && size <= MIA_SLICE_SIZE);
  size = mia_align_up(size, MIA_DESCRIPTOR_SIZE);
  char *p = NULL;
  mia_os_lock(&mia_arena_all.meta);
  size_t room = (size_t)(mia_arena_all.meta_end - mia_arena_all.meta_at);
  if (room >= size || refill()) {
    p = mia_arena_all.meta_at;
    mia_arena_all.meta_at += size;
    if (!mia_arena_all.meta_zero) memset(p, 0, size);
  }
  mia_os_unlock(&mia_arena_all.meta);
  return p;
}
