/* tail.c -- what lies behind a large block, in the slices that its page has. */
#include "base/prelude.h"

#include "arena/purge.h"
#include "page/tail.h"

#include <errno.h>

/* So much may lie behind blocks, or this part of what is in use: to give it back costs
 * a system call, and page faults when the page is needed as a whole again.  What is idle
 * elsewhere counts as well, up to seven of eight parts of that. */
#define TAILS_MIN (9 * MIA_MIB / 2)
enum { TAILS_PART = 16, IDLE_PARTS = 7, PARTS = 8 };

/* Of longer pages a slice is a small part. */
enum { SLICES_MAX = 4 };

static size_t bound(void) {
  size_t part = mia_aword_get(&mia_arena_all.used) / TAILS_PART;
  size_t most = part > TAILS_MIN ? part : TAILS_MIN;
  size_t idle = mia_arena_idle(), idle_most = most / PARTS * IDLE_PARTS;
  return most - (idle < idle_most ? idle : idle_most);
}

static void count(mia_page *page, size_t tail) {
  if (tail != page->tail) mia_aword_add(&mia_arena_all.tails, tail - page->tail);
  page->tail = (uint32_t)tail;
}

/* What cannot be given back is nothing that could be saved. */
static void give_back(mia_page *page, size_t end) {
  int error = errno;
  (void)mia_arena_purge_part(page->arena, mia_page_span(page) + end, page->touched - end);
  errno = error;
  page->touched = (uint32_t)end;
  count(page, 0);
}

void mia_page_renew_tail(mia_page *page, size_t touched) {
  size_t end = page->padding + page->size;
  page->touched = (uint32_t)(touched > end ? touched : end);
  count(page, page->slices <= SLICES_MAX ? page->touched - end : 0);
  if (page->tail > 0 && mia_aword_get(&mia_arena_all.tails) > bound()) give_back(page, end);
}

void mia_page_forget_tail(mia_page *page) { count(page, 0); }
