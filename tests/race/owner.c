/* SPDX-License-Identifier: MIT */
/* owner.c -- models of the ownership word: page/owner.h alone. */
#include "base/prelude.h"

#include "models.h"
#include "page/owner.h"
#include "stage.h"

enum { BLOCKS = 4 };

static mia_page page;
static struct block {
  alignas(MIA_BLOCK_ALIGN) mia_block link;
  uintptr_t content;
} blocks[BLOCKS];
static unsigned collected, retired;

static void set_page(uint32_t live) {
  page.start = (char *)blocks;
  page.total = (uint16_t)live;
  page.used = page.capacity = live;
}

static void begin_claimed(void) {
  stage_begin();
  set_page(BLOCKS);
  mia_owner_begin_claimed(&page);
}

static void use_block(struct block *b) { b->content++; }

static bool push(unsigned i) {
  use_block(&blocks[i]);
  return mia_owner_push(&page, &blocks[i].link, &blocks[i].link, 1);
}

/* As a free on the fast path does, which leaves the claim to the slow one. */
static bool push_one_first(unsigned i) {
  use_block(&blocks[i]);
  if (mia_owner_push_one(&page, &blocks[i].link)) return false;
  return mia_owner_push(&page, &blocks[i].link, &blocks[i].link, 1);
}

/* The thread that has the page uses the blocks that it collects. */
static uint32_t collect(void) {
  uint32_t count, walked = 0;
  for (mia_block *b = mia_owner_collect(&page, &count); b != NULL; b = b->next) {
    use_block((struct block *)(void *)b);
    walked++;
  }
  race_check(walked == count);
  page.used -= count;
  collected += count;
  return count;
}

/* From here on the descriptor may belong to another page. */
static void retire(void) {
  retired++;
  race_memset(&page, 0, sizeof page);
}

/* ---- remote frees into a claimed page ---- */

static void push_two(void) {
  race_check(!push(0));
  race_check(!push(1));
}
static void push_chain(void) {
  use_block(&blocks[2]);
  use_block(&blocks[3]);
  blocks[2].link.next = &blocks[3].link;
  race_check(!mia_owner_push(&page, &blocks[2].link, &blocks[3].link, 2));
}
static void collect_twice(void) {
  if (mia_owner_has_remote(&page)) (void)collect();
  (void)collect();
}
static void chain_end(void) {
  (void)collect();
  race_check(collected == BLOCKS && page.used == 0);
}
static const race_model chain = {
    .name = "owner/chain",
    .subject = "two threads free into a page, its owner collects twice",
    .begin = begin_claimed,
    .threads = {collect_twice, push_two, push_chain},
    .end = chain_end,
    .spurious = 1};

/* ---- the life of the word: abandoned, counted down by pushes, claimed by the last push ---- */

static void abandon_or_retire(void) {
  while (page.used > 0)
    if (mia_owner_abandon(&page, page.used))
      return;
    else
      (void)collect();
  retire();
}
static void use_and_abandon(void) {
  use_block(&blocks[3]);
  page.capacity++;
  abandon_or_retire();
}
static void retire_if(bool has_claimed) {
  if (!has_claimed) return;
  page.capacity++;
  (void)collect();
  race_check(page.used == 0);
  retire();
}
static void push_0(void) { retire_if(push(0)); }
static void push_1(void) { retire_if(push(1)); }
static void begin_two(void) {
  begin_claimed();
  page.used = 2;
}
static void life_end(void) { race_check(retired == 1 && collected == 2); }
static const race_model life = {
    .name = "owner/life",
    .subject = "a page is abandoned while its last two blocks are freed",
    .begin = begin_two,
    .threads = {use_and_abandon, push_0, push_1},
    .end = life_end,
    .spurious = 1};

static void push_both(void) {
  push_0();
  push_1();
}
static void push_third(void) { retire_if(push_one_first(2)); }
static void begin_three(void) {
  begin_claimed();
  page.used = 3;
}
static void life_3_end(void) { race_check(retired == 1 && collected == 3); }
static const race_model life_3 = {
    .name = "owner/life-3",
    .subject = "a page is abandoned while its last three blocks are freed",
    .begin = begin_three,
    .threads = {use_and_abandon, push_both, push_third},
    .end = life_3_end,
    .spurious = 1};

/* ---- claiming an abandoned page ---- */

/* Collects and abandons the page until one more block is free. */
static void use_claimed_page(void) {
  page.capacity++;
  for (;;) {
    (void)collect();
    if (mia_owner_abandon(&page, 1)) return;
  }
}
static void claim_twice(void) {
  for (int i = 0; i < 2; i++)
    if (mia_owner_claim(&page)) use_claimed_page();
}
static void free_0(void) {
  if (push(0)) use_claimed_page();
}
static void free_1(void) {
  if (push(1)) use_claimed_page();
}
static void begin_abandoned(void) {
  stage_begin();
  set_page(BLOCKS);
  mia_owner_begin_full(&page, 1);
}
static void claim_end(void) {
  race_check(mia_owner_claim(&page));
  (void)collect();
  race_check(collected == 2 && page.used == BLOCKS - 2);
}
static const race_model claims = {.name = "owner/claim",
                                  .subject = "an abandoned page is claimed while blocks are freed",
                                  .begin = begin_abandoned,
                                  .threads = {claim_twice, free_0, free_1},
                                  .end = claim_end};

/* ---- a singleton page is handed to another thread, which frees its block ---- */

static mia_aword published;

static void make_and_publish(void) {
  set_page(1);
  mia_owner_begin_full(&page, 1);
  use_block(&blocks[0]);
  mia_aword_set_rel(&published, (uintptr_t)&page);
}
static void free_published(void) {
  if (mia_aword_get_acq(&published) == 0) return;
  use_block(&blocks[0]);
  race_check(mia_owner_free_singleton(&page) == MIA_SINGLETON_CLAIMED);
  page.used = 0;
  retire();
}
static const race_model singleton = {
    .name = "owner/singleton",
    .subject = "a singleton page is handed to a thread that frees its block",
    .begin = stage_begin,
    .threads = {make_and_publish, free_published}};

const race_model *const race_models_owner[] = {&chain, &life, &life_3, &claims, &singleton, NULL};
