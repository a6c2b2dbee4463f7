/* magazine.h -- remote frees that become the thread's next free list.
 *
 * A thread that frees blocks of other threads' pages, and allocates blocks of the class
 * itself, need not send them to their pages.  It keeps them in a magazine, which becomes its
 * next free list, so neither thread needs an atomic operation.  To their pages these blocks
 * are live all the time.  A magazine that gets too long is sent to the pages, all of it, and no
 * other is opened until the thread needs a free list.  So a thread that only frees has none.
 *
 * Exchange.  If a thread frees other threads' blocks about as often as its own, the branch on
 * the owner of the page is unpredictable and costs more than the rest of the free.  So a class
 * that has had enough magazines is exchanged for a while: all blocks of it that the thread
 * frees go into the magazine, whichever thread owns the page.
 *
 * The fast path of free pays nothing for this.  It compares the page's owner with the field
 * fast_owner of the theap.  Normally that is the theap's own address.  While the thread
 * exchanges any class it is MIA_THEAP_EXCHANGING, which equals no page's owner.  So every free
 * leaves the fast path and comes to mia_fast_free_other, which looks at the class first
 * (mia_magazine_exchange).  `exchanging' counts these classes: at 0, fast_owner is the address
 * again.  As frees of all other classes are slower meanwhile, too many of them end it.
 *
 * Only blocks of the main heap go into magazines, and so only its theaps have any. */
#ifndef MIA_THEAP_MAGAZINE_H
#define MIA_THEAP_MAGAZINE_H

#include "base/fail.h"
#include "theap/theap.h"

/* A magazine has at most so many blocks, and so many bytes. */
enum { MIA_MAGAZINE_BLOCKS = 255, MIA_MAGAZINE_BYTES = 32 * 1024 };

/* exchange_state of a class counts magazines that became free lists: up to MIA_EXCHANGE_BEGIN
 * those of at least MIA_EXCHANGE_LEAST blocks, then all.  From MIA_EXCHANGE_BEGIN on, the class
 * is exchanged.  The blocks that an exchange adds leave a quarter of the magazine free, for
 * remote frees. */
enum {
  MIA_EXCHANGE_BEGIN = 8,
  MIA_EXCHANGE_LEAST = 16,
  MIA_EXCHANGE_LISTS = 120,   /* an exchange ends after so many magazines */
  MIA_EXCHANGE_MISSES = 4096, /* or so many frees of classes not exchanged */
  MIA_EXCHANGE_BLOCKS = MIA_MAGAZINE_BLOCKS - MIA_MAGAZINE_BLOCKS / 4,
  MIA_EXCHANGE_BYTES = MIA_MAGAZINE_BYTES - MIA_MAGAZINE_BYTES / 4
};

/* Returns true if the magazine has no room for a block of the page. */
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

/* ---- exchange ---- */

mia_inline bool mia_magazine_is_exchanged(const mia_theap *self, unsigned size_class) {
  return self->exchange_state[size_class] >= MIA_EXCHANGE_BEGIN;
}

mia_inline void mia_magazine_end_exchange(mia_theap *self, unsigned size_class) {
  if (mia_magazine_is_exchanged(self, size_class) && --self->exchanging == 0)
    self->fast_owner = (uintptr_t)self;
  self->exchange_state[size_class] = 0;
}

/* Ends the exchange of all classes. */
mia_cold void mia_theap_end_exchanges(mia_theap *self);

/* Called when a magazine of `count' blocks becomes the free list: may begin or end an exchange. */
mia_inline void mia_magazine_note(mia_theap *self, unsigned size_class, uintptr_t count) {
  uint8_t *state = &self->exchange_state[size_class];
  if (mia_magazine_is_exchanged(self, size_class)) {
    if (++*state == MIA_EXCHANGE_BEGIN + MIA_EXCHANGE_LISTS)
      mia_magazine_end_exchange(self, size_class);
  } else if (count >= MIA_EXCHANGE_LEAST && ++*state == MIA_EXCHANGE_BEGIN) {
    self->exchanging++;
    self->fast_owner = MIA_THEAP_EXCHANGING;
    self->exchange_misses = 0;
  }
}

/* Puts a block into the magazine if its class is exchanged.  Returns false if that is not so, if
 * the magazine has enough blocks, or if the page's blocks may not go there. */
mia_inline bool mia_magazine_exchange(mia_theap *self, const mia_page *page, mia_block *block) {
  mia_bin *bin = &self->bins[page->size_class];
  if (!mia_magazine_is_exchanged(self, page->size_class)) {
    if (self->exchanging != 0 && ++self->exchange_misses == MIA_EXCHANGE_MISSES)
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

/* ---- the magazine as the free list ---- */

/* Takes the blocks of the magazine and closes it. */
mia_inline mia_block *mia_magazine_take(mia_bin *bin) {
  mia_block *list = bin->magazine;
  bin->magazine = NULL;
  bin->magazine_count = 0;
  bin->magazine_open = false;
  return list;
}

/* Returns the blocks of the magazine, to become the free list, which is empty and not set aside.
 * Returns NULL if there are none: the caller then refills the list from a page.  In both cases
 * a new magazine is open from now on. */
mia_inline mia_block *mia_magazine_use(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  bool has_blocks = bin->magazine != NULL;
  bin->from_magazine = has_blocks;
  bin->magazine_open = true;
  if (mia_likely(!has_blocks)) return NULL;
  uintptr_t count = bin->magazine_count;
  mia_magazine_note(self, size_class, count);
  mia_block *list = mia_magazine_take(bin);
  bin->magazine_open = true;
  mia_count_add(&self->counts.refilled[size_class], count);
  bin->zeroed = false;
  return list;
}

#endif
