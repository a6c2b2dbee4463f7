/* SPDX-License-Identifier: MIT */
/* hardened.c -- tiers from 2 on: how a theap takes and frees blocks of a class. */
#include "base/prelude.h"

#include "page/tags.h"
#include "theap/checked.h"
#include "theap/hardened.h"

#include <string.h>

/* How long a block waits in a queue at the most, if the thread goes on calling. */
enum { HELD_MS = 1000 };

/* ---- random numbers ---- */

static void seed(mia_theap *self) {
  const uintptr_t own[] = {(uintptr_t)self, self->hardened.seeds++};
  uint32_t key[MIA_RANDOM_KEY], mask[MIA_RANDOM_KEY] = {0};
  mia_arena_copy_key(key);
  memcpy(mask, own, sizeof own);
  for (size_t i = 0; i < MIA_RANDOM_KEY; i++) key[i] ^= mask[i];
  mia_base_random_seed(&self->hardened.random, key);
}

static unsigned next_random(mia_theap *self) {
  if (mia_unlikely(!self->hardened.random.seeded)) seed(self);
  return mia_base_random_next(&self->hardened.random);
}

void mia_theap_reseed_all(void) {
  if (!mia_tier_is_hardened()) return;
  mia_arena_renew_key();
  mia_theap *theap = (mia_theap *)mia_aword_get(&mia_theap_all.all);
  for (; theap != NULL; theap = theap->all) theap->hardened.random.seeded = false;
}

/* ---- the content of free blocks ---- */

/* The rest of the block is the redzone of the next one (canary.h). */
static size_t wiped_size(const mia_page *page) { return page->size - MIA_REDZONE_SIZE; }

/* Reads eight words at a time. */
static bool is_wiped(const void *block, size_t size) {
  enum { AT_ONCE = 8 };
  const uint64_t *at = block, *end = at + size / sizeof *at;
  uint64_t any = 0;
  for (; end - at >= AT_ONCE && any == 0; at += AT_ONCE)
    any = at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7];
  for (; at < end; at++) any |= *at;
  return any == 0;
}

void *mia_theap_hardened_take(mia_theap *self, mia_page *page) {
  void *p = mia_page_take_random(page, next_random(self));
  if (mia_unlikely(!is_wiped(p, wiped_size(page)))) mia_page_misuse(page, MIA_MISUSE_WRITTEN, p);
  return mia_page_tag(page, p);
}

/* ---- the quarantine ---- */

/* The places for a block of this size. */
static mia_held_blocks *places_for(mia_theap *self, size_t size) {
  return size <= MIA_HELD_SMALL_MAX ? &self->hardened.small : &self->hardened.large;
}
static unsigned count_of(const mia_theap *self, const mia_held_blocks *held) {
  return held == &self->hardened.small ? MIA_HELD_SMALL : MIA_HELD_LARGE;
}

static void *exchange(void **place, void *p) {
  void *was = *place;
  *place = p;
  return was;
}

static void *push_queue(mia_held_blocks *held, unsigned count, void *p) {
  held->last = (uint8_t)((held->last + 1) % count);
  return exchange(&held->queue[held->last], p);
}

/* Returns the block that leaves instead, or NULL. */
static void *hold(mia_theap *self, mia_held_blocks *held, void *p) {
  unsigned count = count_of(self, held);
  p = exchange(&held->random[next_random(self) % count], p);
  return p != NULL ? push_queue(held, count, p) : NULL;
}

/* The page exists, since the block counts as live. */
static void release(mia_theap *self, void *p) {
  mia_page *page = mia_page_require_of(p);
  mia_theap_checked_free_slow(self, page, mia_live_index(page, p));
}

void mia_theap_hardened_free(mia_theap *self, mia_page *page, uint32_t block) {
  void *p = page->start + block * page->size;
  if (mia_unlikely(!mia_live_hold(mia_live_record(page), block)))
    mia_page_misuse(page, MIA_MISUSE_TWICE, p);
  mia_tags_clear(page, p, page->size);
  memset(p, 0, wiped_size(page));
  if (mia_theap_is_none(self) || !mia_theap_is_settled_main_page(page)) {
    mia_theap_checked_free_slow(self, page, block);
    return;
  }
  p = hold(self, places_for(self, page->size), p);
  if (p != NULL) release(self, p);
}

static void flush(mia_theap *self, void **places, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    void *p = exchange(&places[i], NULL);
    if (p != NULL) release(self, p);
  }
}

static void flush_queues(mia_theap *self) {
  flush(self, self->hardened.small.queue, MIA_HELD_SMALL);
  flush(self, self->hardened.large.queue, MIA_HELD_LARGE);
}

void mia_theap_flush_held(mia_theap *self) {
  if (!mia_tier_is_hardened()) return;
  flush_queues(self);
  flush(self, self->hardened.small.random, MIA_HELD_SMALL);
  flush(self, self->hardened.large.random, MIA_HELD_LARGE);
}

void mia_theap_age_held(mia_theap *self, mia_time_ms now) {
  if (!mia_tier_is_hardened() || now - self->hardened.flushed_at < HELD_MS) return;
  self->hardened.flushed_at = now;
  flush_queues(self);
}
