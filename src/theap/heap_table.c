/* SPDX-License-Identifier: MIT */
/* heap_table.c -- heaps that the program makes, and each thread's table of them. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/meta.h"
#include "base/bits.h"
#include "base/fail.h"
#include "os/os.h"
#include "page/live.h"
#include "page/owner.h"
#include "page/tail.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/clock.h"
#include "theap/heap_table.h"
#include "theap/pages.h"

#include <string.h>

enum { ENTRIES_MIN = 16 };

/* ---- making ---- */

mia_heap *mia_theap_heap_new(mia_arena *only) {
  mia_os_lock(&mia_theap_all.threads);
  mia_heap *heap = mia_theap_all.unused_heaps;
  if (heap != NULL) {
    mia_theap_all.unused_heaps = heap->unused;
  } else {
    heap = mia_arena_meta(sizeof *heap);
    if (heap != NULL) heap->id = mia_theap_all.heap_count++;
  }
  mia_os_unlock(&mia_theap_all.threads);
  if (heap != NULL) heap->arena = only;
  if (heap != NULL && only != NULL) mia_aword_add(&only->heaps, 1);
  return heap;
}

static void give_heap(mia_heap *heap) {
  if (heap->arena != NULL) mia_aword_sub_rel(&heap->arena->heaps, 1);
  mia_os_lock(&mia_theap_all.threads);
  heap->unused = mia_theap_all.unused_heaps;
  mia_theap_all.unused_heaps = heap;
  mia_os_unlock(&mia_theap_all.threads);
}

/* ---- a thread's theap for a heap ---- */

/* The old table is not freed: all old tables together are no larger than the new one. */
static bool grow_table(mia_theap *self, size_t id) {
  size_t count = mia_power_above(id + 1 > ENTRIES_MIN ? id + 1 : ENTRIES_MIN);
  mia_heap_entry *entries = mia_arena_meta(count * sizeof *entries);
  if (entries == NULL) return false;
  if (self->heap_entry_count > 0)
    memcpy(entries, self->heap_entries, self->heap_entry_count * sizeof *entries);
  self->heap_entries = entries;
  self->heap_entry_count = count;
  return true;
}

/* Takes a theap for a heap and enters it into the thread's table. */
static mia_theap *join(mia_heap *heap, mia_heap_entry *entry) {
  mia_theap *theap = mia_theap_take(heap);
  if (theap == NULL) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++)
    theap->refilled_before[i] = mia_aword_get(&theap->counts.refilled[i]);
  theap->sibling_before = NULL;
  theap->sibling = heap->theaps;
  if (theap->sibling != NULL) theap->sibling->sibling_before = theap;
  heap->theaps = theap;
  *entry = (mia_heap_entry){.theap = theap, .heap = heap, .generation = heap->generation};
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return theap;
}

mia_theap *mia_theap_of_heap(mia_theap *self, mia_heap *heap) {
  if (heap == mia_theap_main_heap()) return self;
  if (heap->id >= self->heap_entry_count && !grow_table(self, heap->id)) return NULL;
  mia_heap_entry *entry = &self->heap_entries[heap->id];
  /* The generation is read without the lock.  No thread may end a heap from which another
   * allocates; and the structure's earlier use ended before this heap was made, which happened
   * before the caller got it. */
  if (mia_likely(entry->theap != NULL && entry->generation == heap->generation))
    return entry->theap;
  return join(heap, entry);
}

/* ---- the counts of a heap, [lock:abandoned] ---- */

/* Returns the blocks that a theap got since it was taken for its heap. */
static uintptr_t refilled_for_heap(const mia_theap *theap, size_t size_class) {
  return mia_aword_get(&theap->counts.refilled[size_class]) - theap->refilled_before[size_class];
}

/* Adds the counts of a theap that leaves its heap.  Its free lists are returned first, so that
 * their blocks do not count. */
static void add_counts(mia_heap *heap, mia_theap *theap) {
  mia_theap_return_lists(theap);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) heap->refilled[i] += refilled_for_heap(theap, i);
}

static void move_counts(mia_heap *heap, mia_heap *ended) {
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    heap->refilled[i] += ended->refilled[i];
    ended->refilled[i] = 0;
  }
}

void mia_theap_count_heaps(mia_heap *heap, unsigned long long sums[MIA_CLASS_KINDS]) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    sums[i] += heap->refilled[i];
    for (const mia_theap *theap = heap->theaps; theap != NULL; theap = theap->sibling)
      sums[i] += refilled_for_heap(theap, i);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

/* ---- leaving ---- */

static void unlink_sibling(mia_heap *heap, const mia_theap *theap) {
  if (theap->sibling_before != NULL)
    theap->sibling_before->sibling = theap->sibling;
  else
    heap->theaps = theap->sibling;
  if (theap->sibling != NULL) theap->sibling->sibling_before = theap->sibling_before;
}

/* Unlinks a theap from its heap.  A thread that ends and a thread that ends the heap may both do
 * this; the first one under the lock gives the theap back.  If the heap's generation has
 * changed, the heap was ended first: returns false. */
static bool leave(const mia_heap_entry *entry) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_heap *heap = entry->heap;
  bool leaves = heap->generation == entry->generation;
  if (leaves) {
    unlink_sibling(heap, entry->theap);
    add_counts(heap, entry->theap);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return leaves;
}

void mia_theap_leave_heaps(mia_theap *self) {
  for (size_t i = 0; i < self->heap_entry_count; i++) {
    mia_heap_entry entry = self->heap_entries[i];
    self->heap_entries[i].theap = NULL;
    if (entry.theap == NULL || !leave(&entry)) continue;
    mia_theap_abandon(entry.theap);
    mia_theap_give(entry.theap);
  }
}

/* ---- ending ---- */

/* Unlinks all theaps of a heap and returns them linked by `sibling'.  The new generation makes
 * the entries in all threads' tables invalid. */
static mia_theap *take_theaps(mia_heap *heap, mia_heap *to) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap *theaps = heap->theaps;
  for (mia_theap *theap = theaps; theap != NULL; theap = theap->sibling) add_counts(heap, theap);
  heap->theaps = NULL;
  heap->generation++;
  move_counts(to, heap);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return theaps;
}

/* Pages that go from these theaps request a tick of the calling thread, `self'. */
static void abandon_theaps(mia_theap *self, mia_heap *heap, mia_heap *to) {
  mia_theap *next;
  for (mia_theap *theap = take_theaps(heap, to); theap != NULL; theap = next) {
    next = theap->sibling;
    mia_theap_abandon(theap);
    mia_clock_pass_on(theap, self);
    mia_theap_give(theap);
  }
}

/* A heap that is ended. */
typedef struct ending {
  mia_heap *heap;
  mia_heap *to;     /* gets the counts, and the blocks if they are not freed */
  bool with_blocks; /* the blocks are freed */
} ending;

/* [lock:abandoned] Moves a page to another heap. */
static void move_page(mia_page *page, mia_heap *to) {
  mia_theap_remove_heap_page(page);
  mia_theap_set_heap(page, to);
  if (mia_theap_is_in_heap_list(page)) mia_theap_add_heap_page(to, page);
}

typedef enum {
  NO_PAGE,      /* the heap has no page left */
  BUSY_PAGE,    /* another thread has claimed the page */
  CLAIMED_PAGE, /* the caller has claimed the page */
  MOVED_PAGE    /* the page was moved to the other heap while another thread has claimed it */
} take_result;

/* Takes the first page of a heap that has no theaps any more.  The page is busy if a free in
 * another thread has just claimed it and has not disposed of it yet, which takes that thread
 * some instructions.  `move_busy': in the child of a fork, that thread may not exist.  Then the
 * page moves to the other heap without a claim.  Its [own] fields are not touched.  Its live
 * blocks can be freed as before, but without the missing thread no thread allocates from the
 * page again.  If the thread does exist after all, it finds the page consistent. */
static take_result take_page(const ending *e, bool move_busy, mia_page **page) {
  take_result result = NO_PAGE;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  *page = e->heap->pages;
  if (*page != NULL)
    result = mia_owner_claim(*page) ? CLAIMED_PAGE : move_busy ? MOVED_PAGE : BUSY_PAGE;
  if (result == CLAIMED_PAGE || result == MOVED_PAGE) mia_theap_unlist_abandoned_locked(*page);
  if (result == MOVED_PAGE || (result == CLAIMED_PAGE && !e->with_blocks)) move_page(*page, e->to);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return result;
}

/* How long the child of a fork waits for busy pages.  Other processes wait without a limit,
 * because the thread that has claimed the page does exist. */
enum { BUSY_WAIT_MS = 100 };

/* Returns true if the caller should wait for a busy page.  *since is 0 at first, then the time
 * when the waiting began. */
static bool should_wait(mia_time_ms *since) {
  if (mia_aword_get(&mia_theap_all.forked) == 0) return true;
  mia_time_ms now = mia_os_now();
  if (*since == 0) *since = now;
  return now - *since < BUSY_WAIT_MS;
}

/* Retires a page with all its blocks.  The page stays in its heap until then, so that a walk of
 * another heap does not find the blocks. */
static void free_blocks(mia_theap *self, mia_page *page) {
  mia_page_collect(page);
  if (mia_tier_is_checked() && page->size_class < MIA_CLASS_COUNT) mia_page_clear_live(page);
  if (mia_tier_is_hardened() && page->size_class >= MIA_CLASS_COUNT) mia_page_wipe_from(page, 0);
  page->used = 0;
  mia_theap_retire_page(self, page);
}

/* Ends a heap: takes its pages until there are none, and gives its structure back.  Between two
 * tries to claim a busy page, the thread yields.  Once the child of a fork has waited long
 * enough, it moves busy pages at once, until it can claim one again. */
static void end_heap(mia_theap *self, const ending *e) {
  mia_assert(e->heap != mia_theap_main_heap() && e->heap != e->to);
  abandon_theaps(self, e->heap, e->to);
  mia_time_ms busy_since = 0;
  bool move_busy = false;
  mia_page *page;
  for (take_result result; (result = take_page(e, move_busy, &page)) != NO_PAGE;) {
    if (result == CLAIMED_PAGE) {
      if (e->with_blocks)
        free_blocks(self, page);
      else
        mia_theap_dispose_page(self, page, false);
      busy_since = 0;
      move_busy = false;
    }
    if (result != BUSY_PAGE) continue;
    move_busy = !should_wait(&busy_since);
    mia_os_yield();
  }
  give_heap(e->heap);
}

void mia_theap_heap_delete(mia_theap *self, mia_heap *heap, mia_heap *to) {
  end_heap(self, &(ending){heap, to, .with_blocks = false});
}

void mia_theap_heap_destroy(mia_theap *self, mia_heap *heap, mia_heap *to) {
  end_heap(self, &(ending){heap, to, .with_blocks = true});
}
