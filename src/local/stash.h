/* stash.h -- blocks that are freed where blocks of their class are allocated.
 *
 * A thread that frees blocks of pages which others own, and allocates as many of the
 * class, need not send them home: they are its next list, and neither thread waits
 * for the other.  Such blocks stay lent, so that their pages know nothing of it.  A
 * stash that gets too long goes home, all of it, and there is no other before the
 * thread needs a list: who only frees has none.
 *
 * Only what is of the main heap is kept so, and by locals that serve it. */
#ifndef MIA_LOCAL_STASH_H
#define MIA_LOCAL_STASH_H

#include "base/fail.h"
#include "local/local.h"

/* What a stash may hold: so many blocks, so many bytes. */
enum { MIA_STASH_BLOCKS = 255, MIA_STASH_BYTES = 32 * 1024 };

mia_inline bool mia_stash_is_full(const mia_bin *bin, const mia_page *page) {
  return bin->stashed == MIA_STASH_BLOCKS || (bin->stashed + 1u) * page->size > MIA_STASH_BYTES;
}

mia_inline void mia_stash_put(mia_bin *bin, mia_block *block) {
  if (mia_unlikely(block == bin->stash)) mia_base_misuse("block freed twice", block);
  block->next = bin->stash;
  bin->stash = block;
  bin->stashed++;
}

/* Takes the stash, and ends it. */
mia_inline mia_block *mia_stash_end(mia_bin *bin) {
  mia_block *list = bin->stash;
  bin->stash = NULL;
  bin->stashed = 0;
  bin->stashes = false;
  return list;
}

/* Takes the stash to be the list in use, which is at its end and not withheld.  NULL:
 * there is none, and the list will be one of the page in use.  Blocks that are freed
 * from now on are kept. */
mia_inline mia_block *mia_stash_use(mia_local *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  uintptr_t count = bin->stashed;
  mia_block *list = mia_stash_end(bin);
  bin->stashes = true;
  bin->mixed = list != NULL;
  if (list == NULL) return NULL;
  mia_count_add(&self->counts.lent[size_class], count);
  bin->fresh = false;
  return list;
}

#endif
