/* heap.c -- heaps that a program makes. */
#include "base/prelude.h"

#include "arena/meta.h"
#include "base/bits.h"
#include "base/fail.h"
#include "os/os.h"
#include "page/owner.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/heap_table.h"
#include "theap/pages.h"

#include <string.h>

enum { ENTRIES_MIN = 16 };

/* ---- making ---- */

mia_heap *mia_theap_heap_new(mia_arena *only) {
  mia_os_lock(&mia_theap_all.threads);
  mia_heap *heap = mia_theap_all.idle_heaps;
  if (heap != NULL) {
    mia_theap_all.idle_heaps = heap->idle;
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
  heap->idle = mia_theap_all.idle_heaps;
  mia_theap_all.idle_heaps = heap;
  mia_os_unlock(&mia_theap_all.threads);
}

/* ---- a thread's part of a heap ---- */

/* The old table stays behind: all of them together are no larger than the new. */
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

static mia_theap *join(mia_heap *heap, mia_heap_entry *entry) {
  mia_theap *local = mia_theap_take(heap);
  if (local == NULL) return NULL;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++)
    local->refilled_before[i] = mia_aword_get(&local->counts.refilled[i]);
  local->sibling_before = NULL;
  local->sibling = heap->theaps;
  if (local->sibling != NULL) local->sibling->sibling_before = local;
  heap->theaps = local;
  *entry = (mia_heap_entry){.theap = local, .heap = heap, .generation = heap->generation};
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return local;
}

mia_theap *mia_theap_of_heap(mia_theap *self, mia_heap *heap) {
  if (heap == mia_theap_main_heap()) return self;
  if (heap->id >= self->heap_entry_count && !grow_table(self, heap->id)) return NULL;
  mia_heap_entry *entry = &self->heap_entries[heap->id];
  /* Without the lock: nobody ends a heap that is being allocated from, and whoever
   * made it knows it from who ended the one before. */
  if (mia_likely(entry->theap != NULL && entry->generation == heap->generation))
    return entry->theap;
  return join(heap, entry);
}

/* ---- what locals counted for a heap, [lock:abandoned] ---- */

static uintptr_t lent_to(const mia_theap *local, size_t size_class) {
  return mia_aword_get(&local->counts.refilled[size_class]) - local->refilled_before[size_class];
}

/* A local that leaves has lent nothing any more. */
static void inherit_local(mia_heap *heap, mia_theap *local) {
  mia_theap_return_lists(local);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) heap->refilled[i] += lent_to(local, i);
}

static void inherit_heap(mia_heap *heap, mia_heap *ended) {
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    heap->refilled[i] += ended->refilled[i];
    ended->refilled[i] = 0;
  }
}

void mia_theap_count_heaps(mia_heap *heap, unsigned long long sums[MIA_CLASS_KINDS]) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    sums[i] += heap->refilled[i];
    for (const mia_theap *local = heap->theaps; local != NULL; local = local->sibling)
      sums[i] += lent_to(local, i);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

/* ---- leaving ---- */

static void unlink_sibling(mia_heap *heap, const mia_theap *local) {
  if (local->sibling_before != NULL)
    local->sibling_before->sibling = local->sibling;
  else
    heap->theaps = local->sibling;
  if (local->sibling != NULL) local->sibling->sibling_before = local->sibling_before;
}

/* A thread that ends and another that ends the heap may both want a local: the heap's
 * generation tells who comes first. */
static bool leave(const mia_heap_entry *entry) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_heap *heap = entry->heap;
  bool leaves = heap->generation == entry->generation;
  if (leaves) {
    unlink_sibling(heap, entry->theap);
    inherit_local(heap, entry->theap);
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

/* From here on no thread finds its local for the heap. */
static mia_theap *take_locals(mia_heap *heap, mia_heap *to) {
  mia_os_lock(&mia_theap_all.abandoned_lock);
  mia_theap *locals = heap->theaps;
  for (mia_theap *local = locals; local != NULL; local = local->sibling) inherit_local(heap, local);
  heap->theaps = NULL;
  heap->generation++;
  inherit_heap(to, heap);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return locals;
}

static void abandon_locals(mia_heap *heap, mia_heap *to) {
  mia_theap *next;
  for (mia_theap *local = take_locals(heap, to); local != NULL; local = next) {
    next = local->sibling;
    mia_theap_abandon(local);
    mia_theap_give(local);
  }
}

/* How a heap ends: its blocks go with it, or become those of another, which also has
 * what it has counted. */
typedef struct ending {
  mia_heap *heap;
  mia_heap *to;
  bool with_blocks;
} ending;

/* [lock:abandoned] */
static void move_page(mia_page *page, mia_heap *to) {
  mia_theap_remove_heap_page(page);
  mia_theap_set_heap(page, to);
  if (to != mia_theap_main_heap() || page->size_class == MIA_CLASS_HUGE)
    mia_theap_add_heap_page(to, page);
}

typedef enum { NO_PAGE, BUSY_PAGE, HAVE_PAGE, LEFT_PAGE } found;

/* Gets one page of a heap whose locals have gone.  It is busy while a thread
 * that freed into it makes up its mind, which takes some instructions.  `left': that
 * thread may not be there.  Then the page changes heaps as it is: nobody touches what
 * is [own], and blocks in it are in use until they are freed; only that nobody takes
 * any from it again.  Who claimed it, if he is there after all, finds it in order. */
static found take_page(const ending *e, bool left, mia_page **page) {
  found result = NO_PAGE;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  *page = e->heap->pages;
  if (*page != NULL) result = mia_owner_claim(*page) ? HAVE_PAGE : left ? LEFT_PAGE : BUSY_PAGE;
  if (result == HAVE_PAGE || result == LEFT_PAGE) mia_theap_unlink_abandoned(*page);
  if (result == LEFT_PAGE || (result == HAVE_PAGE && !e->with_blocks)) move_page(*page, e->to);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return result;
}

/* In the child of a fork, how long a page is waited for; others wait for ever. */
enum { PATIENCE_MS = 100 };

/* Whether pages that were busy at *since, which is 0 at first, are to be waited for. */
static bool is_patient(mia_tick *since) {
  if (mia_aword_get(&mia_theap_all.forked) == 0) return true;
  mia_tick now = mia_os_now();
  if (*since == 0) *since = now;
  return now - *since < PATIENCE_MS;
}

/* The page stays the heap's until it is gone, so that a walk of another finds no blocks
 * in it. */
static void drop_blocks(mia_theap *self, mia_page *page) {
  mia_page_collect(page);
  page->used = 0;
  mia_theap_retire_page(self, page);
}

static void end(mia_theap *self, const ending *e) {
  mia_assert(e->heap != mia_theap_main_heap() && e->heap != e->to);
  abandon_locals(e->heap, e->to);
  mia_tick busy_since = 0;
  bool left = false;
  mia_page *page;
  for (found result; (result = take_page(e, left, &page)) != NO_PAGE;) {
    if (result == HAVE_PAGE) {
      if (e->with_blocks)
        drop_blocks(self, page);
      else
        mia_theap_dispose_page(self, page, false);
      busy_since = 0;
      left = false;
    }
    if (result != BUSY_PAGE) continue;
    left = !is_patient(&busy_since);
    mia_os_yield();
  }
  give_heap(e->heap);
}

void mia_theap_heap_delete(mia_theap *self, mia_heap *heap, mia_heap *to) {
  end(self, &(ending){heap, to, .with_blocks = false});
}

void mia_theap_heap_destroy(mia_theap *self, mia_heap *heap, mia_heap *to) {
  end(self, &(ending){heap, to, .with_blocks = true});
}
