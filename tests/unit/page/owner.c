/* The diagram of owner.h: every arrow, every count, and three threads in it. */
#include "unit/suite.h"

#include "page/owner.h"

#include <pthread.h>

enum { SIZE = 16, TOTAL = 4096, THREADS = 3, TURNS = 30000, HELD = 40 };

/* A page without an arena: blocks of 16 bytes in a slice of its own. */
static alignas(64) struct block {
  alignas(SIZE) struct block *next;
  mia_aword holder; /* who has it: a thread, or 0 */
} blocks[TOTAL];
mia_static_assert(sizeof(struct block) == SIZE, "as large as the class says");

static mia_page page;

static mia_block *block(size_t i) { return (void *)((char *)blocks + i * SIZE); }

static void begin(void) {
  memset(blocks, 0, sizeof blocks);
  page = (mia_page){.start = (char *)blocks, .size = SIZE, .total = TOTAL};
  mia_owner_begin_claimed(&page);
}

/* Pushes blocks [first, first + count) as one chain. */
static bool push(size_t first, uint32_t count) {
  for (size_t i = first; i + 1 < first + count; i++) block(i)->next = block(i + 1);
  return mia_owner_push(&page, block(first), block(first + count - 1), count);
}

/* Gathers `expected' blocks, each once. */
static void gather(uint32_t expected) {
  static bool seen[TOTAL];
  uint32_t count = 0, length = 0;
  memset(seen, 0, sizeof seen);
  mia_block *list = mia_owner_collect(&page, &count);
  for (; list != NULL; list = list->next, length++) {
    size_t i = (size_t)((char *)list - page.start) / SIZE;
    need_at(i < TOTAL && !seen[i], i);
    seen[i] = true;
  }
  ck_assert_uint_eq(count, expected);
  ck_assert_uint_eq(length, expected);
  ck_assert(!mia_owner_has_remote(&page));
}

static uint32_t left(void) { return mia_owner_countdown(mia_aword_get(&page.remote)); }
static bool claimed(void) { return (mia_aword_get(&page.remote) & MIA_OWNER_CLAIMED) != 0; }

START_TEST(a_new_page_is_claimed_and_empty) {
  ck_assert(claimed() && !mia_owner_claim(&page) && !mia_owner_has_remote(&page));
  gather(0);
}
END_TEST

START_TEST(drop_and_claim) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!claimed() && left() == 5 && page.countdown_from == 5);
  ck_assert(mia_owner_claim(&page));
  ck_assert(claimed() && !mia_owner_claim(&page));
  gather(0);
  ck_assert(mia_owner_abandon(&page, TOTAL));
  ck_assert_uint_eq(left(), TOTAL);
}
END_TEST

START_TEST(pushes_count_down_to_the_claim) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!push(0, 1) && !claimed() && left() == 4);
  ck_assert(!push(10, 3) && !claimed() && left() == 1);
  ck_assert(mia_owner_has_remote(&page));
  ck_assert(push(20, 1) && claimed());
  gather(5);
}
END_TEST

START_TEST(a_chain_may_be_longer_than_what_was_due) {
  ck_assert(mia_owner_abandon(&page, 5));
  ck_assert(!push(0, 2));
  ck_assert(push(10, 32));
  ck_assert(!push(100, 7)); /* claimed by then */
  gather(41);
  gather(0);
}
END_TEST

START_TEST(pushes_to_a_claimed_page_claim_nothing) {
  ck_assert(!push(0, 1) && !push(1, 30) && claimed());
  gather(31);
  ck_assert(!push(0, 1));
  gather(1);
}
END_TEST

START_TEST(a_claim_on_the_way_knows_what_came) {
  ck_assert(mia_owner_abandon(&page, 100));
  ck_assert(!push(0, 9) && !push(10, 1));
  ck_assert(mia_owner_claim(&page));
  ck_assert(!push(20, 2)); /* due or not: somebody has it */
  ck_assert(!push(30, 95));
  gather(107);
}
END_TEST

START_TEST(drop_fails_when_blocks_came) {
  ck_assert(!push(0, 3));
  ck_assert(!mia_owner_abandon(&page, 50));
  ck_assert(claimed() && page.countdown_from == 0);
  gather(3);
  ck_assert(mia_owner_abandon(&page, 50));
  /* The same after a claim that gathered nothing. */
  ck_assert(mia_owner_claim(&page) && page.countdown_from == 50);
  ck_assert(!push(0, 1));
  ck_assert(!mia_owner_abandon(&page, 7));
  ck_assert_uint_eq(page.countdown_from, 50);
  gather(1);
  /* A claim without a gather may drop at once. */
  ck_assert(mia_owner_abandon(&page, 50) && mia_owner_claim(&page) && mia_owner_abandon(&page, 6));
  ck_assert(left() == 6 && !claimed());
}
END_TEST

START_TEST(a_full_page_is_had_by_who_frees_its_block) {
  mia_owner_begin_full(&page, 1);
  ck_assert(!claimed());
  ck_assert(push(0, 1) && claimed());
  gather(1);
}
END_TEST

START_TEST(a_single_block_is_freed_once) {
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_CLAIMED && claimed());
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_TWICE);
  ck_assert_ptr_null(block(0)->next);
}
END_TEST

START_TEST(a_single_block_freed_on_the_way_is_gathered) {
  uint32_t count;
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_claim(&page));
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_LEFT && claimed());
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_TWICE);
  ck_assert(!mia_owner_abandon(&page, 1));
  ck_assert_ptr_eq(mia_owner_collect(&page, &count), block(0));
  ck_assert_uint_eq(count, 1);
  /* The same after a gather that found nothing. */
  mia_owner_begin_full(&page, 1);
  ck_assert(mia_owner_claim(&page) && mia_owner_collect(&page, &count) == NULL);
  ck_assert(mia_owner_free_singleton(&page) == MIA_SINGLETON_LEFT && !mia_owner_abandon(&page, 1));
  ck_assert_ptr_eq(mia_owner_collect(&page, &count), block(0));
  ck_assert_uint_eq(count, 1);
  ck_assert(mia_owner_abandon(&page, 1));
}
END_TEST

START_TEST(the_first_block_is_not_none_and_the_last_is_found) {
  ck_assert(!push(0, 1));
  ck_assert_ptr_eq(mia_owner_list(&page, mia_aword_get(&page.remote)), block(0));
  gather(1);
  ck_assert(!push(TOTAL - 1, 1));
  ck_assert_ptr_eq(mia_owner_list(&page, mia_aword_get(&page.remote)), block(TOTAL - 1));
  gather(1);
}
END_TEST

/* The counts are modulo 2^14: more than any page has. */
START_TEST(all_blocks_of_the_fullest_page_are_counted) {
  const uint32_t most = MIA_SLICE_SIZE / MIA_BLOCK_MIN;
  static struct { alignas(MIA_BLOCK_MIN) mia_block block; } many[8192];
  ck_assert_uint_eq(most, sizeof many / sizeof many[0]);
  for (int round = 0; round < 4; round++) {
    page = (mia_page){.start = (char *)many, .size = sizeof many[0], .total = most};
    mia_owner_begin_claimed(&page);
    if (round > 0)
      ck_assert(mia_owner_abandon(&page, round == 1 ? 1 : round == 2 ? most : most / 2));
    uint32_t claims = 0, count = 0;
    for (uint32_t i = 0; i < most; i++)
      claims += mia_owner_push(&page, &many[i].block, &many[i].block, 1);
    ck_assert_uint_eq(claims, round > 0);
    ck_assert_ptr_eq(mia_owner_collect(&page, &count), &many[most - 1].block);
    ck_assert_uint_eq(count, most);
  }
}
END_TEST

START_TEST(gathering_what_one_does_not_have_is_fatal) {
  uint32_t count;
  ck_assert(mia_owner_abandon(&page, 1));
  (void)mia_owner_collect(&page, &count);
}
END_TEST
START_TEST(dropping_for_nothing_is_fatal) { (void)mia_owner_abandon(&page, 0); }
END_TEST
START_TEST(dropping_what_a_thread_owns_is_fatal) {
  mia_aword_set(&page.owner, (uintptr_t)blocks);
  (void)mia_owner_abandon(&page, 1);
}
END_TEST

/* ---- at random, against a model ---- */

START_TEST(random_transitions_match_the_model) {
  uint64_t random = suite_random(1);
  bool has = true;
  uint32_t on_list = 0, due = 0, used = 0;
  for (int i = 0; i < 40000; i++) {
    uint32_t n = 1 + (uint32_t)random_below(&random, 9);
    switch (random_below(&random, 4)) {
    case 0:
      if (used + n > TOTAL) break;
      bool claims = !has && due <= on_list + n;
      need_at(push(used, n) == claims, i);
      used += n;
      on_list += n;
      has |= claims;
      break;
    case 1:
      need_at(mia_owner_claim(&page) == !has, i);
      has = true;
      break;
    case 2:
      if (!has) break;
      n *= (uint32_t)random_below(&random, 30) + 1;
      need_at(mia_owner_abandon(&page, n) == (on_list == 0), i);
      if (on_list == 0) has = false, due = n;
      break;
    default:
      if (!has) break;
      gather(on_list);
      on_list = used = 0;
    }
    need_at(claimed() == has && mia_owner_has_remote(&page) == (on_list > 0), i);
  }
}
END_TEST

/* ---- threads ----
 * Each block is held by a thread, on the remote list, or on the page's own; own
 * fields are plain, so that TSan sees two who have the page at once. */

typedef struct hand {
  struct block *held[HELD];
  uint32_t count;
  uint64_t random;
  uintptr_t name;
  uint32_t gathered, claimed;
} hand;

/* The thread has the page. */
static void have(hand *me) {
  uint32_t due;
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
    me->gathered += count;
    size_t wanted = random_below(&me->random, HELD);
    while (page.free != NULL && me->count < HELD && wanted-- > 0) {
      struct block *b = (void *)page.free;
      page.free = page.free->next;
      page.used++;
      note(mia_aword_get(&b->holder) == 0);
      mia_aword_set(&b->holder, me->name);
      me->held[me->count++] = b;
    }
    due = 1 + (uint32_t)random_below(&me->random, 2 * HELD);
  } while (!mia_owner_abandon(&page, due));
}

static void give_some(hand *me) {
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
  have(me);
}

static void *play(void *arg) {
  hand *me = arg;
  for (int i = 0; i < TURNS; i++)
    if (me->count > 0 && random_below(&me->random, 4) != 0)
      give_some(me);
    else if (mia_owner_claim(&page))
      have(me);
  return NULL;
}

START_TEST(threads_lose_no_block_and_share_no_page) {
  static hand hands[THREADS];
  pthread_t thread[THREADS];
  enum { FEW = 64 };
  memset(hands, 0, sizeof hands);
  for (size_t i = 0; i < FEW; i++) {
    block(i)->next = page.free;
    page.free = block(i);
  }
  ck_assert(mia_owner_abandon(&page, 1));
  for (uintptr_t i = 0; i < THREADS; i++) {
    hands[i].random = suite_random(10 + (unsigned)i);
    hands[i].name = i + 1;
    pthread_create(&thread[i], NULL, play, &hands[i]);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  uint32_t live = 0, claims = 0, count = 0, free = 0;
  for (int i = 0; i < THREADS; i++) live += hands[i].count, claims += hands[i].claimed;
  ck_assert(mia_owner_claim(&page));
  for (const mia_block *b = mia_owner_collect(&page, &count); b != NULL; b = b->next) free++;
  ck_assert_uint_eq(free, count);
  for (const mia_block *b = page.free; b != NULL; b = b->next) free++;
  ck_assert_uint_eq(live + free, FEW);
  ck_assert_uint_eq(page.used, live + count);
  ck_assert_uint_gt(claims, 0);
}
END_TEST

SUITE("page/owner") {
  CASE(begin, NULL);
  TEST(a_new_page_is_claimed_and_empty);
  TEST(drop_and_claim);
  TEST(pushes_count_down_to_the_claim);
  TEST(a_chain_may_be_longer_than_what_was_due);
  TEST(pushes_to_a_claimed_page_claim_nothing);
  TEST(a_claim_on_the_way_knows_what_came);
  TEST(drop_fails_when_blocks_came);
  TEST(a_full_page_is_had_by_who_frees_its_block);
  TEST(a_single_block_is_freed_once);
  TEST(a_single_block_freed_on_the_way_is_gathered);
  TEST(the_first_block_is_not_none_and_the_last_is_found);
  TEST(all_blocks_of_the_fullest_page_are_counted);
  TEST(random_transitions_match_the_model);
  TEST(threads_lose_no_block_and_share_no_page);
  DIES_IN_DEBUG(gathering_what_one_does_not_have_is_fatal, SIGABRT);
  DIES_IN_DEBUG(dropping_for_nothing_is_fatal, SIGABRT);
  DIES_IN_DEBUG(dropping_what_a_thread_owns_is_fatal, SIGABRT);
  TIMEOUT(60);
}
