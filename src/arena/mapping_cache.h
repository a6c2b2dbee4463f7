/* SPDX-License-Identifier: MIT */
/* mapping_cache.h -- mappings of huge blocks that were freed, for reuse by later ones.
 *
 * Mapping, faulting in and unmapping a huge block takes many times as long as what a
 * program does with it.  So a mapping stays in the cache for a while, with its content.  A
 * request takes the beginning of one that is large enough, and the rest stays.  Mappings of
 * which each ends where the next begins serve a request together.  That takes no system call.
 * If nothing is large enough, a mapping may grow.
 * A mapping that stays in the cache from one visit of the purger to the next is unmapped.
 *
 * Invariants:
 *   K1  the first `count' entries of `at' are in ascending order of address; a mapping there
 *       is LIVE, belongs to the cache alone, and is not in the page map
 *   K2  its bytes are counted as reserved, and as idle unless it is purged; not as used
 *   K3  when a huge block is made or grows, the bytes in use and in the cache together are
 *       cut to the peak of the bytes in use, so that the cache does not make a process
 *       larger; mapping_cache.c bounds how much one call unmaps for that */
#ifndef MIA_ARENA_MAPPING_CACHE_H
#define MIA_ARENA_MAPPING_CACHE_H

#include "arena/budget.h"
#include "base/layout.h"
#include "os/lock.h"

typedef struct mia_mapping {
  char *start;
  size_t size;
  uintptr_t turn; /* the higher, the later it came into the cache */
  bool aged;      /* it was in the cache at the purger's last visit */
  bool stuck;     /* the kernel could not unmap it: no request gets it, the purger tries again */
  bool purged;    /* it is stuck, but its memory was purged */
} mia_mapping;

enum { MIA_MAPPING_CACHE_MAX = 256 };

typedef struct mia_arena_mapping_cache {
  mia_mapping at[MIA_MAPPING_CACHE_MAX]; /* [lock] */
  mia_lock lock;
  size_t count;      /* [lock] */
  uintptr_t turn;    /* [lock] of the mapping that came last */
  mia_aword due;     /* [any] 1: aged mappings are to be unmapped */
  mia_aword wanted;  /* [any] 0: the cache is off */
  mia_aword bytes;   /* [any] sum of the sizes, without purged mappings */
  mia_aword missing; /* [any] bytes of excess.unmapped that were not mapped anew soon after */
} mia_arena_mapping_cache;

mia_assert_field_aligned(mia_arena_mapping_cache, due);
mia_assert_field_aligned(mia_arena_mapping_cache, wanted);
mia_assert_field_aligned(mia_arena_mapping_cache, bytes);
mia_assert_field_aligned(mia_arena_mapping_cache, missing);

/* Puts a mapping into the cache.  False: it is too small, the cache is full or off, or too
 * much memory is idle. */
bool mia_arena_cache_mapping(void *start, size_t size);

/* Takes what fits `size' bytes at a multiple of `align' best, as one mapping: the smallest that is
 * at least as large, without a rest that may stay in the cache, or else the largest that is not much
 * smaller.  So the mapping may be smaller or a little larger than `size'.  False: none fits. */
bool mia_arena_take_cached(size_t size, size_t align, mia_mapping *taken);

/* Unmaps a mapping that was taken, or puts it back as stuck.  Returns the bytes of memory
 * that went back to the OS. */
size_t mia_arena_unmap(mia_mapping *mapping);

/* Unmaps mappings, the oldest first, until no more than `rest' bytes are idle, those of
 * arenas included, or the budget is spent.  Returns the bytes that went back to the OS. */
size_t mia_arena_flush_cached(size_t rest, mia_budget *budget);

/* Notes that `size' bytes are mapped anew for want of a cached mapping. */
void mia_arena_miss_cached(size_t size);

/* Unmaps mappings for a huge block that takes `more' bytes (K3). */
void mia_arena_fit_cached(size_t more);

/* Unmaps the aged mappings within the budget; later calls continue.  Once all of them have
 * been unmapped, the others become aged.  A call with `is_time' starts such a round. */
void mia_arena_age_cached(bool is_time, mia_budget *budget);

/* Unmaps all mappings.  Returns the bytes that went back to the OS. */
size_t mia_arena_flush_all_cached(void);

#endif
