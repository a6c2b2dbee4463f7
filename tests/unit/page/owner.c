/* SPDX-License-Identifier: MIT */
/* The diagram of owner.h: every transition, every count, and three threads at once. */
#include "unit/suite.h"

#include "page/owner.h"

#include <pthread.h>

enum { BLOCK_SIZE = 16, BLOCKS = 4096, THREADS = 3, TURNS = 30000, HELD_MAX = 40 };

/* A page without an arena: blocks of 16 bytes in static memory. */
static alignas(64) struct block {
  alignas(BLOCK_SIZE) struct block *next;
  mia_aword holder; /* the thread that holds the live block, or 0 */
} blocks[BLOCKS];
mia_static_assert(sizeof(struct block) == BLOCK_SIZE, "as large as the class");

static mia_page page;

static mia_block *block(size_t i) { return (void *)((char *)blocks + i * BLOCK_SIZE); }

static void begin(void) {
  memset(blocks, 0, sizeof blocks);
  page = (mia_page){.start = (char *)blocks, .size = BLOCK_SIZE, .total = BLOCKS};
  mia_owner_begin_claimed(&page);
}

/* Pushes blocks [first, first + count) as one chain. */
static bool push(size_t first, uint32_t count) {
  for (size_t i = first; i + 1 < first + count; i++) block(i)->next = block(i + 1);
  return mia_owner_push(&page, block(first), block(first + count - 1), count);
}

/* Collects, and expects `expected' blocks, each once. */
static void collect(uint32_t expected) {
  static bool seen[BLOCKS];
  uint32_t count = 0, length = 0;
  memset(seen, 0, sizeof seen);
  mia_block *list = mia_owner_collect(&page, &count);
  for (; list != NULL; list = list->next, length++) {
    size_t i = (size_t)((char *)list - page.start) / BLOCK_SIZE;
    need_at(i < BLOCKS && !seen[i], i);
    seen[i] = true;
  }
  ck_assert_uint_eq(count, expected);
  ck_assert_uint_eq(length, expected);
  ck_assert(!mia_owner_has_remote(&page));
}

static uint32_t countdown(void) { return mia_owner_countdown(mia_aword_get(&page.remote)); }
static bool claimed(void) { return (mia_aword_get(&page.remote) & MIA_OWNER_CLAIMED) != 0; }

START_TEST(a_new_page_is_claimed_and_empty) {
  ck_assert(claimed() && !mia_owner_claim(&page) && !mia_owner_has_remote(&page));
  collect(0);
}
END_TEST

START_TEST(abandon_and_claim) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!claimed() && countdown() == 5 && page.countdown_from == 5);
  ck_assert(mia_owner_claim(&page));
  ck_assert(claimed() && !mia_owner_claim(&page));
  collect(0);
  ck_assert(mia_owner_abandon(&page, BLOCKS));
  ck_assert_uint_eq(countdown(), BLOCKS);
}
END_TEST

START_TEST(pushes_count_down_to_the_claim) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!push(0, 1) && !claimed() && countdown() == 4);
  ck_assert(!push(10, 3) && !claimed() && countdown() == 1);
  ck_assert(mia_owner_has_remote(&page));
  ck_assert(push(20, 1) && claimed());
  collect(5);
}
END_TEST

START_TEST(a_push_of_one_leaves_the_claim_to_another) {
  ck_assert(mia_owner_abandon(&page, 3));
  ck_assert(mia_owner_push_one(&page, block(0)) && mia_owner_push_one(&page, block(1)));
  ck_assert(!claimed() && countdown() == 1);
  ck_assert(!mia_owner_push_one(&page, block(2)));
  ck_assert(!claimed() && countdown() == 1);
  ck_assert(push(2, 1) && claimed());
  ck_assert(mia_owner_push_one(&page, block(3)) && claimed());
  collect(4);
}
END_TEST

START_TEST(a_push_of_one_notices_the_block_freed_last) {
  ck_assert(mia_owner_push_one(&page, block(0)));
  (void)mia_owner_push_one(&page, block(0));
}
END_TEST

START_TEST(a_chain_may_be_longer_than_the_countdown) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!push(0, 2));
  ck_assert(push(10, 32));
  ck_assert(!push(100, 7)); /* the page is claimed now */
  collect(41);
  collect(0);
}
END_TEST

START_TEST(pushes_to_a_claimed_page_claim_nothing) {
  ck_assert(!push(0, 1) && !push(1, 30) && claimed());
  collect(31);
  ck_assert(!push(0, 1));
  collect(1);
}
END_TEST

START_TEST(a_claim_during_the_countdown_keeps_the_list) {
  ck_assert(mia_owner_abandon(&page, 100));
  ck_assert(!push(0, 9) && !push(10, 1));
  ck_assert(mia_owner_claim(&page));
  ck_assert(!push(20, 2)); /* a claimed page is not claimed again, whatever the countdown */
  ck_assert(!push(30, 95));
  collect(107);
}
END_TEST

START_TEST(abandon_fails_if_blocks_were_freed) {
  ck_assert(!push(0, 3));
  ck_assert(!mia_owner_abandon(&page, 50));
  ck_assert(claimed() && page.countdown_from == 0);
  collect(3);
  ck_assert(mia_owner_abandon(&page, 50));
  /* Abandoning fails in the same way after a claim without a collect. */
  ck_assert(mia_owner_claim(&page) && page.countdown_from == 50);
  ck_assert(!push(0, 1));
  ck_assert(!mia_owner_abandon(&page, 7));
  ck_assert_uint_eq(page.countdown_from, 50);
  collect(1);
  /* A claimed page can be abandoned without a collect. */
  ck_assert(mia_owner_abandon(&page, 50) && mia_owner_claim(&page) && mia_owner_abandon(&page, 6));
  ck_assert(countdown() == 6 && !claimed());
}
END_TEST

START_TEST(a_full_page_is_claimed_by_the_free_of_its_block) {
  mia_owner_begin_full(&page, 1);
  ck_assert(!claimed());
  ck_assert(push(0, 1) && claimed());
  collect(1);
}
END_TEST

START_TEST(a_singleton_is_freed_once) {
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_CLAIMED && claimed());
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_TWICE);
  ck_assert_ptr_null(block(0)->next);
}
END_TEST

START_TEST(a_singleton_freed_while_claimed_is_collected) {
  uint32_t count;
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_claim(&page));
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_LEFT && claimed());
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_TWICE);
  ck_assert(!mia_owner_abandon(&page, 1));
  ck_assert_ptr_eq(mia_owner_collect(&page, &count), block(0));
  ck_assert_uint_eq(count, 1);
  /* The same holds after a collect that found nothing. */
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_claim(&page) && mia_owner_collect(&page, &count) == NULL);
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_LEFT && !mia_owner_abandon(&page, 1));
  ck_assert_ptr_eq(mia_owner_collect(&page, &count), block(0));
  ck_assert_uint_eq(count, 1);
  ck_assert(mia_owner_abandon(&page, 1));
}
END_TEST

START_TEST(the_first_and_the_last_block_can_be_on_the_list) {
  ck_assert(!push(0, 1));
  ck_assert_ptr_eq(mia_owner_list(&page, mia_aword_get(&page.remote)), block(0));
  collect(1);
  ck_assert(!push(BLOCKS - 1, 1));
  ck_assert_ptr_eq(mia_owner_list(&page, mia_aword_get(&page.remote)), block(BLOCKS - 1));
  collect(1);
}
END_TEST

/* Counts are modulo 2^14, which is more than a page has blocks. */
START_TEST(all_blocks_of_the_fullest_page_are_counted) {
  const uint32_t count_max = MIA_SLICE_SIZE / MIA_BLOCK_MIN;
  static struct { alignas(MIA_BLOCK_MIN) mia_block block; } many[8192];
  ck_assert_uint_eq(count_max, sizeof many / sizeof many[0]);
  for (int round = 0; round < 4; round++) {
    page = (mia_page){.start = (char *)many, .size = sizeof many[0], .total = count_max};
    mia_owner_begin_claimed(&page);
    if (round > 0)
      ck_assert(mia_owner_abandon(&page, round == 1 ? 1 : round == 2 ? count_max : count_max / 2));
    uint32_t claims = 0, count = 0;
    for (uint32_t i = 0; i < count_max; i++)
      claims += mia_owner_push(&page, &many[i].block, &many[i].block, 1);
    ck_assert_uint_eq(claims, round > 0);
    ck_assert_ptr_eq(mia_owner_collect(&page, &count), &many[count_max - 1].block);
    ck_assert_uint_eq(count, count_max);
  }
}
END_TEST

START_TEST(collecting_an_unclaimed_page_is_fatal) {
  uint32_t count;
  ck_assert(mia_owner_abandon(&page, 1));
  (void)mia_owner_collect(&page, &count);
}
END_TEST
START_TEST(abandoning_with_countdown_0_is_fatal) { (void)mia_owner_abandon(&page, 0); }
END_TEST
START_TEST(abandoning_an_owned_page_is_fatal) {
  mia_aword_set(&page.owner, (uintptr_t)blocks);
  (void)mia_owner_abandon(&page, 1);
}
END_TEST

/* ---- at random, against a model ---- */

START_TEST(random_transitions_match_the_model) {
  uint64_t random = suite_random(1);
  bool has_claim = true;
  uint32_t on_list = 0, countdown_from = 0, used = 0;
  for (int i = 0; i < 40000; i++) {
    uint32_t n = 1 + (uint32_t)random_below(&random, 9);
    switch (random_below(&random, 4)) {
    case 0:
      if (used + n > BLOCKS) break;
      bool claims = !has_claim && countdown_from <= on_list + n;
      bool one = n == 1 && mia_owner_push_one(&page, block(used));
      need_at(n > 1 || one == !claims, i);
      need_at(one || push(used, n) == claims, i);
      used += n;
      on_list += n;
      has_claim |= claims;
      break;
    case 1:
      need_at(mia_owner_claim(&page) == !has_claim, i);
      has_claim = true;
      break;
    case 2:
      if (!has_claim) break;
      n *= (uint32_t)random_below(&random, 30) + 1;
      need_at(mia_owner_abandon(&page, n) == (on_list == 0), i);
      if (on_list == 0) has_claim = false, countdown_from = n;
      break;
    default:
      if (!has_claim) break;
      collect(on_list);
      on_list = used = 0;
    }
    need_at(claimed() == has_claim && mia_owner_has_remote(&page) == (on_list > 0), i);
  }
}
END_TEST

/* ---- threads ----
 * Each block is held by a thread, or is on the remote list or on the page's own list.  The page's
 * [own] fields are plain memory, so that TSan detects two threads that have the page at once. */

typedef struct player {
  struct block *held[HELD_MAX];
  uint32_t count;
  uint64_t random;
  uintptr_t name;
  uint32_t collected, claimed;
} player;

/* Uses the page, which the thread has claimed, and abandons it. */
static void use_claimed_page(player *me) {
  uint32_t countdown_from;
  do {
    uint32_t count, walked = 0;
    mia_block *list = mia_owner_collect(&page, &count);
    for (mia_block *next; list != NULL; list = next, walked++) {
      next = list->next;
      list->next = page.free;
      page.free = list;
    }
    note(walked == count);
    note(page.used >= count);
    page.used -= count;
    me->collected += count;
    size_t wanted = random_below(&me->random, HELD_MAX);
    while (page.free != NULL && me->count < HELD_MAX && wanted-- > 0) {
      struct block *b = (void *)page.free;
      page.free = page.free->next;
      page.used++;
      note(mia_aword_get(&b->holder) == 0);
      mia_aword_set(&b->holder, me->name);
      me->held[me->count++] = b;
    }
    countdown_from = 1 + (uint32_t)random_below(&me->random, 2 * HELD_MAX);
  } while (!mia_owner_abandon(&page, countdown_from));
}

static void free_some(player *me) {
  uint32_t n = 1 + (uint32_t)random_below(&me->random, me->count);
  struct block *tail = me->held[--me->count], *head = tail;
  mia_aword_set(&tail->holder, 0);
  for (uint32_t i = 1; i < n; i++) {
    struct block *b = me->held[--me->count];
    note(mia_aword_get(&b->holder) == me->name);
    mia_aword_set(&b->holder, 0);
    b->next = head;
    head = b;
  }
  if (!mia_owner_push(&page, (void *)head, (void *)tail, n)) return;
  me->claimed++;
  use_claimed_page(me);
}

static void *play(void *arg) {
  player *me = arg;
  for (int i = 0; i < TURNS; i++)
    if (me->count > 0 && random_below(&me->random, 4) != 0)
      free_some(me);
    else if (mia_owner_claim(&page))
      use_claimed_page(me);
  return NULL;
}

START_TEST(threads_lose_no_block_and_share_no_page) {
  static player players[THREADS];
  pthread_t thread[THREADS];
  enum { SHARED_BLOCKS = 64 };
  memset(players, 0, sizeof players);
  for (size_t i = 0; i < SHARED_BLOCKS; i++) {
    block(i)->next = page.free;
    page.free = block(i);
  }
  ck_assert(mia_owner_abandon(&page, 1));
  for (uintptr_t i = 0; i < THREADS; i++) {
    players[i].random = suite_random(10 + (unsigned)i);
    players[i].name = i + 1;
    pthread_create(&thread[i], NULL, play, &players[i]);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  uint32_t live = 0, claims = 0, count = 0, free = 0;
  for (int i = 0; i < THREADS; i++) live += players[i].count, claims += players[i].claimed;
  ck_assert(mia_owner_claim(&page));
  for (const mia_block *b = mia_owner_collect(&page, &count); b != NULL; b = b->next) free++;
  ck_assert_uint_eq(free, count);
  for (const mia_block *b = page.free; b != NULL; b = b->next) free++;
  ck_assert_uint_eq(live + free, SHARED_BLOCKS);
  ck_assert_uint_eq(page.used, live + count);
  ck_assert_uint_gt(claims, 0);
}
END_TEST

SUITE("page/owner") {
  CASE(begin, NULL);
  TEST(a_new_page_is_claimed_and_empty);
  TEST(abandon_and_claim);
  TEST(pushes_count_down_to_the_claim);
  TEST(a_push_of_one_leaves_the_claim_to_another);
  TEST(a_chain_may_be_longer_than_the_countdown);
  TEST(pushes_to_a_claimed_page_claim_nothing);
  TEST(a_claim_during_the_countdown_keeps_the_list);
  TEST(abandon_fails_if_blocks_were_freed);
  TEST(a_full_page_is_claimed_by_the_free_of_its_block);
  TEST(a_singleton_is_freed_once);
  TEST(a_singleton_freed_while_claimed_is_collected);
  TEST(the_first_and_the_last_block_can_be_on_the_list);
  TEST(all_blocks_of_the_fullest_page_are_counted);
  TEST(random_transitions_match_the_model);
  TEST(threads_lose_no_block_and_share_no_page);
  DIES(a_push_of_one_notices_the_block_freed_last, SIGABRT);
  DIES_IN_DEBUG(collecting_an_unclaimed_page_is_fatal, SIGABRT);
  DIES_IN_DEBUG(abandoning_with_countdown_0_is_fatal, SIGABRT);
  DIES_IN_DEBUG(abandoning_an_owned_page_is_fatal, SIGABRT);
}
