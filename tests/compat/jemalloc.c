/* jemalloc.c -- jemalloc's functions with flags.  Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jemalloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "../tap.h"

static bool is_zero(const void *p, size_t from, size_t to) {
  const char *bytes = (const char *)p;
  for (size_t i = from; i < to; i++)
    if (bytes[i] != 0) return false;
  return true;
}

static const size_t sizes[] = {1, 100, 1000, 40000, 300000, 3000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* The flags are constant expressions. */
enum { FLAGS = MALLOCX_ALIGN(64) | MALLOCX_ZERO };

static void test_flags(void) {
  bool same = true;
  for (unsigned lg = 0; lg < 30; lg++) {
    same = same && MALLOCX_ALIGN((size_t)1 << lg) == MALLOCX_LG_ALIGN(lg);
    same = same && mia_jemalloc_align(MALLOCX_LG_ALIGN(lg) | MALLOCX_ZERO | MALLOCX_TCACHE_NONE |
                                      MALLOCX_ARENA(3)) == (size_t)1 << lg;
  }
  tap_ok(FLAGS == (6 | 0x40), "flags are constants");
  tap_ok(mallocx(100, MALLOCX_LG_ALIGN(63)) == NULL && mallocx(100, MALLOCX_LG_ALIGN(40)) == NULL,
         "an alignment without room is refused");
  tap_ok(same, "both ways to specify an alignment are equal");
  same = MALLOCX_ZERO == 0x40 && (MALLOCX_TCACHE(5) & (0x3f | MALLOCX_ZERO)) == 0;
  tap_ok(same && (MALLOCX_ARENA(5) & 0xfffff) == 0, "flags do not overlap");
}

/* Resizes blocks from every size to the next and back, so that they grow by little and by
 * much, and shrink.  Each is freed with its requested size. */
static void test_exact_sizes(void) {
  static const size_t marks[] = {8,       100,     260,     300,      4000,     16000,
                                 20000,   32768,   32769,   36864,    40000,    70000,
                                 1000000, 1000001, 9 << 20, 34 << 20, 36 << 20, (36 << 20) + 4097,
                                 20000,   1};
  bool equal = true;
  for (unsigned lg = 0; lg <= 25; lg += lg < 16 ? 4 : 9) {
    int flags = MALLOCX_LG_ALIGN(lg);
    char *p = (char *)mallocx(10, flags);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
      p = (char *)rallocx(p, marks[i], flags);
      if (sallocx(p, flags) == nallocx(marks[i], flags)) continue;
      printf("# %zu at 2^%u: %zu, said %zu\n", marks[i], lg, sallocx(p, flags),
             nallocx(marks[i], flags));
      equal = false;
    }
    sdallocx(p, 1, flags);
    for (size_t size = 1; size < 40000; size += size / 10 + 1) {
      p = (char *)mallocx(size, flags);
      p = (char *)rallocx(p, size + size / 20 + 1, flags);
      equal = equal && sallocx(p, flags) == nallocx(size + size / 20 + 1, flags);
      sdallocx(p, size + size / 20 + 1, flags);
    }
  }
  tap_ok(equal, "nallocx returns the size that rallocx gives");
}

static void test_blocks(void) {
  bool right = true, zero = true, sized = true;
  for (int i = 0; i < SIZES; i++) {
    for (unsigned lg = 0; lg <= 16; lg += 4) {
      int flags = MALLOCX_LG_ALIGN(lg);
      for (int round = 0; round < 2; round++) {
        char *p = (char *)mallocx(sizes[i], flags);
        char *q = (char *)mallocx(sizes[i], flags | MALLOCX_ZERO);
        right = right && p != NULL && q != NULL;
        right = right && (uintptr_t)p % ((size_t)1 << lg) == 0;
        right = right && (uintptr_t)q % ((size_t)1 << lg) == 0;
        zero = zero && is_zero(q, 0, sallocx(q, flags));
        sized = sized && sallocx(p, flags) == nallocx(sizes[i], flags);
        memset(p, 1, sallocx(p, flags));
        memset(q, 1, sallocx(q, flags));
        dallocx(p, flags);
        sdallocx(q, sizes[i], flags);
      }
    }
  }
  tap_ok(right, "mallocx aligns");
  tap_ok(zero, "mallocx zeroes");
  tap_ok(sized, "nallocx returns the size that mallocx gives");
  tap_ok(nallocx((size_t)-1, 0) == 0 && nallocx(100, MALLOCX_LG_ALIGN(31)) == 0 &&
             nallocx((size_t)-100, MALLOCX_ALIGN(4096)) == 0,
         "nallocx of what cannot be is 0");
}

static void test_sizes(void) {
  bool kept = true, zero = true, in_place = true;
  for (int i = 0; i < SIZES; i++) {
    for (int j = 0; j < SIZES; j++) {
      char *p = (char *)mallocx(sizes[i], 0);
      size_t before = sallocx(p, 0);
      memset(p, 7, before);
      p = (char *)rallocx(p, sizes[j], MALLOCX_ZERO | MALLOCX_ALIGN(256));
      kept = kept && p != NULL && p[0] == 7 && (uintptr_t)p % 256 == 0 && sallocx(p, 0) >= sizes[j];
      if (sallocx(p, 0) > before) zero = zero && is_zero(p, before, sallocx(p, 0));
      before = sallocx(p, 0);
      size_t after = xallocx(p, before, sizes[i], MALLOCX_ZERO);
      in_place = in_place && after == sallocx(p, 0) && after >= before && p[0] == 7;
      zero = zero && is_zero(p, before, after);
      in_place = in_place && xallocx(p, (size_t)-1, (size_t)-1, 0) == after;
      dallocx(p, 0);
    }
  }
  tap_ok(kept, "rallocx keeps the contents");
  tap_ok(zero, "new bytes are zero on demand");
  tap_ok(in_place, "xallocx never moves");
}

/* Frees with every size that a block has had, up to the current one. */
static void test_known_sizes(void) {
  for (int i = 0; i < SIZES; i++) {
    for (unsigned lg = 0; lg <= 16; lg += 4) {
      int flags = MALLOCX_LG_ALIGN(lg) | MALLOCX_TCACHE_NONE | MALLOCX_ARENA(1);
      void *p = mallocx(sizes[i], flags);
      sdallocx(p, sallocx(p, flags), flags);
      p = mallocx(sizes[i], flags);
      sdallocx(p, nallocx(sizes[i], flags), flags);
      p = rallocx(mallocx(10, flags), sizes[i], flags);
      sdallocx(p, sizes[i], flags);
    }
  }
  tap_ok(true, "sdallocx accepts any size from the requested to the usable size");
}

/* Resizes in place, or fails without any other change. */
static void test_expansion(void) {
  char *volatile hidden = (char *)mallocx(100, 0); /* its usable size differs from the request */
  char *p = hidden;
  size_t before = sallocx(p, 0);
  memset(p, 1, before);
  errno = 12345;
  bool same = xallocx(p, 50, 0, 0) == before && xallocx(p, before, 0, 0) == before;
  same = same && xallocx(p, 100000, 100000, MALLOCX_ZERO) == before && p[before - 1] == 1;
  tap_ok(same && errno == 12345, "a block that cannot grow is unchanged");
  dallocx(p, 0);
  hidden = (char *)mallocx(9 << 20, 0); /* a large block */
  p = hidden;
  before = sallocx(p, 0);
  memset(p, 1, before);
  size_t after = xallocx(p, before + 1, (size_t)-1 - before - 1, MALLOCX_ZERO);
  tap_ok(after >= before && p[0] == 1 && is_zero(p, before, after),
         "without the extra bytes rather than not");
  dallocx(p, 0);
}

int main(void) {
  test_flags();
  test_known_sizes();
  test_expansion();
  test_exact_sizes();
  test_blocks();
  test_sizes();
  return tap_end();
}
