/* SPDX-License-Identifier: MIT */
/* world.h -- resets the globals of the layers to their state at the start of the process,
 * so that tests in one process do not affect each other.  A test case uses one of these
 * functions as its set-up, and world_end as its tear-down. */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include "fake/os.h"
#include "unit/suite.h"

#include "arena/arena.h"
#include "arena/node.h"
#include "arena/tier.h"
#include "map/pagemap.h"
#include "page/page.h"
#include "theap/theap.h"

/* A thread was seen on a second NUMA node. */
static inline void world_has_nodes(void) {
  int node = fake.node;
  fake.node = 1;
  (void)mia_arena_ask_node();
  fake.node = node;
}

/* Takes slices until there is a second arena; the first one is full then. */
static inline void world_add_arena(void) {
  mia_span span;
  while (mia_aword_get(&mia_arena_all.count) < 2) ck_assert(mia_arena_take(1, 1, &span));
}

/* Bytes.  A block of more than SPAN_MAX is huge: it has a mapping of its own. */
#define OS_PAGE MIA_OS_PAGE_MIN
#define SLICE MIA_SLICE_SIZE
#define SPAN_MAX (MIA_SPAN_MAX_SLICES * SLICE)
#define HUGE_MIN (SPAN_MAX + SLICE) /* in whole slices */
#define HUGE_SIZE (40 * MIA_MIB)

/* Size classes, by the size of their blocks. */
enum {
  CLASS_16 = 1,
  CLASS_112 = 7,
  CLASS_384 = 20,
  CLASS_896 = 30,
  CLASS_1K = 32, /* the largest class with remote batches */
  CLASS_2K = 40,
  CLASS_8K = 56, /* the largest class whose pages have one slice */
  CLASS_32K = 72 /* a page has four slices */
};

/* The blocks of a page.  In a debug build its padding takes one of them (canary.h). */
enum {
  BLOCKS_OF_16 = 4096 - MIA_DEBUG,
  BLOCKS_OF_1K = 64 - MIA_DEBUG,
  BLOCKS_OF_4K = 16 - MIA_DEBUG,
  BLOCKS_OF_8K = 8 - MIA_DEBUG,
  BLOCKS_OF_32K = 8 - MIA_DEBUG
};

/* Fails the test if the names of the classes are wrong. */
static inline void world_check_classes(void) {
  need(mia_class_of(16) == CLASS_16 && mia_class_of(112) == CLASS_112);
  need(mia_class_of(384) == CLASS_384 && mia_class_of(896) == CLASS_896);
  need(mia_class_of(MIA_KIB) == CLASS_1K && mia_class_of(2 * MIA_KIB) == CLASS_2K);
  need(mia_class_of(8 * MIA_KIB) == CLASS_8K && mia_class_of(32 * MIA_KIB) == CLASS_32K);
}

static inline void world_of_arenas(void) {
  const mia_lock grow = MIA_LOCK_INIT(MIA_RANK_GROW), purge = MIA_LOCK_INIT(MIA_RANK_PURGE),
                 meta = MIA_LOCK_INIT(MIA_RANK_META), mappings = MIA_LOCK_INIT(MIA_RANK_MAPPINGS),
                 parked = MIA_LOCK_INIT(MIA_RANK_PARKED);
  fake_reset();
  memset(&mia_map_pages, 0, sizeof mia_map_pages);
  memset(&mia_arena_all, 0, sizeof mia_arena_all);
  mia_arena_all.grow = grow;
  mia_arena_all.purge = purge;
  mia_arena_all.meta = meta;
  mia_arena_all.mapping_cache.lock = mappings;
  mia_arena_all.parked.lock = parked;
}

/* The page layer keeps unused descriptors of huge pages, which lie in metadata.  So huge
 * pages are made until one takes new metadata: then no such descriptor is left. */
static inline void world_of_pages(void) {
  world_check_classes();
  fake_allow();
  for (int i = 0; i < 1000 && mia_arena_all.meta_at != NULL; i++) {
    bool zero;
    const char *seen = mia_arena_all.meta_at;
    (void)mia_page_make_singleton(
        &(mia_singleton_request){.size = MIA_SLICE_SIZE, .align = 1, .huge = true}, &zero);
    if (mia_arena_all.meta_at != seen) break;
  }
  world_of_arenas();
}

static inline void world_of_theaps(void) {
  const mia_lock shared = MIA_LOCK_INIT(MIA_RANK_SHARED), threads = MIA_LOCK_INIT(MIA_RANK_THREADS),
                 abandoned = MIA_LOCK_INIT(MIA_RANK_ABANDONED);
  world_of_pages();
  memset(&mia_theap_all, 0, sizeof mia_theap_all);
  mia_theap_all.shared_lock = shared;
  mia_theap_all.threads = threads;
  mia_theap_all.abandoned_lock = abandoned;
  mia_theap_self = &mia_theap_all.none;
}

/* Returns the bytes of all spans that are taken. */
static inline size_t used_bytes(void) { return mia_aword_get(&mia_arena_all.used); }

/* Returns the bytes that the page map has reserved. */
static inline size_t world_of_leaves(void) {
  size_t leaves = 0;
  for (size_t i = 0; i < MIA_MAP_ROOT_ENTRIES; i++) {
    uintptr_t leaf = mia_aword_get(&mia_map_pages.root[i]);
    leaves += leaf != 0 && leaf != (uintptr_t)mia_map_pages.first;
  }
  return leaves * sizeof mia_map_pages.first;
}

/* Returns the page of a block. */
static inline mia_page *page_of(const void *p) {
  mia_page *page = mia_page_of(p);
  if (page == NULL) abort();
  return page;
}

/* Fails the test if the contract with the OS was broken. */
static inline void world_end(void) {
  if (fake.broken != NULL) ck_assert_msg(0, "contract: %s", fake.broken);
}

/* The same in a security tier from 2 on. */
static inline void world_of_hardened_arenas(void) {
  world_of_arenas();
  mia_aword_set(&mia_arena_all.tier.level, MIA_TIER_HARDENED);
}
static inline void world_end_hardened(void) {
  mia_aword_set(&mia_arena_all.tier.level, 0);
  world_end();
}

/* From here on arenas are RESERVED and committed span by span, as on a system that does
 * not overcommit. */
static inline void world_without_overcommit(void) { fake.live_max = MIA_MIB; }

#endif
