/* owner.h -- who may touch a page, and how blocks come home.  All transitions
 * of the word `remote' are here and nowhere else.
 *
 * The word holds three things, so that each change is one compare-and-swap:
 *   list     the blocks freed by threads that do not own the page (a stack)
 *   left     how many more such frees until something is due
 *   claimed  whether somebody has the page
 *
 *                 drop(due), nothing on the list
 *        claimed ------------------------------->  unclaimed
 *           ^                                        |  |  ^
 *           |  claim(): somebody looks for a page    |  |  | push(): left > n
 *           +----------------------------------------+  +--+
 *           |  push(): left <= n, what was due is here
 *           +----------------------------------------
 *   claimed --push()--> claimed: the one who has the page gathers in his time
 *
 * Who drops a page says by `due' when the next claim is worth its while: a full
 * page when some part of it is free again, a page in the pool when all of it is.
 * The thread whose push reaches that point has the page from then on.
 *
 * The claim passes the page's [own] fields from the one who drops (release) to
 * the one who claims (acquire).  Pushing releases the content of the blocks to
 * the one who gathers.  A pusher holds a live block of the page until its push,
 * so the page cannot be retired under it, and does not look at it afterwards
 * unless the push claimed it.
 *
 * ABA: between a pusher's load and its swap the list may be taken and come
 * again with the same head and count.  Its block then links to that head, which
 * is the head: nothing is lost.
 *
 * Everything fits into 32 bits, on every host:
 *   31..16  offset of the list's first block from the page's start, in units of
 *           the smallest block; NONE when the list is empty
 *   15..2   left, modulo 2^14
 *   0       claimed
 * The number of blocks on the list is due - left, modulo 2^14, also while the
 * page is claimed; who gathers sets both to 0, and left counts down from there. */
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

mia_inline uintptr_t mia_owner_word(uintptr_t list, uint32_t left, uintptr_t claimed) {
  return list << MIA_OWNER_LIST_SHIFT |
         (uintptr_t)(left & MIA_OWNER_COUNTDOWN_MASK) << MIA_OWNER_COUNTDOWN_SHIFT | claimed;
}
mia_inline uint32_t mia_owner_countdown(uintptr_t word) {
  return (uint32_t)(word >> MIA_OWNER_COUNTDOWN_SHIFT) & MIA_OWNER_COUNTDOWN_MASK;
}
mia_inline mia_block *mia_owner_list(const mia_page *page, uintptr_t word) {
  uintptr_t list = word >> MIA_OWNER_LIST_SHIFT;
  return list == MIA_OWNER_LIST_NONE ? NULL : (void *)(page->start + list * MIA_BLOCK_MIN);
}

/* The first word of a page that the caller has. */
mia_inline void mia_owner_begin_claimed(mia_page *page) {
  page->countdown_from = 0;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, 0, MIA_OWNER_CLAIMED));
}

/* The first word of a full page that nobody has. */
mia_inline void mia_owner_begin_full(mia_page *page, uint32_t due) {
  page->countdown_from = (uint16_t)due;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, due, 0));
}

/* Frees the chain head..tail of `count' blocks.  True: the caller has the page
 * now, and must see to it. */
mia_inline bool mia_owner_push(mia_page *page, mia_block *head, mia_block *tail, uint32_t count) {
  uintptr_t list = (uintptr_t)((char *)head - page->start) / MIA_BLOCK_MIN;
  uintptr_t was = mia_aword_get(&page->remote);
  uintptr_t claimed;
  do {
    uint32_t left = mia_owner_countdown(was);
    tail->next = mia_owner_list(page, was);
    if (mia_unlikely(tail->next == head)) mia_base_misuse("block freed twice", head);
    claimed = (was & MIA_OWNER_CLAIMED) != 0 || left <= count ? MIA_OWNER_CLAIMED : 0;
    if (mia_aword_cas_acq_rel(&page->remote, &was, mia_owner_word(list, left - count, claimed)))
      break;
  } while (true);
  return claimed != 0 && (was & MIA_OWNER_CLAIMED) == 0;
}

/* The one block of a large or huge page is not written to when it is freed: that
 * it is on the list says all, and stays there until the page is used again. */
typedef enum mia_singleton_freed {
  MIA_SINGLETON_CLAIMED, /* the caller has the page now; it is empty */
  MIA_SINGLETON_LEFT,    /* to who has it: he gathers before he drops it */
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

/* The same for a page that nobody can get meanwhile.  False: nothing was done, somebody
 * still has it, or the block is free. */
mia_inline bool mia_owner_free_alone(mia_page *page) {
  uintptr_t live = mia_owner_word(MIA_OWNER_LIST_NONE, 1, 0);
  if (mia_aword_get_acq(&page->remote) != live) return false;
  mia_aword_set(&page->remote, mia_owner_word(0, 0, MIA_OWNER_CLAIMED));
  page->used = 0;
  return true;
}

/* Makes the one block of a page that the caller has, and which is hidden, live. */
mia_inline void mia_owner_begin_singleton(mia_page *page) {
  page->used = 1;
  mia_owner_begin_full(page, 1);
  mia_map_set_slice(page->start, page);
}

/* Takes the list off a page that the caller has; *count is its length.  Nothing
 * is released: who gets the page next gets it by a drop. */
mia_inline mia_block *mia_owner_collect(mia_page *page, uint32_t *count) {
  uintptr_t none = mia_owner_word(MIA_OWNER_LIST_NONE, 0, MIA_OWNER_CLAIMED);
  uintptr_t was = mia_aword_swap_acq(&page->remote, none);
  mia_assert((was & MIA_OWNER_CLAIMED) != 0);
  *count = (page->countdown_from - mia_owner_countdown(was)) & MIA_OWNER_COUNTDOWN_MASK;
  page->countdown_from = 0;
  return mia_owner_list(page, was);
}

/* Whether a page that the caller has may have something to gather. */
mia_inline bool mia_owner_has_remote(const mia_page *page) {
  return mia_aword_get(&page->remote) >> MIA_OWNER_LIST_SHIFT != MIA_OWNER_LIST_NONE;
}

/* Lets go of a page until `due' more blocks have been freed.  False: blocks came
 * in the meantime, the caller still has the page and should gather. */
mia_inline bool mia_owner_abandon(mia_page *page, uint32_t due) {
  uint16_t due_before = page->countdown_from;
  uintptr_t none = mia_owner_word(MIA_OWNER_LIST_NONE, due_before, MIA_OWNER_CLAIMED);
  uintptr_t was = none;
  mia_assert(due > 0 && mia_aword_get(&page->owner) == 0);
  page->countdown_from = (uint16_t)due;
  while (!mia_aword_cas_rel(&page->remote, &was, mia_owner_word(MIA_OWNER_LIST_NONE, due, 0))) {
    if (was == none) continue; /* spurious */
    page->countdown_from = due_before;
    return false;
  }
  return true;
}

/* Tries to get a page that may have been dropped. */
mia_inline bool mia_owner_claim(mia_page *page) {
  uintptr_t was = mia_aword_get(&page->remote);
  do {
    if ((was & MIA_OWNER_CLAIMED) != 0) return false;
  } while (!mia_aword_cas_acq(&page->remote, &was, was | MIA_OWNER_CLAIMED));
  return true;
}

#endif
