/* huge.c -- blocks too large for an arena: each its own mapping. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/huge.h"
#include "map/pagemap.h"
#include "os/os.h"

static void count(size_t size) {
  mia_aword_add(&mia_arena_all.reserved, size);
  mia_arena_count_used(size);
}

static void discount(size_t size) {
  mia_aword_sub(&mia_arena_all.reserved, size);
  mia_arena_count_unused(size);
}

void *mia_arena_huge_take(size_t size, size_t align) {
  void *p = mia_os_reserve_aligned(size, align);
  if (p == NULL) return NULL;
  if (!mia_map_cover(p, MIA_SLICE_SIZE)) {
    (void)mia_os_release(p, size);
    return NULL;
  }
  count(size);
  return p;
}

bool mia_arena_huge_give(void *start, size_t size) {
  discount(size);
  if (mia_os_release(start, size)) return true;
  (void)mia_os_purge(start, size);
  return false;
}

/* The target is mapped before the move, so that a failure on the way leaves the
 * block where it was. */
static void *move(void *start, size_t size, size_t wanted) {
  void *to = mia_os_reserve_aligned(wanted, mia_os_page_size());
  if (to == NULL) return NULL;
  if (!mia_map_cover(to, MIA_SLICE_SIZE)) {
    (void)mia_os_release(to, wanted);
    return NULL;
  }
  return mia_os_move(start, size, to, wanted) ? to : NULL;
}

void *mia_arena_huge_resize(void *start, size_t size, size_t wanted, bool may_move) {
  void *p = mia_os_resize(start, size, wanted) ? start : NULL;
  if (p == NULL && may_move) p = move(start, size, wanted);
  if (p == NULL) return NULL;
  discount(size);
  count(wanted);
  return p;
}
