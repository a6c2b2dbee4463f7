/* SPDX-License-Identifier: MIT */
/* huge.h -- blocks too large for an arena: each has a mapping of its own. */
#ifndef MIA_ARENA_HUGE_H
#define MIA_ARENA_HUGE_H

#include "arena/arena.h"
#include "os/os.h"

/* A request for a huge block.  Here and below, the block begins a padding (`lead') behind
 * the start of its mapping, which may be as much as 1 GiB.  The functions make sure that
 * the page map covers the slice in which the block begins, and no other. */
typedef struct mia_huge {
  size_t size;    /* of the mapping: a multiple of the OS page */
  size_t align;   /* of the mapping */
  size_t padding; /* bytes of padding */
  bool zeroed;    /* the memory must read as zero */
} mia_huge;

/* Returns the start of the mapping; NULL: out of memory.  Sets *zero to whether the memory
 * reads as zero, which it may do without `clean'. */
void *mia_arena_huge_take(const mia_huge *wanted, bool *zero);

/* Puts the mapping into the mapping cache if `keep' is true and the cache accepts it, or
 * unmaps it.  Tiers from 2 on always unmap, so that a use after the free fails.  False: the
 * kernel could not unmap it, for now; its memory was purged instead, and the caller still has
 * the mapping.  `keep' should be false for a block that
 * grew: a block that is going to grow does not begin in a cached mapping, and needs the
 * address space behind it. */
bool mia_arena_huge_give(void *start, size_t size, bool keep);

/* Tries again to unmap a mapping for which mia_arena_huge_give returned false. */
bool mia_arena_huge_release(void *start, size_t size);

/* A block that grows to at least so many bytes is backed by large OS pages. */
#define MIA_ARENA_LARGE_PAGES_MIN (4 * MIA_OS_LARGE_PAGE)

/* Changes the size of a mapping to `wanted'.  The content stays, and a new tail reads as
 * zero.  Returns the start of the mapping, which may differ if `may_move'.  NULL: nothing
 * has changed. */
void *mia_arena_huge_resize(void *start, size_t size, size_t padding, size_t wanted, bool may_move);

/* Makes a huge block of the first `size' bytes of a span in use, a multiple of the OS
 * page, by remapping their memory instead of copying it.  Returns the start of the new
 * mapping.  The bytes of the span then read as zero.  What lies behind them in their last
 * slice is marked dirty: so the holder of the span starts to count anew from 0 which bytes
 * of it may have been written.  NULL: nothing has changed. */
void *mia_arena_huge_detach(mia_arena *arena, char *span, size_t size, size_t padding);

#endif
