/* Pages with room and no owner. */
#include "fake/world.h"

#include "page/owner.h"
#include "theap/abandoned.h"
#include "theap/pages.h"

#include <pthread.h>
#include <sched.h>

enum { CLASS = 30, PAGES = 5, THREADS = 3, TURNS = 6000, FEW = 6 };

static mia_page *page_with_room(mia_block **blocks) {
  bool fresh;
  mia_page *page = mia_theap_make_page(mia_theap_self, CLASS);
  ck_assert_ptr_nonnull(page);
  *blocks = mia_page_pop_blocks(page, &fresh);
  ck_assert(page->used > 1 && page->used < page->total);
  return page;
}

static size_t pooled(void) { return mia_aword_get(&mia_theap_all.main.abandoned_count[CLASS]); }
static bool listed(const mia_page *page) { return mia_aword_get(&page->listed) != 0; }

/* P4: listed exactly while on a list. */
START_TEST(P4_put_and_taken) {
  mia_block *blocks;
  mia_page *page = page_with_room(&blocks);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS));
  ck_assert(mia_theap_abandon_page(page));
  ck_assert(listed(page) && pooled() == 1 && mia_theap_all.main.abandoned[CLASS] == page);
  ck_assert_uint_eq(page->countdown_from, page->used);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS + 1));
  ck_assert_ptr_eq(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS), page);
  ck_assert(!listed(page) && pooled() == 0 && mia_theap_all.main.abandoned[CLASS] == NULL);
  ck_assert(!mia_owner_claim(page)); /* whoever took it has it */
}
END_TEST

START_TEST(put_fails_when_blocks_came) {
  mia_block *blocks;
  mia_page *page = page_with_room(&blocks);
  ck_assert(!mia_owner_push(page, blocks, blocks, 1));
  ck_assert(!mia_theap_abandon_page(page));
  ck_assert(!listed(page) && pooled() == 0 && !mia_owner_claim(page));
  mia_page_collect(page);
  ck_assert(mia_theap_abandon_page(page));
}
END_TEST

/* From the middle, the head and the tail of the list. */
START_TEST(removed_from_anywhere) {
  mia_page *page[PAGES];
  mia_block *blocks;
  for (int i = 0; i < PAGES; i++) {
    page[i] = page_with_room(&blocks);
    ck_assert(mia_theap_abandon_page(page[i]));
  }
  const int order[PAGES] = {2, 4, 0, 3, 1};
  for (int i = 0; i < PAGES; i++) {
    mia_page *p = page[order[i]];
    ck_assert(mia_owner_claim(p));
    mia_theap_reclaim_abandoned(p);
    ck_assert(!listed(p) && pooled() == (size_t)(PAGES - 1 - i));
    mia_theap_reclaim_abandoned(p); /* nothing if it is not there */
    size_t n = 0;
    for (const mia_page *q = mia_theap_all.main.abandoned[CLASS]; q != NULL; q = q->next, n++)
      ck_assert(q != p && (q->next == NULL || q->next->prev == q));
    ck_assert_uint_eq(n, pooled());
  }
}
END_TEST

/* The page's last block comes home: who frees it has the page, not the pool. */
START_TEST(a_page_that_a_free_claimed_is_passed_over) {
  mia_block *blocks, *others;
  mia_page *claimed = page_with_room(&blocks), *good = page_with_room(&others);
  ck_assert(mia_theap_abandon_page(good) && mia_theap_abandon_page(claimed));
  bool got = false;
  for (mia_block *next; blocks != NULL; blocks = next) {
    next = blocks->next;
    got |= mia_owner_push(claimed, blocks, blocks, 1);
  }
  ck_assert(got && listed(claimed));
  ck_assert_ptr_eq(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS), good);
  ck_assert(!listed(claimed) && pooled() == 0);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS));
}
END_TEST

/* ---- threads ----
 * Pages go in and out; the one who has a page writes a field of it. */

static void put_back(mia_page *page) {
  while (!mia_theap_abandon_page(page)) mia_page_collect(page);
}

static void *put_and_take(void *arg) {
  uint64_t random = suite_random(10 + (unsigned)(uintptr_t)arg);
  mia_page *have[FEW] = {NULL};
  for (int i = 0; i < TURNS; i++) {
    mia_page **p = &have[random_below(&random, FEW)];
    if (*p == NULL) {
      *p = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS);
      if (*p == NULL) continue;
      note(!listed(*p) && (*p)->prev != (void *)1);
      (*p)->prev = (void *)1;
    } else {
      note((*p)->prev == (void *)1);
      put_back(*p);
      *p = NULL;
    }
  }
  for (int i = 0; i < FEW; i++)
    if (have[i] != NULL) put_back(have[i]);
  return NULL;
}

START_TEST(a_page_is_taken_by_one) {
  pthread_t thread[THREADS];
  mia_block *blocks;
  for (int i = 0; i < PAGES; i++) ck_assert(mia_theap_abandon_page(page_with_room(&blocks)));
  for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, put_and_take, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  need_nothing_noted();
  ck_assert_uint_eq(pooled(), PAGES);
}
END_TEST

/* Frees claim pages while others take them: the page has one holder, who
 * retires it while nobody else looks at it. */
static void *free_and_take(void *arg) {
  uint64_t random = suite_random(20 + (unsigned)(uintptr_t)arg);
  for (int i = 0; i < TURNS; i++) {
    bool fresh;
    mia_page *page = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS);
    if (page == NULL) page = mia_page_make(CLASS, NULL, 0);
    if (page == NULL) continue;
    mia_page_collect(page);
    mia_block *list = mia_page_pop_blocks(page, &fresh);
    if (list == NULL || page->used > 8) { /* enough: all go home */
      mia_page_push_list(page, list);
    } else {
      mia_block *mine = list;
      list = list->next;
      mia_page_push_list(page, list);
      put_back(page);
      if (random_below(&random, 8) == 0) sched_yield();
      if (!mia_owner_push(page, mine, mine, 1)) continue;
    }
    for (mia_page_collect(page); page->used > 0 && !mia_theap_abandon_page(page);)
      mia_page_collect(page);
    if (page->used > 0) continue;
    mia_theap_reclaim_abandoned(page);
    mia_page_retire(page);
  }
  return NULL;
}

START_TEST(frees_and_takers_do_not_share_a_page) {
  pthread_t thread[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, free_and_take, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  for (mia_page *p; (p = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS)) != NULL;) {
    mia_page_collect(p);
    mia_page_check(p);
    ck_assert_uint_eq(p->used, 0);
    mia_page_retire(p);
  }
  ck_assert_uint_eq(mia_aword_get(&mia_arena_all.used), 0);
}
END_TEST

SUITE("theap/abandoned") {
  CASE(world_of_locals, world_end);
  TEST(P4_put_and_taken);
  TEST(put_fails_when_blocks_came);
  TEST(removed_from_anywhere);
  TEST(a_page_that_a_free_claimed_is_passed_over);
  TEST(a_page_is_taken_by_one);
  TEST(frees_and_takers_do_not_share_a_page);
  TIMEOUT(60);
}
