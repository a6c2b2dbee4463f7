/* local.c -- models of pages that go from thread to thread: full ones that come
 * home, the pool, spares, threads that end, heaps that are deleted. */
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
#include "theap/thread.h"
#include "theap/trim_pages.h"

#include <mialloc/stats.h>

enum { BLOCKS = 4, SINGLE = MIA_SLICE_SIZE - MIA_SINGLETON_PADDING, BESIDE_SLICES = 8 };

static mia_page *page;
static mia_block *blocks[BLOCKS];
static mia_block *got[RACE_THREADS];

/* No arena comes in these models: the root of the page map stands still. */
static void begin_still(void) {
  stage_begin_locals();
  race_ignore(mia_map_pages.root, sizeof mia_map_pages.root);
}

static void refill(unsigned i) {
  stage_be(i);
  mia_theap *self = stage_locals[i];
  race_check(self->free_list[STAGE_CLASS] != NULL || mia_theap_refill(self, STAGE_CLASS));
  mia_block *block = self->free_list[STAGE_CLASS];
  self->free_list[STAGE_CLASS] = block->next;
  stage_use(block);
  got[i] = block;
}

/* An empty page, for a local to have in reserve, so that no arena is asked. */
static mia_page *make_spare(unsigned i) {
  mia_block *block;
  mia_page *spare = stage_page(i, 2, 1, &block);
  block->next = NULL;
  spare->free = block;
  spare->used = 0;
  mia_aword_set(&spare->owner, 0);
  stage_forget_page(i);
  return spare;
}
static void keep_spare(unsigned i, mia_page *spare) {
  mia_theap_cache_page(stage_locals[i], spare);
}
static void give_spare(unsigned i) { keep_spare(i, make_spare(i)); }

/* A page in use, so that the local wants others. */
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

/* Nothing is lost or in two places: `live' blocks of a page are in use, and it is
 * where its word says. */
static void check_page(const mia_page *p, uint32_t live) {
  for (unsigned i = 0; i < RACE_THREADS; i++) {
    mia_theap_check(stage_locals[i], STAGE_CLASS);
    live += length_of(p, stage_locals[i]->free_list[STAGE_CLASS]);
    live += length_of(p, stage_locals[i]->bins[STAGE_CLASS].magazine);
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
  begin_still();
  race_ignore(mia_theap_all.main.abandoned_count, sizeof mia_theap_all.main.abandoned_count);
  give_spare(0);
  page = stage_page(0, 2, 2, blocks);
  give_page(1);
}
/* Nobody has it before enough is free. */
static void begin_full_late(void) {
  begin_full();
  stage_locals[1]->bins[STAGE_CLASS].reclaim_backoff = 1;
}
static void refill_0(void) { refill(0); }
static void full_end(void) { check_page(page, of_page(0)); }
static void full_one_end(void) { check_page(page, of_page(0) + 1); }
static const race_model full = {.name = "theap/full",
                                .subject = "a page is left as full while its blocks are freed",
                                .begin = begin_full_late,
                                .threads = {refill_0, free_0, free_1},
                                .end = full_end,
                                .longer = true};
static const race_model full_one = {.name = "theap/full-1",
                                    .subject = "the same with one block",
                                    .begin = begin_full,
                                    .threads = {refill_0, free_0},
                                    .end = full_one_end};

/* Whoever frees first may have the page with that. */
static void begin_early(void) {
  begin_full();
  give_page(2);
  refill(0);
}
static const race_model early = {.name = "theap/reclaim-early",
                                 .subject = "two threads that use the class free into a full page",
                                 .begin = begin_early,
                                 .threads = {free_0, free_1, refill_0},
                                 .end = full_end};

/* ---- the pool ---- */

static void abandon_0(void) {
  stage_be(0);
  mia_theap_abandon(stage_locals[0]);
}
static void begin_abandon(void) {
  begin_still();
  page = stage_page(0, 4, 3, blocks);
  give_spare(2);
}
static void refill_2(void) { refill(2); }
static void abandon_end(void) { check_page(page, 2 + of_page(2)); }
static const race_model abandon = {.name = "theap/abandon",
                                   .subject = "a page is abandoned, freed into and adopted",
                                   .begin = begin_abandon,
                                   .threads = {abandon_0, free_0, refill_2},
                                   .end = abandon_end};

static void begin_pooled(void) {
  begin_still();
  give_page(1);
  give_page(2);
  mia_page *spare = make_spare(0);
  page = stage_page(0, 4, 2, blocks);
  mia_theap_abandon(stage_locals[0]);
  keep_spare(0, spare);
}
static void pooled_end(void) { check_page(page, of_page(0)); }
static const race_model pooled = {.name = "theap/abandoned",
                                  .subject = "a page in the pool is taken while it becomes empty",
                                  .begin = begin_pooled,
                                  .threads = {refill_0, free_0, free_1},
                                  .end = pooled_end};

static void begin_adopt(void) {
  begin_pooled();
  page->countdown_from = 1;
  mia_aword_set(&page->remote, mia_owner_word(MIA_OWNER_LIST_NONE, 1, 0));
}
static const race_model adopt = {.name = "theap/reclaim",
                                 .subject = "two threads free, one may keep the page",
                                 .begin = begin_adopt,
                                 .threads = {refill_0, free_0, free_1},
                                 .end = pooled_end,
                                 .longer = true};

/* ---- blocks that stay where they were freed ---- */

static void collect_0(void) {
  stage_be(0);
  mia_theap_collect(stage_locals[0]);
}

static void begin_stash(void) {
  begin_still();
  give_page(1);
  page = stage_page(0, 4, 3, blocks);
  stage_locals[1]->bins[STAGE_CLASS].magazine_open = true;
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
  mia_theap_abandon(stage_locals[1]);
}
static void stash_used_end(void) { check_page(page, 2); }
static const race_model stash = {.name = "theap/magazine",
                                 .subject = "a block is used where it was freed, others go home",
                                 .begin = begin_stash,
                                 .threads = {collect_0, free_and_use, free_1},
                                 .end = stash_used_end};
static void stash_left_end(void) { check_page(page, 1); }
static const race_model stash_left = {.name = "theap/magazine-left",
                                      .subject = "the same, and what is left goes home",
                                      .begin = begin_stash,
                                      .threads = {collect_0, free_and_leave, free_1},
                                      .end = stash_left_end};

/* ---- trimming ---- */

static void trim_0(void) {
  stage_be(0);
  (void)mia_theap_trim_abandoned(stage_locals[0], mia_theap_main_heap(), MIA_TRIM_ALL,
                                 &(mia_budget)MIA_BUDGET_ALL);
}
static void begin_trim(void) {
  begin_still();
  give_spare(2);
  page = stage_page(0, 4, 3, blocks);
  mia_theap_abandon(stage_locals[0]);
  stage_free(0, blocks[2]); /* which is there to be trimmed */
}
static void trim_end(void) { check_page(page, 0); }
static const race_model trimming = {
    .name = "theap/trim",
    .subject = "a page in the pool is trimmed while it becomes empty",
    .begin = begin_trim,
    .threads = {trim_0, free_both},
    .end = trim_end};
static void trim_taken_end(void) { check_page(page, 1 + of_page(2)); }
static const race_model trimming_taken = {.name = "theap/trim-taken",
                                          .subject = "the same while it is taken from there",
                                          .begin = begin_trim,
                                          .threads = {trim_0, free_0, refill_2},
                                          .end = trim_taken_end,
                                          .longer = true};

/* ---- an owner that sees to what others freed ---- */

static void begin_collect(void) {
  begin_still();
  page = stage_page(0, 4, 2, blocks);
}
static void collect_end(void) { check_page(page, 0); }
static const race_model collecting = {.name = "theap/collect",
                                      .subject = "an owner gathers while the last blocks are freed",
                                      .begin = begin_collect,
                                      .threads = {collect_0, free_0, free_1},
                                      .end = collect_end};

/* ---- spares ---- */

static void keep_and_reuse(void) {
  stage_be(0);
  mia_theap *self = stage_locals[0];
  mia_page *spare = mia_theap_cached_page(self, STAGE_CLASS);
  if (spare == NULL) return;
  spare->capacity = 0;
  mia_theap_cache_page(self, spare);
}
/* What was used is the one that others get. */
static void keep_two(void) {
  keep_and_reuse();
  mia_theap *self = stage_locals[0];
  mia_page *first = mia_theap_cached_page(self, STAGE_CLASS), *second = NULL;
  if (first != NULL) second = mia_theap_cached_page(self, STAGE_CLASS);
  if (second == NULL) {
    if (first != NULL) mia_theap_cache_page(self, first);
    return;
  }
  second->capacity = 0;
  mia_theap_cache_page(self, second);
  mia_theap_cache_page(self, first);
  first = mia_theap_cached_page(self, STAGE_CLASS);
  if (first != NULL) mia_theap_cache_page(self, first);
}
static void age_spares(void) {
  stage_be(1);
  mia_theap_age_all_caches(stage_locals[1], &(mia_budget)MIA_BUDGET_ALL);
  mia_theap_age_all_caches(stage_locals[1], &(mia_budget)MIA_BUDGET_ALL);
}
static void drop_spares(void) {
  stage_be(2);
  mia_theap_flush_all_caches(stage_locals[2], &(mia_budget)MIA_BUDGET_ALL);
}
static void begin_no_spare(void) {
  begin_still();
  for (unsigned i = 0; i < RACE_THREADS; i++)
    if (i != 0) race_ignore(stage_locals[i]->cache, sizeof stage_locals[i]->cache);
}
static void begin_spare(void) {
  begin_no_spare();
  give_spare(0);
}
static void begin_spares(void) {
  begin_no_spare();
  mia_page *first = make_spare(0), *second = make_spare(0);
  keep_spare(0, first);
  keep_spare(0, second);
}
static void spare_end(void) { race_check(stage_retired() <= 1); }
static void spares_end(void) {
  uintptr_t word = mia_aword_get(&stage_locals[0]->cache[STAGE_CLASS]);
  size_t left = 0;
  for (const mia_page *spare = (void *)(word & ~(uintptr_t)1); spare != NULL; spare = spare->next)
    left++;
  race_check(stage_retired() + left == 2);
}
static const race_model spares = {.name = "theap/cached-page",
                                  .subject = "a spare page is used again, grows old and is dropped",
                                  .begin = begin_spare,
                                  .threads = {keep_and_reuse, age_spares, drop_spares},
                                  .end = spare_end};
static const race_model two_spares = {.name = "theap/cached-pages",
                                      .subject = "the same of two pages of a class",
                                      .begin = begin_spares,
                                      .threads = {keep_two, age_spares},
                                      .end = spares_end};

/* ---- threads come and go ---- */

static void detach_0(void) {
  stage_be(0);
  mia_theap_detach();
}
static void attach(void) {
  mia_theap_self = &mia_theap_all.none;
  race_check(mia_theap_attach() != NULL);
  (void)mia_theap_self->bins[STAGE_CLASS].page_count;
  mia_theap_self->batches_waiting = 0;
}
static void begin_exit(void) {
  begin_still();
  page = stage_page(0, 4, 2, blocks);
}
static void exit_end(void) { check_page(page, 1); }
static const race_model leaving = {.name = "thread/exit",
                                   .subject = "a thread's local goes to the next one",
                                   .begin = begin_exit,
                                   .threads = {detach_0, attach, free_1},
                                   .end = exit_end};

/* The heads of the lists are as they were when the process began. */
static void new_local(void) {
  mia_theap *local = mia_theap_take(mia_theap_main_heap());
  race_check(local != NULL && local->heap_entry_count == 0);
}
static void look_at_all(void) {
  stage_be(1);
  mia_stats stats = {.size = sizeof stats};
  (void)mia_stats_get(&stats);
}
static void ask_for_spares(void) { race_check(!mia_theap_has_cached_page()); }
static void begin_new_local(void) {
  begin_still();
  race_ignore(&mia_map_pages, sizeof mia_map_pages);
  /* Where an arena lies across 4 GiB, a part of it has a leaf of its own. */
  const mia_arena *arena = mia_arena_nth(0);
  const mia_aword *leaf = mia_map_leaf(arena->start + (arena->slices << MIA_SLICE_SHIFT) - 1);
  race_ignore(leaf, MIA_MAP_LEAF_ENTRIES * sizeof *leaf);
}
static const race_model joining = {.name = "thread/new",
                                   .subject = "a new local is found by who walks all of them",
                                   .begin = begin_new_local,
                                   .threads = {new_local, drop_spares, new_local}};
static const race_model counting = {.name = "thread/census",
                                    .subject = "a new local is found by who counts",
                                    .begin = begin_new_local,
                                    .threads = {new_local, look_at_all}};
static const race_model asking = {.name = "thread/spares",
                                  .subject = "a new local is found by who asks for spares",
                                  .begin = begin_new_local,
                                  .threads = {new_local, ask_for_spares}};

/* ---- heaps ---- */

static mia_heap *heap;

/* Thread 0 has a local for a heap, with a page of which two blocks live. */
static mia_theap *begin_heap_page(void) {
  begin_still();
  heap = mia_theap_heap_new(NULL);
  if (heap == NULL) race_fail("no heap");
  race_ignore(heap->abandoned_count, sizeof heap->abandoned_count);
  race_ignore(mia_theap_all.main.abandoned_count, sizeof mia_theap_all.main.abandoned_count);
  mia_theap *self = stage_locals[0];
  stage_locals[0] = mia_theap_of_heap(self, heap);
  stage_ignore(stage_locals[0]);
  page = stage_page(0, 4, 2, blocks);
  mia_theap *local = stage_locals[0];
  stage_locals[0] = self;
  return local;
}
static void begin_heap(void) { (void)begin_heap_page(); }
static void begin_heap_left(void) { mia_theap_abandon(begin_heap_page()); }

static void delete_heap(void) {
  stage_be(0);
  mia_theap_heap_delete(stage_locals[0], heap, mia_theap_main_heap());
}
static void heap_end(void) { check_page(page, 0); }
static void heap_kept_end(void) { check_page(page, 1); }

static const race_model deleting = {.name = "heap/delete",
                                    .subject = "a heap is deleted while its blocks are freed",
                                    .begin = begin_heap,
                                    .threads = {delete_heap, free_both},
                                    .end = heap_end,
                                    .longer = true};
static const race_model deleting_3 = {.name = "heap/delete-3",
                                      .subject = "the same, by two threads, without its locals",
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

/* The one block of a page. */
static void make_single(mia_theap *local) {
  bool zero;
  page = mia_theap_make_singleton(
      local, &(mia_singleton_request){.size = SINGLE, .align = 1, .redzone = MIA_DEBUG}, &zero);
  if (page == NULL) race_fail("no page");
  blocks[2] = (void *)page->start;
  mia_page_set_canary(page, blocks[2], SINGLE - MIA_CANARY_SIZE);
}
/* It is freed while the heap goes. */
static void begin_single(void) {
  begin_heap_left();
  make_single(mia_theap_of_heap(stage_locals[0], heap));
}
/* It is freed, and kept by who freed it until others may have it. */
static void begin_hot(void) {
  begin_still();
  make_single(stage_locals[0]);
}
static void free_and_cool(void) {
  stage_free(0, blocks[2]);
  mia_theap_cache_recent(stage_locals[0]);
}
static void hot_end(void) { race_check(is_gone(page) || page->used == 0); }
static const race_model cooling = {
    .name = "theap/recent",
    .subject = "a large page that was at hand grows old and is dropped",
    .begin = begin_hot,
    .threads = {free_and_cool, age_spares},
    .end = hot_end};
static void delete_and_drop(void) {
  delete_heap();
  mia_theap_flush_cache(stage_locals[0]);
}
static void free_single(void) {
  stage_free(1, blocks[2]);
  mia_theap_flush_cache(stage_locals[1]);
}
static void single_end(void) { race_check(is_gone(page)); }
static const race_model deleting_single = {.name = "heap/delete-single",
                                           .subject = "its large block is freed meanwhile",
                                           .begin = begin_single,
                                           .threads = {delete_and_drop, free_single},
                                           .end = single_end};

/* A walk over a heap whose blocks were freed before, as the walker knows. */
static mia_aword told;
static unsigned visited;

static bool count_block(mia_heap *of, const mia_area *area, void *block, size_t size, void *arg) {
  (void)of, (void)area, (void)size, (void)arg;
  if (block != NULL) visited++;
  return true;
}
static void free_and_tell(void) {
  stage_free(1, blocks[0]);
  mia_aword_set_rel(&told, 1);
}
static void visit(void) {
  if (mia_aword_get_acq(&told) == 0) return;
  race_check(mia_alloc_heap_visit(heap, true, count_block, NULL) && visited == 1);
}
static const race_model visiting = {.name = "heap/visit",
                                    .subject = "a heap is walked after a block was freed",
                                    .begin = begin_heap,
                                    .threads = {free_and_tell, visit}};

/* A walk over the main heap, which has no block, while another has a page made. */
static void begin_beside(void) {
  (void)begin_heap_page();
  mia_arena_nth(0)->slices = BESIDE_SLICES;
}
static void fill_heap(void) {
  stage_be(0);
  mia_theap *local = mia_theap_of_heap(stage_locals[0], heap);
  local->bins[STAGE_CLASS].page = NULL; /* as if that were full */
  local->free_list[STAGE_CLASS] = NULL;
  race_check(mia_theap_refill(local, STAGE_CLASS));
  local->free_list[STAGE_CLASS] = local->free_list[STAGE_CLASS]->next;
}
static void visit_main(void) {
  race_check(mia_alloc_heap_visit(mia_theap_main_heap(), true, count_block, NULL) && visited == 0);
}
static const race_model filling = {.name = "heap/fill-beside",
                                   .subject = "a heap has a page made while another is walked",
                                   .begin = begin_beside,
                                   .threads = {fill_heap, visit_main}};

const race_model *const race_models_theap[] = {
    &full,           &full_one,   &early,      &abandon,    &pooled,          &adopt,    &trimming,
    &trimming_taken, &collecting, &spares,     &two_spares, &leaving,         &joining,  &counting,
    &asking,         &deleting,   &deleting_3, &ending,     &deleting_single, &visiting, &cooling,
    &stash,          &stash_left, &filling,    NULL};
