/* limit.c -- MIALLOC_LIMIT: requests beyond it fail, and most of it can be used; prints TAP.
 *
 *   limit [MIB]
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <errno.h>

/* A block of twice this size is huge on every host; hardly any of it is touched. */
enum { HUGE_MIB = 256 };

enum { MIB_DEFAULT = 64, SLOTS = 200000 };

static size_t limit;
static void *blocks[SLOTS];
static size_t count;
static unsigned warnings;

static void count_warnings(const char *text, void *arg) {
  (void)arg;
  warnings += strstr(text, "MIALLOC_LIMIT") != NULL;
}

static void set_limit(size_t bytes) {
  if (!mia_option_set(MIA_OPTION_LIMIT, (long)(bytes / KIB))) abort();
}

/* Allocates until a request fails.  Returns the bytes allocated. */
static size_t fill(size_t size) {
  size_t start = count;
  for (; count < SLOTS; count++) {
    errno = 0;
    blocks[count] = mia_malloc(size);
    if (blocks[count] == NULL) break;
    memset(blocks[count], 1, size);
  }
  return (count - start) * size;
}

static void release(size_t rest) {
  while (count > rest) mia_free(blocks[--count]);
}

static void fill_to_limit(size_t size) {
  size_t base = soak_rss();
  size_t bytes = fill(size);
  bool refused = errno == ENOMEM;
  size_t rss = soak_above(soak_rss(), base);
  tap_ok(refused && bytes <= limit && bytes >= limit / 4 * 3 && soak_within(rss, limit + limit / 8),
         "%zu bytes at a time: %zu KiB of %zu KiB, RSS %zu KiB", size, bytes / KIB, limit / KIB,
         rss / KIB);
  release(count / 2);
  size_t again = fill(size);
  tap_ok(again >= bytes / 4, "freed memory can be allocated again: %zu KiB", again / KIB);
  release(0);
}

/* Large blocks can reuse the memory of small ones. */
static void changes_size(void) {
  fill(100);
  release(count / 16);
  tap_ok(fill(MIB / 2) >= limit / 2, "large blocks reuse the memory of small ones");
  release(0);
}

static void huge(void) {
  errno = 0;
  tap_ok(mia_malloc(limit + 1) == NULL && errno == ENOMEM, "a block beyond the limit is refused");
  char *p = mia_malloc(limit / 2);
  tap_ok(p != NULL, "a block of half the limit is allocated");
  if (p == NULL) return;
  p[0] = 'a';
  p[limit / 2 - 1] = 'z';
  errno = 0;
  tap_ok(mia_realloc(p, limit + 1) == NULL && errno == ENOMEM && p[0] == 'a' &&
             p[limit / 2 - 1] == 'z',
         "growing beyond the limit leaves the block as it is");
  char *q = mia_realloc(p, limit / 16 * 11);
  tap_ok(q != NULL && q[0] == 'a' && q[limit / 2 - 1] == 'z', "growing below the limit succeeds");
  if (q != NULL) p = q;
  q = mia_realloc(p, limit / 4);
  if (q != NULL) p = q;
  q = mia_malloc(limit / 2);
  tap_ok(q != NULL, "memory that a shrunk block gave up is reused");
  mia_free(p);
  mia_free(q);
  tap_ok(mia_calloc(limit / 64, 128) == NULL, "zeroed blocks count too");
}

/* Doubles a block, as a growing array of a program does. */
static void growing(void) {
  size_t size = 100;
  char *p = mia_malloc(size);
  for (;;) {
    char *q = mia_realloc(p, size * 2);
    if (q == NULL) break;
    p = q;
    size *= 2;
    memset(p, 3, size);
  }
  tap_ok(errno == ENOMEM && size <= limit && size >= limit / 4 && p[size - 1] == 3,
         "an array doubled up to %zu KiB", size / KIB);
  mia_free(p);
}

static void warns_once(void) {
  warnings = 0;
  for (int i = 0; i < 3; i++) {
    fill(MIB / 4);
    release(0);
  }
  tap_ok(warnings == 1, "warned once: %u", warnings);
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {100, 1000, 8000, 30000, 100000, MIB};
  size_t whole = soak_scale(argc, argv, MIB_DEFAULT) * MIB;
  mia_register_output(count_warnings, NULL);
  limit = whole;
  set_limit(limit);
  warns_once();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    if (whole / sizes[i] < SLOTS) fill_to_limit(sizes[i]);
  limit = 4 * MIB;
  set_limit(limit);
  fill_to_limit(100);
  limit = whole;
  set_limit(limit);
  changes_size();
  growing();
  limit = HUGE_MIB * MIB;
  set_limit(limit);
  huge();
  set_limit(0);
  void *p = mia_malloc(limit * 2);
  tap_ok(p != NULL, "without a limit large requests succeed again");
  mia_free(p);
  release(0);
  return tap_end();
}
