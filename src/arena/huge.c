/* SPDX-License-Identifier: MIT */
/* huge.c -- blocks too large for an arena: each has a mapping of its own. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirty.h"
#include "arena/huge.h"
#include "arena/place.h"
#include "arena/thp.h"
#include "arena/tier.h"
#include "base/fail.h"
#include "base/zero.h"
#include "map/pagemap.h"
#include "os/os.h"

/* `huge' is a part of `used': so it is added to last and subtracted from first. */
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

/* To be called once the memory that was counted is mapped, and takes `more' bytes more of
 * address space. */
static void count_mapped(size_t more) {
  mia_aword_add(&mia_arena_all.reserved, more);
  mia_arena_note_peak();
}

static void *map_new(const mia_huge *wanted) {
  char *p = mia_arena_reserve_huge(wanted->size, wanted->align);
  if (p == NULL || mia_map_cover(p + wanted->padding, 1)) return p;
  (void)mia_arena_release_huge(p, wanted->size);
  return NULL;
}

/* A move cannot be undone.  So the leaf of the page map that the new address may need is
 * allocated first. */
static void *move(char *start, size_t size, size_t padding, size_t wanted) {
  void *prepared = mia_map_prepare();
  if (prepared == NULL) return NULL;
  char *to = mia_os_move(start, size, wanted);
  mia_map_cover_prepared((to != NULL ? to : start) + padding, prepared);
  return to;
}

/* Resizes a mapping from the cache and returns its start.  NULL: it is unchanged. */
static void *resize_cached(const mia_mapping *m, const mia_huge *wanted) {
  if (m->size == wanted->size || mia_os_resize(m->start, m->size, wanted->size)) return m->start;
  return m->size < wanted->size ? move(m->start, m->size, wanted->padding, wanted->size) : NULL;
}

/* Takes a mapping from the cache and makes it as large as is wanted. */
static bool take_cached(const mia_huge *wanted, mia_mapping *m) {
  if (!mia_arena_take_cached(wanted->size, wanted->align, m)) return false;
  char *p = resize_cached(m, wanted);
  if (p != NULL) {
    mia_aword_add(&mia_arena_all.reserved, wanted->size - m->size);
    m->start = p;
    m->size = wanted->size;
    if (mia_map_cover(p + wanted->padding, 1)) return true;
  }
  (void)mia_arena_unmap(m);
  return false;
}

/* A block that must read as zero gets a new mapping, since OS pages of it that are never
 * used then cost nothing.  The cached mapping that would have served otherwise is unmapped,
 * so that the process does not hold both. */
static void unmap_cached(size_t size) {
  mia_mapping m;
  if (mia_arena_take_cached(size, 1, &m)) (void)mia_arena_unmap(&m);
}

static void *take_new(const mia_huge *wanted) {
  if (!count_used(wanted->size)) return NULL;
  void *p = map_new(wanted);
  if (p != NULL)
    count_mapped(mia_arena_with_guards(wanted->size));
  else
    count_unused(wanted->size);
  mia_assert(p == NULL || mia_base_is_zero(p, wanted->size));
  return p;
}

void *mia_arena_huge_take(const mia_huge *wanted, bool *zero) {
  mia_mapping m;
  *zero = true;
  if (wanted->zeroed) {
    unmap_cached(wanted->size);
    return take_new(wanted);
  }
  if (!take_cached(wanted, &m)) {
    mia_arena_miss_cached(wanted->size);
    return take_new(wanted);
  }
  *zero = false;
  if (count_used(wanted->size)) {
    count_mapped(0);
    return m.start;
  }
  (void)mia_arena_unmap(&m);
  return NULL;
}

bool mia_arena_huge_release(void *start, size_t size) {
  if (!mia_arena_release_huge(start, size)) return false;
  mia_aword_sub(&mia_arena_all.reserved, mia_arena_with_guards(size));
  return true;
}

bool mia_arena_huge_give(void *start, size_t size, bool keep) {
  count_unused(size);
  if (keep && !mia_tier_is_hardened() && mia_arena_cache_mapping(start, size)) return true;
  if (mia_arena_huge_release(start, size)) return true;
  (void)mia_os_purge(start, size);
  return false;
}

/* A block that grows is filled as it grows.  So large OS pages of it hold little that is
 * not used, and save most page faults.  The advice is for the whole mapping, within which
 * the kernel chooses where large pages lie. */
static void advise_large_pages(void *start, size_t size) {
  if (size >= MIA_ARENA_LARGE_PAGES_MIN && mia_aword_get(&mia_arena_all.frames.off) == 0)
    mia_os_large_pages(start, size);
}

void *mia_arena_huge_resize(void *start, size_t size, size_t padding, size_t wanted,
                            bool may_move) {
  size_t more = wanted > size ? wanted - size : 0;
  if (!count_used(more)) return NULL;
  void *p = mia_os_resize(start, size, wanted) ? start : NULL;
  if (p == NULL && may_move && more > 0) p = move(start, size, padding, wanted);
  if (p == NULL) {
    count_unused(more);
    return NULL;
  }
  count_unused(size + more - wanted);
  count_mapped(wanted - size);
  if (more > 0) advise_large_pages(p, wanted);
  return p;
}

enum { CANNOT = 1, CAN }; /* 0: not known yet */

static bool can_detach(void) {
  uintptr_t known = mia_aword_get(&mia_arena_all.can_detach);
  if (known == 0) {
    known = mia_os_can_detach() ? CAN : CANNOT;
    mia_aword_set(&mia_arena_all.can_detach, known);
  }
  return known == CAN;
}

/* Prepares the page map before, for the reason given at move(). */
static char *detach(char *span, size_t size, size_t padding) {
  void *prepared = mia_map_prepare();
  if (prepared == NULL) return NULL;
  char *to = mia_os_detach(span, size);
  mia_map_cover_prepared((to != NULL ? to : span) + padding, prepared);
  return to;
}

/* Refuses arenas whose memory is external, pinned, or committed by the program. */
void *mia_arena_huge_detach(mia_arena *arena, char *span, size_t size, size_t padding) {
  if (arena->external || arena->pinned || arena->commit != NULL || !can_detach()) return NULL;
  if (!count_used(size)) return NULL;
  mia_arena_end_thp(arena, span, size, false); /* only memory with one advice can move */
  void *p = detach(span, size, padding);
  if (p == NULL) {
    count_unused(size);
    return NULL;
  }
  count_mapped(size);
  mia_arena_mark_clean(arena, mia_arena_slice_of(arena, span), size);
  mia_assert(mia_base_is_zero(span, size));
  return p;
}
