/* arena.c -- models of arenas: spans from hand to hand, purging, publication. */
#include "base/prelude.h"

#include "alloc/heap.h"
#include "api/entry.h"
#include "api/world.h"
#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/purge.h"
#include "arena/reserve.h"
#include "arena/runs.h"
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

/* The first arena is one cell of slices, and full but for two, which were used
 * before. */
static void begin_scarce(void) {
  mia_span span;
  stage_begin_locals();
  arena->slices = MIA_CELL_BITS;
  for (unsigned i = 0; i < FREE; i++)
    if (!mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &held[i])) race_fail("no slices");
  while (mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &span)) {}
  for (unsigned i = 0; i < FREE; i++) mia_arena_give(arena, held[i].start, 1, MIA_SLICE_SIZE);
  for (unsigned i = 0; i < FREE; i++) *(uintptr_t *)(void *)held[i].start = 1;
}

/* Without what says where to search, which has models of its own. */
static void ignore_runs(void) {
  race_ignore(arena->runs[0], sizeof *arena->runs[0]);
  race_ignore(arena->root, sizeof *arena->root);
  race_ignore(&arena->top, sizeof arena->top);
  race_ignore(&arena->gives, sizeof arena->gives);
}

/* Without what is advice only: where to search, whether to visit. */
static void begin_spans(void) {
  begin_scarce();
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
static void one_slice(void) { take_and_give(1); }
static void two_slices(void) { take_and_give(2); }
static void purge_now(void) { (void)mia_arena_purge_now(); }
static void purge_later(void) {
  mia_arena_purge_due(1, 1, &(mia_budget)MIA_BUDGET_ALL);
  mia_arena_purge_due(2, 1, &(mia_budget)MIA_BUDGET_ALL);
  mia_arena_purge_due(3, 1, &(mia_budget)MIA_BUDGET_ALL);
}

/* Whatever happened: all is there, and what is said to be zero is. */
static void all_free(void) {
  mia_span span;
  race_check(mia_arena_take_in(arena, 2, MIA_SLICE_SIZE, &span));
  const char *second = span.start + MIA_SLICE_SIZE;
  if (span.zero) race_check(*(uintptr_t *)(void *)span.start == 0 && *second == 0);
}

static const race_model purging = {.name = "arena/purge",
                                   .subject = "spans are taken and given while all is purged",
                                   .begin = begin_spans,
                                   .threads = {one_slice, purge_now, one_slice},
                                   .end = all_free,
                                   .longer = true};
static const race_model purging_two = {.name = "arena/purge-run",
                                       .subject = "a span of two slices against the purger",
                                       .begin = begin_spans,
                                       .threads = {two_slices, purge_now},
                                       .end = all_free};
static const race_model aging = {.name = "arena/purge-due",
                                 .subject = "what is cold is purged, while a span is used",
                                 .begin = begin_spans,
                                 .threads = {one_slice, purge_later, purge_later},
                                 .end = all_free,
                                 .longer = true};
/* All slices are held, none is idle, but elsewhere, so that the purger comes; where to
 * search is advice only. */
static void begin_held(void) {
  begin_scarce();
  (void)mia_arena_purge_now();
  mia_aword_set(&mia_arena_all.idle, MIA_SLICE_SIZE);
  for (unsigned i = 0; i < FREE; i++)
    if (!mia_arena_take_in(arena, 1, MIA_SLICE_SIZE, &held[i])) race_fail("no slices");
  ignore_runs();
}
static void give_held(unsigned i) { mia_arena_give(arena, held[i].start, 1, MIA_SLICE_SIZE); }
static void give_first(void) { give_held(0); }
static void give_second(void) { give_held(1); }

/* The purger comes again to what it has not taken. */
static void none_forgotten(void) {
  bool idle = (mia_acell_get(&arena->free[0]) & mia_acell_get(&arena->dirty[0])) != 0;
  race_check(!idle || mia_aword_get(&arena->stale) != 0);
}

static const race_model forgetting = {.name = "arena/purge-again",
                                      .subject = "what is given during a visit is visited again",
                                      .begin = begin_held,
                                      .threads = {give_first, give_second, purge_later},
                                      .end = none_forgotten};
/* No slice is free, and the words of runs say so or say too much.  The two that come
 * lie on either side of a border between cells. */
static void begin_full(void) {
  mia_span span;
  stage_begin_locals();
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

/* R1: what was given is found, whatever was lowered meanwhile. */
static void found_again(void) {
  mia_span span;
  race_check(found || mia_arena_take_in(arena, 2, MIA_SLICE_SIZE, &span));
}

static const race_model searching = {.name = "arena/runs",
                                     .subject = "what is given during a search in vain is found",
                                     .begin = begin_full,
                                     .threads = {give_first, give_second, search_two},
                                     .end = found_again};
/* The root says too much from the beginning, so that the region's word is what orders. */
static void begin_vague(void) {
  begin_full();
  mia_aword_set(arena->root, 2);
}
static const race_model searching_vague = {.name = "arena/runs-vague",
                                           .subject = "the same where the root says nothing",
                                           .begin = begin_vague,
                                           .threads = {give_first, give_second, search_two},
                                           .end = found_again};

/* An arena with words above those of its regions: all that is below the second of
 * these is a region of one cell. */
enum { REGIONS_BEFORE = 64, LAST_REGION = REGIONS_BEFORE * MIA_REGION_SLICES };
static mia_arena tall;
static mia_acell tall_free[LAST_REGION / MIA_CELL_BITS + 1];
static mia_aword tall_words[2 * REGIONS_BEFORE];

static void begin_tall(void) {
  stage_begin();
  tall.slices = LAST_REGION + MIA_CELL_BITS;
  tall.free = tall_free;
  tall.root = &tall.own_root;
  if (mia_arena_run_words(tall.slices) > sizeof tall_words / sizeof tall_words[0])
    race_fail("no words");
  mia_arena_begin_runs(&tall, tall_words);
}
static void give_last(void) { mia_arena_free_again(&tall, LAST_REGION, 1); }
static void search_tall(void) { (void)mia_arena_next_run(&tall, 0, 1); }
static void last_is_found(void) { race_check(mia_arena_next_run(&tall, 0, 1) == REGIONS_BEFORE); }
static const race_model searching_tall = {.name = "arena/runs-tall",
                                          .subject = "a search lowers what others raise above",
                                          .begin = begin_tall,
                                          .threads = {give_last, search_tall},
                                          .end = last_is_found};
static const race_model taking = {.name = "arena/take",
                                  .subject = "two slices for three threads",
                                  .begin = begin_spans,
                                  .threads = {one_slice, one_slice, two_slices},
                                  .end = all_free,
                                  .longer = true};

/* ---- a new arena comes to be known ---- */

static void make_arena(void) {
  race_check(mia_arena_reserve_os(&(mia_arena_wish){.size = MIA_SLICE_SIZE}) != NULL);
}

/* Makes an arena if it does not know of the other. */
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
static void census(void) {
  mia_stats stats;
  stats.size = sizeof stats;
  (void)mia_stats_get(&stats);
}

/* Who looks at every slice asks the page map: not of interest here. */
static void begin_publish(void) {
  begin_scarce();
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
PUBLISH(publish_census, "census", census);

/* ---- an exclusive arena goes ---- */

static mia_arena *mine;

static bool reserve_mine(void) {
  mine = mia_arena_reserve_os(&(mia_arena_wish){.size = MIA_SLICE_SIZE, .exclusive = true});
  return mine != NULL;
}
static void begin_unload(void) {
  begin_publish();
  if (!reserve_mine()) race_fail("no arena");
}
static void unload(void) { race_check(mia_arena_take_down(mine)); }
static void replace(void) {
  unload();
  race_check(reserve_mine());
}
static const race_model unloading = {.name = "arena/unload",
                                     .subject = "an arena is unloaded while two threads look",
                                     .begin = begin_unload,
                                     .threads = {unload, ask_region, ask_region}};
static const race_model replacing = {.name = "arena/replace",
                                     .subject = "and another comes in its place",
                                     .begin = begin_unload,
                                     .threads = {replace, ask_region}};

/* Who unloads loses patience while another looks, and the arena is as it was: the
 * one in a place that was used before, which the count says nothing of. */
static void begin_impatient(void) {
  begin_unload();
  stage_tick = 1000;
}
static bool unloaded;
static void replace_and_unload(void) {
  unloaded = mia_arena_take_down(mine);
  if (!unloaded) return;
  race_check(reserve_mine());
  unloaded = mia_arena_take_down(mine);
}
static void mine_is_whole(void) {
  mia_span span;
  if (!unloaded) race_check(mia_arena_take_in(mine, 1, MIA_SLICE_SIZE, &span));
}
static const race_model impatient = {.name = "arena/unload-in-vain",
                                     .subject = "an arena is back where it was not unloaded",
                                     .begin = begin_impatient,
                                     .threads = {replace_and_unload, ask_region},
                                     .end = mine_is_whole};

/* The last that a heap does with its arena is to say that it ends. */
static mia_heap *heap;
static void begin_unload_heap(void) {
  begin_unload();
  heap = mia_theap_heap_new(mine);
  if (heap == NULL) race_fail("no heap");
}
/* Looks for a slice where none lies right, and so takes nothing. */
static void use_heap(void) {
  mia_span span;
  stage_be(0);
  race_check(!mia_arena_take_in(heap->arena, 1, MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT, &span));
  mia_theap_heap_delete(stage_locals[0], heap, mia_theap_main_heap());
}
static void try_to_unload(void) { (void)mia_arena_take_down(mine); }
static const race_model unloading_heap = {.name = "arena/unload-heap",
                                          .subject = "an arena is unloaded when its heap has ended",
                                          .begin = begin_unload_heap,
                                          .threads = {use_heap, try_to_unload}};

const race_model *const race_models_arena[] = {&purging,        &purging_two,
                                               &aging,          &forgetting,
                                               &taking,         &publish_take,
                                               &publish_excess, &publish_find,
                                               &publish_purge,  &publish_purge_due,
                                               &searching,      &publish_region,
                                               &publish_print,  &publish_visit,
                                               &publish_census, &unloading,
                                               &replacing,      &impatient,
                                               &unloading_heap, &searching_vague,
                                               &searching_tall, NULL};
