/* SPDX-License-Identifier: MIT */
/* live.c -- models of remote frees without lists: page/live.h. */
#include "base/prelude.h"

#include "models.h"
#include "page/live.h"
#include "stage.h"

enum { LIVE = 3 };

static mia_arena arena;
static mia_record record;
static mia_page page;
static struct block { alignas(MIA_BLOCK_ALIGN) uintptr_t content[2]; } blocks[LIVE];
static unsigned taken, retired;

/* A page with LIVE blocks, all of them live and claimed by the first thread. */
static void begin(void) {
  stage_begin();
  arena = (mia_arena){.start = (char *)blocks, .slices = 1, .records = &record};
  page = (mia_page){.start = (char *)blocks,
                    .size = MIA_BLOCK_ALIGN,
                    .size_class = (uint8_t)mia_class_of(MIA_BLOCK_ALIGN),
                    .arena = &arena,
                    .total = LIVE,
                    .capacity = LIVE,
                    .used = LIVE};
  mia_acell_set(&record.live[0], ((mia_bits)1 << LIVE) - 1);
  mia_acell_set(&record.freed[0], 0);
  mia_acell_set(&record.held[0], 0);
  mia_owner_begin_claimed(&page);
}

static void use_block(size_t i) { blocks[i].content[0]++; }

/* From here on the descriptor and the record may belong to another page. */
static void retire(void) {
  race_check(page.used == 0 && mia_acell_get(&record.live[0]) == 0 &&
             mia_acell_get(&record.freed[0]) == 0);
  retired++;
  race_memset(&page, 0, sizeof page);
}

static bool free_remote(uint32_t i) {
  use_block(i);
  return mia_page_free_live_remote(&page, i);
}

/* ---- the last blocks of a page are freed while its owner allocates and abandons it ---- */

static void retire_if(bool has_claimed) {
  if (!has_claimed) return;
  mia_page_collect_live(&page);
  retire();
}

/* Takes a block that another thread has freed, if there is one, and frees it. */
static void use_and_abandon(void) {
  mia_page_collect_live(&page);
  if (page.used < page.capacity) {
    char *p = mia_live_take(&page);
    uint32_t i = mia_live_index(&page, p);
    use_block(i);
    taken++;
    mia_live_free(&page, &record, i);
  }
  while (page.used > 0)
    if (mia_owner_abandon(&page, page.used))
      return;
    else
      mia_page_collect_live(&page);
  retire();
}
static void free_0(void) { retire_if(free_remote(0)); }
static void free_1(void) { retire_if(free_remote(1)); }
static void begin_two(void) {
  begin();
  page.used = 2;
  page.capacity = 2;
  mia_acell_set(&record.live[0], 3);
}
static void life_end(void) { race_check(retired == 1); }
static const race_model life = {
    .name = "live/life",
    .subject = "a page without lists is used and abandoned while its last two blocks are freed",
    .begin = begin_two,
    .threads = {use_and_abandon, free_0, free_1},
    .end = life_end,
    .spurious = 1};

/* ---- a block is freed, taken again and freed by a third thread ---- */

static mia_aword handed;

static void take_and_hand_on(void) {
  mia_page_collect_live(&page);
  if (page.used >= page.capacity) return;
  char *p = mia_live_take(&page);
  use_block(mia_live_index(&page, p));
  mia_aword_set_rel(&handed, (uintptr_t)p);
}
static void free_handed(void) {
  uintptr_t p = mia_aword_get_acq(&handed);
  if (p != 0) race_check(!free_remote(mia_live_index(&page, (void *)p)));
}
static void free_two(void) {
  race_check(!free_remote(0));
  race_check(!free_remote(2));
}
static void hand_on_end(void) {
  mia_page_collect_live(&page);
  uint32_t live = 0;
  for (uint32_t i = 0; i < LIVE; i++) live += mia_live_is(&record, i);
  race_check(page.used == live && live <= 2);
}
static const race_model hand_on = {
    .name = "live/hand-on",
    .subject = "a block is freed remotely, taken again and freed by a third thread",
    .begin = begin,
    .threads = {take_and_hand_on, free_two, free_handed},
    .end = hand_on_end,
    .spurious = 1};

/* ---- likewise, in tiers from 2 on: a block leaves a quarantine ---- */

static void begin_held(void) {
  begin();
  mia_aword_set(&mia_arena_all.tier.level, MIA_TIER_HARDENED);
}
static void end_held(void) {
  hand_on_end();
  race_check(mia_acell_get(&record.held[0]) == 0);
  mia_aword_set(&mia_arena_all.tier.level, 0);
}
static void free_held(uint32_t i) {
  race_check(mia_live_is(&record, i));
  race_check(mia_live_hold(&record, i));
  race_check(!free_remote(i));
}
/* The first free lets the owner collect, and the block of the second is the first one that it takes. */
static void free_two_held(void) {
  free_held(2);
  free_held(0);
}
static void free_handed_held(void) {
  uintptr_t p = mia_aword_get_acq(&handed);
  if (p != 0) free_held(mia_live_index(&page, (void *)p));
}
static const race_model held_on = {
    .name = "live/held",
    .subject = "a block leaves a quarantine, is taken again and freed by a third thread",
    .begin = begin_held,
    .threads = {take_and_hand_on, free_two_held, free_handed_held},
    .end = end_held,
    .spurious = 1};

const race_model *const race_models_live[] = {&life, &hand_on, &held_on, NULL};
