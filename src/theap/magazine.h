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
#ifndef MIA_THEAP_MAGAZINE_H
#define MIA_THEAP_MAGAZINE_H

#include "base/fail.h"
#include "theap/theap.h"

/* What a stash may hold: so many blocks, so many bytes. */
enum { MIA_MAGAZINE_BLOCKS = 255, MIA_MAGAZINE_BYTES = 32 * 1024 };

/* When a class is exchanged: after so many stashes of so many blocks, for so many more
 * lists.  Own blocks leave a quarter of the stash to others'. */
enum {
  MIA_EXCHANGE_BEGIN = 8,
  MIA_EXCHANGE_LEAST = 16,
  MIA_EXCHANGE_LISTS = 120,
  MIA_EXCHANGE_STRAYS = 4096, /* frees of other classes meanwhile, which it slows down */
  MIA_EXCHANGE_BLOCKS = MIA_MAGAZINE_BLOCKS - MIA_MAGAZINE_BLOCKS / 4,
  MIA_EXCHANGE_BYTES = MIA_MAGAZINE_BYTES - MIA_MAGAZINE_BYTES / 4
};

mia_inline bool mia_magazine_is_full(const mia_bin *bin, const mia_page *page) {
  return bin->magazine_count == MIA_MAGAZINE_BLOCKS ||
         (bin->magazine_count + 1u) * page->size > MIA_MAGAZINE_BYTES;
}

mia_inline void mia_magazine_push(mia_bin *bin, mia_block *block) {
  if (mia_unlikely(block == bin->magazine)) mia_base_misuse("block freed twice", block);
  block->next = bin->magazine;
  bin->magazine = block;
  bin->magazine_count++;
}

/* ---- a class that is exchanged ---- */

mia_inline bool mia_magazine_is_exchanged(const mia_theap *self, unsigned size_class) {
  return self->exchange_state[size_class] >= MIA_EXCHANGE_BEGIN;
}

mia_inline void mia_magazine_end_exchange(mia_theap *self, unsigned size_class) {
  if (mia_magazine_is_exchanged(self, size_class) && --self->exchanging == 0)
    self->fast_owner = (uintptr_t)self;
  self->exchange_state[size_class] = 0;
}

/* No class is exchanged from now on. */
mia_cold void mia_theap_end_exchanges(mia_theap *self);

/* A list comes that was a stash of so many blocks. */
mia_inline void mia_magazine_note(mia_theap *self, unsigned size_class, uintptr_t count) {
  uint8_t *exchange = &self->exchange_state[size_class];
  if (mia_magazine_is_exchanged(self, size_class)) {
    if (++*exchange == MIA_EXCHANGE_BEGIN + MIA_EXCHANGE_LISTS)
      mia_magazine_end_exchange(self, size_class);
  } else if (count >= MIA_EXCHANGE_LEAST && ++*exchange == MIA_EXCHANGE_BEGIN) {
    self->exchanging++;
    self->fast_owner = MIA_THEAP_EXCHANGING;
    self->exchange_misses = 0;
  }
}

/* Keeps a block of a class that is exchanged.  False: it is not, or there is enough. */
mia_inline bool mia_magazine_exchange(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_bin *bin = &self->bins[page->size_class];
  if (!mia_magazine_is_exchanged(self, page->size_class)) {
    if (self->exchanging != 0 && ++self->exchange_misses == MIA_EXCHANGE_STRAYS)
      mia_theap_end_exchanges(self);
    return false;
  }
  if (!bin->magazine_open || bin->magazine_count >= MIA_EXCHANGE_BLOCKS ||
      bin->magazine_count * page->size >= MIA_EXCHANGE_BYTES || !mia_theap_is_main_page(page) ||
      page->exclusive)
    return false;
  mia_page_require_block(page, block);
  mia_magazine_push(bin, block);
  return true;
}

/* ---- using it ---- */

/* Takes the stash, and ends it. */
mia_inline mia_block *mia_magazine_take(mia_bin *bin) {
  mia_block *list = bin->magazine;
  bin->magazine = NULL;
  bin->magazine_count = 0;
  bin->magazine_open = false;
  return list;
}

/* Takes the stash to be the list in use, which is at its end and not withheld.  NULL:
 * there is none, and the list will be one of the page in use.  Blocks that are freed
 * from now on are kept. */
mia_inline mia_block *mia_magazine_use(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  bool stashed = bin->magazine != NULL;
  bin->from_magazine = stashed;
  bin->magazine_open = true;
  if (mia_likely(!stashed)) return NULL;
  uintptr_t count = bin->magazine_count;
  mia_magazine_note(self, size_class, count);
  mia_block *list = mia_magazine_take(bin);
  bin->magazine_open = true;
  mia_count_add(&self->counts.refilled[size_class], count);
  bin->zeroed = false;
  return list;
}

#endif
