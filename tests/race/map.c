/* SPDX-License-Identifier: MIT */
/* map.c -- models of the bitmap and of the page map. */
#include "base/prelude.h"

#include "map/bitmap.h"
#include "map/pagemap.h"
#include "models.h"
#include "stage.h"

/* ---- bitmap: the thread that claims a bit owns what it stands for ---- */

enum { FIRST = (int)MIA_CELL_BITS - 1 }; /* a run of two lies in two cells */

static mia_acell cells[2];
static uintptr_t guarded[2 * sizeof(mia_bits) * CHAR_BIT];

static void begin_bits(size_t count) {
  stage_begin();
  mia_map_give(cells, FIRST, count);
}
static void begin_two(void) { begin_bits(2); }
static void begin_three(void) { begin_bits(3); }

static void use(size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) guarded[first + i]++;
}

static void claim_and_give(size_t first, size_t count) {
  if (!mia_map_claim(cells, first, count)) return;
  use(first, count);
  mia_map_give(cells, first, count);
}
static void claim_both(void) { claim_and_give(FIRST, 2); }
static void claim_first(void) { claim_and_give(FIRST, 1); }
static void claim_second(void) { claim_and_give(FIRST + 1, 1); }
static void find_one(void) {
  size_t i = mia_map_find(cells, FIRST, FIRST + 3, 1, 1, 0);
  if (i != MIA_MAP_NONE) claim_and_give(i, 1);
}
static void claim_second_then_first(void) {
  claim_second();
  claim_first();
}
static void find_twice(void) {
  find_one();
  find_one();
}
static void check_two(void) { race_check(mia_map_all(cells, FIRST, 2)); }
static void check_three(void) { race_check(mia_map_all(cells, FIRST, 3)); }

static const race_model runs = {
    .name = "bitmap/run",
    .subject = "threads claim a run over two cells, and its halves",
    .begin = begin_two,
    .threads = {claim_both, claim_second_then_first, claim_second_then_first},
    .end = check_two};
static const race_model finds = {.name = "bitmap/find",
                                 .subject = "three threads search for bits and claim them",
                                 .begin = begin_three,
                                 .threads = {find_twice, find_one, find_one},
                                 .end = check_three};

/* ---- page map ---- */

#if MIA_POINTER_64

/* Addresses whose entries are the first words of the slices of a leaf, which is where the checker
 * watches that new memory is zero (os.c). */
#define GIB4 ((uintptr_t)1 << 32)
#define STEP (MIA_SLICE_SIZE / sizeof(mia_aword) * MIA_SLICE_SIZE)

static char pages[RACE_THREADS];
static mia_aword published;

static void *slice(unsigned i) { return (void *)(GIB4 + i * STEP); }

static void begin_static_leaf(void) { stage_begin(); }
static void begin_leaf(void) {
  stage_begin();
  mia_aword_set(&mia_map_pages.first_taken, 1);
}

static void map_one(void) {
  unsigned i = race_self();
  race_check(mia_map_cover(slice(i), MIA_SLICE_SIZE));
  mia_map_set_page(slice(i), 1, &pages[i]);
  mia_aword_set_rel(&published, (uintptr_t)slice(i));
  race_check(mia_map_page_at(slice(i)) == &pages[i]);
}
static void find_published(void) {
  void *p = (void *)mia_aword_get_acq(&published);
  if (p == NULL) return;
  race_check(mia_map_page_at(p) == &pages[p == slice(0) ? 0 : 1]);
}
static void map_end(void) {
  for (unsigned i = 0; i < 2; i++) race_check(mia_map_page_at(slice(i)) == &pages[i]);
}
static void map_3_end(void) {
  map_end();
  race_check(mia_map_page_at(slice(2)) == &pages[2]);
}

static const race_model cover = {.name = "pagemap/cover",
                                 .subject = "two threads make the same leaf, one finds a page",
                                 .begin = begin_leaf,
                                 .threads = {map_one, map_one, find_published},
                                 .end = map_end};
static const race_model cover_3 = {.name = "pagemap/cover-3",
                                   .subject = "three threads make the same leaf",
                                   .begin = begin_leaf,
                                   .threads = {map_one, map_one, map_one},
                                   .end = map_3_end};
static const race_model cover_first = {
    .name = "pagemap/static-leaf",
    .subject = "two threads use the static leaf, one finds a page",
    .begin = begin_static_leaf,
    .threads = {map_one, map_one, find_published},
    .end = map_end};

/* A page is replaced while other threads look up an address that they do not own. */
static void renew(void) {
  mia_map_set_page(slice(0), 1, NULL);
  mia_map_set_page(slice(0), 1, &pages[1]);
}
static void look_up(void) {
  const void *page = mia_map_page_at(slice(0));
  race_check(page == NULL || page == &pages[0] || page == &pages[1]);
}
static void begin_mapped(void) {
  stage_begin();
  if (!mia_map_cover(slice(0), MIA_SLICE_SIZE)) race_fail("no leaf");
  mia_map_set_page(slice(0), 1, &pages[0]);
}
static const race_model renewing = {
    .name = "pagemap/renew",
    .subject = "an address is looked up that the caller does not own",
    .begin = begin_mapped,
    .threads = {renew, look_up, look_up}};

const race_model *const race_models_map[] = {&runs,        &finds,    &cover, &cover_3,
                                             &cover_first, &renewing, NULL};

#else

const race_model *const race_models_map[] = {&runs, &finds, NULL};

#endif
