/* SPDX-License-Identifier: MIT */
/* tail.c -- the tail of a large page: written memory behind the end of its block. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "base/bits.h"
#include "os/os.h"
#include "page/tail.h"

#include <errno.h>
#include <string.h>

/* All tails together may have TAILS_MIN bytes, or one of TAILS_PART parts of the memory in use
 * if that is more: giving a tail back costs a system call, and page faults when the page needs
 * it again.  Without a bound, 1,000 random blocks of 33 to 100 KB have 1.2 of the memory.
 *
 * Idle memory elsewhere lowers this bound, but not below TAILS_FLOOR.  A table of 100 blocks of 32
 * to 128 KiB has tails of 2.7 MiB.  With a floor of 2 MiB it has five times the page faults; without
 * the lowering, eight threads with such blocks have 1.2 of the memory. */
#define TAILS_MIN (9 * MIA_MIB / 2)
#define TAILS_FLOOR (3 * MIA_MIB)
enum { TAILS_PART = 16 };

/* Tails are counted in pages of up to this length only: in longer ones a slice is a small part. */
enum { SLICES_MAX = 4 };

static size_t bound(void) {
  size_t part = mia_aword_get(&mia_arena_all.used) / TAILS_PART;
  size_t limit = part > TAILS_MIN ? part : TAILS_MIN;
  size_t idle = mia_arena_idle();
  return idle < limit - TAILS_FLOOR ? limit - idle : TAILS_FLOOR;
}

static void count(mia_page *page, size_t tail) {
  if (tail != page->tail) mia_aword_add(&mia_arena_all.tails, tail - page->tail);
  page->tail = (uint32_t)tail;
}

/* If the purge fails, the tail is no longer counted either: it cannot be saved. */
static void give_back(mia_page *page, size_t end) {
  int error = errno;
  (void)mia_arena_purge_part(page->arena, mia_page_span(page) + end, page->touched - end);
  errno = error;
  page->touched = (uint32_t)end;
  count(page, 0);
}

void mia_page_update_tail(mia_page *page, size_t touched) {
  size_t end = page->padding + page->size;
  page->touched = (uint32_t)(touched > end ? touched : end);
  count(page, page->slices <= SLICES_MAX ? page->touched - end : 0);
  if (page->tail > 0 && mia_aword_get(&mia_arena_all.tails) > bound()) give_back(page, end);
}

void mia_page_uncount_tail(mia_page *page) { count(page, 0); }

/* Beyond this it is cheaper to purge. */
#define WRITE_ZERO_MAX (256 * MIA_KIB)

/* Purges the whole OS pages of a part of a span.  Returns the bytes at its start that are zero then. */
static size_t purge_whole(const mia_page *page, char *start, size_t size) {
  size_t whole = mia_align_down(size, mia_os_page_size());
  if (size <= WRITE_ZERO_MAX || !mia_is_aligned(start, mia_os_page_size())) return 0;
  int error = errno;
  bool is_purged = mia_arena_purge_part(page->arena, start, whole);
  errno = error;
  return is_purged ? whole : 0;
}

void mia_page_wipe_from(const mia_page *page, size_t from) {
  if (page->size_class == MIA_CLASS_HUGE) return;
  size_t end = page->touched > page->padding ? page->touched - page->padding : 0;
  if (end > page->size) end = page->size;
  if (end <= from) return;
  from += purge_whole(page, page->start + from, end - from);
  memset(page->start + from, 0, end - from);
}
