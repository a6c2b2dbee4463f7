/* huge.c -- blocks too large for an arena: each its own mapping. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirty.h"
#include "arena/huge.h"
#include "base/fail.h"
#include "base/zero.h"
#include "map/pagemap.h"
#include "os/os.h"

/* Counted last and uncounted first: part of what is in use. */
static bool count_used(size_t size) {
  mia_arena_fit_cached(size);
  if (!mia_arena_count_used(size)) return false;
  mia_aword_add(&mia_arena_all.huge, size);
  return true;
}

static void count_unused(size_t size) {
  mia_aword_sub(&mia_arena_all.huge, size);
  mia_arena_count_unused(size);
}

/* What was counted was had, and is so much more address space. */
static void count_had(size_t more) {
  mia_aword_add(&mia_arena_all.reserved, more);
  mia_arena_note_peak();
}

static void *map(const mia_huge *wanted) {
  char *p = mia_os_reserve_aligned(wanted->size, wanted->align);
  if (p == NULL || mia_map_cover(p + wanted->lead, 1)) return p;
  (void)mia_os_release(p, wanted->size);
  return NULL;
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

/* A mapping that was kept at another size; NULL: it is as it was. */
static void *fit(const mia_mapping *m, const mia_huge *wanted) {
  if (m->size == wanted->size || mia_os_resize(m->start, m->size, wanted->size)) return m->start;
  return m->size < wanted->size ? move(m->start, m->size, wanted->lead, wanted->size) : NULL;
}

/* One that was kept, made as large as is wanted. */
static bool take_kept(const mia_huge *wanted, mia_mapping *m) {
  if (!mia_arena_take_cached(wanted->size, wanted->align, m)) return false;
  char *p = fit(m, wanted);
  if (p != NULL) {
    mia_aword_add(&mia_arena_all.reserved, wanted->size - m->size);
    m->start = p;
    m->size = wanted->size;
    if (mia_map_cover(p + wanted->lead, 1)) return true;
  }
  (void)mia_arena_unmap(m);
  return false;
}

/* Where the kernel's zeroes are wanted they are had by mapping anew: what is not used
 * of them costs nothing.  What would have served else is not kept beside it. */
static void drop_kept(size_t size) {
  mia_mapping m;
  if (mia_arena_take_cached(size, 1, &m)) (void)mia_arena_unmap(&m);
}

static void *take_new(const mia_huge *wanted) {
  if (!count_used(wanted->size)) return NULL;
  void *p = map(wanted);
  if (p != NULL)
    count_had(wanted->size);
  else
    count_unused(wanted->size);
  mia_assert(p == NULL || mia_base_is_zero(p, wanted->size));
  return p;
}

void *mia_arena_huge_take(const mia_huge *wanted, bool *zero) {
  mia_mapping m;
  *zero = true;
  if (wanted->clean) {
    drop_kept(wanted->size);
    return take_new(wanted);
  }
  if (!take_kept(wanted, &m)) {
    mia_arena_miss_cached(wanted->size);
    return take_new(wanted);
  }
  *zero = false;
  if (count_used(wanted->size)) {
    count_had(0);
    return m.start;
  }
  (void)mia_arena_unmap(&m);
  return NULL;
}

bool mia_arena_huge_release(void *start, size_t size) {
  if (!mia_os_release(start, size)) return false;
  mia_aword_sub(&mia_arena_all.reserved, size);
  return true;
}

bool mia_arena_huge_give(void *start, size_t size, bool keep) {
  count_unused(size);
  if (keep && mia_arena_cache_mapping(start, size)) return true;
  if (mia_arena_huge_release(start, size)) return true;
  (void)mia_os_purge(start, size);
  return false;
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
  count_had(wanted - size);
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
  if (arena->external || arena->pinned || arena->commit != NULL || !can_detach()) return NULL;
  if (!count_used(size)) return NULL;
  void *p = detach(span, size, lead);
  if (p == NULL) {
    count_unused(size);
    return NULL;
  }
  count_had(size);
  mia_arena_mark_clean(arena, mia_arena_slice_of(arena, span), size);
  mia_assert(mia_base_is_zero(span, size));
  return p;
}
