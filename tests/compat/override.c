/* override.c -- the macros of mimalloc-override.h: each name allocates from mialloc, whatever
 * malloc is.  Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

#include <mimalloc-override.h>

/* Checks a block of mialloc and frees it. */
static void expect(const char *what, void *p, size_t size, size_t alignment, size_t offset) {
  int good = p != NULL && mi_any_heap_contains(p) && mi_usable_size(p) >= size &&
             ((uintptr_t)p + offset) % alignment == 0;
  tap_ok(good, "%s", what);
  mi_free(p);
}

static void test_c(void) {
  expect("malloc", malloc(100), 100, 16, 0);
  expect("calloc", calloc(10, 10), 100, 16, 0);
  expect("realloc", realloc(malloc(10), 100), 100, 16, 0);
  free(malloc(10));
  expect("strdup", strdup("text"), 5, 8, 0);
  expect("strndup", strndup("text", 2), 3, 8, 0);
  expect("realpath", realpath("/", NULL), 2, 8, 0);
  expect("reallocf", reallocf(NULL, 100), 100, 16, 0);
  expect("valloc", valloc(100), 100, 4096, 0);
  expect("pvalloc", pvalloc(100), 4096, 4096, 0);
  expect("reallocarray", reallocarray(NULL, 10, 10), 100, 16, 0);
  expect("memalign", memalign(64, 100), 100, 64, 0);
  expect("aligned_alloc", aligned_alloc(64, 100), 100, 64, 0);
  void *p = NULL;
  tap_ok(reallocarr(&p, 10, 10) == 0, "reallocarr");
  tap_ok(malloc_size(p) >= 100 && malloc_usable_size(p) == malloc_size(p), "malloc_size");
  tap_ok(malloc_good_size(100) == malloc_size(p), "malloc_good_size");
  cfree(p);
  tap_ok(posix_memalign(&p, 64, 10) == 0, "posix_memalign");
  free(p);
  tap_ok(_posix_memalign(&p, 64, 10) == 0, "_posix_memalign");
  free(p);
}

static void test_windows(void) {
  static const wchar_t wide[] = {'P', 'A', 'T', 'H', 0};
  char *text = NULL;
  wchar_t *wide_text = NULL;
  size_t size = 0;
  void *p = malloc(10);
  tap_ok(_expand(p, 10) == p && _msize(p) >= 10, "_expand");
  expect("_recalloc", _recalloc(p, 10, 10), 100, 16, 0);
  expect("_strdup", _strdup("text"), 5, 8, 0);
  expect("_strndup", _strndup("text", 2), 3, 8, 0);
  expect("_wcsdup", _wcsdup(wide), sizeof wide, 16, 0);
  expect("_mbsdup", _mbsdup((const unsigned char *)"text"), 5, 8, 0);
  setenv("PATH", "/bin", 0);
  tap_ok(_dupenv_s(&text, &size, "PATH") == 0 && text != NULL && size > 1, "_dupenv_s");
  free(text);
  tap_ok(_wdupenv_s(&wide_text, &size, wide) == 0 && wide_text != NULL, "_wdupenv_s");
  free(wide_text);
  p = _aligned_malloc(100, 64);
  tap_ok(_aligned_msize(p, 64, 0) >= 100, "_aligned_msize");
  expect("_aligned_realloc", _aligned_realloc(p, 1000, 64), 1000, 64, 0);
  expect("_aligned_recalloc", _aligned_recalloc(NULL, 10, 10, 64), 100, 64, 0);
  expect("_aligned_offset_malloc", _aligned_offset_malloc(100, 64, 8), 100, 64, 8);
  p = _aligned_offset_realloc(NULL, 100, 64, 8);
  expect("_aligned_offset_realloc", p, 100, 64, 8);
  p = _aligned_offset_recalloc(NULL, 10, 10, 64, 8);
  expect("_aligned_offset_recalloc", p, 100, 64, 8);
  _aligned_free(_aligned_malloc(10, 64));
}

int main(void) {
  test_c();
  test_windows();
  return tap_end();
}
