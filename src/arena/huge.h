/* huge.h -- blocks too large for an arena: each its own mapping. */
#ifndef MIA_ARENA_HUGE_H
#define MIA_ARENA_HUGE_H

#include "arena/arena.h"
#include "os/os.h"

/* What a block is to be.  Here and below, it begins `lead' bytes behind the start of the
 * mapping, as much as 1 GiB: the page map can be set for that place, and for no other. */
typedef struct mia_huge {
  size_t size;  /* of the mapping: a multiple of the OS page */
  size_t align; /* of the mapping */
  size_t lead;
  bool clean; /* it is to read as zero */
} mia_huge;

/* Memory for it; *zero: it reads as zero, also where that was not asked for. */
void *mia_arena_huge_take(const mia_huge *wanted, bool *zero);

/* It is kept, if it may be (kept.h), or unmapped.  False: the kernel could not unmap it,
 * for now; what it held is then purged.  What grew is best not kept: blocks that grow
 * begin elsewhere, and need the room behind them. */
bool mia_arena_huge_give(void *start, size_t size, bool keep);

/* Tries that again. */
bool mia_arena_huge_release(void *start, size_t size);

/* A block that grows to so many bytes is backed by large OS pages. */
#define MIA_ARENA_LARGE_PAGES_MIN (4 * MIA_OS_LARGE_PAGE)

/* Another size, content kept, the new tail zero; the block may move where
 * `may_move'.  NULL: nothing has changed. */
void *mia_arena_huge_resize(void *start, size_t size, size_t lead, size_t wanted, bool may_move);

/* Moves the first `size' bytes of a span in use, whole OS pages, to a huge block, by
 * moving what backs them: where that is.  They then read as zero, and what is behind
 * them in their last slice is known to be dirty: the holder of the span begins anew to
 * note what is written.  NULL: nothing has changed. */
void *mia_arena_huge_detach(mia_arena *arena, char *span, size_t size, size_t lead);

#endif
