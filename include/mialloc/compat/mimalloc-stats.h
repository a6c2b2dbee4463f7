/* mialloc/compat/mimalloc-stats.h -- mimalloc's statistics, on mialloc.
 *
 * The JSON format is mialloc's own: its members have the names of the fields in
 * mialloc/stats.h.  The fields of mi_stats_t that mialloc does not count are 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIMALLOC_STATS_H
#define MIMALLOC_STATS_H

#include "mimalloc.h"

#include <string.h>

/* The version of mi_stats_t. */
#define MI_STAT_VERSION 6

/* The index of the last size class in these structures. */
#define MI_BIN_HUGE (73U)

#ifdef __cplusplus
extern "C" {
#endif

/* A quantity that rises and falls: the sum of all increases, the peak, and the current value. */
typedef struct mi_stat_count_s {
  int64_t total;
  int64_t peak;
  int64_t current;
} mi_stat_count_t;

/* A quantity that only rises. */
typedef struct mi_stat_counter_s {
  int64_t total;
} mi_stat_counter_t;

/* Kinds of chunks in an arena.  mialloc has none. */
typedef enum mi_chunkbin_e {
  MI_CBIN_SMALL,
  MI_CBIN_OTHER,
  MI_CBIN_MEDIUM,
  MI_CBIN_LARGE,
  MI_CBIN_HUGE,
  MI_CBIN_NONE,
  MI_CBIN_COUNT
} mi_chunkbin_t;

/* The counting fields, expanded by the including code's macros MI_STAT_COUNT and
 * MI_STAT_COUNTER.  The fields for mimalloc 2's segments, for its searches for pages and for a
 * kind of purge that mialloc does not use (reset) stay 0, as do those for pages outside arenas. */
#define MI_STAT_FIELDS()                     \
  MI_STAT_COUNT(pages)                       \
  MI_STAT_COUNT(reserved)                    \
  MI_STAT_COUNT(committed)                   \
  MI_STAT_COUNTER(reset)                     \
  MI_STAT_COUNTER(purged)                    \
  MI_STAT_COUNT(page_committed)              \
  MI_STAT_COUNT(pages_abandoned)             \
  MI_STAT_COUNT(threads)                     \
  MI_STAT_COUNT(allocated)                   \
  MI_STAT_COUNTER(malloc_count)              \
  MI_STAT_COUNTER(free_count)                \
  MI_STAT_COUNTER(freed)                     \
  MI_STAT_COUNT(malloc_normal)               \
  MI_STAT_COUNT(malloc_huge)                 \
  MI_STAT_COUNT(malloc_requested)            \
  MI_STAT_COUNTER(mmap_calls)                \
  MI_STAT_COUNTER(commit_calls)              \
  MI_STAT_COUNTER(reset_calls)               \
  MI_STAT_COUNTER(purge_calls)               \
  MI_STAT_COUNTER(arena_count)               \
  MI_STAT_COUNTER(malloc_normal_count)       \
  MI_STAT_COUNTER(malloc_huge_count)         \
  MI_STAT_COUNTER(malloc_guarded_count)      \
  MI_STAT_COUNTER(arena_rollback_count)      \
  MI_STAT_COUNTER(arena_purges)              \
  MI_STAT_COUNTER(pages_extended)            \
  MI_STAT_COUNTER(pages_retire)              \
  MI_STAT_COUNTER(page_searches)             \
  MI_STAT_COUNTER(page_searches_count)       \
  MI_STAT_COUNT(segments)                    \
  MI_STAT_COUNT(segments_abandoned)          \
  MI_STAT_COUNT(segments_cache)              \
  MI_STAT_COUNT(_segments_reserved)          \
  MI_STAT_COUNT(heaps)                       \
  MI_STAT_COUNT(theaps)                      \
  MI_STAT_COUNTER(pages_reclaim_on_alloc)    \
  MI_STAT_COUNTER(pages_reclaim_on_free)     \
  MI_STAT_COUNTER(pages_reabandon_full)      \
  MI_STAT_COUNTER(pages_unabandon_busy_wait) \
  MI_STAT_COUNTER(heaps_delete_wait)         \
  MI_STAT_COUNT(pages_os_abandoned)          \
  MI_STAT_COUNT(pages_os_allocated)          \
  MI_STAT_COUNTER(pages_unown_cas_retry)     \
  MI_STAT_COUNTER(pages_stat_updates)        \
  MI_STAT_COUNTER(pages_stat_update_count)   \
  MI_STAT_COUNTER(profile_samples)

/* The macros that expand the list to fields of a structure. */
#define MI_STAT_COUNT(stat) mi_stat_count_t stat;
#define MI_STAT_COUNTER(stat) mi_stat_counter_t stat;

/* The caller sets `size' and `version'. */
typedef struct mi_stats_s {
  size_t size;
  size_t version;
  MI_STAT_FIELDS()
  mi_stat_count_t _stat_reserved[4];
  mi_stat_counter_t _stat_counter_reserved[4];
  mi_stat_count_t malloc_bins[MI_BIN_HUGE + 1];
  mi_stat_count_t page_bins[MI_BIN_HUGE + 1];
  mi_stat_count_t chunk_bins[MI_CBIN_COUNT];
} mi_stats_t;

#undef MI_STAT_COUNT
#undef MI_STAT_COUNTER

/* Sets `size' and `version', as the functions that fill in a structure require. */
MI_INLINE void mi_stats_header_init(mi_stats_t *stats) mi_attr_noexcept {
  stats->size = sizeof *stats;
  stats->version = MI_STAT_VERSION;
}

/* mi_stats_header_init that also sets all other fields to 0. */
MI_INLINE void mi_stats_init(mi_stats_t *stats) mi_attr_noexcept {
  memset(stats, 0, sizeof *stats);
  mi_stats_header_init(stats);
}

/* An initializer for a structure that is not in use yet. */
#ifdef __cplusplus
#define MI_STATS_ZERO_INIT \
  {}
#else
#define MI_STATS_ZERO_INIT \
  { 0 }
#endif

/* Declares a structure and prepares it to be filled in. */
#define mi_stats_t_decl(name) \
  mi_stats_t name;            \
  mi_stats_init(&name);

/* Returns true if the structure has the size and the version of this header. */
MI_INLINE bool mia_mi_stats_fit(const mi_stats_t *stats) {
  return stats != NULL && stats->size == sizeof *stats && stats->version == MI_STAT_VERSION;
}

/* Sets a field.  A peak that was not counted is at least the current value. */
MI_INLINE void mia_mi_stats_put(mi_stat_count_t *count, unsigned long long total,
                                unsigned long long peak, unsigned long long current) {
  count->total = (int64_t)total;
  count->peak = (int64_t)(peak > current ? peak : current);
  count->current = (int64_t)current;
}

/* Fills in the size classes one by one.  Bytes are counted by usable size; those of blocks that
 * were freed without the blocks of several sizes. */
MI_INLINE void mia_mi_stats_fill_bins(mi_stats_t *stats, const mia_stats *from) {
  unsigned long long normal = 0, huge = 0, normal_count = 0, huge_count = 0;
  unsigned long long freed = 0;
  for (unsigned i = 0; i < from->class_count; i++) {
    const mia_stats_class *c = &from->classes[i];
    unsigned bin = i < MI_BIN_HUGE ? i : MI_BIN_HUGE;
    mia_mi_stats_put(&stats->malloc_bins[bin], c->allocated, c->blocks, c->blocks);
    mia_mi_stats_put(&stats->page_bins[bin], c->pages, c->pages_peak, c->pages);
    *(c->block_size > 0 ? &normal : &huge) += c->bytes;
    freed += c->freed * c->block_size;
    *(c->block_size > 0 ? &normal_count : &huge_count) += c->allocated;
  }
  mia_mi_stats_put(&stats->malloc_normal, normal, normal, normal);
  mia_mi_stats_put(&stats->malloc_huge, huge, huge, huge);
  mia_mi_stats_put(&stats->allocated, normal + huge + freed, normal + huge, normal + huge);
  stats->freed.total = (int64_t)freed;
  stats->malloc_count.total = (int64_t)from->allocated;
  stats->free_count.total = (int64_t)from->freed;
  stats->malloc_normal_count.total = (int64_t)normal_count;
  stats->malloc_huge_count.total = (int64_t)huge_count;
}

MI_INLINE bool mia_mi_stats_fill(mi_stats_t *stats, const mia_stats *from) {
  mi_stats_init(stats);
  mia_mi_stats_put(&stats->pages, from->events.pages_made, from->pages, from->pages);
  mia_mi_stats_put(&stats->reserved, from->reserved, from->reserved, from->reserved);
  mia_mi_stats_put(&stats->committed, from->committed, from->used_peak, from->committed);
  stats->purged.total = (int64_t)from->purged;
  mia_mi_stats_put(&stats->page_committed, from->used, from->used_peak, from->used);
  mia_mi_stats_put(&stats->threads, from->threads_peak, from->threads_peak, from->threads);
  stats->arena_count.total = (int64_t)from->arenas;
  stats->pages_retire.total = (int64_t)from->events.pages_retired;
  stats->pages_reclaim_on_alloc.total = (int64_t)from->events.pages_reclaimed_on_alloc;
  stats->pages_reclaim_on_free.total = (int64_t)from->events.pages_reclaimed_on_free;
  mia_mi_stats_fill_bins(stats, from);
  return true;
}

/* The output function for the heaps of a sub-process. */
typedef struct mia_mi_stats_output {
  mi_output_fun *out;
  void *arg;
} mia_mi_stats_output;

MI_INLINE bool mia_mi_stats_print_heap(mia_heap *heap, void *arg) {
  mia_mi_stats_output *output = (mia_mi_stats_output *)arg;
  mia_stats from;
  from.size = sizeof from;
  if (mia_heap_stats_get(heap, &from)) mia_stats_print_as(&from, output->out, output->arg);
  return true;
}

/* ---- the functions ---- */

MI_INLINE bool mi_heap_stats_get(mi_heap_t *heap, mi_stats_t *stats) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_mi_stats_fit(stats) && mia_heap_stats_get(mia_mi_heap(heap), &from) &&
         mia_mi_stats_fill(stats, &from);
}

MI_INLINE char *mi_heap_stats_get_json(mi_heap_t *heap, size_t buf_size,
                                       char *buf) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_heap_stats_get(mia_mi_heap(heap), &from) ? mia_stats_as_json(&from, buf_size, buf)
                                                      : NULL;
}

MI_INLINE void mi_heap_stats_print_out(mi_heap_t *heap, mi_output_fun *out,
                                       void *arg) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  if (mia_heap_stats_get(mia_mi_heap(heap), &from)) mia_stats_print_as(&from, out, arg);
}

MI_INLINE bool mi_subproc_stats_get(mi_subproc_id_t subproc_id,
                                    mi_stats_t *stats) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_mi_stats_fit(stats) && mia_subproc_stats_get(mia_mi_subproc(subproc_id), &from) &&
         mia_mi_stats_fill(stats, &from);
}

MI_INLINE char *mi_subproc_stats_get_json(mi_subproc_id_t subproc_id, size_t buf_size,
                                          char *buf) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_subproc_stats_get(mia_mi_subproc(subproc_id), &from)
             ? mia_stats_as_json(&from, buf_size, buf)
             : NULL;
}

MI_INLINE void mi_subproc_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out,
                                          void *arg) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  if (mia_subproc_stats_get(mia_mi_subproc(subproc_id), &from)) mia_stats_print_as(&from, out, arg);
}

MI_INLINE void mi_subproc_heap_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out,
                                               void *arg) mi_attr_noexcept {
  mia_mi_stats_output output;
  output.out = out;
  output.arg = arg;
  (void)mia_subproc_visit_heaps(mia_mi_subproc(subproc_id), mia_mi_stats_print_heap, &output);
}

MI_INLINE bool mi_stats_get(mi_stats_t *stats) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_mi_stats_fit(stats) && mia_stats_get(&from) && mia_mi_stats_fill(stats, &from);
}

MI_INLINE char *mi_stats_get_json(size_t buf_size, char *buf) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_stats_get(&from) ? mia_stats_as_json(&from, buf_size, buf) : NULL;
}

/* Do nothing: statistics are summed on request, and what a heap counted stays with the heap
 * until it ends. */
MI_INLINE void mi_heap_stats_merge_to_subproc(mi_heap_t *heap) { (void)heap; }
MI_INLINE void mi_theap_stats_merge_to_heap(mi_theap_t *theap) mi_attr_noexcept { (void)theap; }

/* mi_heap_stats_get of the theap's heap, by all threads. */
MI_INLINE bool mi_theap_stats_get(mi_theap_t *theap, mi_stats_t *stats) mi_attr_noexcept {
  return mi_heap_stats_get(mia_mi_from(mia_mi_theap_heap(theap)), stats);
}

/* Equals mi_subproc_stats_get: all statistics of a sub-process are in its heaps. */
MI_INLINE bool mi_subproc_stats_get_exclusive(mi_subproc_id_t subproc_id,
                                              mi_stats_t *stats) mi_attr_noexcept {
  return mi_subproc_stats_get(subproc_id, stats);
}

/* Returns the block size of a size class; 0 if its blocks have several sizes or if there is no
 * such class. */
MI_INLINE size_t mi_stats_get_bin_size(size_t bin) mi_attr_noexcept {
  mia_stats from;
  from.size = sizeof from;
  return mia_stats_get(&from) && bin < from.class_count ? from.classes[bin].block_size : 0;
}

/* Formats a structure that mi_stats_get or a related function filled in, as far as mialloc has
 * names for its fields. */
MI_INLINE char *mi_stats_as_json(mi_stats_t *stats, size_t buf_size, char *buf) mi_attr_noexcept {
  mia_stats from;
  unsigned i;
  if (!mia_mi_stats_fit(stats)) return NULL;
  memset(&from, 0, sizeof from);
  from.size = sizeof from;
  from.version = MIA_STATS_VERSION;
  from.class_count = MI_BIN_HUGE + 1;
  from.pages = (size_t)stats->pages.current;
  from.events.pages_made = (unsigned long long)stats->pages.total;
  from.events.pages_retired = (unsigned long long)stats->pages_retire.total;
  from.arenas = (size_t)stats->arena_count.total;
  from.reserved = (size_t)stats->reserved.current;
  from.committed = (size_t)stats->committed.current;
  from.used = (size_t)stats->page_committed.current;
  from.used_peak = (size_t)stats->page_committed.peak;
  from.purged = (unsigned long long)stats->purged.total;
  from.threads = (size_t)stats->threads.current;
  from.threads_peak = (size_t)stats->threads.peak;
  from.bytes = (size_t)(stats->malloc_normal.current + stats->malloc_huge.current);
  for (i = 0; i < from.class_count; i++) {
    from.classes[i].allocated = (unsigned long long)stats->malloc_bins[i].total;
    from.classes[i].blocks = (size_t)stats->malloc_bins[i].current;
    from.classes[i].pages = (size_t)stats->page_bins[i].current;
    from.classes[i].pages_peak = (size_t)stats->page_bins[i].peak;
    from.blocks += from.classes[i].blocks;
    from.allocated += from.classes[i].allocated;
  }
  return mia_stats_as_json(&from, buf_size, buf);
}

#ifdef __cplusplus
}
#endif
#endif
