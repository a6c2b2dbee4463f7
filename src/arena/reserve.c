/* SPDX-License-Identifier: MIT */
/* reserve.c -- reserving address space, and making arenas of it. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/dirty.h"
#include "arena/node.h"
#include "arena/place.h"
#include "arena/record.h"
#include "arena/reserve.h"
#include "arena/runs.h"
#include "base/bits.h"
#include "map/bitmap.h"
#include "map/pagemap.h"
#include "os/os.h"
#include "os/tags.h"

#include <string.h>

static size_t cells_of(size_t slices) { return (slices + MIA_CELL_BITS - 1) >> MIA_CELL_SHIFT; }

/* Returns the bytes of an arena's bitmaps, of which there is an odd number.  Words follow, and a cell
 * may be half as large as a word. */
static size_t bitmaps_size(size_t slices) {
  return mia_align_up(MIA_ARENA_BITMAPS * cells_of(slices) * sizeof(mia_acell), sizeof(mia_aword));
}

static size_t head_size(size_t slices) {
  return mia_align_up(sizeof(mia_arena), MIA_DESCRIPTOR_SIZE) + slices * sizeof(mia_descriptor) +
         bitmaps_size(slices) + mia_arena_run_words(slices) * sizeof(mia_aword);
}

/* Address space that becomes an arena: `start' is the first slice boundary in it. */
typedef struct range {
  char *whole;
  size_t size;
  char *start;
  bool live;
  bool locked;
} range;

static void unreserve(const range *r) { (void)mia_os_release(r->whole, r->size); }

/* Reserves a range with room for `slices'.  It is LIVE if the system grants memory that
 * may never be touched and does not back it at once.  Otherwise it is RESERVED, unless
 * wish->commit requires it to be LIVE. */
static bool reserve(size_t slices, const mia_arena_request *wish, range *r) {
  r->size = (slices << MIA_SLICE_SHIFT) + MIA_SLICE_SIZE - mia_os_page_size();
  r->live = true;
  r->locked = !wish->commit && mia_os_locks();
  r->whole = r->locked ? NULL : mia_arena_reserve_range(r->size, true);
  if (r->whole == NULL && !wish->commit) {
    r->live = false;
    r->whole = mia_arena_reserve_range(r->size, false);
  }
  if (r->whole == NULL) return false;
  (wish->large ? mia_os_large_pages : mia_os_small_pages)(r->whole, r->size);
  r->start = r->whole + (-(uintptr_t)r->whole & (MIA_SLICE_SIZE - 1));
  if (mia_map_cover(r->start, slices << MIA_SLICE_SHIFT)) return true;
  unreserve(r);
  return false;
}

/* Returns an entry whose arena was unloaded, or else the one behind the last.  It
 * is for exclusive arenas only: other arenas are always appended, since mia_arena_grow
 * recognises a new one by the count. */
static size_t empty_entry(size_t count) {
  size_t i = 0;
  if (mia_aword_get(&mia_arena_all.unloaded) == 0) return count;
  while (mia_arena_nth(i) != &mia_arena_all.none) i++;
  mia_aword_sub(&mia_arena_all.unloaded, 1);
  return i;
}

/* Slices that are not LIVE get their tags when they are committed; the first one tells whether that is
 * possible. */
static bool may_have_tags(const mia_arena *arena) {
  if (!mia_tier_has_tags() || arena->external || arena->commit != NULL) return false;
  return mia_os_allow_tags(arena->start, (arena->live ? arena->slices : 1) << MIA_SLICE_SHIFT);
}

static void publish(mia_arena *arena, const range *r, size_t head) {
  arena->start = r->start;
  arena->live = r->live;
  arena->locked = r->locked;
  arena->range = r->whole;
  arena->range_size = r->size;
  arena->tagged = may_have_tags(arena);
  mia_aword_add(&mia_arena_all.reserved, r->size);
  size_t count = mia_aword_get(&mia_arena_all.count);
  size_t i = arena->exclusive ? empty_entry(count) : count;
  arena->root = arena->exclusive ? &arena->own_root : &mia_arena_all.entries[i].longest;
  mia_arena_unclaim(arena, head, arena->slices - head);
  mia_aword_set_rel(&mia_arena_all.entries[i].arena,
                    (uintptr_t)arena | (arena->exclusive ? MIA_ARENA_EXCLUSIVE : 0));
  if (i == count) mia_aword_set_rel(&mia_arena_all.count, count + 1);
}

static void point_bitmaps(mia_arena *arena, mia_acell *cells, size_t each) {
  arena->free = cells;
  arena->committed = cells + each;
  arena->dirty = cells + 2 * each;
  arena->aged = cells + 3 * each;
  arena->thp = cells + 4 * each;
}

static bool make_first(size_t slices) {
  range r;
  if (!reserve(slices, &(mia_arena_request){0}, &r)) return false;
  mia_arena *arena = &mia_arena_all.first;
  arena->descriptors = mia_arena_all.first_descriptors;
  arena->slices = slices;
  if (!mia_arena_make_records(arena)) {
    unreserve(&r);
    return false;
  }
  point_bitmaps(arena, mia_arena_all.first_bits[0], MIA_ARENA_FIRST_CELLS);
  mia_arena_begin_runs(arena, mia_arena_all.first_runs);
  publish(arena, &r, 0);
  return true;
}

/* Sets up an arena whose head, which is LIVE and zero, lies in its first slices. */
static mia_arena *lay_out(char *start, size_t slices) {
  mia_arena *arena = (void *)start;
  arena->descriptors = (void *)(start + mia_align_up(sizeof *arena, MIA_DESCRIPTOR_SIZE));
  mia_acell *cells = (void *)(arena->descriptors + slices);
  arena->slices = slices;
  point_bitmaps(arena, cells, cells_of(slices));
  mia_arena_begin_runs(arena, (void *)((char *)cells + bitmaps_size(slices)));
  return arena;
}

static mia_arena *make_next(size_t slices, const mia_arena_request *wish) {
  range r;
  if (!reserve(slices, wish, &r)) return NULL;
  size_t head = mia_slices_of(head_size(slices));
  if (!r.live && !mia_os_commit(r.start, head << MIA_SLICE_SHIFT)) {
    unreserve(&r);
    return NULL;
  }
  mia_arena *arena = lay_out(r.start, slices);
  if (!mia_arena_make_records(arena)) {
    unreserve(&r);
    return NULL;
  }
  arena->exclusive = wish->exclusive;
  arena->large = wish->large;
  arena->node = wish->node;
  publish(arena, &r, head);
  return arena;
}

/* Returns the least number of slices of an arena that has `slices' in a row beside its
 * head. */
static size_t slices_with_head(size_t slices) {
  return slices + mia_slices_of(head_size(slices)) + 1;
}

/* Entries that arenas requested by the program cannot take: malloc needs them when memory
 * grows. */
enum { ENTRIES_FOR_MALLOC = 512 };

static bool has_room(bool exclusive) {
  return mia_aword_get(&mia_arena_all.count) < MIA_ARENA_COUNT - ENTRIES_FOR_MALLOC ||
         (exclusive && mia_aword_get(&mia_arena_all.unloaded) > 0);
}

/* ---- external memory ---- */

static bool commit_external(const mia_arena_external *own, char *start, size_t size, bool *zero) {
  *zero = false;
  return own->commit != NULL ? own->commit(true, start, size, zero, own->commit_arg)
                             : mia_os_commit(start, size);
}

/* Sets the fields and bits that follow from `own'.  Accessible memory that is not known to
 * be zero is dirty; of other memory, the program's function reports it on commit. */
static void set_properties(mia_arena *arena, const mia_arena_external *own, size_t slices,
                           size_t head) {
  arena->exclusive = own->exclusive;
  arena->external = !own->reserved;
  arena->pinned = own->pinned || own->commit == NULL;
  arena->node = own->exclusive ? MIA_NODE_ANY : own->node;
  arena->commit = own->commit;
  arena->commit_arg = own->commit_arg;
  if (!own->zero && (own->committed || own->commit == NULL)) {
    mia_map_set(arena->dirty, 0, slices);
    mia_aword_set(&arena->top, slices);
    if (!arena->pinned) mia_aword_add(&mia_arena_all.idle, (slices - head) << MIA_SLICE_SHIFT);
  }
  mia_map_set(arena->committed, 0, own->committed ? slices : head);
}

/* Whether the range does not wrap around and lies within the page map. */
static bool is_valid(const mia_arena_external *own) {
  uintptr_t start = (uintptr_t)own->start, last = start + own->size - 1;
  return start != 0 && last >= start && mia_map_in_range(own->start) &&
         mia_map_in_range((void *)last);
}

static size_t lead_of(const mia_arena_external *own) {
  return -(uintptr_t)own->start & (MIA_SLICE_SIZE - 1);
}

static size_t slices_in(const mia_arena_external *own) {
  size_t lead = lead_of(own);
  return own->size > lead ? (own->size - lead) >> MIA_SLICE_SHIFT : 0;
}

bool mia_arena_can_manage(const mia_arena_external *own) {
  size_t slices = slices_in(own);
  return is_valid(own) && slices > mia_slices_of(head_size(slices));
}

mia_arena *mia_arena_manage(const mia_arena_external *own) {
  if (!mia_arena_can_manage(own)) return NULL;
  range r = {.whole = own->start,
             .size = own->size,
             .start = own->start + lead_of(own),
             .live = own->committed && own->commit == NULL};
  size_t slices = slices_in(own), head = mia_slices_of(head_size(slices));
  bool zero = own->zero;
  if (!own->committed && !commit_external(own, r.start, head << MIA_SLICE_SHIFT, &zero))
    return NULL;
  if (!zero) memset(r.start, 0, head << MIA_SLICE_SHIFT);
  mia_arena_decide_tier();
  mia_arena *arena = NULL;
  mia_os_lock(&mia_arena_all.grow);
  if (MIA_POINTER_64) mia_arena_note_node(own->node);
  if (has_room(own->exclusive) && mia_map_cover(r.start, slices << MIA_SLICE_SHIFT)) {
    arena = lay_out(r.start, slices);
    if (mia_arena_make_records(arena)) {
      set_properties(arena, own, slices, head);
      publish(arena, &r, head);
    } else {
      arena = NULL;
    }
  }
  mia_os_unlock(&mia_arena_all.grow);
  return arena;
}

/* ---- arenas that the program requests ---- */

/* Makes an arena of large OS pages that the system has set aside.  They are never purged,
 * since the kernel takes them back as whole pages only. */
static mia_arena *reserve_large(const mia_arena_request *wish, size_t slices) {
  size_t size = mia_align_up(slices << MIA_SLICE_SHIFT, MIA_OS_LARGE_PAGE);
  char *start = mia_os_reserve_huge(NULL, size, MIA_OS_LARGE_PAGE, -1);
  if (start == NULL) return NULL;
  mia_arena *arena = mia_arena_manage(&(mia_arena_external){.start = start,
                                                            .size = size,
                                                            .committed = true,
                                                            .pinned = true,
                                                            .zero = true,
                                                            .exclusive = wish->exclusive,
                                                            .reserved = true});
  if (arena == NULL) (void)mia_os_release(start, size);
  return arena;
}

mia_arena *mia_arena_reserve_os(const mia_arena_request *wish) {
  if (wish->size == 0 || wish->size > MIA_SIZE_MAX / 2) return NULL;
  size_t slices = slices_with_head(mia_slices_of(wish->size));
  mia_arena *arena = wish->large ? reserve_large(wish, slices) : NULL;
  if (arena != NULL) return arena;
  mia_arena_decide_tier();
  mia_os_lock(&mia_arena_all.grow);
  if (has_room(wish->exclusive)) arena = make_next(slices, wish);
  mia_os_unlock(&mia_arena_all.grow);
  return arena;
}

/* ---- arenas made on demand ---- */

/* [lock:grow] Returns the slices of all arenas that are near a node. */
static size_t slices_near(unsigned node) {
  size_t slices = 0;
  for (size_t i = 0; i < mia_aword_get(&mia_arena_all.count); i++)
    if (mia_arena_is_for_all(i) && mia_arena_is_near(mia_arena_nth(i), node))
      slices += mia_arena_nth(i)->slices;
  return slices;
}

/* [lock:grow] Returns how many slices the next arena should have: as many as are reserved already, so
 * that few arenas suffice for any size and a small process stays small.  With several nodes, those of
 * other nodes do not count. */
static size_t next_slices(size_t needed, unsigned node) {
  size_t slices = mia_arena_has_nodes() ? slices_near(node)
                                        : mia_aword_get(&mia_arena_all.reserved) >> MIA_SLICE_SHIFT;
  if (slices < MIA_ARENA_FIRST_SLICES) slices = MIA_ARENA_FIRST_SLICES;
  if (slices > MIA_ARENA_MAX_SLICES) slices = MIA_ARENA_MAX_SLICES;
  return slices > needed ? slices : needed;
}

bool mia_arena_grow(size_t slices, unsigned node, size_t seen) {
  bool grown = false;
  mia_os_lock(&mia_arena_all.grow);
  size_t count = mia_aword_get(&mia_arena_all.count);
  if (count != seen) {
    grown = true;
  } else if (count < MIA_ARENA_COUNT) {
    bool first = count == 0 && slices <= MIA_ARENA_FIRST_SLICES;
    if (!first && node == MIA_NODE_ANY) node = mia_arena_ask_node();
    size_t least = first ? slices : slices_with_head(slices);
    size_t size = first ? MIA_ARENA_FIRST_SLICES : next_slices(least, node);
    mia_arena_request wish = {.node = node};
    do {
      grown = first ? make_first(size) : make_next(size, &wish) != NULL;
      size /= 2;
    } while (!grown && size >= least);
  }
  mia_os_unlock(&mia_arena_all.grow);
  return grown;
}
