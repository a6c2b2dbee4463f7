/* SPDX-License-Identifier: MIT */
/* The lists of abandoned pages. */
#include "fake/world.h"
#include "unit/threads.h"

#include "page/owner.h"
#include "theap/abandoned.h"
#include "theap/pages.h"

#include <sched.h>

enum { PAGES = 5, THREADS = 3, TURNS = 6000, HELD_MAX = 6 };

/* Returns a page with free blocks, claimed by the test, and its used blocks. */
static mia_page *page_with_room(mia_block **blocks) {
  bool zeroed;
  mia_page *page = mia_theap_make_page(mia_theap_self, CLASS_896);
  ck_assert_ptr_nonnull(page);
  *blocks = mia_page_pop_blocks(page, &zeroed);
  ck_assert(page->used > 1 && page->used < page->total);
  return page;
}

static size_t abandoned_count(void) {
  return mia_aword_get(&mia_theap_all.main.abandoned_count[CLASS_896]);
}
static bool listed(const mia_page *page) { return mia_aword_get(&page->listed) != 0; }

/* P4: `listed' is set exactly while the page is in a list. */
START_TEST(P4_listed_while_abandoned) {
  mia_block *blocks;
  mia_page *page = page_with_room(&blocks);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY));
  ck_assert(mia_theap_abandon_page(page));
  ck_assert(listed(page) && abandoned_count() == 1 &&
            mia_theap_all.main.abandoned[CLASS_896] == page);
  ck_assert_uint_eq(page->countdown_from, page->used);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896 + 1, MIA_NODE_ANY));
  ck_assert_ptr_eq(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY), page);
  ck_assert(!listed(page) && abandoned_count() == 0 &&
            mia_theap_all.main.abandoned[CLASS_896] == NULL);
  ck_assert(!mia_owner_claim(page)); /* it is claimed already */
}
END_TEST

START_TEST(abandoning_fails_after_a_remote_free) {
  mia_block *blocks;
  mia_page *page = page_with_room(&blocks);
  ck_assert(!mia_owner_push(page, blocks, blocks, 1));
  ck_assert(!mia_theap_abandon_page(page));
  ck_assert(!listed(page) && abandoned_count() == 0 && !mia_owner_claim(page));
  mia_page_collect(page);
  ck_assert(mia_theap_abandon_page(page));
}
END_TEST

/* Unlinks pages from the middle, the head and the end of the list. */
START_TEST(any_page_can_be_unlinked) {
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
    mia_theap_unlist_abandoned(p);
    ck_assert(!listed(p) && abandoned_count() == (size_t)(PAGES - 1 - i));
    mia_theap_unlist_abandoned(p); /* does nothing if the page is not listed */
    size_t n = 0;
    for (const mia_page *q = mia_theap_all.main.abandoned[CLASS_896]; q != NULL; q = q->next, n++)
      ck_assert(q != p && (q->next == NULL || q->next->prev == q));
    ck_assert_uint_eq(n, abandoned_count());
  }
}
END_TEST

/* The free of a page's last block claims the page: it cannot be taken from the list any more. */
START_TEST(a_page_claimed_by_a_free_is_skipped) {
  mia_block *blocks, *others;
  mia_page *claimed = page_with_room(&blocks), *good = page_with_room(&others);
  ck_assert(mia_theap_abandon_page(good) && mia_theap_abandon_page(claimed));
  bool was_claimed = false;
  for (mia_block *next; blocks != NULL; blocks = next) {
    next = blocks->next;
    was_claimed |= mia_owner_push(claimed, blocks, blocks, 1);
  }
  ck_assert(was_claimed && listed(claimed));
  ck_assert_ptr_eq(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY), good);
  ck_assert(!listed(claimed) && abandoned_count() == 0);
  ck_assert_ptr_null(mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY));
}
END_TEST

/* ---- threads ----
 * Threads take pages from the list and put them back.  A thread that has claimed a page writes
 * to a field of it, which shows if another thread has claimed it too. */

static void put_back(mia_page *page) {
  while (!mia_theap_abandon_page(page)) mia_page_collect(page);
}

static void *put_and_take(void *arg) {
  uint64_t random = suite_random(10 + (unsigned)(uintptr_t)arg);
  mia_page *have[HELD_MAX] = {NULL};
  for (int i = 0; i < TURNS; i++) {
    mia_page **p = &have[random_below(&random, HELD_MAX)];
    if (*p == NULL) {
      *p = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY);
      if (*p == NULL) continue;
      note(!listed(*p) && (*p)->prev != (void *)1);
      (*p)->prev = (void *)1;
    } else {
      note((*p)->prev == (void *)1);
      put_back(*p);
      *p = NULL;
    }
  }
  for (int i = 0; i < HELD_MAX; i++)
    if (have[i] != NULL) put_back(have[i]);
  return NULL;
}

START_TEST(a_page_is_taken_by_one_thread) {
  mia_block *blocks;
  for (int i = 0; i < PAGES; i++) ck_assert(mia_theap_abandon_page(page_with_room(&blocks)));
  run_threads(THREADS, put_and_take);
  ck_assert_uint_eq(abandoned_count(), PAGES);
}
END_TEST

/* Frees claim pages while other threads take them.  Only one thread has claimed a page at any
 * time, and may retire it. */
static void *free_and_take(void *arg) {
  uint64_t random = suite_random(20 + (unsigned)(uintptr_t)arg);
  for (int i = 0; i < TURNS; i++) {
    bool zeroed;
    mia_page *page = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY);
    if (page == NULL) page = mia_page_make(CLASS_896, NULL, MIA_NODE_ANY, 0);
    if (page == NULL) continue;
    mia_page_collect(page);
    mia_block *list = mia_page_pop_blocks(page, &zeroed);
    if (list == NULL || page->used > 8) { /* enough blocks are used: return all */
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
    mia_theap_unlist_abandoned(page);
    mia_page_retire(page);
  }
  return NULL;
}

START_TEST(a_page_is_claimed_by_a_free_or_a_taker) {
  run_threads(THREADS, free_and_take);
  for (mia_page *p;
       (p = mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, MIA_NODE_ANY)) != NULL;) {
    mia_page_collect(p);
    mia_page_check(p);
    ck_assert_uint_eq(p->used, 0);
    mia_page_retire(p);
  }
  ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

/* ---- nodes ---- */

enum { LOOKS_MAX = 8 };

/* Lists pages, each in an arena of the node with its number in the list, which the first page to be
 * listed ends. */
static void list_pages(mia_page **page, int count) {
  mia_block *blocks;
  static mia_arena arenas[2 * LOOKS_MAX];
  for (int i = count - 1; i >= 0; i--) {
    page[i] = page_with_room(&blocks);
    arenas[i].node = mia_node_of_number(i);
    page[i]->arena = &arenas[i];
    ck_assert(mia_theap_abandon_page(page[i]));
  }
  ck_assert_ptr_eq(mia_theap_all.main.abandoned[CLASS_896], page[0]);
}

static mia_page *take_near(int node) {
  return mia_theap_take_abandoned(mia_theap_main_heap(), CLASS_896, mia_node_of_number(node));
}

START_TEST(a_near_page_is_taken_if_one_is_among_the_first) {
  mia_page *page[LOOKS_MAX + 1];
  list_pages(page, LOOKS_MAX + 1);
  ck_assert_ptr_eq(take_near(3), page[3]);
  ck_assert_ptr_eq(take_near(-1), page[0]); /* no node: the head */
  ck_assert_ptr_eq(take_near(LOOKS_MAX), page[LOOKS_MAX]);
  ck_assert_ptr_eq(take_near(LOOKS_MAX), page[1]); /* none near: the head */
  ck_assert_uint_eq(abandoned_count(), LOOKS_MAX - 3);
}
END_TEST

START_TEST(few_pages_are_looked_at) {
  mia_page *page[LOOKS_MAX + 2];
  list_pages(page, LOOKS_MAX + 2);
  ck_assert_ptr_eq(take_near(LOOKS_MAX), page[0]);
  ck_assert_ptr_eq(take_near(LOOKS_MAX), page[LOOKS_MAX]); /* it has moved up */
}
END_TEST

START_TEST(a_near_page_claimed_by_a_free_is_skipped) {
  mia_page *page[3];
  list_pages(page, 3);
  ck_assert(mia_owner_claim(page[1]));
  ck_assert_ptr_eq(take_near(1), page[0]);
  ck_assert(!listed(page[1]));
  ck_assert_ptr_eq(take_near(1), page[2]);
  ck_assert_ptr_null(take_near(1));
}
END_TEST

SUITE("theap/abandoned") {
  CASE(world_of_theaps, world_end);
  TEST(P4_listed_while_abandoned);
  TEST(abandoning_fails_after_a_remote_free);
  TEST(any_page_can_be_unlinked);
  TEST(a_page_claimed_by_a_free_is_skipped);
  TEST(a_near_page_is_taken_if_one_is_among_the_first);
  TEST(few_pages_are_looked_at);
  TEST(a_near_page_claimed_by_a_free_is_skipped);
  TEST(a_page_is_taken_by_one_thread);
  TEST(a_page_is_claimed_by_a_free_or_a_taker);
}
