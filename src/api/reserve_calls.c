/* reserve.c -- arenas that a program reserves or brings. */
#include "base/prelude.h"

#include "arena/reserve.h"
#include "os/os.h"

#include <mialloc/heap.h>

#include <errno.h>

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
