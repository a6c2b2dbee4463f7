/* kept.h -- mappings of huge blocks that were freed, kept for the next ones.
 *
 * To map, fault in and unmap a block costs many times what a program does with it.
 * So a mapping waits for a while, with what is in it: whoever wants about as much has
 * it, cut or grown to what he wants.  What nobody had between two visits of the
 * purger is unmapped.
 *
 * Invariants:
 *   K1  the first `count' of `at' are in ascending order of size; a mapping there is
 *       LIVE, nobody else's, and not in the page map
 *   K2  its bytes are counted as reserved, and as idle unless it is purged; not as used
 *   K3  where a huge block is made or grows, what is used and what is kept is not more
 *       together than was used at the most: what waits does not make a process larger */
#ifndef MIA_ARENA_MAPPING_CACHE_H
#define MIA_ARENA_MAPPING_CACHE_H

#include "arena/budget.h"
#include "base/layout.h"
#include "os/lock.h"

typedef struct mia_mapping {
  char *start;
  size_t size;
  uintptr_t turn; /* the higher, the later it was freed */
  bool aged;      /* it was here when the purger last came by */
  bool stuck;     /* the kernel did not let it go: nobody has it, the purger tries again */
  bool purged;    /* then its memory has gone, nevertheless */
} mia_mapping;

enum { MIA_MAPPING_CACHE_MAX = 256 };

typedef struct mia_arena_mapping_cache {
  mia_lock lock;
  mia_mapping at[MIA_MAPPING_CACHE_MAX]; /* [lock] */
  size_t count;                          /* [lock] */
  uintptr_t turn;                        /* [lock] of the last one */
  mia_aword due;                         /* [any] 1: those that are aged are to be unmapped */
  mia_aword wanted;                      /* [any] 0: none is to be kept */
  mia_aword bytes;                       /* [any] in all that are not purged */
  mia_aword lost; /* [any] of what went as it was too much: not yet mapped anew */
} mia_arena_mapping_cache;

mia_assert_placed(mia_arena_mapping_cache, due);
mia_assert_placed(mia_arena_mapping_cache, wanted);
mia_assert_placed(mia_arena_mapping_cache, bytes);
mia_assert_placed(mia_arena_mapping_cache, lost);

/* Keeps a mapping; false: it is too small for that, or there are too many. */
bool mia_arena_cache_mapping(void *start, size_t size);

/* Takes the one that is best for `size' bytes at a multiple of `align': the smallest
 * that is not much larger, or else the largest that is not much smaller.  False: none. */
bool mia_arena_take_cached(size_t size, size_t align, mia_mapping *taken);

/* Unmaps one that was taken; bytes that have gone. */
size_t mia_arena_unmap(mia_mapping *mapping);

/* Unmaps the oldest ones until no more than `rest' bytes are idle in all, or the budget
 * is spent.  Bytes that have gone. */
size_t mia_arena_flush_cached(size_t rest, mia_budget *budget);

/* Notes that so much was mapped anew: what was kept might have served. */
void mia_arena_miss_cached(size_t size);

/* Makes room for a huge block of so many bytes (K3). */
void mia_arena_fit_cached(size_t more);

/* Unmaps those that are aged, as far as the budget goes, and the next calls go on.  Then
 * the others age, if it is time for that. */
void mia_arena_age_cached(bool is_time, mia_budget *budget);

/* Unmaps all.  Bytes that have gone. */
size_t mia_arena_flush_all_cached(void);

#endif
