/* arena.c -- the public functions of arenas. */
#include "base/prelude.h"

#include "api/hook.h"
#include "arena/unload.h"
#include "base/fmt.h"
#include "local/bin.h"
#include "local/spare.h"
#include "os/os.h"

#include <mialloc/heap.h>

#include <errno.h>

enum { LINE_SIZE = 256 };

/* ---- more of them ---- */

static int answer(mia_arena *made, mia_arena **arena) {
  if (arena != NULL) *arena = made;
  return made != NULL ? 0 : ENOMEM;
}

int mia_reserve_memory(size_t size, bool commit, bool large, bool exclusive, mia_arena **arena) {
  mia_arena_wish wish = {.size = size, .exclusive = exclusive, .commit = commit, .large = large};
  return answer(mia_arena_reserve_os(&wish), arena);
}

/* A wish for huge pages, and when it was made. */
typedef struct patience {
  mia_tick begun;
  size_t timeout_ms; /* 0: no end */
} patience;

static bool is_over(const patience *p) {
  return p->timeout_ms > 0 && (mia_tick)(mia_os_now() - p->begun) >= p->timeout_ms;
}

/* A place for pages side by side; it is free now, which is all that can be known. */
static char *find_place(size_t size) {
  char *place = mia_os_reserve_aligned(size, MIA_OS_HUGE_PAGE);
  return place != NULL && mia_os_release(place, size) ? place : NULL;
}

/* Pages are had one by one, since each may take its time.  How many there are. */
static size_t get_pages(char *place, size_t pages, int node, const patience *p) {
  for (size_t i = 0; i < pages; i++)
    if (is_over(p) || mia_os_reserve_huge(place + i * MIA_OS_HUGE_PAGE, MIA_OS_HUGE_PAGE,
                                          MIA_OS_HUGE_PAGE, node) == NULL)
      return i;
  return pages;
}

static int reserve_huge(size_t pages, int node, const patience *p, bool exclusive,
                        mia_arena **arena) {
  if (arena != NULL) *arena = NULL;
  if (pages == 0 || pages > MIA_SIZE_MAX / MIA_OS_HUGE_PAGE) return ENOMEM;
  char *start = find_place(pages * MIA_OS_HUGE_PAGE);
  if (start == NULL) return ENOMEM;
  pages = get_pages(start, pages, node, p);
  if (pages == 0) return is_over(p) ? ETIMEDOUT : ENOMEM;
  mia_arena_own own = {.start = start,
                       .size = pages * MIA_OS_HUGE_PAGE,
                       .committed = true,
                       .pinned = true,
                       .zero = true,
                       .exclusive = exclusive,
                       .reserved = true};
  mia_arena *made = mia_arena_manage(&own);
  if (made == NULL) (void)mia_os_release(start, own.size);
  return answer(made, arena);
}

int mia_reserve_huge_pages(size_t pages, int node, size_t timeout_ms, bool exclusive,
                           mia_arena **arena) {
  return reserve_huge(pages, node, &(patience){mia_os_now(), timeout_ms}, exclusive, arena);
}

/* Node by node, so that each is one arena. */
int mia_reserve_huge_pages_interleave(size_t pages, size_t nodes, size_t timeout_ms) {
  const patience p = {mia_os_now(), timeout_ms};
  if (nodes == 0) return reserve_huge(pages, -1, &p, false, NULL);
  int error = pages > 0 ? 0 : ENOMEM;
  for (size_t node = 0; node < nodes && error == 0; node++) {
    size_t share = pages / nodes + (node < pages % nodes);
    if (share == 0) break;
    error = reserve_huge(share, (int)node, &p, false, NULL);
  }
  return error;
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

/* ---- fewer of them ---- */

bool mia_arena_unload(mia_arena *arena) {
  mia_local *self = mia_local_self;
  int error = errno;
  if (!mia_local_is_none(self)) mia_local_collect(self);
  mia_local_drop_spares(self);
  bool done = mia_arena_take_down(arena);
  errno = done ? error : EBUSY;
  return done;
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
  bool found = false;
  mia_arena_begin_look();
  for (size_t i = 0; i < count && !found; i++) found = mia_arena_contains(mia_arena_nth(i), p);
  mia_arena_end_look();
  return found || mia_any_heap_contains(p);
}

static size_t slices_in(const mia_arena *arena, const mia_acell *bits) {
  size_t slices = 0;
  for (size_t i = 0; i << MIA_CELL_SHIFT < arena->slices; i++)
    slices += (size_t)__builtin_popcountll(mia_acell_get(&bits[i]));
  return slices;
}

static void put_arena(mia_text *t, const mia_arena *arena) {
  if (arena->slices == 0) return;
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
    mia_arena_begin_look();
    put_arena(&t, mia_arena_nth(i));
    mia_arena_end_look();
    if (*buffer != 0) mia_api_say(out, arg, buffer);
  }
}
