/* SPDX-License-Identifier: MIT */
/* record.c -- tiers from 1 on: where it is written which blocks are live. */
#include "base/prelude.h"

#include "arena/place.h"
#include "arena/record.h"
#include "base/bits.h"
#include "os/os.h"

static size_t records_size(const mia_arena *arena) {
  return mia_align_up(arena->slices * sizeof(mia_record), mia_os_page_size());
}

bool mia_arena_make_records(mia_arena *arena) {
  if (!mia_tier_is_checked()) return true;
  arena->records = mia_arena_reserve_guarded(records_size(arena), 1);
  if (arena->records == NULL) return false;
  mia_aword_add(&mia_arena_all.reserved, records_size(arena) + MIA_ARENA_GUARDS);
  return true;
}

void mia_arena_release_records(mia_arena *arena) {
  if (arena->records == NULL) return;
  if (mia_arena_release_guarded(arena->records, records_size(arena)))
    mia_aword_sub(&mia_arena_all.reserved, records_size(arena) + MIA_ARENA_GUARDS);
}
