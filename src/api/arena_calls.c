/* SPDX-License-Identifier: MIT */
/* arena_calls.c -- the public functions of arenas. */
#include "base/prelude.h"

#include "api/hook.h"
#include "arena/node.h"
#include "arena/unload.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "os/os.h"
#include "theap/bin.h"
#include "theap/page_cache.h"

#include <mialloc/heap.h>

#include <errno.h>

enum { LINE_SIZE = 256 };

/* ---- unloading ---- */

bool mia_arena_unload(mia_arena *arena) {
  mia_theap *self = mia_theap_self;
  int error = errno;
  if (!mia_theap_is_none(self)) mia_theap_collect(self);
  mia_theap_flush_all_caches(self, &(mia_budget)MIA_BUDGET_ALL);
  bool done = mia_arena_try_unload(arena);
  errno = done ? error : EBUSY;
  return done;
}

/* ---- queries ---- */

void *mia_arena_area(const mia_arena *arena, size_t *size) {
  if (size != NULL) *size = arena != NULL ? arena->slices << MIA_SLICE_SHIFT : 0;
  return arena != NULL ? arena->start : NULL;
}

bool mia_arena_contains(const mia_arena *arena, const void *p) {
  if (arena == NULL) return false;
  return (uintptr_t)mia_map_untagged(p) - (uintptr_t)arena->start < arena->slices
                                                                        << MIA_SLICE_SHIFT;
}

size_t mia_arena_min_alignment(void) { return MIA_SLICE_SIZE; }
/* The slice of the head, one slice to hand out, and one that aligning may cost. */
size_t mia_arena_min_size(void) { return 3 * MIA_SLICE_SIZE; }

/* The count is read without acquire: an arena that this thread does not see yet is NULL, which
 * contains nothing. */
bool mia_is_in_heap_region(const void *p) {
  size_t count = mia_aword_get(&mia_arena_all.count);
  bool found = false;
  mia_arena_begin_read();
  for (size_t i = 0; i < count && !found; i++) found = mia_arena_contains(mia_arena_nth(i), p);
  mia_arena_end_read();
  return found || mia_any_heap_contains(p);
}

/* Returns the bytes of the slices whose bits are set in both bitmaps. */
static size_t bytes_with_both_bits(const mia_arena *arena, const mia_acell *a, const mia_acell *b) {
  size_t slices = 0;
  for (size_t i = 0; i << MIA_CELL_SHIFT < arena->slices; i++)
    slices += mia_count_bits(mia_acell_get(&a[i]) & mia_acell_get(&b[i]));
  return slices << MIA_SLICE_SHIFT;
}

static void put_arena(mia_text *t, const mia_arena *arena) {
  if (arena->slices == 0) return;
  size_t size = arena->slices << MIA_SLICE_SHIFT;
  mia_base_put(t, "arena ");
  mia_base_put_hex(t, (uintptr_t)arena->start);
  mia_base_put_named_size(t, ": ", size);
  mia_base_put_named_size(
      t, ", committed ",
      arena->live ? size : bytes_with_both_bits(arena, arena->committed, arena->committed));
  mia_base_put_named_size(t, ", used ",
                          size - bytes_with_both_bits(arena, arena->free, arena->free));
  mia_base_put_named_size(t, ", free and not purged ",
                          bytes_with_both_bits(arena, arena->free, arena->dirty));
  mia_base_put(t, arena->exclusive ? ", exclusive" : "");
  mia_base_put(t, arena->pinned ? ", pinned" : "");
  if (arena->node != MIA_NODE_ANY) {
    mia_base_put(t, ", node ");
    mia_base_put_unsigned(t, arena->node - 1);
  }
  mia_base_put(t, "\n");
}

void mia_arenas_print(mia_output_function *out, void *arg) {
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) {
    char buffer[LINE_SIZE];
    mia_text t = mia_base_text(buffer, sizeof buffer);
    mia_arena_begin_read();
    put_arena(&t, mia_arena_nth(i));
    mia_arena_end_read();
    if (*buffer != 0) mia_api_write_message(out, arg, buffer);
  }
}
