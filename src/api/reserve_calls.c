/* SPDX-License-Identifier: MIT */
/* reserve_calls.c -- arenas that a program reserves or supplies. */
#include "base/prelude.h"

#include "arena/node.h"
#include "arena/reserve.h"
#include "os/os.h"

#include <mialloc/heap.h>

#include <errno.h>

static int store_arena(mia_arena *made, mia_arena **arena) {
  if (arena != NULL) *arena = made;
  return made != NULL ? 0 : ENOMEM;
}

static int refuse(mia_arena **arena) {
  (void)store_arena(NULL, arena);
  return EINVAL;
}

static bool are_among(unsigned flags, unsigned known) { return (flags & ~known) == 0; }

static bool has(unsigned flags, unsigned flag) { return (flags & flag) != 0; }

int mia_reserve_memory(size_t size, unsigned flags, mia_arena **arena) {
  if (!are_among(flags, MIA_ARENA_IS_EXCLUSIVE | MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_LARGE))
    return refuse(arena);
  mia_arena_request wish = {.size = size,
                            .exclusive = has(flags, MIA_ARENA_IS_EXCLUSIVE),
                            .commit = has(flags, MIA_ARENA_IS_COMMITTED),
                            .large = has(flags, MIA_ARENA_IS_LARGE)};
  return store_arena(mia_arena_reserve_os(&wish), arena);
}

/* When a request for huge pages began, and how long it may take. */
typedef struct deadline {
  mia_time_ms begun;
  size_t timeout_ms; /* 0: no limit */
} deadline;

static bool is_expired(const deadline *p) {
  return p->timeout_ms > 0 && (mia_time_ms)(mia_os_now() - p->begun) >= p->timeout_ms;
}

/* Returns an address range for adjacent pages.  It is free now; nothing more can be known. */
static char *find_address(size_t size) {
  char *address = mia_os_reserve_aligned(size, MIA_OS_HUGE_PAGE);
  return address != NULL && mia_os_release(address, size) ? address : NULL;
}

/* Maps the pages one by one, since each may take its time.  Returns the number of pages mapped. */
static size_t map_huge_pages(char *address, size_t pages, int node, const deadline *p) {
  for (size_t i = 0; i < pages; i++)
    if (is_expired(p) || mia_os_reserve_huge(address + i * MIA_OS_HUGE_PAGE, MIA_OS_HUGE_PAGE,
                                             MIA_OS_HUGE_PAGE, node) == NULL)
      return i;
  return pages;
}

static int reserve_huge(size_t pages, int node, const deadline *p, bool exclusive,
                        mia_arena **arena) {
  if (arena != NULL) *arena = NULL;
  if (pages == 0 || pages > MIA_SIZE_MAX / MIA_OS_HUGE_PAGE) return ENOMEM;
  char *start = find_address(pages * MIA_OS_HUGE_PAGE);
  if (start == NULL) return ENOMEM;
  pages = map_huge_pages(start, pages, node, p);
  if (pages == 0) return is_expired(p) ? ETIMEDOUT : ENOMEM;
  mia_arena_external own = {.start = start,
                            .size = pages * MIA_OS_HUGE_PAGE,
                            .committed = true,
                            .pinned = true,
                            .zero = true,
                            .exclusive = exclusive,
                            .reserved = true,
                            .node = mia_node_of_number(node)};
  mia_arena *made = mia_arena_manage(&own);
  if (made == NULL) (void)mia_os_release(start, own.size);
  return store_arena(made, arena);
}

int mia_reserve_huge_pages(size_t pages, int node, size_t timeout_ms, unsigned flags,
                           mia_arena **arena) {
  if (!are_among(flags, MIA_ARENA_IS_EXCLUSIVE)) return refuse(arena);
  return reserve_huge(pages, node, &(deadline){mia_os_now(), timeout_ms},
                      has(flags, MIA_ARENA_IS_EXCLUSIVE), arena);
}

/* Reserves node by node, so that each node has one arena. */
int mia_reserve_huge_pages_interleave(size_t pages, size_t nodes, size_t timeout_ms) {
  const deadline p = {mia_os_now(), timeout_ms};
  if (nodes == 0) return reserve_huge(pages, -1, &p, false, NULL);
  int error = pages > 0 ? 0 : ENOMEM;
  for (size_t node = 0; node < nodes && error == 0; node++) {
    size_t share = pages / nodes + (node < pages % nodes);
    if (share == 0) break;
    error = reserve_huge(share, (int)node, &p, false, NULL);
  }
  return error;
}

int mia_manage_memory(void *start, size_t size, unsigned flags, mia_commit_function *commit,
                      void *arg, mia_arena **arena) {
  if (!are_among(flags, MIA_ARENA_IS_EXCLUSIVE | MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED |
                            MIA_ARENA_IS_ZEROED))
    return refuse(arena);
  mia_arena_external own = {.start = start,
                            .size = size,
                            .committed = has(flags, MIA_ARENA_IS_COMMITTED),
                            .pinned = has(flags, MIA_ARENA_IS_PINNED),
                            .zero = has(flags, MIA_ARENA_IS_ZEROED),
                            .exclusive = has(flags, MIA_ARENA_IS_EXCLUSIVE),
                            .commit = commit,
                            .commit_arg = arg};
  if (!mia_arena_can_manage(&own)) return refuse(arena);
  return store_arena(mia_arena_manage(&own), arena);
}
