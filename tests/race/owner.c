/* owner.c -- models of the ownership word: page/owner.h by itself. */
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
static unsigned gathered, ended;

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

static void use(struct block *b) { b->content++; }

static bool push(unsigned i) {
  use(&blocks[i]);
  return mia_owner_push(&page, &blocks[i].link, &blocks[i].link, 1);
}

/* Who has the page uses the blocks that came home. */
static uint32_t gather(void) {
  uint32_t count, walked = 0;
  for (mia_block *b = mia_owner_collect(&page, &count); b != NULL; b = b->next) {
    use((struct block *)(void *)b);
    walked++;
  }
  race_check(walked == count);
  page.used -= count;
  gathered += count;
  return count;
}

/* The descriptor is somebody else's from here on. */
static void retire(void) {
  ended++;
  race_memset(&page, 0, sizeof page);
}

/* ---- blocks come home to a page that somebody has ---- */

static void push_two(void) {
  race_check(!push(0));
  race_check(!push(1));
}
static void push_chain(void) {
  use(&blocks[2]);
  use(&blocks[3]);
  blocks[2].link.next = &blocks[3].link;
  race_check(!mia_owner_push(&page, &blocks[2].link, &blocks[3].link, 2));
}
static void gather_twice(void) {
  if (mia_owner_has_remote(&page)) (void)gather();
  (void)gather();
}
static void chain_end(void) {
  (void)gather();
  race_check(gathered == BLOCKS && page.used == 0);
}
static const race_model chain = {.name = "owner/chain",
                                 .subject = "two threads free into a page, its owner gathers twice",
                                 .begin = begin_claimed,
                                 .threads = {gather_twice, push_two, push_chain},
                                 .end = chain_end,
                                 .spurious = 1};

/* ---- the life of the word: dropped, freed into, due, claimed by a push ---- */

static void let_go(void) {
  while (page.used > 0)
    if (mia_owner_abandon(&page, page.used))
      return;
    else
      (void)gather();
  retire();
}
static void drop_all(void) {
  use(&blocks[3]);
  page.capacity++;
  let_go();
}
static void push_last(unsigned i) {
  if (!push(i)) return;
  page.capacity++;
  (void)gather();
  race_check(page.used == 0);
  retire();
}
static void push_0(void) { push_last(0); }
static void push_1(void) { push_last(1); }
static void begin_two(void) {
  begin_claimed();
  page.used = 2;
}
static void life_end(void) { race_check(ended == 1 && gathered == 2); }
static const race_model life = {.name = "owner/life",
                                .subject = "a page is dropped while its last two blocks are freed",
                                .begin = begin_two,
                                .threads = {drop_all, push_0, push_1},
                                .end = life_end,
                                .spurious = 1};

static void push_both(void) {
  push_last(0);
  push_last(1);
}
static void push_third(void) { push_last(2); }
static void begin_three(void) {
  begin_claimed();
  page.used = 3;
}
static void life_3_end(void) { race_check(ended == 1 && gathered == 3); }
static const race_model life_3 = {.name = "owner/life-3",
                                  .subject = "the same with three blocks",
                                  .begin = begin_three,
                                  .threads = {drop_all, push_both, push_third},
                                  .end = life_3_end,
                                  .spurious = 1};

/* ---- claiming what was dropped ---- */

/* Takes its time with the page, and drops it until one more is free. */
static void have(void) {
  page.capacity++;
  for (;;) {
    (void)gather();
    if (mia_owner_abandon(&page, 1)) return;
  }
}
static void claim_it(void) {
  for (int i = 0; i < 2; i++)
    if (mia_owner_claim(&page)) have();
}
static void free_0(void) {
  if (push(0)) have();
}
static void free_1(void) {
  if (push(1)) have();
}
static void begin_dropped(void) {
  stage_begin();
  set_page(BLOCKS);
  mia_owner_begin_full(&page, 1);
}
static void claim_end(void) {
  race_check(mia_owner_claim(&page));
  (void)gather();
  race_check(gathered == 2 && page.used == BLOCKS - 2);
}
static const race_model claims = {.name = "owner/claim",
                                  .subject = "a dropped page is claimed while blocks are freed",
                                  .begin = begin_dropped,
                                  .threads = {claim_it, free_0, free_1},
                                  .end = claim_end,
                                  .longer = true};

/* ---- the one block of a page is freed by the thread that it was given to ---- */

static mia_aword given;

static void make_and_give(void) {
  set_page(1);
  mia_owner_begin_full(&page, 1);
  use(&blocks[0]);
  mia_aword_set_rel(&given, (uintptr_t)&page);
}
static void free_given(void) {
  if (mia_aword_get_acq(&given) == 0) return;
  use(&blocks[0]);
  race_check(mia_owner_free_singleton(&page) == MIA_SINGLETON_CLAIMED);
  page.used = 0;
  retire();
}
static const race_model single = {
    .name = "owner/single",
    .subject = "a block with a page of its own is given away and freed",
    .begin = stage_begin,
    .threads = {make_and_give, free_given}};

const race_model *const race_models_owner[] = {&chain, &life, &life_3, &claims, &single, NULL};
