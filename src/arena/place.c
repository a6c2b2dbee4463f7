/* SPDX-License-Identifier: MIT */
/* place.c -- where mappings lie. */
#include "base/prelude.h"

#include "arena/place.h"
#include "base/bits.h"
#include "os/os.h"

#include <string.h>

/* ---- random places ---- */

/* With 32 bits there is no room. */
enum { HAS_ROOM = sizeof(void *) > sizeof(uint32_t) };

/* All places are in a window, whose own place is another in each process.  So the page map needs few
 * leaves, however many mappings come and go. */
#define WINDOW ((uint64_t)16 << 30)

/* Returns a random number that follows from the secret and `number'.  Not inline, so that its block is
 * not on the stack while a caller calls other functions. */
mia_noinline static uint64_t random_of(uintptr_t number) {
  uint32_t block[MIA_RANDOM_WORDS] = {0};
  memcpy(block, &number, sizeof number);
  mia_arena_copy_key(block + MIA_RANDOM_KEY);
  mia_base_random_block(block, MIA_RANDOM_ROUNDS, block);
  uint64_t random;
  memcpy(&random, block, sizeof random);
  return random;
}

uint64_t mia_arena_random(void) {
  return random_of(mia_aword_add(&mia_arena_all.tier.drawn, 1) + 1);
}

/* Returns a place for a mapping.  The address that the kernel has chosen shows how large the address space
 * is.  The window begins between an eighth and three eighths of it. */
static void *random_place(const void *chosen) {
  enum { FOR_WINDOW = 0, PART = 4 };
  uint64_t half = (uint64_t)1 << mia_high_bit((uintptr_t)chosen);
  uint64_t window = half / PART + random_of(FOR_WINDOW) % (half / 2);
  return (void *)mia_align_down((uintptr_t)(window + mia_arena_random() % WINDOW), MIA_SLICE_SIZE);
}

void *mia_arena_reserve_range(size_t size, bool live) {
  void *p = mia_os_reserve(size, live);
  if (!HAS_ROOM || !mia_tier_is_hardened() || p == NULL) return p;
  void *at = mia_os_reserve_at(random_place(p), size, live);
  if (at == NULL) return p;
  (void)mia_os_release(p, size);
  return at;
}

/* ---- guards ---- */

/* If `live', the guards can be accessed.  For an alignment, reserves more than is needed, and releases what
 * lies before the first guard and behind the second. */
static char *reserve_between_guards(size_t size, size_t align, bool live) {
  size_t slack = align > mia_os_page_size() ? align : 0;
  size_t least = size + MIA_ARENA_GUARDS, whole = least + slack;
  if (whole < size) return NULL;
  char *p = mia_arena_reserve_range(whole, live);
  if (p == NULL) return NULL;
  char *start = p + MIA_ARENA_GUARD;
  start += -(uintptr_t)start & (align - 1);
  char *first = start - MIA_ARENA_GUARD, *end = first + least;
  if (first > p) (void)mia_os_release(p, (size_t)(first - p));
  if (end < p + whole) (void)mia_os_release(end, (size_t)(p + whole - end));
  if (live || mia_os_commit(start, size)) return start;
  (void)mia_os_release(first, least);
  return NULL;
}

void *mia_arena_reserve_guarded(size_t size, size_t align) {
  char *p = reserve_between_guards(size, align, false);
  return p != NULL ? p : reserve_between_guards(size, align, true);
}

bool mia_arena_release_guarded(void *start, size_t size) {
  return mia_os_release((char *)start - MIA_ARENA_GUARD, size + MIA_ARENA_GUARDS);
}

void *mia_arena_reserve_huge(size_t size, size_t align) {
  return mia_tier_is_hardened() ? mia_arena_reserve_guarded(size, align)
                                : mia_os_reserve_aligned(size, align);
}

bool mia_arena_release_huge(void *start, size_t size) {
  return mia_tier_is_hardened() ? mia_arena_release_guarded(start, size)
                                : mia_os_release(start, size);
}
