/* SPDX-License-Identifier: MIT */
/* stats_walk.c -- the statistics walk: counts what is in use.
 *
 * A thread that allocates counts only what a slow path knows: how many blocks its free lists
 * got.  The pages show how many of these are in use.  They may change during the walk, so
 * nothing here follows a pointer that could become stale. */
#include "base/prelude.h"

#include "api/stats_walk.h"
#include "api/subproc.h"
#include "arena/arena.h"
#include "arena/unload.h"
#include "os/os.h"
#include "page/owner.h"
#include "theap/heap_table.h"

#include <string.h>

mia_static_assert(MIA_CLASS_KINDS <= MIA_STATS_CLASSES, "every class has its place");

/* ---- pages ---- */

static bool is_wanted(const mia_stats_walk *wanted, const mia_heap *heap, const mia_theap *owner) {
  if (wanted->heap != NULL) return heap == wanted->heap;
  if (wanted->thread != NULL) return owner == wanted->thread;
  return wanted->subproc == NULL || mia_api_subproc_of(heap) == wanted->subproc;
}

/* Returns the number of blocks of a page that are neither free nor freed remotely. */
static size_t blocks_in_use(uint32_t used, uint32_t total, uint32_t countdown_from,
                            uintptr_t remote, bool single) {
  uint32_t returned = single ? 0
                             : (countdown_from - mia_owner_countdown(remote)) &
                                   MIA_OWNER_COUNTDOWN_MASK;
  return used >= returned && used <= total ? used - returned : 0;
}

mia_racy_read static void count_page(const mia_stats_walk *wanted, const mia_page *page,
                                     mia_stats *stats) {
  unsigned kind = page->size_class;
  const mia_heap *heap = mia_theap_heap_of(page);
  if (kind >= MIA_CLASS_KINDS) return;
  if (!is_wanted(wanted, heap, mia_theap_owner(page))) return;
  size_t blocks = blocks_in_use(page->used, page->total, page->countdown_from,
                                mia_aword_get(&page->remote), kind >= MIA_CLASS_COUNT);
  stats->classes[kind].pages++;
  stats->classes[kind].blocks += blocks;
  stats->classes[kind].bytes += blocks * page->size;
}

/* A descriptor is a page's if the page map says so. */
mia_racy_read static void count_arena(const mia_stats_walk *wanted, const mia_arena *arena,
                                      mia_stats *stats) {
  for (size_t i = 0; i < arena->slices; i++) {
    const mia_page *page = mia_page_of(arena->start + (i << MIA_SLICE_SHIFT));
    if (page == NULL || page->arena != arena) continue;
    if (mia_arena_slice_of(arena, page->start) == i) count_page(wanted, page, stats);
  }
}

/* Huge pages lie in no arena; their heaps link them. */
static bool count_huge(mia_heap *heap, void *arg) {
  void **args = arg;
  mia_os_lock(&mia_theap_all.abandoned_lock);
  for (const mia_page *page = heap->pages; page != NULL; page = page->heap_next)
    if (page->size_class == MIA_CLASS_HUGE) count_page(args[0], page, args[1]);
  mia_os_unlock(&mia_theap_all.abandoned_lock);
  return true;
}

static void count_pages(const mia_stats_walk *wanted, mia_stats *stats) {
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  mia_arena_begin_read();
  for (size_t i = 0; i < count; i++) count_arena(wanted, mia_arena_nth(i), stats);
  mia_arena_end_read();
  void *args[] = {(void *)(uintptr_t)wanted, stats};
  mia_api_each_heap(count_huge, args);
}

/* ---- the counters of threads ---- */

static void add_events(mia_stats_events *sum, const mia_counts *counts) {
  unsigned long long *const fields[MIA_EVENT_COUNT] = {
      [MIA_EVENT_REFILL] = &sum->refills,
      [MIA_EVENT_MADE] = &sum->pages_made,
      [MIA_EVENT_RETIRED] = &sum->pages_retired,
      [MIA_EVENT_REUSED] = &sum->pages_reused,
      [MIA_EVENT_RECLAIMED_ON_FREE] = &sum->pages_reclaimed_on_free,
      [MIA_EVENT_ABANDONED] = &sum->pages_abandoned,
      [MIA_EVENT_RECLAIMED_ON_ALLOC] = &sum->pages_reclaimed_on_alloc,
      [MIA_EVENT_REMOTE_BATCH] = &sum->batches_sent};
  for (size_t i = 0; i < MIA_EVENT_COUNT; i++) *fields[i] += mia_aword_get(&counts->events[i]);
}

static void count_threads(const mia_stats_walk *wanted, mia_stats *stats) {
  const mia_theap *theap = (const mia_theap *)mia_aword_get_acq(&mia_theap_all.all);
  for (; theap != NULL; theap = theap->all) {
    if (wanted->thread != NULL && theap != wanted->thread) continue;
    if (wanted->heap == NULL && wanted->subproc == NULL) add_events(&stats->events, &theap->counts);
    for (size_t i = 0; i < MIA_CLASS_KINDS; i++)
      stats->classes[i].allocated += mia_aword_get(&theap->counts.refilled[i]);
  }
}

typedef struct heaps_walk {
  const mia_stats_walk *wanted;
  bool counting_wanted;
  unsigned long long refilled[MIA_CLASS_KINDS];
} heaps_walk;

static bool count_heap(mia_heap *heap, void *arg) {
  heaps_walk *w = arg;
  if (heap != mia_theap_main_heap() && is_wanted(w->wanted, heap, NULL) == w->counting_wanted)
    mia_theap_count_heaps(heap, w->refilled);
  return true;
}

/* The blocks of the main heap are those of all threads, except those that threads got from
 * other heaps. */
static void count_allocated(const mia_stats_walk *wanted, mia_stats *stats) {
  bool includes_main = wanted->thread != NULL || is_wanted(wanted, mia_theap_main_heap(), NULL);
  if (includes_main) count_threads(wanted, stats);
  if (wanted->heap == NULL && wanted->subproc == NULL) return;
  heaps_walk w = {.wanted = wanted, .counting_wanted = !includes_main};
  mia_api_each_heap(count_heap, &w);
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    unsigned long long *allocated = &stats->classes[i].allocated;
    if (!includes_main)
      *allocated = w.refilled[i];
    else
      *allocated -= *allocated > w.refilled[i] ? w.refilled[i] : *allocated;
  }
}

/* The blocks in the free lists of the calling thread are not in use.  The free lists of other
 * threads cannot be read. */
static void discount_lists(const mia_stats_walk *wanted, const mia_theap *theap, mia_stats *stats) {
  for (unsigned i = 0; i < MIA_CLASS_COUNT; i++) {
    size_t count = 0;
    for (const mia_block *block = mia_theap_free_list(theap, i); block != NULL; block = block->next)
      count++;
    if (count == 0 || !is_wanted(wanted, mia_theap_heap(theap->heap), theap)) continue;
    stats->classes[i].blocks -= count;
    stats->classes[i].bytes -= count * mia_class_size(i);
    if (stats->classes[i].allocated >= count) stats->classes[i].allocated -= count;
  }
}

static void discount_calling_thread(const mia_stats_walk *wanted, const mia_theap *self,
                                    mia_stats *stats) {
  if (mia_theap_is_none(self)) return;
  discount_lists(wanted, self, stats);
  if (wanted->thread != NULL) return;
  mia_os_lock(&mia_theap_all.abandoned_lock); /* no heap ends meanwhile */
  for (size_t i = 0; i < self->heap_entry_count; i++) {
    const mia_heap_entry *entry = &self->heap_entries[i];
    if (entry->theap != NULL && entry->generation == entry->heap->generation)
      discount_lists(wanted, entry->theap, stats);
  }
  mia_os_unlock(&mia_theap_all.abandoned_lock);
}

/* ---- the process ---- */

static void describe_process(mia_stats *stats) {
  mia_os_usage usage = mia_os_measure();
  stats->arenas = mia_aword_get(&mia_arena_all.count) - mia_aword_get(&mia_arena_all.unloaded);
  stats->reserved = mia_aword_get(&mia_arena_all.reserved);
  stats->used = mia_aword_get(&mia_arena_all.used);
  stats->committed = stats->used + mia_arena_idle();
  stats->used_peak = mia_aword_get(&mia_arena_all.used_peak);
  stats->purged = mia_aword_get(&mia_arena_all.purged);
  stats->threads = mia_aword_get(&mia_theap_all.attached.now);
  stats->threads_peak = mia_aword_get(&mia_theap_all.attached.peak);
  stats->rss = mia_os_resident();
  /* The OS updates its peak now and then only. */
  stats->rss_peak = usage.peak_rss > stats->rss ? usage.peak_rss : stats->rss;
  stats->faults = (unsigned long long)usage.minor_faults + usage.major_faults;
  stats->faults_major = usage.major_faults;
  mia_time_ms begun = mia_acell_get(&mia_api_all.begun);
  stats->elapsed_ms = begun != 0 ? (mia_time_ms)(mia_os_now() - begun) : 0;
  stats->user_ms = usage.user_ms;
  stats->system_ms = usage.system_ms;
}

static void sum_up(mia_stats *stats) {
  for (size_t i = 0; i < MIA_CLASS_KINDS; i++) {
    mia_stats_class *c = &stats->classes[i];
    c->block_size = i < MIA_CLASS_COUNT ? mia_class_size((unsigned)i) : 0;
    c->pages_peak = mia_aword_get(&mia_theap_all.pages[i].peak);
    c->freed = c->allocated > c->blocks ? c->allocated - c->blocks : 0;
    stats->pages += c->pages;
    stats->blocks += c->blocks;
    stats->bytes += c->bytes;
    stats->allocated += c->allocated;
    stats->freed += c->freed;
  }
}

void mia_api_count_stats(const mia_stats_walk *wanted, mia_stats *stats) {
  size_t size = stats->size;
  memset(stats, 0, sizeof *stats);
  stats->size = size;
  stats->version = MIA_STATS_VERSION;
  stats->class_count = MIA_CLASS_KINDS;
  count_pages(wanted, stats);
  count_allocated(wanted, stats);
  discount_calling_thread(wanted, mia_theap_self, stats);
  describe_process(stats);
  sum_up(stats);
}
