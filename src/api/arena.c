/* arena.c -- the public functions of arenas. */
#include "base/prelude.h"

#include "api/hook.h"
#include "arena/arena.h"
#include "base/fmt.h"
#include "os/os.h"

#include <mialloc/heap.h>

#include <errno.h>

enum { LINE_SIZE = 256 };

#define GIGANTIC ((size_t)1 << 30)

/* ---- more of them ---- */

static int answer(mia_arena *made, mia_arena **arena) {
  if (arena != NULL) *arena = made;
  return made != NULL ? 0 : ENOMEM;
}

/* To charge memory is what the OS does when it is touched; large OS pages are
 * left to the OS as well. */
int mia_reserve_memory(size_t size, bool commit, bool large, bool exclusive, mia_arena **arena) {
  (void)commit;
  (void)large;
  return answer(mia_arena_reserve_os(size, exclusive), arena);
}

/* The system sets such pages aside when it starts, or has none: it never takes
 * long to say which, whatever the timeout. */
int mia_reserve_huge_pages(size_t pages, int node, size_t timeout_ms, bool exclusive,
                           mia_arena **arena) {
  (void)timeout_ms;
  char *start = mia_os_reserve_gigantic(pages, node);
  if (start == NULL) return answer(NULL, arena);
  mia_arena_own own = {.start = start,
                       .size = pages * GIGANTIC,
                       .committed = true,
                       .pinned = true,
                       .zero = true,
                       .exclusive = exclusive};
  mia_arena *made = mia_arena_manage(&own);
  if (made == NULL) (void)mia_os_release(start, own.size);
  return answer(made, arena);
}

/* Node by node, so that each is one arena. */
int mia_reserve_huge_pages_interleave(size_t pages, size_t nodes, size_t timeout_ms) {
  if (nodes == 0) return mia_reserve_huge_pages(pages, -1, timeout_ms, false, NULL);
  for (size_t node = 0; node < nodes; node++) {
    size_t share = pages / nodes + (node < pages % nodes);
    if (share == 0) break;
    int error = mia_reserve_huge_pages(share, (int)node, timeout_ms / nodes, false, NULL);
    if (error != 0) return error;
  }
  return 0;
}

bool mia_manage_memory(void *start, size_t size, bool committed, bool pinned, bool zero, int node,
                       bool exclusive, mia_commit_function *commit, void *arg, mia_arena **arena) {
  (void)node;
  mia_arena_own own = {.start = start,
                       .size = size,
                       .committed = committed,
                       .pinned = pinned,
                       .zero = zero,
                       .exclusive = exclusive,
                       .commit = commit,
                       .commit_arg = arg};
  return answer(mia_arena_manage(&own), arena) == 0;
}

/* ---- asking ---- */

void *mia_arena_area(const mia_arena *arena, size_t *size) {
  if (size != NULL) *size = arena != NULL ? arena->slices << MIA_SLICE_SHIFT : 0;
  return arena != NULL ? arena->start : NULL;
}

bool mia_arena_contains(const mia_arena *arena, const void *p) {
  if (arena == NULL) return false;
  return (uintptr_t)p - (uintptr_t)arena->start < arena->slices << MIA_SLICE_SHIFT;
}

size_t mia_arena_min_alignment(void) { return MIA_SLICE_SIZE; }
/* A slice more than the head, and what aligning may lose. */
size_t mia_arena_min_size(void) { return 3 * MIA_SLICE_SIZE; }

bool mia_is_in_heap_region(const void *p) {
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (mia_arena_contains(mia_arena_nth(i), p)) return true;
  return mia_any_heap_contains(p);
}

static size_t slices_in(const mia_arena *arena, const mia_acell *bits) {
  size_t slices = 0;
  for (size_t i = 0; i << MIA_CELL_SHIFT < arena->slices; i++)
    slices += (size_t)__builtin_popcountll(mia_acell_get(&bits[i]));
  return slices;
}

static void put_arena(mia_text *t, const mia_arena *arena) {
  size_t free = slices_in(arena, arena->free);
  mia_base_put(t, "arena ");
  mia_base_put_hex(t, (uintptr_t)arena->start);
  mia_base_put(t, ": ");
  mia_base_put_size(t, arena->slices << MIA_SLICE_SHIFT);
  mia_base_put(t, ", used ");
  mia_base_put_size(t, (arena->slices - free) << MIA_SLICE_SHIFT);
  mia_base_put(t, arena->exclusive ? ", exclusive" : "");
  mia_base_put(t, arena->pinned ? ", pinned" : "");
  mia_base_put(t, "\n");
}

void mia_arenas_print(mia_output_function *out, void *arg) {
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++) {
    char buffer[LINE_SIZE];
    mia_text t = mia_base_text(buffer, sizeof buffer);
    put_arena(&t, mia_arena_nth(i));
    mia_api_say(out, arg, buffer);
  }
}
