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

/* Reserves `size' bytes between guards; without guards where no access rights can be changed. */
static char *reserve(size_t size) {
  char *whole = mia_arena_reserve_range(size + 2 * MIA_ARENA_GUARD, false);
  if (whole == NULL || mia_os_commit(whole + MIA_ARENA_GUARD, size)) return whole;
  (void)mia_os_release(whole, size + 2 * MIA_ARENA_GUARD);
  return mia_arena_reserve_range(size + 2 * MIA_ARENA_GUARD, true);
}

bool mia_arena_make_records(mia_arena *arena) {
  if (!mia_tier_is_checked()) return true;
  char *whole = reserve(records_size(arena));
  if (whole != NULL) arena->records = (void *)(whole + MIA_ARENA_GUARD);
  return whole != NULL;
}

void mia_arena_release_records(mia_arena *arena) {
  if (arena->records == NULL) return;
  (void)mia_os_release((char *)arena->records - MIA_ARENA_GUARD,
                       records_size(arena) + 2 * MIA_ARENA_GUARD);
}
