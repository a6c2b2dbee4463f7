/* stash.h -- blocks that are freed where blocks of their class are allocated.
 *
 * A thread that frees blocks of pages which are not its own, and allocates as many
 * of the class, need not send them home: they are its next list, and neither thread
 * waits for the other.  Such blocks stay lent, so that their pages know nothing of
 * it.  A stash that gets too long goes home, all of it, and there is no other before
 * the thread needs a list: who only frees has none.
 *
 * Only what is of the main heap is kept so, and by locals that serve it. */
#ifndef MIA_LOCAL_STASH_H
#define MIA_LOCAL_STASH_H

#include "local/local.h"

/* Keeps a block of a page that the local does not own.  False: it must go home. */
bool mia_local_stash(mia_local *self, const mia_page *page, mia_block *block);

/* Makes the stash the list in use, which is at its end and not withheld: what is to
 * be its head.  NULL: there is none.  Blocks that are freed from now on are kept. */
mia_inline mia_block *mia_local_use_stash(mia_local *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  mia_block *list = bin->stash;
  bin->stashes = true;
  bin->mixed = list != NULL;
  if (list == NULL) return NULL;
  mia_count_add(&self->counts.lent[size_class], bin->stashed);
  bin->stash = NULL;
  bin->stashed = 0;
  bin->fresh = false;
  return list;
}

/* Sends home what is kept of a class, in the list in use too; or of all. */
void mia_local_send_stash(mia_local *self, unsigned size_class);
void mia_local_send_stashes(mia_local *self);

#endif
