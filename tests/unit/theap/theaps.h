/* SPDX-License-Identifier: MIT */
/* theaps.h -- several theaps in one thread.  So a test decides the order in which `threads' take
 * their steps. */
#ifndef TESTS_UNIT_THEAP_THEAPS_H
#define TESTS_UNIT_THEAP_THEAPS_H

#include "fake/world.h"

#include "page/owner.h"
#include "theap/bin.h"
#include "theap/bin_pages.h"
#include "theap/page_cache.h"
#include "theap/remote_cache.h"

enum { THEAPS = 3 };
static mia_theap theaps[THEAPS];
static mia_theap *const alice = &theaps[0], *const bob = &theaps[1];

static inline void theaps_begin(void) {
  world_of_theaps();
  memset(theaps, 0, sizeof theaps);
}

/* ---- allocating and freeing ---- */

static inline mia_block *alloc(mia_theap *self, unsigned size_class) {
  if (self->free_list[size_class] == NULL && !mia_theap_refill(self, size_class)) return NULL;
  mia_block *b = self->free_list[size_class];
  self->free_list[size_class] = b->next;
  return b;
}

static inline void release(mia_theap *self, void *p) {
  mia_page *page = page_of(p);
  if (mia_theap_owns(self, page))
    mia_theap_free_own(self, page, p);
  else if (page->size_class >= MIA_CLASS_COUNT || !mia_remote_try_free(self, page, p))
    mia_theap_free_remote(self, page, p);
}

static inline void fill(mia_theap *self, mia_block **blocks, size_t n, unsigned size_class) {
  for (size_t i = 0; i < n; i++) {
    blocks[i] = alloc(self, size_class);
    need_at(blocks[i] != NULL, i);
  }
}

/* ---- the state of pages and theaps ---- */

static inline mia_theap *owner(const mia_page *page) { return (void *)mia_aword_get(&page->owner); }

static inline bool claimed(const mia_page *page) {
  return (mia_aword_get(&page->remote) & MIA_OWNER_CLAIMED) != 0;
}

static inline size_t pages(unsigned size_class) {
  return mia_aword_get(&mia_theap_all.pages[size_class].now);
}

static inline mia_page *cached(const mia_theap *self, unsigned size_class) {
  return (void *)(mia_aword_get(&self->cache.slots[size_class]) & ~(uintptr_t)1);
}

/* Returns the blocks that wait in a batch.  Checks R1 (theap_parts.h). */
static inline uint32_t batch_count(const mia_theap *self, unsigned size_class) {
  const mia_remote_cache *cache = &self->remote[size_class];
  uint32_t count = cache->page != NULL ? cache->count : 0;
  ck_assert((self->batches_waiting >> size_class & 1) == (count > 0));
  ck_assert((cache->page != NULL) == (count > 0));
  return count;
}

/* Returns the blocks that wait in a magazine.  Checks R2. */
static inline uint32_t magazine_count(const mia_theap *self, unsigned size_class) {
  const mia_remote_cache *cache = &self->remote[size_class];
  ck_assert((cache->blocks != NULL) == (cache->count > 0) && cache->count <= cache->most);
  return mia_remote_is_magazine(cache) ? cache->count : 0;
}

/* Checks L1 and L2 (theap_parts.h), and that cached pages are empty and have no owner. */
static inline bool bin_holds(const mia_theap *self, unsigned c) {
  const mia_bin *bin = &self->bins[c];
  uint32_t n = 0;
  for (const mia_block *b = self->free_list[c]; b != NULL; b = b->next)
    if (bin->page == NULL || (page_of(b) != bin->page && !bin->from_magazine)) return false;
  if (bin->page != NULL && owner(bin->page) != self) return false;
  for (const mia_page *p = bin->pages; p != NULL; p = p->next, n++) {
    mia_page_check(p);
    if (owner(p) != self || p->used >= p->total || p->used == 0 || p == bin->page) return false;
    if (p->next != NULL && p->next->prev != p) return false;
    if (mia_aword_get(&p->listed) != 0 || !claimed(p)) return false;
  }
  for (const mia_page *s = cached(self, c); s != NULL; s = s->next)
    if (s->used != 0 || owner(s) != NULL || !claimed(s)) return false;
  return n == bin->page_count;
}

static inline bool holds(const mia_theap *self) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++)
    if (!bin_holds(self, c)) return false;
  return true;
}

static inline void nothing_is_left(void) {
  for (unsigned c = 0; c < MIA_CLASS_KINDS; c++) need_at(pages(c) == 0, c);
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++)
    need_at(mia_theap_all.main.abandoned[c] == NULL, c);
}

#endif
