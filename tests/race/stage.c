/* SPDX-License-Identifier: MIT */
/* stage.c -- what models share. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "arena/arena.h"
#include "page/canary.h"
#include "page/page.h"
#include "stage.h"
#include "theap/bin.h"
#include "theap/remote_cache.h"
#include "theap/theap.h"

mia_theap *stage_theaps[RACE_THREADS];

mia_static_assert(MIA_CACHE_SLOTS > STAGE_CLASS + 1, "there are slots behind that class's");

static void ignore_cache(const mia_theap *theap, size_t from, size_t to) {
  race_ignore(&theap->cache.slots[from], (to - from) * sizeof theap->cache.slots[0]);
}

/* Only the cached pages of STAGE_CLASS, and large ones of one slice, are explored. */
void stage_ignore(const mia_theap *theap) {
  race_ignore(&theap->counts, sizeof theap->counts);
  ignore_cache(theap, 0, STAGE_CLASS);
  ignore_cache(theap, STAGE_CLASS + 1, MIA_CLASS_COUNT);
  ignore_cache(theap, MIA_CLASS_COUNT + 1, MIA_CACHE_SLOTS);
}

void stage_begin_threads(void) {
  stage_begin();
  for (unsigned i = 0; i < RACE_THREADS; i++) {
    stage_theaps[i] = mia_theap_take(mia_theap_main_heap());
    if (stage_theaps[i] == NULL) race_fail("no theap");
    stage_ignore(stage_theaps[i]);
  }
  race_ignore(mia_theap_all.pages, sizeof mia_theap_all.pages);
  race_set_own((void **)(void *)&mia_theap_self);
}

void stage_begin_theaps(void) {
  stage_begin_threads();
  race_ignore(&mia_theap_all.attached, sizeof mia_theap_all.attached);
  race_ignore(&mia_arena_all.reserved,
              offsetof(mia_arena_world, grow) - offsetof(mia_arena_world, reserved));
}

void stage_set_self(unsigned i) { mia_theap_self = stage_theaps[i]; }

/* Makes a page and takes back its extension, so that it has no blocks.  What its owner frees does
 * not go to a magazine. */
static mia_page *make_unextended_page(mia_theap *self) {
  if (!mia_theap_refill(self, STAGE_CLASS)) race_fail("no page");
  mia_page *page = self->bins[STAGE_CLASS].page;
  self->free_list[STAGE_CLASS] = NULL;
  mia_remote_empty(self, STAGE_CLASS);
  page->capacity = page->used = 0;
  return page;
}

mia_page *stage_page(unsigned theap, uint32_t total, uint32_t live, mia_block **blocks) {
  mia_theap *self = stage_theaps[theap];
  mia_page *page = make_unextended_page(self);
  for (uint32_t i = 0; i < live; i++) {
    page->total = (uint16_t)(i + 1);
    if (!mia_theap_refill(self, STAGE_CLASS)) race_fail("no block");
    blocks[i] = self->free_list[STAGE_CLASS];
    self->free_list[STAGE_CLASS] = blocks[i]->next;
    mia_page_set_canary(page, blocks[i], mia_canary_capacity(page));
  }
  page->total = (uint16_t)total;
  mia_remote_empty(self, STAGE_CLASS);
  return page;
}

void stage_forget_page(unsigned theap) { stage_theaps[theap]->bins[STAGE_CLASS].page = NULL; }

void stage_write_block(mia_block *block) { race_write(block + 1, sizeof *block); }

void stage_free(unsigned theap, mia_block *block) {
  stage_set_self(theap);
  stage_write_block(block);
  mia_alloc_free(block);
  mia_theap_flush_batches(stage_theaps[theap]);
}

/* ---- retiring, seen by the linker's --wrap ---- */

static mia_aword retired; /* by any thread; the count orders nothing */
void __real_mia_page_retire(mia_page *page);
void __wrap_mia_page_retire(mia_page *page);

/* From here on the memory may belong to others, so writes it: an access by any other thread that is
 * not ordered before is a data race. */
void __wrap_mia_page_retire(mia_page *page) {
  mia_aword_add(&retired, 1);
  for (uint32_t i = 0; i < page->capacity; i++)
    race_write(page->start + i * page->size, 2 * sizeof(mia_block));
  mia_page copy = *page;
  race_write(page, sizeof *page);
  *page = copy;
  __real_mia_page_retire(page);
}

size_t stage_retired(void) { return mia_aword_get(&retired); }
