/* mimalloc.c -- a program written for mimalloc: everything that its headers declare exists,
 * can be called, and works.
 *
 * Compiled as C and as C++. Needs no framework; prints TAP. names.inc lists the functions:
 * each must have an address, and must have been called at the end.
 *
 * SPDX-License-Identifier: MIT
 */
/* Forward declarations, as in headers of programs that don't want to include mimalloc's
 * headers. */
struct mi_heap_s;
typedef struct mi_heap_s mi_heap_t;
typedef struct mi_theap_s mi_theap_t;
struct mi_heap_area_s;
static mi_heap_t *own_heap;

#include <errno.h>
#include <limits.h>
#include <mimalloc-stats.h>
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../hide.h"
#include "../tap.h"

/* A program's own function with mimalloc's attributes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict static void *mi_cdecl own_malloc(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
static void *own_malloc(size_t size) mi_attr_noexcept { return mi_malloc(size); }

typedef void (*function)(void);

typedef struct entry {
  const char *name;
  function address;
  bool called;
} entry;

/* Pointers with exactly the types in mimalloc's headers. */
#define V3(name, result, parameters) static result(*const typed_##name) parameters = name;
#define V2 V3
#include "names.inc"
#undef V3

static entry functions[] = {
#define V3(name, result, parameters) {#name, (function)typed_##name, false},
#include "names.inc"
#undef V3
#undef V2
};

/* The number of listed functions of each version. */
#define V3(name, result, parameters) +1
#define V2(name, result, parameters)
enum {
  LISTED_V3 = 0
#include "names.inc"
};
#undef V3
#undef V2
enum { FUNCTIONS = sizeof functions / sizeof functions[0], IN_V3 = 219, ONLY_V2 = 10 };

/* Records the first failed condition of a test. */
static const char *wrong;
#define must(x)                            \
  do {                                     \
    if (!(x) && wrong == NULL) wrong = #x; \
  } while (0)

static void finish(const char *what) {
  tap_ok(wrong == NULL, "%s", what);
  if (wrong != NULL) printf("# %s\n", wrong);
  wrong = NULL;
}

static void mark_called(const char *name) {
  for (int i = 0; i < FUNCTIONS; i++)
    if (strcmp(functions[i].name, name) == 0) {
      functions[i].called = true;
      return;
    }
  printf("# not in the list: %s\n", name);
  tap_failures++;
}
#define CALL(name) (mark_called(#name), name)

static bool is_zero(const void *p) {
  const char *bytes = (const char *)p;
  for (size_t i = 0; i < mi_usable_size(p); i++)
    if (bytes[i] != 0) return false;
  return true;
}

static bool is_aligned(const void *p, size_t alignment, size_t offset) {
  return ((uintptr_t)p + offset) % alignment == 0;
}

/* Checks size, alignment and zero contents of a block, and frees it. */
static bool check_and_free(void *p, size_t size, size_t alignment, size_t offset, bool zero) {
  bool is = p != NULL && mi_usable_size(p) >= size && is_aligned(p, alignment, offset) &&
            (!zero || is_zero(p));
  if (p != NULL) memset(p, 0xa5, mi_usable_size(p));
  mi_free(p);
  return is;
}

/* The same for a block that was resized and begins with "12345". */
static bool check_kept_and_free(void *p, size_t size, size_t alignment, size_t offset, bool zero) {
  bool is = p != NULL && memcmp(p, "12345", 6) == 0;
  if (is && zero) {
    const char *bytes = (const char *)p;
    for (size_t i = 6; i < mi_usable_size(p); i++) is = is && bytes[i] == 0;
  }
  return check_and_free(p, size, alignment, offset, false) && is;
}

static void *text(void) { return strcpy((char *)mi_zalloc(10), "12345"); }
static void *text_at(size_t alignment, size_t offset) {
  return strcpy((char *)mi_zalloc_aligned_at(10, alignment, offset), "12345");
}

/* ---- blocks ---- */

static void test_standard(void) {
  must(check_and_free(CALL(mi_malloc)(100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_calloc)(10, 10), 100, 16, 0, true));
  must(check_kept_and_free(CALL(mi_realloc)(text(), 1000), 1000, 16, 0, false));
  void *p = mi_realloc(text(), 0);
  must(check_and_free(p, 0, 8, 0, false)); /* must not be NULL */
  p = mi_malloc(10);
  must(CALL(mi_expand)(p, 10) == p);
  must(CALL(mi__expand)(p, 100000) == NULL && errno == ENOMEM);
  CALL(mi_free)(p);
  char *s = CALL(mi_strdup)("text");
  must(strcmp(s, "text") == 0);
  mi_free(s);
  s = CALL(mi_strndup)("text", 2);
  must(strcmp(s, "te") == 0);
  mi_free(s);
  s = CALL(mi_realpath)("/./", NULL);
  must(strcmp(s, "/") == 0);
  mi_free(s);
  finish("the standard ones");
}

static void test_extended(void) {
  must(check_and_free(CALL(mi_malloc_small)(100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_zalloc_small)(MI_SMALL_SIZE_MAX), MI_SMALL_SIZE_MAX, 16, 0, true));
  must(check_and_free(CALL(mi_zalloc)(100), 100, 16, 0, true));
  must(check_and_free(CALL(mi_mallocn)(10, 20), 200, 16, 0, false));
  must(mi_mallocn(opaque(SIZE_MAX), 2) == NULL);
  must(check_kept_and_free(CALL(mi_reallocn)(text(), 10, 20), 200, 16, 0, false));
  must(check_kept_and_free(CALL(mi_reallocf)(text(), 3000), 3000, 16, 0, false));
  must(mi_reallocf(mi_malloc(10), opaque(SIZE_MAX / 2)) == NULL);
  void *p = mi_malloc(50);
  must(CALL(mi_usable_size)(p) >= 50 && mi_usable_size(NULL) == 0);
  must(CALL(mi_good_size)(50) == mi_usable_size(p));
  must(CALL(mi_malloc_size)(p) == mi_usable_size(p));
  must(CALL(mi_malloc_usable_size)(p) == mi_usable_size(p));
  must(CALL(mi_malloc_good_size)(50) == mi_good_size(50));
  CALL(mi_free_small)(p);
  CALL(mi_free_small_nonnull)(mi_malloc(50));
  CALL(mi_free_small_local)(mi_malloc(50));
  CALL(mi_free_small_local_nonnull)(mi_malloc(50));
  finish("extended forms");
}

static void test_known_sizes(void) {
  const size_t word = sizeof(size_t);
  must(CALL(mi_wsize_from_size)(0) == 0 && mi_wsize_from_size(1) == 1);
  must(mi_wsize_from_size(3 * word) == 3 && mi_wsize_from_size(3 * word + 1) == 4);
  must(check_and_free(CALL(mi_wmalloc_small)(20), 20 * word, 16, 0, false));
  must(check_and_free(CALL(mi_wzalloc_small)(20), 20 * word, 16, 0, true));
  must(check_and_free(CALL(mi_malloc_csize)(100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_zalloc_csize)(100), 100, 16, 0, true));
  CALL(mi_free_csize)(mi_malloc_csize(5000), 5000);
  CALL(mi_free_csize_nonnull)(mi_malloc_csize(50), 50);
  CALL(mi_free_csize_aligned)(mi_malloc_aligned(100, 64), 100, 64);
  CALL(mi_free_csize_aligned_nonnull)(mi_malloc_aligned(100, 64), 100, 64);
  mi_free_csize(NULL, 100);
  finish("sizes that the compiler knows");
}

static void test_aligned(void) {
  size_t a = opaque(256);
  must(check_and_free(CALL(mi_malloc_aligned)(100, a), 100, a, 0, false));
  must(check_and_free(CALL(mi_malloc_aligned_at)(100, a, 8), 100, a, 8, false));
  must(check_and_free(CALL(mi_zalloc_aligned)(100, a), 100, a, 0, true));
  must(check_and_free(CALL(mi_zalloc_aligned_at)(100, a, 8), 100, a, 8, true));
  must(check_and_free(CALL(mi_calloc_aligned)(10, 10, a), 100, a, 0, true));
  must(check_and_free(CALL(mi_calloc_aligned_at)(10, 10, a, 24), 100, a, 24, true));
  must(check_kept_and_free(CALL(mi_realloc_aligned)(text(), 500, a), 500, a, 0, false));
  must(check_kept_and_free(CALL(mi_realloc_aligned_at)(text_at(a, 24), 500, a, 24), 500, a, 24,
                           false));
  must(mi_malloc_aligned(10, opaque(3)) == NULL);
  finish("aligned forms");
}

static void test_zeroed(void) {
  size_t a = opaque(512);
  must(check_kept_and_free(CALL(mi_rezalloc)(text(), 9000), 9000, 16, 0, true));
  must(check_kept_and_free(CALL(mi_recalloc)(text(), 90, 100), 9000, 16, 0, true));
  must(check_kept_and_free(CALL(mi_rezalloc_aligned)(text(), 900, a), 900, a, 0, true));
  must(
      check_kept_and_free(CALL(mi_rezalloc_aligned_at)(text_at(a, 8), 900, a, 8), 900, a, 8, true));
  must(check_kept_and_free(CALL(mi_recalloc_aligned)(text(), 9, 100, a), 900, a, 0, true));
  must(check_kept_and_free(CALL(mi_recalloc_aligned_at)(text_at(a, 8), 9, 100, a, 8), 900, a, 8,
                           true));
  must(check_kept_and_free(CALL(mi_aligned_recalloc)(text(), 9, 100, a), 900, a, 0, true));
  must(check_kept_and_free(CALL(mi_aligned_offset_recalloc)(text_at(a, 8), 9, 100, a, 8), 900, a, 8,
                           true));
  finish("zeroed forms");
}

static void test_sized(void) {
  size_t n = 0, m = 0;
  void *p = CALL(mi_umalloc)(100, &n);
  must(n == mi_usable_size(p) && check_and_free(p, 100, 16, 0, false));
  p = CALL(mi_ucalloc)(10, 10, &n);
  must(n == mi_usable_size(p) && is_zero(p));
  p = CALL(mi_urealloc)(p, 5000, &m, &n);
  must(m >= 100 && n == mi_usable_size(p) && n >= 5000);
  CALL(mi_ufree)(p, &m);
  must(m == n);
  p = CALL(mi_umalloc_aligned)(100, 64, &n);
  must(n == mi_usable_size(p) && check_and_free(p, 100, 64, 0, false));
  p = CALL(mi_uzalloc_aligned)(100, 64, &n);
  must(n == mi_usable_size(p) && check_and_free(p, 100, 64, 0, true));
  p = CALL(mi_umalloc_small)(100, &n);
  must(n == mi_usable_size(p) && check_and_free(p, 100, 16, 0, false));
  p = CALL(mi_uzalloc_small)(100, &n);
  must(n == mi_usable_size(p) && check_and_free(p, 100, 16, 0, true));
  finish("the block's real size");
}

static void test_posix(void) {
  void *p = NULL;
  CALL(mi_cfree)(mi_malloc(10));
  must(CALL(mi_posix_memalign)(&p, 64, 100) == 0 && check_and_free(p, 100, 64, 0, false));
  must(mi_posix_memalign(&p, 3, 100) == EINVAL);
  must(check_and_free(CALL(mi_memalign)(64, 100), 100, 64, 0, false));
  must(check_and_free(CALL(mi_valloc)(100), 100, 4096, 0, false));
  must(check_and_free(CALL(mi_pvalloc)(100), 4096, 4096, 0, false));
  must(check_and_free(CALL(mi_aligned_alloc)(64, 100), 100, 64, 0, false));
  must(check_kept_and_free(CALL(mi_reallocarray)(text(), 10, 50), 500, 16, 0, false));
  p = text();
  must(CALL(mi_reallocarr)(&p, 10, 60) == 0 && check_kept_and_free(p, 600, 16, 0, false));
  CALL(mi_free_size)(mi_malloc(100), 100);
  CALL(mi_free_size_aligned)(mi_malloc_aligned(100, 64), 100, 64);
  CALL(mi_free_aligned)(mi_malloc_aligned(100, 64), 64);
  char *s = NULL;
  size_t n = 0;
  must(setenv("MIA_TEST", "on", 1) == 0);
  must(CALL(mi_dupenv_s)(&s, &n, "MIA_TEST") == 0 && n == 3 && strcmp(s, "on") == 0);
  mi_free(s);
  static const wchar_t name[] = {'M', 'I', 'A', '_', 'T', 'E', 'S', 'T', 0};
  wchar_t *w = NULL;
  must(CALL(mi_wdupenv_s)(&w, &n, name) == 0 && n == 3 && w[0] == 'o');
  mi_free(w);
  w = CALL(mi_wcsdup)(name);
  must(memcmp(w, name, sizeof name) == 0);
  mi_free(w);
  unsigned char *b = CALL(mi_mbsdup)((const unsigned char *)"mbs");
  must(strcmp((char *)b, "mbs") == 0);
  mi_free(b);
  finish("the names of others");
}

static void test_new(void) {
  must(check_and_free(CALL(mi_new)(100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_new_aligned)(100, 128), 100, 128, 0, false));
  must(check_and_free(CALL(mi_new_nothrow)(100), 100, 16, 0, false));
  must(mi_new_nothrow(opaque(SIZE_MAX)) == NULL);
  must(check_and_free(CALL(mi_new_aligned_nothrow)(100, 128), 100, 128, 0, false));
  must(check_and_free(CALL(mi_new_n)(10, 10), 100, 16, 0, false));
  must(check_kept_and_free(CALL(mi_new_realloc)(text(), 1000), 1000, 16, 0, false));
  must(check_kept_and_free(CALL(mi_new_reallocn)(text(), 100, 10), 1000, 16, 0, false));
  finish("as operator new");
}

/* ---- heaps ---- */

static void test_heap_blocks(void) {
  mi_heap_t *h = CALL(mi_heap_new)();
  size_t a = opaque(256);
  void *p = CALL(mi_heap_malloc)(h, 100);
  must(CALL(mi_heap_of)(p) == h && CALL(mi_heap_contains)(h, p) && CALL(mi_any_heap_contains)(p));
  must(!mi_heap_contains(mi_heap_main(), p));
  must(CALL(mi_heap_contains_block)(h, p) && CALL(mi_heap_check_owned)(h, p));
  must(CALL(mi_check_owned)(p) && CALL(mi_is_in_heap_region)(p));
  must(!CALL(mi_unsafe_heap_page_is_under_utilized)(h, &p, 100));
  must(check_and_free(p, 100, 16, 0, false));
  must(check_and_free(CALL(mi_heap_zalloc)(h, 100), 100, 16, 0, true));
  must(check_and_free(CALL(mi_heap_calloc)(h, 10, 10), 100, 16, 0, true));
  must(check_and_free(CALL(mi_heap_mallocn)(h, 10, 10), 100, 16, 0, false));
  must(check_and_free(CALL(mi_heap_malloc_small)(h, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_heap_zalloc_small)(h, 100), 100, 16, 0, true));
  must(check_kept_and_free(CALL(mi_heap_realloc)(h, text(), 1000), 1000, 16, 0, false));
  must(check_kept_and_free(CALL(mi_heap_reallocn)(h, text(), 100, 10), 1000, 16, 0, false));
  must(check_kept_and_free(CALL(mi_heap_reallocf)(h, text(), 1000), 1000, 16, 0, false));
  must(check_and_free(CALL(mi_heap_strdup)(h, "text"), 5, 8, 0, false));
  must(check_and_free(CALL(mi_heap_strndup)(h, "text", 3), 4, 8, 0, false));
  must(check_and_free(CALL(mi_heap_realpath)(h, "/", NULL), 2, 8, 0, false));
  must(check_and_free(CALL(mi_heap_malloc_aligned)(h, 100, a), 100, a, 0, false));
  must(check_and_free(CALL(mi_heap_malloc_aligned_at)(h, 100, a, 8), 100, a, 8, false));
  must(check_and_free(CALL(mi_heap_zalloc_aligned)(h, 100, a), 100, a, 0, true));
  must(check_and_free(CALL(mi_heap_zalloc_aligned_at)(h, 100, a, 8), 100, a, 8, true));
  must(check_and_free(CALL(mi_heap_calloc_aligned)(h, 10, 10, a), 100, a, 0, true));
  must(check_and_free(CALL(mi_heap_calloc_aligned_at)(h, 10, 10, a, 8), 100, a, 8, true));
  must(check_kept_and_free(CALL(mi_heap_realloc_aligned)(h, text(), 500, a), 500, a, 0, false));
  must(check_kept_and_free(CALL(mi_heap_realloc_aligned_at)(h, text_at(a, 8), 500, a, 8), 500, a, 8,
                           false));
  must(check_kept_and_free(CALL(mi_heap_rezalloc)(h, text(), 900), 900, 16, 0, true));
  must(check_kept_and_free(CALL(mi_heap_recalloc)(h, text(), 9, 100), 900, 16, 0, true));
  must(check_kept_and_free(CALL(mi_heap_rezalloc_aligned)(h, text(), 900, a), 900, a, 0, true));
  must(check_kept_and_free(CALL(mi_heap_rezalloc_aligned_at)(h, text_at(a, 8), 900, a, 8), 900, a,
                           8, true));
  must(check_kept_and_free(CALL(mi_heap_recalloc_aligned)(h, text(), 9, 100, a), 900, a, 0, true));
  must(check_kept_and_free(CALL(mi_heap_recalloc_aligned_at)(h, text_at(a, 8), 9, 100, a, 8), 900,
                           a, 8, true));
  must(check_and_free(CALL(mi_heap_alloc_new)(h, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_heap_alloc_new_n)(h, 10, 10), 100, 16, 0, false));
  CALL(mi_heap_set_numa_affinity)(h, 0);
  CALL(mi_heap_collect)(h, false);
  CALL(mi_heap_guarded_set_sample_rate)(h, 0, 0);
  CALL(mi_heap_guarded_set_size_bound)(h, 0, 0);
  CALL(mi_heap_delete)(h);
  finish("blocks of a heap");
}

static bool count_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                        void *arg) {
  must(heap != NULL && area->block_size >= size && area->full_block_size >= area->block_size);
  must(area->blocks != NULL && area->used > 0 && area->reserved >= area->committed);
  if (block != NULL) ++*(int *)arg;
  return true;
}

static bool count_heap(mi_heap_t *heap, void *arg) {
  must(heap != NULL);
  ++*(int *)arg;
  return true;
}

static void test_heaps(void) {
  int count = 0;
  mi_heap_t *h = CALL(mi_heap_new_ex)(0, true, NULL);
  void *p[50];
  for (int i = 0; i < 50; i++) p[i] = mi_heap_malloc(h, 40);
  must(CALL(mi_heap_visit_blocks)(h, true, count_block, &count) && count == 50);
  count = 0;
  must(CALL(mi_heap_visit_abandoned_blocks)(h, true, count_block, &count) && count <= 50);
  must(CALL(mi_abandoned_visit_blocks)(mi_subproc_main(), -1, true, count_block, &count));
  must(CALL(mi_heap_set_default)(h) == CALL(mi_heap_get_backing)());
  must(CALL(mi_heap_get_default)() == h);
  void *q = mi_malloc(10);
  must(mi_heap_of(q) == h);
  must(mi_heap_set_default(CALL(mi_heap_main)()) == h);
  CALL(mi_heap_destroy)(h);
  must(!mi_any_heap_contains(p[7]) && !mi_any_heap_contains(q));
  finish("heaps");
}

static void test_theaps(void) {
  int count = 0;
  mi_heap_t *h = mi_heap_new();
  mi_theap_t *t = CALL(mi_heap_theap)(h);
  must(t != NULL);
  mi_theap_t *before = CALL(mi_theap_set_default)(t);
  must(CALL(mi_theap_get_default)() == t && before != t);
  must(mi_theap_set_default(before) == t);
  must(check_and_free(CALL(mi_theap_malloc)(t, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_theap_zalloc)(t, 100), 100, 16, 0, true));
  must(check_and_free(CALL(mi_theap_calloc)(t, 10, 10), 100, 16, 0, true));
  must(check_and_free(CALL(mi_theap_malloc_small)(t, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_theap_zalloc_small)(t, 100), 100, 16, 0, true));
  must(check_and_free(CALL(mi_theap_malloc_aligned)(t, 100, 256), 100, 256, 0, false));
  void *p = CALL(mi_theap_realloc)(t, text(), 1000);
  must(mi_heap_of(p) == h);
  must(CALL(mi_theap_visit_blocks)(t, true, count_block, &count) && count == 1);
  must(check_kept_and_free(p, 1000, 16, 0, false));
  p = CALL(mi_theap_rezalloc)(t, NULL, 1000);
  must(mi_heap_of(p) == h && check_and_free(p, 1000, 16, 0, true));
  must(check_and_free(CALL(mi_theap_zalloc_aligned)(t, 100, 256), 100, 256, 0, true));
  must(check_and_free(CALL(mi_theap_wmalloc_small)(t, 20), 20 * sizeof(size_t), 16, 0, false));
  must(check_and_free(CALL(mi_theap_wzalloc_small)(t, 20), 20 * sizeof(size_t), 16, 0, true));
  must(check_and_free(CALL(mi_theap_malloc_csize)(t, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_theap_zalloc_csize)(t, 100), 100, 16, 0, true));
  must(check_and_free(CALL(mi_theap_alloc_new)(t, 100), 100, 16, 0, false));
  must(check_and_free(CALL(mi_theap_alloc_new_n)(t, 10, 10), 100, 16, 0, false));
  must(CALL(mi_theap_alloc_new_nothrow)(t, opaque(SIZE_MAX)) == NULL);
  p = mi_theap_alloc_new_nothrow(t, 100);
  must(mi_heap_of(p) == h && CALL(mi_thread_id_of)(p) == 0);
  mi_stats_t_decl(stats);
  must(CALL(mi_theap_stats_get)(t, &stats));
  must(stats.malloc_count.total == stats.free_count.total + 1);
  must(stats.allocated.current >= 100 && stats.allocated.total > stats.freed.total);
  CALL(mi_theap_stats_merge_to_heap)(t);
  CALL(mi_heap_set_debug_fill_preserve)(h, 16);
  CALL(mi_theap_quiescent_abandon)(t);
  CALL(mi_theap_delete)(t);
  must(mi_heap_of(p) == h && check_and_free(p, 100, 16, 0, false));
  CALL(mi_theap_collect)(t, true);
  CALL(mi_theap_guarded_set_sample_rate)(t, 0, 0);
  CALL(mi_theap_guarded_set_size_bound)(t, 0, 0);
  mi_heap_delete(h);
  finish("a thread's handles of heaps");
}

static void test_subprocs(void) {
  int count = 0;
  mi_subproc_id_t main_id = CALL(mi_subproc_main)(), s = CALL(mi_subproc_new)();
  must(CALL(mi_subproc_current)()._mi_subproc_id == main_id._mi_subproc_id &&
       s._mi_subproc_id != main_id._mi_subproc_id);
  CALL(mi_subproc_add_current_thread)(s);
  must(mi_subproc_current()._mi_subproc_id == s._mi_subproc_id);
  void *p = mi_malloc(100);
  mi_heap_t *h = mi_heap_new();
  must(CALL(mi_subproc_visit_heaps)(s, count_heap, &count) && count == 2);
  must(h != mi_heap_main() && mi_heap_of(p) == mi_heap_main());
  mi_subproc_add_current_thread(main_id);
  must(mi_any_heap_contains(p));
  CALL(mi_subproc_destroy)(s);
  must(!mi_any_heap_contains(p));
  CALL(mi_subproc_delete)(mi_subproc_new());
  finish("sub-processes");
}

/* ---- arenas ---- */

static int messages;
static size_t output_length;

static void count_output(const char *message, void *arg) {
  must(arg == &messages);
  messages++;
  output_length += strlen(message);
}

/* Returns whether there was output since the last call. */
static bool take_output(void) {
  bool was = output_length > 0;
  output_length = 0;
  return was;
}

static bool commit(bool commits, void *start, size_t size, bool *zero, void *arg) {
  must(start != NULL && size > 0 && arg == &messages);
  if (commits && zero != NULL) *zero = false;
  return true;
}

/* Returns true for the errors of a system without pages of 1 GiB, or of a machine too busy to
 * reserve them in time. */
static bool is_unavailable(int error) { return error == ENOMEM || error == ETIMEDOUT; }

/* Requests that cannot be granted must be refused properly. */
static void test_arenas(void) {
  static const size_t size = (size_t)4 << 20;
  mi_arena_id_t id = NULL;
  size_t n = 0;
  must(CALL(mi_arena_max_object_size)() > mi_arena_min_size());
  CALL(mi_arenas_purge)();
  must(CALL(mi_arena_min_alignment)() > 0 && CALL(mi_arena_min_size)() >= mi_arena_min_alignment());
  int error = CALL(mi_reserve_os_memory_ex)(size, true, false, true, &id);
  must(error == 0 || error == ENOMEM);
  if (error == 0) {
    char *start = (char *)CALL(mi_arena_area)(id, &n);
    must(start != NULL && n >= size / 2 && CALL(mi_arena_contains)(id, start));
    must(!mi_arena_contains(id, &n));
    mi_heap_t *h = CALL(mi_heap_new_in_arena)(id);
    void *p = mi_heap_malloc(h, 1000);
    must(p != NULL && mi_arena_contains(id, p));
    mi_heap_destroy(h);
  } else {
    must(id == NULL && CALL(mi_arena_area)(id, &n) == NULL && n == 0);
    must(!CALL(mi_arena_contains)(id, &n));
    mi_heap_delete(CALL(mi_heap_new_in_arena)(NULL));
  }
  error = CALL(mi_reserve_os_memory)(size, false, true);
  must(error == 0 || error == ENOMEM);
  error = CALL(mi_reserve_huge_os_pages_at)(1, 0, 10);
  must(error == 0 || is_unavailable(error));
  error = CALL(mi_reserve_huge_os_pages_at_ex)(1, -1, 10, true, &id);
  must(error == 0 || is_unavailable(error));
  error = CALL(mi_reserve_huge_os_pages_interleave)(1, 0, 10);
  must(error == 0 || is_unavailable(error));
  error = CALL(mi_reserve_huge_os_pages)(1, 0.01, &n);
  must((error == 0 && n == 1) || (is_unavailable(error) && n == 0));
  void *p = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(p != MAP_FAILED);
  (void)CALL(mi_manage_os_memory)(p, size, true, true, false, -1);
  (void)CALL(mi_manage_os_memory_ex)((char *)p + size, size, true, true, false, -1, true, &id);
  (void)CALL(mi_manage_memory)((char *)p + 2 * size, size, true, true, false, -1, true, commit,
                               &messages, &id);
  mi_register_output(count_output, &messages);
  CALL(mi_arenas_print)();
  must(take_output());
  CALL(mi_debug_show_arenas)();
  must(take_output());
  mi_register_output(NULL, NULL);
  (void)CALL(mi_is_redirected)();
  finish("arenas");
}

/* ---- options, hooks, the process ---- */

static void test_options(void) {
  must(!CALL(mi_option_is_enabled)(mi_option_show_errors));
  CALL(mi_option_enable)(mi_option_show_errors);
  must(mi_option_is_enabled(mi_option_show_errors));
  CALL(mi_option_disable)(mi_option_show_errors);
  must(!mi_option_is_enabled(mi_option_show_errors));
  CALL(mi_option_set_enabled)(mi_option_show_errors, true);
  must(mi_option_is_enabled(mi_option_show_errors));
  CALL(mi_option_set)(mi_option_show_errors, 0);
  CALL(mi_option_set_enabled_default)(mi_option_show_errors, true);
  must(!mi_option_is_enabled(mi_option_show_errors)); /* a default changes no set option */
  mi_option_set(mi_option_purge_delay, 123);
  must(CALL(mi_option_get)(mi_option_purge_delay) == 123);
  must(CALL(mi_option_get_clamp)(mi_option_purge_delay, 200, 300) == 200);
  must(CALL(mi_option_get_size)(mi_option_purge_delay) == 123);
  CALL(mi_option_set_default)(mi_option_purge_delay, 5);
  must(mi_option_get(mi_option_reset_delay) == 123);
  mi_option_set(mi_option_purge_delay, 250);
  must(mi_option_get(mi_option_deprecated_page_reset) == 0);
  must(mi_option_get(mi_option_reserve_huge_os_pages_at) == -1);
  mi_option_set(mi_option_reserve_huge_os_pages_at, 2);
  must(mi_option_get(mi_option_reserve_huge_os_pages_at) == 2);
  mi_option_set(mi_option_reserve_huge_os_pages_at, -1);
  must(mi_option_get(mi_option_reserve_huge_os_pages) == 0);
  must(!mi_option_is_enabled(mi_option_large_os_pages));
  must((int)_mi_option_last == 54 && mi_option_arena_is_numa_local == 46);
  must(mi_option_minimal_purge_size == 44 && mi_option_arena_purge_immediate_size == 53);
  finish("options");
}

static int errors;

static void count_errors(int error, void *arg) {
  must(error == ENOMEM && arg == &errors);
  errors++;
}

static void free_deferred(bool force, unsigned long long heartbeat, void *arg) {
  must(arg == &errors && heartbeat < 1000000);
  errors += force;
}

static void test_process(void) {
  size_t v[8] = {0};
  must(CALL(mi_version)() == MI_MALLOC_VERSION);
  CALL(mi_process_init)();
  CALL(mi_thread_init)();
  CALL(mi_thread_set_in_threadpool)();
  CALL(mi_register_output)(count_output, &messages);
  CALL(mi_options_print)();
  must(take_output());
  CALL(mi_options_print_out)(count_output, &messages);
  must(take_output());
  CALL(mi_process_info_print)();
  must(take_output());
  CALL(mi_process_info_print_out)(count_output, &messages);
  must(take_output());
  mi_register_output(NULL, NULL);
  CALL(mi_process_info)(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
  must(v[4] > 0 && v[5] > 0 && v[6] >= v[5]);
  mi_process_info(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  CALL(mi_register_error)(count_errors, &errors);
  must(mi_malloc(opaque(SIZE_MAX)) == NULL && errors == 1);
  mi_register_error(NULL, NULL);
  CALL(mi_register_deferred_free)(free_deferred, &errors);
  CALL(mi_collect)(true);
  must(errors == 2);
  mi_register_deferred_free(NULL, NULL);
  CALL(mi_collect_reduce)(0);
  CALL(mi_thread_done)();
  CALL(mi_process_done)();
  must(check_and_free(mi_malloc(100), 100, 16, 0, false));
  finish("the process");
}

/* ---- statistics ---- */

static bool is_json(char *s) {
  bool is = s != NULL && s[0] == '{' && strcmp(s + strlen(s) - 3, "]}\n") == 0;
  mi_free(s);
  return is;
}

/* Visits every field of the structure through the macro that lists them. */
static void test_stats_fields(void) {
  mi_stats_t_decl(stats) int fields = 0;
  int64_t all = 0;
  must(mi_stats_get(&stats));
#define MI_STAT_COUNT(stat)                                               \
  all |= stats.stat.total | stats.stat.peak | stats.stat.current;         \
  if (stats.stat.peak < stats.stat.current) wrong = #stat " has no peak"; \
  fields++;
#define MI_STAT_COUNTER(stat) \
  all |= stats.stat.total;    \
  fields++;
  MI_STAT_FIELDS()
#undef MI_STAT_COUNT
#undef MI_STAT_COUNTER
  must(all > 0 && fields == 46); /* no figure is negative */
  must(sizeof stats.malloc_bins == sizeof stats.page_bins && MI_BIN_HUGE == 73U);
  must(sizeof stats.chunk_bins / sizeof stats.chunk_bins[0] == MI_CBIN_COUNT);
  finish("fields of mi_stats_t");
}

static void test_stats(void) {
  mi_stats_t_decl(stats);
  mi_heap_t *h = mi_heap_new();
  own_heap = h;
  mi_free(own_malloc(10));
  must(mi_heap_contains(own_heap, &own_heap) == false);
  void *p = mi_heap_malloc(h, 100);
  must(CALL(mi_stats_get)(&stats) && stats.pages.current > 0 && stats.malloc_normal.current > 0);
  must(stats.reserved.current >= stats.page_committed.current);
  must(is_json(CALL(mi_stats_as_json)(&stats, 0, NULL)));
  mi_stats_header_init(&stats);
  must(CALL(mi_heap_stats_get)(h, &stats) && stats.malloc_normal.current >= 100);
  must(CALL(mi_subproc_stats_get)(mi_subproc_main(), &stats) && stats.pages.current > 0);
  must(CALL(mi_subproc_stats_get_exclusive)(mi_subproc_main(), &stats));
  stats.version = 0;
  must(!mi_stats_get(&stats));
  must(is_json(CALL(mi_stats_get_json)(0, NULL)));
  must(is_json(CALL(mi_heap_stats_get_json)(h, 0, NULL)));
  must(is_json(CALL(mi_subproc_stats_get_json)(mi_subproc_main(), 0, NULL)));
  CALL(mi_stats_print_out)(count_output, &messages);
  must(take_output());
  CALL(mi_heap_stats_print_out)(h, count_output, &messages);
  must(take_output());
  CALL(mi_subproc_stats_print_out)(mi_subproc_main(), count_output, &messages);
  must(take_output());
  CALL(mi_subproc_heap_stats_print_out)(mi_subproc_main(), count_output, &messages);
  must(take_output());
  CALL(mi_thread_stats_print_out)(count_output, &messages);
  must(take_output());
  mi_register_output(count_output, &messages);
  CALL(mi_stats_print)(NULL);
  must(take_output());
  mi_register_output(NULL, NULL);
  CALL(mi_heap_stats_merge_to_subproc)(h);
  CALL(mi_stats_reset)();
  CALL(mi_stats_merge)();
  must(CALL(mi_stats_get_bin_size)(0) == 8 && mi_stats_get_bin_size(10000) == 0);
  must(check_and_free(p, 100, 16, 0, false));
  mi_heap_delete(h);
  must(MI_STAT_VERSION == 6 && MI_CBIN_SMALL == 0 && MI_CBIN_COUNT > MI_CBIN_HUGE);
  finish("statistics");
}

/* ---- macros and types ---- */

typedef struct point {
  double x, y;
} point;

static void test_macros(void) {
  mi_heap_t *h = mi_heap_new();
  point *p = mi_malloc_tp(point);
  must(check_and_free(p, sizeof(point), 16, 0, false));
  must(check_and_free(mi_zalloc_tp(point), sizeof(point), 16, 0, true));
  must(check_and_free(mi_calloc_tp(point, 9), 9 * sizeof(point), 16, 0, true));
  p = mi_mallocn_tp(point, 9);
  p = mi_reallocn_tp(point, p, 20);
  must(check_and_free(p, 20 * sizeof(point), 16, 0, false));
  p = mi_zalloc_tp(point);
  p = mi_recalloc_tp(point, p, 20);
  must(check_and_free(p, 20 * sizeof(point), 16, 0, true));
  must(check_and_free(mi_heap_malloc_tp(point, h), sizeof(point), 16, 0, false));
  must(check_and_free(mi_heap_zalloc_tp(point, h), sizeof(point), 16, 0, true));
  must(check_and_free(mi_heap_calloc_tp(point, h, 9), 9 * sizeof(point), 16, 0, true));
  p = mi_heap_mallocn_tp(point, h, 9);
  p = mi_heap_reallocn_tp(point, h, p, 20);
  must(check_and_free(p, 20 * sizeof(point), 16, 0, false));
  p = mi_heap_zalloc_tp(point, h);
  p = mi_heap_recalloc_tp(point, h, p, 20);
  must(check_and_free(p, 20 * sizeof(point), 16, 0, true));
  mi_heap_destroy(h);
  mi_deferred_free_fun *a = free_deferred;
  mi_output_fun *b = count_output;
  mi_error_fun *c = count_errors;
  mi_block_visit_fun *d = count_block;
  mi_heap_visit_fun *e = count_heap;
  mi_commit_fun_t *f = commit;
  must(a != NULL && b != NULL && c != NULL && d != NULL && e != NULL && f != NULL);
  mi_option_t option = mi_option_limit_os_alloc;
  must(option == mi_option_disallow_os_alloc && mi_option_large_os_pages == 6);
  must(mi_option_eager_region_commit == 4 && mi_option_reset_decommits == 5);
  must(MI_SMALL_SIZE_MAX == MI_SMALL_WSIZE_MAX * sizeof(void *));
  finish("macros and types");
}

static void test_list(void) {
  int uncalled = 0;
  for (int i = 0; i < FUNCTIONS; i++) {
    must(functions[i].address != NULL);
    if (!functions[i].called) printf("# not called: %s\n", functions[i].name);
    uncalled += !functions[i].called;
  }
  must((int)LISTED_V3 == IN_V3 && (int)FUNCTIONS == IN_V3 + ONLY_V2 && uncalled == 0);
  printf("# %d of %d functions called\n", FUNCTIONS - uncalled, FUNCTIONS);
  finish("every function of the list is there and was called");
}

int main(void) {
  test_standard();
  test_extended();
  test_known_sizes();
  test_aligned();
  test_zeroed();
  test_sized();
  test_posix();
  test_new();
  test_heap_blocks();
  test_heaps();
  test_theaps();
  test_subprocs();
  test_arenas();
  test_options();
  test_process();
  test_stats();
  test_stats_fields();
  test_macros();
  test_list();
  return tap_end();
}
