/* SPDX-License-Identifier: MIT */
/* record.c -- tiers from 1 on: where it is written which blocks are live. */
#include "base/prelude.h"

#include "arena/place.h"
#include "arena/record.h"
#include "base/bits.h"
#include "os/os.h"

/* Returns the length of an arena's records with their guards. */
static size_t whole_size(const mia_arena *arena) {
  size_t size = mia_align_up(arena->slices * sizeof(mia_record), mia_os_page_size());
  return size + 2 * MIA_ARENA_GUARD;
}

/* Without guards where no access rights can be changed. */
static char *reserve(size_t whole) {
  char *p = mia_arena_reserve_range(whole, false);
  if (p == NULL || mia_os_commit(p + MIA_ARENA_GUARD, whole - 2 * MIA_ARENA_GUARD)) return p;
  (void)mia_os_release(p, whole);
  return mia_arena_reserve_range(whole, true);
}

bool mia_arena_make_records(mia_arena *arena) {
  if (!mia_tier_is_checked()) return true;
  char *p = reserve(whole_size(arena));
  if (p == NULL) return false;
  arena->records = (void *)(p + MIA_ARENA_GUARD);
  mia_aword_add(&mia_arena_all.reserved, whole_size(arena));
  return true;
}

void mia_arena_release_records(mia_arena *arena) {
  if (arena->records == NULL) return;
  size_t whole = whole_size(arena);
  if (mia_os_release((char *)arena->records - MIA_ARENA_GUARD, whole))
    mia_aword_sub(&mia_arena_all.reserved, whole);
}
