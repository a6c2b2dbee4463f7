/* stash.h -- blocks that are freed where blocks of their class are allocated.
 *
 * A thread that frees blocks of pages which others own, and allocates as many of the
 * class, need not send them home: they are its next list, and neither thread waits
 * for the other.  Such blocks stay lent, so that their pages know nothing of it.  A
 * stash that gets too long goes home, all of it, and there is no other before the
 * thread needs a list: who only frees has none.
 *
 * Where a thread frees about as many blocks of others' pages as of its own, which of
 * them one is cannot be foreseen, and a branch on it costs more than the rest.  So a
 * class of which stashes came list after list is exchanged for a while: what is freed
 * is kept whosever it is.  As long as the thread does that with any class, the fast
 * path does not free (`plain' makes that no test of its own); so it ends as well
 * when the thread frees much of other classes.
 *
 * Only what is of the main heap is kept so, and by locals that serve it. */
#ifndef MIA_LOCAL_STASH_H
#define MIA_LOCAL_STASH_H

#include "base/fail.h"
#include "local/local.h"

/* What a stash may hold: so many blocks, so many bytes. */
enum { MIA_STASH_BLOCKS = 255, MIA_STASH_BYTES = 32 * 1024 };

/* When a class is exchanged: after so many stashes of so many blocks, for so many more
 * lists.  Own blocks leave a quarter of the stash to others'. */
enum {
  MIA_EXCHANGE_BEGIN = 8,
  MIA_EXCHANGE_LEAST = 16,
  MIA_EXCHANGE_LISTS = 120,
  MIA_EXCHANGE_STRAYS = 4096, /* frees of other classes meanwhile, which it slows down */
  MIA_EXCHANGE_BLOCKS = MIA_STASH_BLOCKS - MIA_STASH_BLOCKS / 4,
  MIA_EXCHANGE_BYTES = MIA_STASH_BYTES - MIA_STASH_BYTES / 4
};

mia_inline bool mia_stash_is_full(const mia_bin *bin, const mia_page *page) {
  return bin->stashed == MIA_STASH_BLOCKS || (bin->stashed + 1u) * page->size > MIA_STASH_BYTES;
}

mia_inline void mia_stash_put(mia_bin *bin, mia_block *block) {
  if (mia_unlikely(block == bin->stash)) mia_base_misuse("block freed twice", block);
  block->next = bin->stash;
  bin->stash = block;
  bin->stashed++;
}

/* ---- a class that is exchanged ---- */

mia_inline bool mia_stash_is_exchanged(const mia_local *self, unsigned size_class) {
  return self->exchange[size_class] >= MIA_EXCHANGE_BEGIN;
}

mia_inline void mia_stash_end_exchange(mia_local *self, unsigned size_class) {
  if (mia_stash_is_exchanged(self, size_class) && --self->exchanges == 0)
    self->plain = (uintptr_t)self;
  self->exchange[size_class] = 0;
}

/* No class is exchanged from now on. */
mia_cold void mia_local_end_exchanges(mia_local *self);

/* A list comes that was a stash of so many blocks. */
mia_inline void mia_stash_note(mia_local *self, unsigned size_class, uintptr_t count) {
  uint8_t *exchange = &self->exchange[size_class];
  if (mia_stash_is_exchanged(self, size_class)) {
    if (++*exchange == MIA_EXCHANGE_BEGIN + MIA_EXCHANGE_LISTS)
      mia_stash_end_exchange(self, size_class);
  } else if (count >= MIA_EXCHANGE_LEAST && ++*exchange == MIA_EXCHANGE_BEGIN) {
    self->exchanges++;
    self->plain = MIA_LOCAL_UNPLAIN;
    self->strays = 0;
  }
}

/* Keeps a block of a class that is exchanged.  False: it is not, or there is enough. */
mia_inline bool mia_stash_exchange(mia_local *self, const mia_page *page, mia_block *block) {
  mia_bin *bin = &self->bins[page->size_class];
  if (!mia_stash_is_exchanged(self, page->size_class)) {
    if (self->exchanges != 0 && ++self->strays == MIA_EXCHANGE_STRAYS)
      mia_local_end_exchanges(self);
    return false;
  }
  if (!bin->stashes || bin->stashed >= MIA_EXCHANGE_BLOCKS ||
      bin->stashed * page->size >= MIA_EXCHANGE_BYTES || !mia_local_is_main(page) ||
      page->exclusive)
    return false;
  mia_page_require_block(page, block);
  mia_stash_put(bin, block);
  return true;
}

/* ---- using it ---- */

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
  bool stashed = bin->stash != NULL;
  bin->mixed = stashed;
  bin->stashes = true;
  if (mia_likely(!stashed)) return NULL;
  uintptr_t count = bin->stashed;
  mia_stash_note(self, size_class, count);
  mia_block *list = mia_stash_end(bin);
  bin->stashes = true;
  mia_count_add(&self->counts.lent[size_class], count);
  bin->fresh = false;
  return list;
}

#endif
