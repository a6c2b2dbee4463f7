/* limit.c -- MIALLOC_LIMIT: refused beyond it, lean near it; prints TAP.
 *
 *   limit [MIB]
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <errno.h>

/* Twice this is a mapping of its own on every host; hardly any of it is touched. */
enum { HUGE_MIB = 256 };

enum { MIB_DEFAULT = 64, SLOTS = 200000 };

static size_t limit;
static void *blocks[SLOTS];
static size_t count;
static unsigned warnings;

static void hear(const char *text, void *arg) {
  (void)arg;
  warnings += strstr(text, "MIALLOC_LIMIT") != NULL;
}

static void set_limit(size_t bytes) {
  if (!mia_option_set(MIA_OPTION_LIMIT, (long)(bytes / KIB))) abort();
}

/* Until there is no more; bytes. */
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

static void full_of(size_t size) {
  size_t base = soak_rss();
  size_t bytes = fill(size);
  bool refused = errno == ENOMEM;
  size_t rss = soak_above(soak_rss(), base);
  soak_case(refused && bytes <= limit && bytes >= limit / 4 * 3 &&
                soak_within(rss, limit + limit / 8),
            "%zu bytes at a time: %zu KiB of %zu KiB, RSS %zu KiB", size, bytes / KIB, limit / KIB,
            rss / KIB);
  release(count / 2);
  size_t again = fill(size);
  soak_case(again >= bytes / 4, "what is freed can be had again: %zu KiB", again / KIB);
  release(0);
}

/* As many bytes as were used before are used by what is larger. */
static void changes_size(void) {
  fill(100);
  release(count / 16);
  soak_case(fill(MIB / 2) >= limit / 2, "what small blocks left is there for large ones");
  release(0);
}

static void huge(void) {
  errno = 0;
  soak_case(mia_malloc(limit + 1) == NULL && errno == ENOMEM, "a block beyond the limit");
  char *p = mia_malloc(limit / 2);
  soak_case(p != NULL, "a block of half of it");
  if (p == NULL) return;
  p[0] = 'a';
  p[limit / 2 - 1] = 'z';
  errno = 0;
  soak_case(mia_realloc(p, limit + 1) == NULL && errno == ENOMEM && p[0] == 'a' &&
                p[limit / 2 - 1] == 'z',
            "growing beyond the limit leaves the block as it is");
  char *q = mia_realloc(p, limit / 16 * 11);
  soak_case(q != NULL && q[0] == 'a' && q[limit / 2 - 1] == 'z', "growing below it");
  if (q != NULL) p = q;
  q = mia_realloc(p, limit / 4);
  if (q != NULL) p = q;
  q = mia_malloc(limit / 2);
  soak_case(q != NULL, "what a block that shrank gave up");
  mia_free(p);
  mia_free(q);
  soak_case(mia_calloc(limit / 64, 128) == NULL, "zeroed blocks count as well");
}

/* A size that grows as a program's array would. */
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
  soak_case(errno == ENOMEM && size <= limit && size >= limit / 4 && p[size - 1] == 3,
            "an array doubled up to %zu KiB", size / KIB);
  mia_free(p);
}

static void told_once(void) {
  warnings = 0;
  for (int i = 0; i < 3; i++) {
    fill(MIB / 4);
    release(0);
  }
  soak_case(warnings == 1, "warned once: %u", warnings);
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {100, 1000, 8000, 30000, 100000, MIB};
  size_t whole = soak_scale(argc, argv, MIB_DEFAULT) * MIB;
  mia_register_output(hear, NULL);
  limit = whole;
  set_limit(limit);
  told_once();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    if (whole / sizes[i] < SLOTS) full_of(sizes[i]);
  limit = 4 * MIB;
  set_limit(limit);
  full_of(100);
  limit = whole;
  set_limit(limit);
  changes_size();
  growing();
  limit = HUGE_MIB * MIB;
  set_limit(limit);
  huge();
  set_limit(0);
  void *p = mia_malloc(limit * 2);
  soak_case(p != NULL, "no limit again");
  mia_free(p);
  release(0);
  return soak_end();
}
