/* SPDX-License-Identifier: MIT */
/* owner.h -- who may touch a page, and how remote frees get to it.  All transitions
 * of the word `remote' are here and nowhere else.
 *
 * The word holds three things, so that each transition is one compare-and-swap:
 *   list       the blocks freed by threads that do not own the page (a stack)
 *   countdown  goes down by one with each block that is put on the list
 *   claimed    set while one thread has the page to itself
 *
 *               abandon(countdown), nothing on the list
 *        claimed ------------------------------->  unclaimed
 *           ^                                        |  |  ^
 *           |  claim(): a thread looks for a page    |  |  | push(): countdown > count
 *           +----------------------------------------+  +--+
 *           |  push(): countdown <= count            |
 *           +----------------------------------------+
 *   claimed --push()--> claimed: the thread that has the page collects later
 *
 * The thread that abandons a page sets the countdown: the number of frees after
 * which claiming the page is worthwhile.  For a full page that is a part of its
 * blocks, for a page in the abandoned list all of its live blocks.  The thread whose
 * push takes the countdown to 0 or below has claimed the page with that push.
 *
 * The countdown has this meaning in an unclaimed page only, where it is never 0.
 * While the page is claimed it goes on down, modulo 2^14.  page->countdown_from is where
 * it began.  Claimed or not,
 *   blocks on the list = countdown_from - countdown, modulo 2^14
 * Collecting sets both to 0.
 *
 * A claim hands the page's [own] fields from the thread that abandoned it (release)
 * to the thread that claims it (acquire).  A push releases the content of its blocks
 * to the thread that collects them.  Until its push, the pushing thread holds a live
 * block of the page, so the page cannot be retired; after its push, it does not look
 * at the page unless the push claimed it.
 *
 * ABA: between a push's load and its compare-and-swap, the list may be taken and grow
 * again to the same head and countdown.  The pushed block then links to that head,
 * which is the head of the list: nothing is lost.
 *
 * The word has 32 bits on every host:
 *   31..16  offset of the list's first block from the page's start, in units of
 *           the smallest block; NONE when the list is empty
 *   15..2   countdown, modulo 2^14
 *   0       claimed */
#ifndef MIA_PAGE_OWNER_H
#define MIA_PAGE_OWNER_H

#include "base/fail.h"
#include "page/page.h"

enum {
  MIA_OWNER_CLAIMED = 1,
  MIA_OWNER_COUNTDOWN_SHIFT = 2,
  MIA_OWNER_COUNTDOWN_MASK = (1 << 14) - 1,
  MIA_OWNER_LIST_SHIFT = 16,
  MIA_OWNER_LIST_NONE = 0xffff
};

mia_static_assert(MIA_CLASS_SLICES_MAX *MIA_SLICE_SIZE / MIA_BLOCK_MIN <= MIA_OWNER_LIST_NONE,
                  "the offset of every block fits, and is not NONE");
mia_static_assert(MIA_SLICE_SIZE / MIA_BLOCK_MIN <= MIA_OWNER_COUNTDOWN_MASK,
                  "a page's blocks can be counted");

mia_inline uintptr_t mia_owner_word(uintptr_t list, uint32_t countdown, uintptr_t claimed) {
  return list << MIA_OWNER_LIST_SHIFT |
         (uintptr_t)(countdown & MIA_OWNER_COUNTDOWN_MASK) << MIA_OWNER_COUNTDOWN_SHIFT | claimed;
}
mia_inline uint32_t mia_owner_countdown(uintptr_t word) {
  return (uint32_t)(word >> MIA_OWNER_COUNTDOWN_SHIFT) & MIA_OWNER_COUNTDOWN_MASK;
}
mia_inline mia_block *mia_owner_list(const mia_page *page, uintptr_t word) {
  uintptr_t list = word >> MIA_OWNER_LIST_SHIFT;
  return list == MIA_OWNER_LIST_NONE ? NULL : (void *)(page->start + list * MIA_BLOCK_MIN);
}

/* Initializes a page as claimed by the caller. */
mia_inline void mia_owner_begin_claimed(mia_page *page) {
  page->countdown_from = 0;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, 0, MIA_OWNER_CLAIMED));
}

/* Initializes a page as full and unclaimed. */
mia_inline void mia_owner_begin_full(mia_page *page, uint32_t countdown) {
  page->countdown_from = (uint16_t)countdown;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, countdown, 0));
}

/* Frees the chain head..tail of `count' blocks, unless the first is free.  Returns true if this claimed
 * the page; the caller must then collect it and abandon, own or retire it. */
mia_inline bool mia_owner_push(mia_page *page, mia_block *head, mia_block *tail, uint32_t count) {
  uintptr_t list = (uintptr_t)((char *)head - page->start) / MIA_BLOCK_MIN;
  uintptr_t was = mia_aword_get(&page->remote);
  uintptr_t claimed;
  do {
    uint32_t countdown = mia_owner_countdown(was);
    mia_block *next = mia_owner_list(page, was);
    if (mia_unlikely(next == head)) return !mia_page_freed_twice(page, head);
    tail->next = next;
    claimed = (was & MIA_OWNER_CLAIMED) != 0 || countdown <= count ? MIA_OWNER_CLAIMED : 0;
    if (mia_aword_cas_acq_rel(&page->remote, &was,
                              mia_owner_word(list, countdown - count, claimed)))
      break;
  } while (true);
  return claimed != 0 && (was & MIA_OWNER_CLAIMED) == 0;
}

/* Frees a block likewise, unless that would claim the page: then does nothing and returns false. */
mia_inline bool mia_owner_push_one(mia_page *page, mia_block *block) {
  uintptr_t list = (uintptr_t)((char *)block - page->start) / MIA_BLOCK_MIN;
  uintptr_t was = mia_aword_get(&page->remote);
  do {
    if ((was & MIA_OWNER_CLAIMED) == 0 && mia_owner_countdown(was) <= 1) return false;
    mia_block *next = mia_owner_list(page, was);
    if (mia_unlikely(next == block)) return mia_page_freed_twice(page, block);
    block->next = next;
  } while (!mia_aword_cas_rel(
      &page->remote, &was,
      mia_owner_word(list, mia_owner_countdown(was) - 1, was & MIA_OWNER_CLAIMED)));
  return true;
}

/* Tiers from 1 on: counts the free of a block which is recorded elsewhere (live.h), as if it were put on
 * the list.  Returns true if this claimed the page, like mia_owner_push. */
mia_inline bool mia_owner_count_free(mia_page *page) {
  uintptr_t was = mia_aword_get(&page->remote), claimed;
  do {
    uint32_t countdown = mia_owner_countdown(was);
    claimed = (was & MIA_OWNER_CLAIMED) != 0 || countdown <= 1 ? MIA_OWNER_CLAIMED : 0;
    if (mia_aword_cas_acq_rel(&page->remote, &was,
                              mia_owner_word(MIA_OWNER_LIST_NONE, countdown - 1, claimed)))
      break;
  } while (true);
  return claimed != 0 && (was & MIA_OWNER_CLAIMED) == 0;
}

/* The block of a singleton page is not written to when it is freed.  It is free while it is
 * on the list, where it stays until the page is used again. */
typedef enum mia_singleton_freed {
  MIA_SINGLETON_CLAIMED, /* the caller has claimed the page, which is empty */
  MIA_SINGLETON_LEFT,    /* another thread has the page and collects before it abandons it */
  MIA_SINGLETON_TWICE    /* the block was free already */
} mia_singleton_freed;

mia_inline mia_singleton_freed mia_owner_free_singleton(mia_page *page) {
  uintptr_t was = mia_aword_get(&page->remote);
  do {
    if (was >> MIA_OWNER_LIST_SHIFT != MIA_OWNER_LIST_NONE) return MIA_SINGLETON_TWICE;
  } while (!mia_aword_cas_acq_rel(
      &page->remote, &was, mia_owner_word(0, mia_owner_countdown(was) - 1, MIA_OWNER_CLAIMED)));
  return (was & MIA_OWNER_CLAIMED) != 0 ? MIA_SINGLETON_LEFT : MIA_SINGLETON_CLAIMED;
}

/* Frees the block of a singleton page that no other thread can claim meanwhile, without a
 * compare-and-swap.  Returns false if nothing was done: the page is still claimed, or the
 * block is free. */
mia_inline bool mia_owner_free_alone(mia_page *page) {
  uintptr_t live = mia_owner_word(MIA_OWNER_LIST_NONE, 1, 0);
  if (mia_aword_get_acq(&page->remote) != live) return false;
  mia_aword_set(&page->remote, mia_owner_word(0, 0, MIA_OWNER_CLAIMED));
  page->used = 0;
  return true;
}

/* Makes the block of a singleton page live.  The caller has claimed the page, and the page is
 * hidden. */
mia_inline void mia_owner_begin_singleton(mia_page *page) {
  page->used = 1;
  mia_owner_begin_full(page, 1);
  mia_map_set_slice(page->start, page);
}

/* Takes the list of a page that the caller has claimed; *count is its length.  Acquire is
 * enough: it is abandoning that releases the page to the next thread. */
mia_inline mia_block *mia_owner_collect(mia_page *page, uint32_t *count) {
  uintptr_t none = mia_owner_word(MIA_OWNER_LIST_NONE, 0, MIA_OWNER_CLAIMED);
  uintptr_t was = mia_aword_swap_acq(&page->remote, none);
  mia_assert((was & MIA_OWNER_CLAIMED) != 0);
  *count = (page->countdown_from - mia_owner_countdown(was)) & MIA_OWNER_COUNTDOWN_MASK;
  page->countdown_from = 0;
  return mia_owner_list(page, was);
}

/* Returns the number of blocks that other threads have freed.  The caller has claimed the page. */
mia_inline uint32_t mia_owner_count_remote(const mia_page *page) {
  uint32_t countdown = mia_owner_countdown(mia_aword_get(&page->remote));
  return (page->countdown_from - countdown) & MIA_OWNER_COUNTDOWN_MASK;
}

/* Returns true if a page that the caller has claimed may have something to collect. */
mia_inline bool mia_owner_has_remote(const mia_page *page) {
  return mia_owner_count_remote(page) != 0;
}

/* Gives up the claim on a page until `countdown' more blocks have been freed.  Returns false
 * if blocks were freed in the meantime: the caller still has the page and should collect. */
mia_inline bool mia_owner_abandon(mia_page *page, uint32_t countdown) {
  uint16_t from_before = page->countdown_from;
  uintptr_t none = mia_owner_word(MIA_OWNER_LIST_NONE, from_before, MIA_OWNER_CLAIMED);
  uintptr_t was = none;
  mia_assert(countdown > 0 && mia_aword_get(&page->owner) == 0);
  page->countdown_from = (uint16_t)countdown;
  while (
      !mia_aword_cas_rel(&page->remote, &was, mia_owner_word(MIA_OWNER_LIST_NONE, countdown, 0))) {
    if (was == none) continue; /* spurious */
    page->countdown_from = from_before;
    return false;
  }
  return true;
}

/* Claims a page that may be unclaimed.  Returns false if it is claimed. */
mia_inline bool mia_owner_claim(mia_page *page) {
  uintptr_t was = mia_aword_get(&page->remote);
  do {
    if ((was & MIA_OWNER_CLAIMED) != 0) return false;
  } while (!mia_aword_cas_acq(&page->remote, &was, was | MIA_OWNER_CLAIMED));
  return true;
}

#endif
