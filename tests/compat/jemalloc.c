/* jemalloc.c -- the functions with flags.  Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jemalloc.h>
#include <stdio.h>
#include <stdlib.h>

static int tests, failures;

static void check(const char *what, bool good) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
  if (!good) failures++;
}

static bool is_zero(const void *p, size_t from, size_t to) {
  const char *bytes = (const char *)p;
  for (size_t i = from; i < to; i++)
    if (bytes[i] != 0) return false;
  return true;
}

static const size_t sizes[] = {1, 100, 1000, 40000, 300000, 3000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void test_flags(void) {
  bool same = true;
  for (unsigned lg = 0; lg < 30; lg++) {
    same = same && MALLOCX_ALIGN((size_t)1 << lg) == MALLOCX_LG_ALIGN(lg);
    same = same && mia_jemalloc_align(MALLOCX_LG_ALIGN(lg) | MALLOCX_ZERO | MALLOCX_TCACHE_NONE |
                                      MALLOCX_ARENA(3)) == (size_t)1 << lg;
  }
  check("both ways to name an alignment are one", same);
  same = MALLOCX_ZERO == 0x40 && (MALLOCX_TCACHE(5) & (0x3f | MALLOCX_ZERO)) == 0;
  check("flags do not overlap", same && (MALLOCX_ARENA(5) & 0xfffff) == 0);
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
  check("mallocx aligns", right);
  check("mallocx zeroes", zero);
  check("nallocx tells the size that mallocx gives", sized);
  check("nallocx of what cannot be is 0",
        nallocx((size_t)-1, 0) == 0 && nallocx((size_t)-100, MALLOCX_ALIGN(4096)) == 0);
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
  check("rallocx keeps the contents", kept);
  check("what is new is zero on demand", zero);
  check("xallocx never moves", in_place);
}

int main(void) {
  test_flags();
  test_blocks();
  test_sizes();
  printf("1..%d\n", tests);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
