/* SPDX-License-Identifier: MIT */
/* arena.c -- models of arenas: taking and giving back spans, purging, publication, unloading. */
#include "base/prelude.h"

#include "alloc/heap.h"
#include "api/entry.h"
#include "api/world.h"
#include "arena/arena.h"
#include "arena/purge.h"
#include "arena/reserve.h"
#include "arena/runs.h"
#include "arena/tier.h"
#include "arena/unload.h"
#include "map/pagemap.h"
#include "models.h"
#include "stage.h"
#include "theap/heap_table.h"

#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>

enum { FREE = 2 };

static mia_arena *const arena = &mia_arena_all.first;
static mia_span held[FREE];

/* The first arena has one cell of slices.  All are taken but two, which were used before. */
static void begin_two_slices(void) {
  mia_span span;
  stage_begin_theaps();
  arena->slices = MIA_CELL_BITS;
  for (unsigned i = 0; i < FREE; i++)
    if (!mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &held[i])) race_fail("no slices");
  while (mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &span)) {}
  for (unsigned i = 0; i < FREE; i++) mia_arena_give(arena, held[i].start, 1, MIA_SLICE_SIZE);
  for (unsigned i = 0; i < FREE; i++) *(uintptr_t *)(void *)held[i].start = 1;
}

/* Leaves out the words that direct searches: these have models of their own. */
static void ignore_runs(void) {
  race_ignore(arena->runs[0], sizeof *arena->runs[0]);
  race_ignore(arena->root, sizeof *arena->root);
  race_ignore(&arena->top, sizeof arena->top);
  race_ignore(&arena->gives, sizeof arena->gives);
}

/* Leaves out what is only advice: where to search, whether to visit the arena. */
static void begin_spans(void) {
  begin_two_slices();
  race_ignore(&arena->stale, sizeof arena->stale);
  ignore_runs();
}

static void use(const mia_span *span) {
  uintptr_t *word = (void *)span->start;
  if (span->zero) race_check(*word == 0);
  *word = 1;
  mia_arena_descriptor(span)->words[0]++;
}

static void take_and_give(size_t slices) {
  mia_span span;
  if (!mia_arena_take_in(arena, slices, MIA_SLICE_SIZE, &span)) return;
  use(&span);
  mia_arena_give(arena, span.start, slices, MIA_SLICE_SIZE);
}
static void use_one_slice(void) { take_and_give(1); }
static void use_two_slices(void) { take_and_give(2); }
static void purge_now(void) { (void)mia_arena_purge_now(); }
static void purge_aged(void) {
  mia_arena_purge_due(1, 1, &(mia_budget)MIA_BUDGET_ALL);
  mia_arena_purge_due(2, 1, &(mia_budget)MIA_BUDGET_ALL);
  mia_arena_purge_due(3, 1, &(mia_budget)MIA_BUDGET_ALL);
}

/* After any execution both slices are free, and zero if the span says so. */
static void check_all_free(void) {
  mia_span span;
  race_check(mia_arena_take_in(arena, 2, MIA_SLICE_SIZE, &span));
  const char *second = span.start + MIA_SLICE_SIZE;
  if (span.zero) race_check(*(uintptr_t *)(void *)span.start == 0 && *second == 0);
}

static const race_model purge = {.name = "arena/purge",
                                 .subject = "spans are taken and given back while all is purged",
                                 .begin = begin_spans,
                                 .threads = {use_one_slice, purge_now, use_one_slice},
                                 .end = check_all_free,
                                 .longer = true};
static const race_model purge_run = {.name = "arena/purge-run",
                                     .subject = "a span of two slices is taken during a purge",
                                     .begin = begin_spans,
                                     .threads = {use_two_slices, purge_now},
                                     .end = check_all_free};
static const race_model purge_due_slices = {
    .name = "arena/purge-due",
    .subject = "aged slices are purged while a span is used",
    .begin = begin_spans,
    .threads = {use_one_slice, purge_aged, purge_aged},
    .end = check_all_free,
    .longer = true};
/* All slices are held and none is idle, but the global count says that some are, so that the purge
 * visits the arena.  The words that direct searches are left out. */
static void begin_held(void) {
  begin_two_slices();
  (void)mia_arena_purge_now();
  mia_aword_set(&mia_arena_all.idle, MIA_SLICE_SIZE);
  for (unsigned i = 0; i < FREE; i++)
    if (!mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &held[i])) race_fail("no slices");
  ignore_runs();
}
static void give_held(unsigned i) { mia_arena_give(arena, held[i].start, 1, MIA_SLICE_SIZE); }
static void give_first(void) { give_held(0); }
static void give_second(void) { give_held(1); }

/* If idle slices are left, the arena is marked for another visit. */
static void check_stale(void) {
  bool idle = (mia_acell_get(&arena->free[0]) & mia_acell_get(&arena->dirty[0])) != 0;
  race_check(!idle || mia_aword_get(&arena->stale) != 0);
}

static const race_model purge_again = {
    .name = "arena/purge-again",
    .subject = "slices given back during a purge are visited again",
    .begin = begin_held,
    .threads = {give_first, give_second, purge_aged},
    .end = check_stale};
/* No slice is free, and the words of runs are right or too large.  The two slices that are given
 * back lie on either side of a border between cells. */
static void begin_full(void) {
  mia_span span;
  stage_begin_theaps();
  arena->slices = 2 * MIA_CELL_BITS;
  while (mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &span)) {
    size_t slice = mia_arena_slice_of(arena, span.start);
    if (slice + 1 == MIA_CELL_BITS) held[0] = span;
    if (slice == MIA_CELL_BITS) held[1] = span;
  }
  race_ignore(&arena->stale, sizeof arena->stale);
  race_ignore(&arena->top, sizeof arena->top);
}

static bool found;
static void search_two(void) {
  mia_span span;
  found = mia_arena_take_in(arena, 2, MIA_SLICE_SIZE, &span);
}

/* R1: slices that were given back are found, whichever words were lowered meanwhile. */
static void check_found(void) {
  mia_span span;
  race_check(found || mia_arena_take_in(arena, 2, MIA_SLICE_SIZE, &span));
}

static const race_model runs = {.name = "arena/runs",
                                .subject = "slices given back while a search fails are found",
                                .begin = begin_full,
                                .threads = {give_first, give_second, search_two},
                                .end = check_found};
/* The root word is too large from the beginning, so that only the region's word gives the order. */
static void begin_root_too_large(void) {
  begin_full();
  mia_aword_set(arena->root, 2);
}
static const race_model runs_vague = {
    .name = "arena/runs-vague",
    .subject = "slices given back are found if the root word is too large",
    .begin = begin_root_too_large,
    .threads = {give_first, give_second, search_two},
    .end = check_found};

/* An arena with words above those of its regions.  The second of these covers only one region, of
 * one cell. */
enum { REGIONS_BEFORE = 64, LAST_REGION = REGIONS_BEFORE * MIA_REGION_SLICES };
static mia_arena tall_arena;
static mia_acell tall_free[LAST_REGION / MIA_CELL_BITS + 1];
static mia_aword tall_words[2 * REGIONS_BEFORE];

static void begin_tall(void) {
  stage_begin();
  tall_arena.slices = LAST_REGION + MIA_CELL_BITS;
  tall_arena.free = tall_free;
  tall_arena.root = &tall_arena.own_root;
  if (mia_arena_run_words(tall_arena.slices) > sizeof tall_words / sizeof tall_words[0])
    race_fail("no words");
  mia_arena_begin_runs(&tall_arena, tall_words);
}
static void give_last(void) { mia_arena_unclaim(&tall_arena, LAST_REGION, 1); }
static void search_tall(void) { (void)mia_arena_next_run(&tall_arena, 0, 1); }
static void check_last_found(void) {
  race_check(mia_arena_next_run(&tall_arena, 0, 1) == REGIONS_BEFORE);
}
static const race_model runs_tall = {.name = "arena/runs-tall",
                                     .subject = "a search lowers words that another thread raises",
                                     .begin = begin_tall,
                                     .threads = {give_last, search_tall},
                                     .end = check_last_found};
static const race_model take_slices = {.name = "arena/take",
                                       .subject = "three threads take from two free slices",
                                       .begin = begin_spans,
                                       .threads = {use_one_slice, use_one_slice, use_two_slices},
                                       .end = check_all_free,
                                       .longer = true};

/* ---- publication of a new arena ---- */

static void make_arena(void) {
  race_check(mia_arena_reserve_os(&(mia_arena_request){.size = MIA_SLICE_SIZE}) != NULL);
}

/* Makes an arena itself if it does not see the other thread's. */
static void take_any(void) {
  mia_span span;
  race_check(mia_arena_take(1, MIA_SLICE_SIZE, &span));
  use(&span);
}
static void purge_excess(void) { mia_arena_purge_excess(1, 0, &(mia_budget)MIA_BUDGET_ALL); }
static void find_page(void) { race_check(mia_api_page_around(&held) == NULL); }
static void purge_due(void) { mia_arena_purge_due(1, 1, &(mia_budget)MIA_BUDGET_ALL); }
static void ask_region(void) { race_check(!mia_is_in_heap_region(&held)); }
static void print_arenas(void) { mia_arenas_print(NULL, NULL); }
static bool count_area(mia_heap *heap, const mia_area *area, void *block, size_t size, void *arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  return true;
}
static void visit(void) {
  race_check(mia_alloc_heap_visit(mia_theap_main_heap(), false, count_area, NULL));
}
static void walk_statistics(void) {
  mia_stats stats;
  stats.size = sizeof stats;
  (void)mia_stats_get(&stats);
}

/* The page map, which walks over all slices read, is left out. */
static void begin_publish(void) {
  begin_two_slices();
  race_ignore(&mia_map_pages, sizeof mia_map_pages);
  while (mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &held[0])) {}
  mia_aword_set(&mia_arena_all.idle, MIA_MIB);
}

#define PUBLISH(id, label, reader)                                          \
  static const race_model id = {.name = "arena/publish-" label,             \
                                .subject = "a new arena is seen by " label, \
                                .begin = begin_publish,                     \
                                .threads = {make_arena, reader}}
PUBLISH(publish_take, "take", take_any);
PUBLISH(publish_excess, "excess", purge_excess);
PUBLISH(publish_find, "find", find_page);
PUBLISH(publish_purge, "purge", purge_now);
PUBLISH(publish_purge_due, "purge-due", purge_due);
PUBLISH(publish_region, "region", ask_region);
PUBLISH(publish_print, "print", print_arenas);
PUBLISH(publish_visit, "visit", visit);
PUBLISH(publish_statistics, "statistics", walk_statistics);

/* ---- unloading an exclusive arena ---- */

static mia_arena *exclusive_arena;

static bool reserve_exclusive(void) {
  exclusive_arena = mia_arena_reserve_os(
      &(mia_arena_request){.size = MIA_SLICE_SIZE, .exclusive = true});
  return exclusive_arena != NULL;
}
static void begin_unload(void) {
  begin_publish();
  if (!reserve_exclusive()) race_fail("no arena");
}
static void unload(void) { race_check(mia_arena_try_unload(exclusive_arena)); }
static void replace(void) {
  unload();
  race_check(reserve_exclusive());
}
static const race_model unload_searched = {
    .name = "arena/unload",
    .subject = "an arena is unloaded while two threads search it",
    .begin = begin_unload,
    .threads = {unload, ask_region, ask_region}};
static const race_model unload_replaced = {
    .name = "arena/replace",
    .subject = "an arena is unloaded and another takes its place",
    .begin = begin_unload,
    .threads = {replace, ask_region}};

/* The unloading thread gives up after a while if another thread searches the arena, which then is
 * as it was before.  The second arena is in a slot of the list that was used before, so that the
 * number of arenas does not show whether it is there. */
static void begin_timeout(void) {
  begin_unload();
  stage_tick = 1000;
}
static bool unloaded;
static void replace_and_unload(void) {
  unloaded = mia_arena_try_unload(exclusive_arena);
  if (!unloaded) return;
  race_check(reserve_exclusive());
  unloaded = mia_arena_try_unload(exclusive_arena);
}
static void check_usable(void) {
  mia_span span;
  if (!unloaded) race_check(mia_arena_take_in(exclusive_arena, 1, MIA_SLICE_SIZE, &span));
}
static const race_model unload_in_vain = {
    .name = "arena/unload-in-vain",
    .subject = "an arena that was not unloaded is usable again",
    .begin = begin_timeout,
    .threads = {replace_and_unload, ask_region},
    .end = check_usable};

/* The last access of a heap to its arena reports that the heap ends. */
static mia_heap *heap;
static void begin_unload_heap(void) {
  begin_unload();
  heap = mia_theap_heap_new(exclusive_arena);
  if (heap == NULL) race_fail("no heap");
}
/* Asks for a slice with an alignment that none has, and so takes nothing. */
static void use_heap(void) {
  mia_span span;
  stage_set_self(0);
  race_check(!mia_arena_take_in(heap->arena, 1, MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT, &span));
  mia_theap_heap_delete(stage_theaps[0], heap, mia_theap_main_heap());
}
static void try_to_unload(void) { (void)mia_arena_try_unload(exclusive_arena); }
static const race_model unload_heap = {.name = "arena/unload-heap",
                                       .subject = "an arena is unloaded when its heap has ended",
                                       .begin = begin_unload_heap,
                                       .threads = {use_heap, try_to_unload}};

/* ---- the tier ---- */

static const char *const checked[] = {"MIALLOC_SECURE=1", NULL};

static void begin_undecided(void) {
  stage_begin();
  stage_environment = checked;
  mia_arena_all.tier = (mia_arena_tier){0};
}
/* Once it has decided, a thread may allocate, and must then see the tier and its secret. */
static void decide(void) {
  mia_arena_decide_tier();
  race_check(mia_tier_is_checked());
  for (size_t i = 0; i < MIA_TIER_SECRETS; i++) race_check(mia_tier_secret(i) != 0);
}
static void end_decided(void) {
  stage_environment = NULL;
  mia_aword_set(&mia_arena_all.tier.level, 0);
}
static const race_model decide_tier = {.name = "arena/decide-tier",
                                       .subject = "two threads decide the tier",
                                       .begin = begin_undecided,
                                       .threads = {decide, decide},
                                       .end = end_decided};

const race_model *const race_models_arena[] = {&purge,
                                               &purge_run,
                                               &purge_due_slices,
                                               &purge_again,
                                               &take_slices,
                                               &publish_take,
                                               &publish_excess,
                                               &publish_find,
                                               &publish_purge,
                                               &publish_purge_due,
                                               &runs,
                                               &publish_region,
                                               &publish_print,
                                               &publish_visit,
                                               &publish_statistics,
                                               &unload_searched,
                                               &unload_replaced,
                                               &unload_in_vain,
                                               &unload_heap,
                                               &runs_vague,
                                               &runs_tall,
                                               &decide_tier,
                                               NULL};
