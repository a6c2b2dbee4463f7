/* SPDX-License-Identifier: MIT */
/* record.c -- tiers from 1 on: where it is written which blocks are live. */
#include "base/prelude.h"

#include "arena/record.h"
#include "base/bits.h"
#include "os/os.h"

/* The largest OS page. */
#define GUARD MIA_SLICE_SIZE

static size_t records_size(const mia_arena *arena) {
  return mia_align_up(arena->slices * sizeof(mia_record), mia_os_page_size());
}

/* Reserves `size' bytes between guards; without guards where no access rights can be changed. */
static char *reserve(size_t size) {
  char *whole = mia_os_reserve(size + 2 * GUARD, false);
  if (whole == NULL || mia_os_commit(whole + GUARD, size)) return whole;
  (void)mia_os_release(whole, size + 2 * GUARD);
  return mia_os_reserve(size + 2 * GUARD, true);
}

bool mia_arena_make_records(mia_arena *arena) {
  if (!mia_tier_is_checked()) return true;
  char *whole = reserve(records_size(arena));
  if (whole != NULL) arena->records = (void *)(whole + GUARD);
  return whole != NULL;
}

void mia_arena_release_records(mia_arena *arena) {
  if (arena->records == NULL) return;
  (void)mia_os_release((char *)arena->records - GUARD, records_size(arena) + 2 * GUARD);
}
