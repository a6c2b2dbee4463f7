/* SPDX-License-Identifier: MIT */
/* theap.c -- models of pages that move between threads: full and abandoned pages, magazines,
 * trimming, page caches, threads that start and end, heaps that are deleted. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/heap.h"
#include "arena/purge.h"
#include "base/fail.h"
#include "map/pagemap.h"
#include "models.h"
#include "page/canary.h"
#include "page/owner.h"
#include "stage.h"
#include "theap/abandoned.h"
#include "theap/bin.h"
#include "theap/heap_table.h"
#include "theap/page_cache.h"
#include "theap/pages.h"
#include "theap/remote_cache.h"
#include "theap/thread.h"
#include "theap/trim_pages.h"

#include <mialloc/stats.h>

enum { BLOCKS = 4, SINGLETON_SIZE = MIA_SLICE_SIZE - MIA_SINGLETON_PADDING, WALKED_SLICES = 8 };

static mia_page *page;
static mia_block *blocks[BLOCKS];
static mia_block *got[RACE_THREADS];

/* No arena is added in these models, so the root of the page map does not change. */
static void begin_fixed_map(void) {
  stage_begin_theaps();
  race_ignore(mia_map_pages.root, sizeof mia_map_pages.root);
}

static void refill(unsigned i) {
  stage_set_self(i);
  mia_theap *self = stage_theaps[i];
  race_check(self->free_list[STAGE_CLASS] != NULL || mia_theap_refill(self, STAGE_CLASS));
  mia_block *block = self->free_list[STAGE_CLASS];
  self->free_list[STAGE_CLASS] = block->next;
  stage_write_block(block);
  got[i] = block;
}

/* Makes an empty page for the cache of a theap, so that no arena is asked for one. */
static mia_page *make_empty_page(unsigned i) {
  mia_block *block;
  mia_page *cached = stage_page(i, 2, 1, &block);
  block->next = NULL;
  cached->free = block;
  cached->used = 0;
  mia_aword_set(&cached->owner, 0);
  stage_forget_page(i);
  return cached;
}
static void cache_page(unsigned i, mia_page *cached) {
  mia_theap_cache_put(stage_theaps[i], cached);
}
static void give_cached_page(unsigned i) { cache_page(i, make_empty_page(i)); }

/* Gives a theap a page to allocate from, so that it reclaims pages of the class. */
static void give_page(unsigned i) {
  mia_block *block;
  (void)stage_page(i, 2, 1, &block);
}

static void free_0(void) { stage_free(1, blocks[0]); }
static void free_1(void) { stage_free(2, blocks[1]); }
static void free_both(void) {
  stage_free(1, blocks[0]);
  stage_free(1, blocks[1]);
}

static uint32_t length(const mia_block *list) {
  uint32_t n = 0;
  for (; list != NULL; list = list->next) n++;
  return n;
}

static uint32_t length_of(const mia_page *p, const mia_block *list) {
  uint32_t n = 0;
  for (; list != NULL; list = list->next) n += mia_page_of(list) == p;
  return n;
}

static bool is_gone(const mia_page *p) { return mia_page_of(p->start) != p; }

/* Checks that no block is lost or in two places: `live' blocks of the page are live.  Checks that
 * the page is in the state that its word shows. */
static void check_page(const mia_page *p, uint32_t live) {
  for (unsigned i = 0; i < RACE_THREADS; i++) {
    mia_theap_check(stage_theaps[i], STAGE_CLASS);
    live += length_of(p, stage_theaps[i]->free_list[STAGE_CLASS]);
    live += length_of(p, stage_theaps[i]->remote[STAGE_CLASS].blocks);
  }
  if (is_gone(p)) {
    race_check(live == 0);
    return;
  }
  uintptr_t word = mia_aword_get(&p->remote);
  bool claimed = (word & MIA_OWNER_CLAIMED) != 0, listed = mia_aword_get(&p->listed) != 0;
  mia_page_check(p);
  race_check(p->used == live + length(mia_owner_list(p, word)));
  race_check(claimed == (mia_aword_get(&p->owner) != 0));
  race_check(claimed ? !listed : live > 0);
}
static uint32_t of_page(unsigned i) { return got[i] != NULL && mia_page_of(got[i]) == page; }

/* ---- a full page ---- */

static void begin_full(void) {
  begin_fixed_map();
  race_ignore(mia_theap_all.main.abandoned_count, sizeof mia_theap_all.main.abandoned_count);
  give_cached_page(0);
  page = stage_page(0, 2, 2, blocks);
  give_page(1);
}
/* No thread claims the page before the countdown ends. */
static void begin_full_late(void) {
  begin_full();
  stage_theaps[1]->bins[STAGE_CLASS].reclaim_backoff = 1;
}
static void refill_0(void) { refill(0); }
static void full_end(void) { check_page(page, of_page(0)); }
static void full_one_end(void) { check_page(page, of_page(0) + 1); }
static const race_model full = {.name = "theap/full",
                                .subject = "a full page is abandoned while its blocks are freed",
                                .begin = begin_full_late,
                                .threads = {refill_0, free_0, free_1},
                                .end = full_end,
                                .longer = true};
static const race_model full_one = {.name = "theap/full-1",
                                    .subject = "a full page is abandoned while a block is freed",
                                    .begin = begin_full,
                                    .threads = {refill_0, free_0},
                                    .end = full_one_end};

/* The thread that frees first may reclaim the page at once. */
static void begin_reclaim_early(void) {
  begin_full();
  give_page(2);
  refill(0);
}
static const race_model reclaim_early = {
    .name = "theap/reclaim-early",
    .subject = "two threads that use the class free into a full page",
    .begin = begin_reclaim_early,
    .threads = {free_0, free_1, refill_0},
    .end = full_end};

/* ---- abandoned pages ---- */

static void abandon_0(void) {
  stage_set_self(0);
  mia_theap_abandon(stage_theaps[0]);
}
static void begin_abandon(void) {
  begin_fixed_map();
  page = stage_page(0, 4, 3, blocks);
  give_cached_page(2);
}
static void refill_2(void) { refill(2); }
static void abandon_end(void) { check_page(page, 2 + of_page(2)); }
static const race_model abandon = {.name = "theap/abandon",
                                   .subject = "a page is abandoned, freed into and reclaimed",
                                   .begin = begin_abandon,
                                   .threads = {abandon_0, free_0, refill_2},
                                   .end = abandon_end};

static void begin_abandoned(void) {
  begin_fixed_map();
  give_page(1);
  give_page(2);
  mia_page *cached = make_empty_page(0);
  page = stage_page(0, 4, 2, blocks);
  mia_theap_abandon(stage_theaps[0]);
  cache_page(0, cached);
}
static void abandoned_end(void) { check_page(page, of_page(0)); }
static const race_model abandoned = {.name = "theap/abandoned",
                                     .subject = "an abandoned page is taken while it becomes empty",
                                     .begin = begin_abandoned,
                                     .threads = {refill_0, free_0, free_1},
                                     .end = abandoned_end};

static void begin_reclaim(void) {
  begin_abandoned();
  page->countdown_from = 1;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, 1, 0));
}
static const race_model reclaim = {.name = "theap/reclaim",
                                   .subject = "two threads free, one may reclaim the page",
                                   .begin = begin_reclaim,
                                   .threads = {refill_0, free_0, free_1},
                                   .end = abandoned_end,
                                   .longer = true};

/* ---- magazines ---- */

static void collect_0(void) {
  stage_set_self(0);
  mia_theap_collect(stage_theaps[0]);
}

static void begin_magazine(void) {
  begin_fixed_map();
  give_page(1);
  page = stage_page(0, 4, 3, blocks);
  mia_remote_begin_magazine(&stage_theaps[1]->remote[STAGE_CLASS], STAGE_CLASS);
}
static void free_and_use(void) {
  free_0();
  refill(1);
  race_check(got[1] == blocks[0]);
}
static void free_and_leave(void) {
  free_0();
  stage_free(1, blocks[2]);
  refill(1);
  mia_theap_abandon(stage_theaps[1]);
}
static void magazine_used_end(void) { check_page(page, 2); }
static const race_model magazine = {
    .name = "theap/magazine",
    .subject = "a magazine's block is used, others return to the page",
    .begin = begin_magazine,
    .threads = {collect_0, free_and_use, free_1},
    .end = magazine_used_end};
static void magazine_left_end(void) { check_page(page, 1); }
static const race_model magazine_left = {.name = "theap/magazine-left",
                                         .subject = "the rest of a magazine returns to the page",
                                         .begin = begin_magazine,
                                         .threads = {collect_0, free_and_leave, free_1},
                                         .end = magazine_left_end};

/* ---- trimming ---- */

static void trim_0(void) {
  stage_set_self(0);
  mia_theap_trim_heap(stage_theaps[0], mia_theap_main_heap());
}
static void begin_trim(void) {
  begin_fixed_map();
  give_cached_page(2);
  page = stage_page(0, 4, 3, blocks);
  mia_theap_abandon(stage_theaps[0]);
  stage_free(0, blocks[2]); /* so that something can be trimmed */
}
static void trim_end(void) { check_page(page, 0); }
static const race_model trim = {.name = "theap/trim",
                                .subject = "an abandoned page is trimmed while it becomes empty",
                                .begin = begin_trim,
                                .threads = {trim_0, free_both},
                                .end = trim_end};
static void trim_taken_end(void) { check_page(page, 1 + of_page(2)); }
static const race_model trim_taken = {.name = "theap/trim-taken",
                                      .subject = "an abandoned page is trimmed while it is taken",
                                      .begin = begin_trim,
                                      .threads = {trim_0, free_0, refill_2},
                                      .end = trim_taken_end,
                                      .longer = true};

/* ---- an owner that collects ---- */

static void begin_collect(void) {
  begin_fixed_map();
  page = stage_page(0, 4, 2, blocks);
}
static void collect_end(void) { check_page(page, 0); }
static const race_model collecting = {
    .name = "theap/collect",
    .subject = "an owner collects while the last blocks are freed",
    .begin = begin_collect,
    .threads = {collect_0, free_0, free_1},
    .end = collect_end};

/* ---- page caches ---- */

static void cache_and_reuse(void) {
  stage_set_self(0);
  mia_theap *self = stage_theaps[0];
  mia_page *cached = mia_theap_cache_take(self, STAGE_CLASS);
  if (cached == NULL) return;
  cached->capacity = 0;
  mia_theap_cache_put(self, cached);
}
/* Puts the two pages back in the other order, so that other threads get one that was used. */
static void cache_and_reuse_two(void) {
  cache_and_reuse();
  mia_theap *self = stage_theaps[0];
  mia_page *first = mia_theap_cache_take(self, STAGE_CLASS), *second = NULL;
  if (first != NULL) second = mia_theap_cache_take(self, STAGE_CLASS);
  if (second == NULL) {
    if (first != NULL) mia_theap_cache_put(self, first);
    return;
  }
  second->capacity = 0;
  mia_theap_cache_put(self, second);
  mia_theap_cache_put(self, first);
  first = mia_theap_cache_take(self, STAGE_CLASS);
  if (first != NULL) mia_theap_cache_put(self, first);
}
static void age_caches(void) {
  stage_set_self(1);
  mia_theap_age_all_caches(stage_theaps[1], &(mia_budget)MIA_BUDGET_ALL);
  mia_theap_age_all_caches(stage_theaps[1], &(mia_budget)MIA_BUDGET_ALL);
}
static void flush_caches(void) {
  stage_set_self(2);
  mia_theap_flush_all_caches(stage_theaps[2], &(mia_budget)MIA_BUDGET_ALL);
}
static void begin_empty_cache(void) {
  begin_fixed_map();
  for (unsigned i = 0; i < RACE_THREADS; i++)
    if (i != 0) race_ignore(stage_theaps[i]->cache.slots, sizeof stage_theaps[i]->cache.slots);
}
static void begin_cached(void) {
  begin_empty_cache();
  give_cached_page(0);
}
static void begin_two_cached(void) {
  begin_empty_cache();
  mia_page *first = make_empty_page(0), *second = make_empty_page(0);
  cache_page(0, first);
  cache_page(0, second);
}
static void cached_end(void) { race_check(stage_retired() <= 1); }
static void two_cached_end(void) {
  uintptr_t word = mia_aword_get(&stage_theaps[0]->cache.slots[STAGE_CLASS]);
  size_t left = 0;
  for (const mia_page *cached = (void *)(word & ~(uintptr_t)1); cached != NULL;
       cached = cached->next)
    left++;
  race_check(stage_retired() + left == 2);
}
static const race_model cached_page = {
    .name = "theap/cached-page",
    .subject = "a cached page is used again, ages and is flushed",
    .begin = begin_cached,
    .threads = {cache_and_reuse, age_caches, flush_caches},
    .end = cached_end};
static const race_model two_cached_pages = {
    .name = "theap/cached-pages",
    .subject = "two cached pages of a class are used again and age",
    .begin = begin_two_cached,
    .threads = {cache_and_reuse_two, age_caches},
    .end = two_cached_end};

/* ---- threads that start and end ---- */

static void detach_0(void) {
  stage_set_self(0);
  mia_theap_detach();
}
static void attach(void) {
  mia_theap_self = &mia_theap_all.none;
  race_check(mia_theap_attach() != NULL);
  (void)mia_theap_self->bins[STAGE_CLASS].page_count;
  mia_theap_self->batches_waiting = 0;
}
static void begin_exit(void) {
  begin_fixed_map();
  page = stage_page(0, 4, 2, blocks);
}
static void exit_end(void) { check_page(page, 1); }
static const race_model leaving = {.name = "thread/exit",
                                   .subject = "a thread's theap is taken by the next thread",
                                   .begin = begin_exit,
                                   .threads = {detach_0, attach, free_1},
                                   .end = exit_end};

/* Takes a new theap and reads from it: its lists are empty. */
static void take_theap(void) {
  mia_theap *theap = mia_theap_take(mia_theap_main_heap());
  race_check(theap != NULL && theap->heap_entry_count == 0);
}
static void get_statistics(void) {
  stage_set_self(1);
  mia_stats stats = {.size = sizeof stats};
  (void)mia_stats_get(&stats);
}
static void ask_for_cached_page(void) { race_check(!mia_theap_has_cached_page()); }
static void begin_new_theap(void) {
  begin_fixed_map();
  race_ignore(&mia_map_pages, sizeof mia_map_pages);
  /* An arena that crosses a boundary of 4 GiB has a second leaf of the page map. */
  const mia_arena *arena = mia_arena_nth(0);
  const mia_aword *leaf = mia_map_leaf(arena->start + (arena->slices << MIA_SLICE_SHIFT) - 1);
  race_ignore(leaf, MIA_MAP_LEAF_ENTRIES * sizeof *leaf);
}
static const race_model joining = {.name = "thread/new",
                                   .subject = "a new theap is found by a walk over all theaps",
                                   .begin = begin_new_theap,
                                   .threads = {take_theap, flush_caches, take_theap}};
static const race_model counting = {.name = "thread/statistics",
                                    .subject = "a new theap is found by a statistics walk",
                                    .begin = begin_new_theap,
                                    .threads = {take_theap, get_statistics}};
static const race_model asking = {.name = "thread/cached-pages",
                                  .subject = "a new theap is found by a search for cached pages",
                                  .begin = begin_new_theap,
                                  .threads = {take_theap, ask_for_cached_page}};

/* ---- heaps ---- */

static mia_heap *heap;

/* Thread 0 gets a theap for a heap, with a page that has two live blocks. */
static mia_theap *begin_heap_page(void) {
  begin_fixed_map();
  heap = mia_theap_heap_new(NULL);
  if (heap == NULL) race_fail("no heap");
  race_ignore(heap->abandoned_count, sizeof heap->abandoned_count);
  race_ignore(mia_theap_all.main.abandoned_count, sizeof mia_theap_all.main.abandoned_count);
  mia_theap *self = stage_theaps[0];
  stage_theaps[0] = mia_theap_of_heap(self, heap);
  stage_ignore(stage_theaps[0]);
  page = stage_page(0, 4, 2, blocks);
  mia_theap *theap = stage_theaps[0];
  stage_theaps[0] = self;
  return theap;
}
static void begin_heap(void) { (void)begin_heap_page(); }
static void begin_heap_left(void) { mia_theap_abandon(begin_heap_page()); }

static void delete_heap(void) {
  stage_set_self(0);
  mia_theap_heap_delete(stage_theaps[0], heap, mia_theap_main_heap());
}
static void heap_end(void) { check_page(page, 0); }
static void heap_kept_end(void) { check_page(page, 1); }

static const race_model deleting = {.name = "heap/delete",
                                    .subject = "a heap is deleted while its blocks are freed",
                                    .begin = begin_heap,
                                    .threads = {delete_heap, free_both},
                                    .end = heap_end,
                                    .longer = true};
static const race_model deleting_3 = {
    .name = "heap/delete-3",
    .subject = "a heap of abandoned pages is deleted while two threads free",
    .begin = begin_heap_left,
    .threads = {delete_heap, free_0, free_1},
    .end = heap_end,
    .longer = true};
static const race_model ending = {.name = "heap/exit",
                                  .subject = "a heap is deleted while a thread that used it ends",
                                  .begin = begin_heap,
                                  .threads = {delete_heap, detach_0, free_1},
                                  .end = heap_kept_end,
                                  .longer = true};

/* Makes a singleton page. */
static void make_singleton(mia_theap *theap) {
  bool zero;
  page = mia_theap_make_singleton(
      theap, &(mia_singleton_request){.size = SINGLETON_SIZE, .align = 1, .redzone = MIA_DEBUG},
      &zero);
  if (page == NULL) race_fail("no page");
  blocks[2] = (void *)page->start;
  mia_page_set_canary(page, blocks[2], SINGLETON_SIZE - MIA_CANARY_SIZE);
}
/* Its block is freed while the heap is deleted. */
static void begin_singleton(void) {
  begin_heap_left();
  make_singleton(mia_theap_of_heap(stage_theaps[0], heap));
}
/* Its block is freed.  The page stays with that thread until it moves to the page cache, from which
 * other threads may take it. */
static void begin_last_freed(void) {
  begin_fixed_map();
  make_singleton(stage_theaps[0]);
}
static void free_and_cache(void) {
  stage_free(0, blocks[2]);
  mia_theap_settle_cache(stage_theaps[0]);
}
static void last_freed_end(void) { race_check(is_gone(page) || page->used == 0); }
static const race_model last_freed = {.name = "theap/last-freed",
                                      .subject = "a large page freed last is cached and ages",
                                      .begin = begin_last_freed,
                                      .threads = {free_and_cache, age_caches},
                                      .end = last_freed_end};
static void delete_and_flush(void) {
  delete_heap();
  mia_theap_flush_cache(stage_theaps[0]);
}
static void free_singleton(void) {
  stage_free(1, blocks[2]);
  mia_theap_flush_cache(stage_theaps[1]);
}
static void singleton_end(void) { race_check(is_gone(page)); }
static const race_model deleting_singleton = {
    .name = "heap/delete-singleton",
    .subject = "a heap is deleted while its large block is freed",
    .begin = begin_singleton,
    .threads = {delete_and_flush, free_singleton},
    .end = singleton_end};

/* A walk over a heap.  The walking thread knows that the block was freed before. */
static mia_aword freed;
static unsigned visited;

static bool count_block(mia_heap *of, const mia_area *area, void *block, size_t size, void *arg) {
  (void)of, (void)area, (void)size, (void)arg;
  if (block != NULL) visited++;
  return true;
}
static void free_and_publish(void) {
  stage_free(1, blocks[0]);
  mia_aword_set_rel(&freed, 1);
}
static void visit_heap(void) {
  if (mia_aword_get_acq(&freed) == 0) return;
  race_check(mia_alloc_heap_visit(heap, true, count_block, NULL) && visited == 1);
}
static const race_model visiting = {.name = "heap/visit",
                                    .subject = "a heap is walked after a block was freed",
                                    .begin = begin_heap,
                                    .threads = {free_and_publish, visit_heap}};

/* The main heap, which has no block, is walked while another heap gets a page. */
static void begin_walked(void) {
  (void)begin_heap_page();
  mia_arena_nth(0)->slices = WALKED_SLICES;
}
static void fill_heap(void) {
  stage_set_self(0);
  mia_theap *theap = mia_theap_of_heap(stage_theaps[0], heap);
  theap->bins[STAGE_CLASS].page = NULL; /* as if that page were full */
  theap->free_list[STAGE_CLASS] = NULL;
  race_check(mia_theap_refill(theap, STAGE_CLASS));
  theap->free_list[STAGE_CLASS] = theap->free_list[STAGE_CLASS]->next;
}
static void visit_main(void) {
  race_check(mia_alloc_heap_visit(mia_theap_main_heap(), true, count_block, NULL) && visited == 0);
}
static const race_model filling = {.name = "heap/fill-walked",
                                   .subject = "a heap gets a page while another heap is walked",
                                   .begin = begin_walked,
                                   .threads = {fill_heap, visit_main}};

const race_model *const race_models_theap[] = {&full,
                                               &full_one,
                                               &reclaim_early,
                                               &abandon,
                                               &abandoned,
                                               &reclaim,
                                               &trim,
                                               &trim_taken,
                                               &collecting,
                                               &cached_page,
                                               &two_cached_pages,
                                               &leaving,
                                               &joining,
                                               &counting,
                                               &asking,
                                               &deleting,
                                               &deleting_3,
                                               &ending,
                                               &deleting_singleton,
                                               &visiting,
                                               &last_freed,
                                               &magazine,
                                               &magazine_left,
                                               &filling,
                                               NULL};
