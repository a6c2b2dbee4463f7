/* map.c -- models of the bitmap and of the page map. */
#include "base/prelude.h"

#include "map/bitmap.h"
#include "map/pagemap.h"
#include "models.h"
#include "stage.h"

/* ---- bitmap: what a set bit stands for goes from hand to hand ---- */

enum { FIRST = (int)MIA_CELL_BITS - 1 }; /* a run of two lies in two cells */

static mia_acell cells[2];
static uintptr_t things[2 * sizeof(mia_bits) * CHAR_BIT];

static void begin_bits(size_t count) {
  stage_begin();
  mia_map_give(cells, FIRST, count);
}
static void begin_two(void) { begin_bits(2); }
static void begin_three(void) { begin_bits(3); }

static void use(size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) things[first + i]++;
}

static void have(size_t first, size_t count) {
  if (!mia_map_claim(cells, first, count)) return;
  use(first, count);
  mia_map_give(cells, first, count);
}
static void have_both(void) { have(FIRST, 2); }
static void have_first(void) { have(FIRST, 1); }
static void have_second(void) { have(FIRST + 1, 1); }
static void find_one(void) {
  size_t i = mia_map_find(cells, FIRST, FIRST + 3, 1, 1, 0);
  if (i != MIA_MAP_NONE) have(i, 1);
}
static void have_either(void) {
  have_second();
  have_first();
}
static void find_twice(void) {
  find_one();
  find_one();
}
static void all_two(void) { race_check(mia_map_all(cells, FIRST, 2)); }
static void all_three(void) { race_check(mia_map_all(cells, FIRST, 3)); }

static const race_model runs = {.name = "bitmap/run",
                                .subject = "a run over two cells against its halves",
                                .begin = begin_two,
                                .threads = {have_both, have_either, have_either},
                                .end = all_two};
static const race_model finds = {.name = "bitmap/find",
                                 .subject = "three threads search for bits and take them",
                                 .begin = begin_three,
                                 .threads = {find_twice, find_one, find_one},
                                 .end = all_three};

/* ---- page map ---- */

#if MIA_POINTER_64

/* Slices whose entries are the first words of the leaf's slices: what is fresh
 * there is watched. */
#define GIB4 ((uintptr_t)1 << 32)
#define STEP (MIA_SLICE_SIZE / sizeof(mia_aword) * MIA_SLICE_SIZE)

static char pages[RACE_THREADS];
static mia_aword given;

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
  mia_aword_set_rel(&given, (uintptr_t)slice(i));
  race_check(mia_map_page_at(slice(i)) == &pages[i]);
}
static void find_given(void) {
  void *p = (void *)mia_aword_get_acq(&given);
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
                                 .threads = {map_one, map_one, find_given},
                                 .end = map_end};
static const race_model cover_3 = {.name = "pagemap/cover-3",
                                   .subject = "three threads make the same leaf",
                                   .begin = begin_leaf,
                                   .threads = {map_one, map_one, map_one},
                                   .end = map_3_end};
static const race_model cover_first = {.name = "pagemap/static-leaf",
                                       .subject = "the same with the leaf that is there already",
                                       .begin = begin_static_leaf,
                                       .threads = {map_one, map_one, find_given},
                                       .end = map_end};

/* A page goes and another comes, while somebody asks about an address that is
 * none of his. */
static void renew(void) {
  mia_map_set_page(slice(0), 1, NULL);
  mia_map_set_page(slice(0), 1, &pages[1]);
}
static void ask(void) {
  const void *page = mia_map_page_at(slice(0));
  race_check(page == NULL || page == &pages[0] || page == &pages[1]);
}
static void begin_mapped(void) {
  stage_begin();
  if (!mia_map_cover(slice(0), MIA_SLICE_SIZE)) race_fail("no leaf");
  mia_map_set_page(slice(0), 1, &pages[0]);
}
static const race_model renewing = {.name = "pagemap/renew",
                                    .subject = "an address is looked up that is not the caller's",
                                    .begin = begin_mapped,
                                    .threads = {renew, ask, ask}};

const race_model *const race_models_map[] = {&runs,        &finds,    &cover, &cover_3,
                                             &cover_first, &renewing, NULL};

#else

const race_model *const race_models_map[] = {&runs, &finds, NULL};

#endif
