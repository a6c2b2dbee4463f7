/* huge.c -- blocks too large for an arena: each its own mapping. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirt.h"
#include "arena/huge.h"
#include "base/fail.h"
#include "base/zero.h"
#include "map/pagemap.h"
#include "os/os.h"

/* Counted last and uncounted first: part of what is in use. */
static bool count_used(size_t size) {
  if (!mia_arena_count_used(size)) return false;
  mia_aword_add(&mia_arena_all.huge, size);
  return true;
}

static void count_unused(size_t size) {
  mia_aword_sub(&mia_arena_all.huge, size);
  mia_arena_count_unused(size);
}

static void *map(size_t size, size_t align, size_t lead) {
  char *p = mia_os_reserve_aligned(size, align);
  if (p == NULL || mia_map_cover(p + lead, 1)) return p;
  (void)mia_os_release(p, size);
  return NULL;
}

void *mia_arena_huge_take(size_t size, size_t align, size_t lead) {
  if (!count_used(size)) return NULL;
  void *p = map(size, align, lead);
  if (p != NULL)
    mia_aword_add(&mia_arena_all.reserved, size);
  else
    count_unused(size);
  mia_assert(p == NULL || mia_base_is_zero(p, size));
  return p;
}

bool mia_arena_huge_release(void *start, size_t size) {
  if (!mia_os_release(start, size)) return false;
  mia_aword_sub(&mia_arena_all.reserved, size);
  return true;
}

bool mia_arena_huge_give(void *start, size_t size) {
  count_unused(size);
  if (mia_arena_huge_release(start, size)) return true;
  (void)mia_os_purge(start, size);
  return false;
}

/* Once it has moved there is no way back: what its new place may need in the page
 * map is had before. */
static void *move(char *start, size_t size, size_t lead, size_t wanted) {
  void *prepared = mia_map_prepare();
  if (prepared == NULL) return NULL;
  char *to = mia_os_move(start, size, wanted);
  mia_map_cover_prepared((to != NULL ? to : start) + lead, prepared);
  return to;
}

/* What grows is filled as it grows, so that large OS pages hold no more than what is
 * used, and spare most page faults.  The kernel puts them where they are within the
 * mapping as a whole. */
static void back_well(void *start, size_t size) {
  if (size >= MIA_ARENA_LARGE_PAGES_MIN) mia_os_large_pages(start, size);
}

void *mia_arena_huge_resize(void *start, size_t size, size_t lead, size_t wanted, bool may_move) {
  size_t more = wanted > size ? wanted - size : 0;
  if (!count_used(more)) return NULL;
  void *p = mia_os_resize(start, size, wanted) ? start : NULL;
  if (p == NULL && may_move && more > 0) p = move(start, size, lead, wanted);
  if (p == NULL) {
    count_unused(more);
    return NULL;
  }
  count_unused(size + more - wanted);
  mia_aword_add(&mia_arena_all.reserved, wanted - size);
  if (more > 0) back_well(p, wanted);
  return p;
}

enum { CANNOT = 1, CAN };

static bool can_detach(void) {
  uintptr_t known = mia_aword_get(&mia_arena_all.detach);
  if (known == 0) {
    known = mia_os_can_detach() ? CAN : CANNOT;
    mia_aword_set(&mia_arena_all.detach, known);
  }
  return known == CAN;
}

/* As for a move. */
static char *detach(char *span, size_t size, size_t lead) {
  void *prepared = mia_map_prepare();
  if (prepared == NULL) return NULL;
  char *to = mia_os_detach(span, size);
  mia_map_cover_prepared((to != NULL ? to : span) + lead, prepared);
  return to;
}

/* Only of arenas that are nobody else's. */
void *mia_arena_huge_detach(mia_arena *arena, char *span, size_t size, size_t lead) {
  if (arena->brought || arena->pinned || arena->commit != NULL || !can_detach()) return NULL;
  if (!count_used(size)) return NULL;
  void *p = detach(span, size, lead);
  if (p == NULL) {
    count_unused(size);
    return NULL;
  }
  mia_aword_add(&mia_arena_all.reserved, size);
  mia_arena_cleanse(arena, mia_arena_slice_of(arena, span), size);
  mia_assert(mia_base_is_zero(span, size));
  return p;
}
