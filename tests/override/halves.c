/* halves.c -- a program that defines some names of an allocator itself (half.c): which
 * allocator serves each of the other names?  Prints TAP.
 *
 * Every function allocates or frees a block.  A table lists the functions that each may be
 * built on: the first of them that the program defines must be called, or mialloc's own if it
 * defines none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "../tap.h"
#include "half.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(name, symbol) name##_,
enum { MAKERS(ENTRY) DROPPERS(ENTRY) OTHERS(ENTRY) USABLE, CONTAINS, OVERRIDING, NAMES };
static void *address_of[NAMES];

/* The linker does not know a preloaded library. */
#ifdef PRELOADED
#define DECLARE(name, symbol)
#define FIND(name, symbol) address_of[name##_] = dlsym(RTLD_DEFAULT, symbol);
#else
#define DECLARE(name, symbol) extern void its_##name(void) __asm__(symbol);
#define FIND(name, symbol) address_of[name##_] = (void *)its_##name;
extern void contains(void) __asm__("mia_any_heap_contains");
extern void overriding(void) __asm__("mia_is_overriding");
#endif
MAKERS(DECLARE)
DROPPERS(DECLARE)
OTHERS(DECLARE)

static void find_all(void) {
  MAKERS(FIND)
  DROPPERS(FIND)
  OTHERS(FIND)
  address_of[USABLE] = (void *)malloc_usable_size;
#ifdef PRELOADED
  address_of[CONTAINS] = dlsym(RTLD_DEFAULT, "mia_any_heap_contains");
  address_of[OVERRIDING] = dlsym(RTLD_DEFAULT, "mia_is_overriding");
#else
  address_of[CONTAINS] = (void *)contains;
  address_of[OVERRIDING] = (void *)overriding;
#endif
}

typedef void *(*size_f)(size_t);
typedef void *(*two_f)(size_t, size_t);
typedef void *(*tagged_f)(size_t, const void *);
typedef void *(*two_tagged_f)(size_t, size_t, const void *);
typedef void (*free_f)(void *);
typedef void (*free_size_f)(void *, size_t);
typedef void (*free_two_f)(void *, size_t, size_t);
typedef void (*free_tagged_f)(void *, const void *);
typedef void (*free_size_tagged_f)(void *, size_t, const void *);

static const char tag;
enum { ALIGN = 16 };

/* ---- one call of each function --------------------------------------------------------- */

#define MAKE(name, type, ...) \
  static void *make_##name(size_t n) { return ((type)address_of[name##_])(__VA_ARGS__); }
MAKE(malloc, size_f, n)
MAKE(calloc, two_f, 1, n)
static void *make_realloc(size_t n) {
  return ((void *(*)(void *, size_t))address_of[realloc_])(NULL, n);
}
static void *make_reallocarray(size_t n) {
  return ((void *(*)(void *, size_t, size_t))address_of[reallocarray_])(NULL, 1, n);
}
MAKE(aligned_alloc, two_f, ALIGN, n)
static void *make_posix_memalign(size_t n) {
  void *p;
  return ((int (*)(void **, size_t, size_t))address_of[posix_memalign_])(&p, ALIGN, n) == 0 ? p
                                                                                            : NULL;
}
MAKE(new_1, size_f, n)
MAKE(new_n, size_f, n)
MAKE(new_1_nothrow, tagged_f, n, &tag)
MAKE(new_n_nothrow, tagged_f, n, &tag)
MAKE(new_1_aligned, two_f, n, ALIGN)
MAKE(new_n_aligned, two_f, n, ALIGN)
MAKE(new_1_aligned_nothrow, two_tagged_f, n, ALIGN, &tag)
MAKE(new_n_aligned_nothrow, two_tagged_f, n, ALIGN, &tag)
/* Uses the C library's strdup. */
static void *make_strdup(size_t n) {
  char *s = malloc(n);
  memset(s, 'x', n - 1);
  s[n - 1] = 0;
  void *p = strdup(s);
  free(s);
  half_last = half_has("malloc") ? "malloc" : NULL; /* free was called last */
  return p;
}

#define DROP(name, type, ...) \
  static void drop_##name(void *p, size_t n) { (void)n, ((type)address_of[name##_])(__VA_ARGS__); }
DROP(free, free_f, p)
DROP(free_sized, free_size_f, p, n)
DROP(free_aligned_sized, free_two_f, p, ALIGN, n)
DROP(delete_1, free_f, p)
DROP(delete_n, free_f, p)
DROP(delete_1_sized, free_size_f, p, n)
DROP(delete_n_sized, free_size_f, p, n)
DROP(delete_1_nothrow, free_tagged_f, p, &tag)
DROP(delete_n_nothrow, free_tagged_f, p, &tag)
DROP(delete_1_aligned, free_size_f, p, ALIGN)
DROP(delete_n_aligned, free_size_f, p, ALIGN)
DROP(delete_1_sized_aligned, free_two_f, p, n, ALIGN)
DROP(delete_n_sized_aligned, free_two_f, p, n, ALIGN)
DROP(delete_1_aligned_nothrow, free_size_tagged_f, p, ALIGN, &tag)
DROP(delete_n_aligned_nothrow, free_size_tagged_f, p, ALIGN, &tag)

/* ---- the functions that each is built on ----------------------------------------------- */

typedef struct maker {
  const char *name;
  void *(*make)(size_t);
  const char *of[8];
} maker;
typedef struct dropper {
  const char *name;
  void (*drop)(void *, size_t);
  const char *of[4];
} dropper;

#define BY_ALIGNED "aligned_alloc", "posix_memalign", "memalign", "malloc"
#define MAKER(name, ...)                       \
  {                                            \
#name, make_##name, { #name, __VA_ARGS__ } \
  }
#define DROPPER(name, ...)                     \
  {                                            \
#name, drop_##name, { #name, __VA_ARGS__ } \
  }

static const maker for_free[] = {
    MAKER(malloc, NULL),
    MAKER(calloc, "malloc"),
    MAKER(realloc, "malloc"),
    MAKER(reallocarray, "realloc", "malloc"),
    MAKER(strdup, "malloc"),
    MAKER(aligned_alloc, "posix_memalign", "memalign", "malloc"),
    MAKER(posix_memalign, "memalign", "malloc"),
};
static const dropper frees[] = {
    DROPPER(free, NULL),
    DROPPER(free_sized, "free"),
    DROPPER(free_aligned_sized, "free"),
};
static const maker for_delete[] = {MAKER(new_1, "malloc"), MAKER(new_1_nothrow, "new_1", "malloc")};
static const dropper deletes[] = {DROPPER(delete_1, "free"),
                                  DROPPER(delete_1_sized, "delete_1", "free"),
                                  DROPPER(delete_1_nothrow, "delete_1", "free")};
static const maker for_array[] = {MAKER(new_n, "new_1", "malloc"),
                                  MAKER(new_n_nothrow, "new_n", "new_1", "malloc")};
static const dropper arrays[] = {DROPPER(delete_n, "delete_1", "free"),
                                 DROPPER(delete_n_sized, "delete_n", "delete_1", "free"),
                                 DROPPER(delete_n_nothrow, "delete_n", "delete_1", "free")};
static const maker for_aligned[] = {MAKER(new_1_aligned, BY_ALIGNED),
                                    MAKER(new_1_aligned_nothrow, "new_1_aligned", BY_ALIGNED)};
static const dropper aligned[] = {DROPPER(delete_1_aligned, "free"),
                                  DROPPER(delete_1_sized_aligned, "delete_1_aligned", "free"),
                                  DROPPER(delete_1_aligned_nothrow, "delete_1_aligned", "free")};
static const maker for_array_aligned[] = {
    MAKER(new_n_aligned, "new_1_aligned", BY_ALIGNED),
    MAKER(new_n_aligned_nothrow, "new_n_aligned", "new_1_aligned", BY_ALIGNED)};
static const dropper arrays_aligned[] = {
    DROPPER(delete_n_aligned, "delete_1_aligned", "free"),
    DROPPER(delete_n_sized_aligned, "delete_n_aligned", "delete_1_aligned", "free"),
    DROPPER(delete_n_aligned_nothrow, "delete_n_aligned", "delete_1_aligned", "free")};

/* ---- tests ------------------------------------------------------------------------------ */

static bool is_mialloc(const void *p) { return ((bool (*)(const void *))address_of[CONTAINS])(p); }

static bool same(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Returns the first of these names that the program has, or NULL. */
static const char *wanted(const char *const *of, size_t n) {
  for (size_t i = 0; i < n && of[i] != NULL; i++)
    if (half_has(of[i])) return of[i];
  return NULL;
}

static void report(bool holds, const char *name, const char *other, const char *got,
                   const char *want) {
  tap_ok(holds, "%s%s%s by %s", name, other[0] == 0 ? "" : ", ", other,
         want == NULL ? "mialloc" : want);
  if (!holds) printf("# by %s\n", got == NULL ? "none of the program's" : got);
}

static bool is_filled(const unsigned char *p, size_t n, unsigned char with) {
  for (size_t i = 0; i < n; i++)
    if (p[i] != with) return false;
  return true;
}

/* Sizes of small, large and huge blocks. */
static const size_t sizes[] = {1, 24, 500, 3000, 40000, 300000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static bool makes(const maker *m, const char *by, const char **got, void **blocks) {
  bool good = true;
  for (size_t i = 0; i < SIZES; i++) {
    half_last = NULL;
    void *p = blocks[i] = m->make(sizes[i]);
    *got = half_last;
    good = good && p != NULL && same(half_last, by) && half_owns(p) == (by != NULL) &&
           is_mialloc(p) == (by == NULL);
    if (p == NULL) continue;
    if (m->make == make_calloc) good = good && is_filled(p, sizes[i], 0);
    memset(p, (int)i + 1, sizes[i]);
  }
  return good;
}

static bool drops(const dropper *d, const char *by, const char **got, void **blocks) {
  bool good = true;
  for (size_t i = 0; i < SIZES; i++) {
    good = good && blocks[i] != NULL && is_filled(blocks[i], sizes[i], (unsigned char)(i + 1));
    half_last = NULL;
    d->drop(blocks[i], sizes[i]);
    *got = half_last;
    good = good && same(half_last, by);
  }
  return good;
}

static void group(const maker *m, size_t makers, const dropper *d, size_t droppers) {
  for (size_t i = 0; i < makers; i++)
    for (size_t k = 0; k < droppers; k++) {
      void *blocks[SIZES];
      const char *got = NULL;
      const char *by = wanted(m[i].of, sizeof m[i].of / sizeof m[i].of[0]);
      long live = half_live;
      bool good = makes(&m[i], by, &got, blocks);
      report(good, m[i].name, "", got, by);
      by = wanted(d[k].of, sizeof d[k].of / sizeof d[k].of[0]);
      good = drops(&d[k], by, &got, blocks);
      report(good && half_live == live, d[k].name, m[i].name, got, by);
    }
}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GROUP(m, d) group(m, COUNT(m), d, COUNT(d))

/* Grows a block of the program's by a function that the program may not have. */
static void grows(void) {
  if (!half_has("realloc") && !half_has("malloc_usable_size")) return;
  unsigned char *p = malloc(100);
  memset(p, 7, 100);
  half_last = NULL;
  p = ((void *(*)(void *, size_t, size_t))address_of[reallocarray_])(p, 100, 10);
  const char *got = half_last;
  /* our realloc calls the program's malloc and free */
  bool good = p != NULL && half_owns(p) && is_filled(p, 100, 7);
  report(good && same(got, half_has("realloc") ? "realloc" : "free"), "reallocarray", "grows", got,
         NULL);
  free(p);
}

/* Requests more alignment than the program's malloc has: served by its aligned functions, or
 * by mialloc. */
static void aligns(const char *name, void *p, size_t align, const char *const *of) {
  const char *by = wanted(of, 4);
  bool good = p != NULL && (uintptr_t)p % align == 0;
  good = good && (by != NULL ? same(half_last, by) && half_owns(p) : is_mialloc(p));
  report(good, name, "aligned more", half_last, by);
  if (strcmp(name, "new") == 0)
    drop_delete_1_aligned(p, 0);
  else
    free(p);
}

enum { MUCH = 256, PAGE = 4096 };
static void aligns_much(void) {
  static const char *const of[] = {"aligned_alloc", "posix_memalign", "memalign", NULL};
  aligns("aligned_alloc", ((two_f)address_of[aligned_alloc_])(MUCH, 1000), MUCH, of);
  aligns("new", ((two_f)address_of[new_1_aligned_])(1000, MUCH), MUCH,
         half_has("new_1_aligned") ? (const char *const[]){"new_1_aligned", NULL} : of);
  void *p = NULL;
  (void)((int (*)(void **, size_t, size_t))address_of[posix_memalign_])(&p, MUCH, 1000);
  aligns("posix_memalign", p, MUCH, (const char *const[]){"posix_memalign", "memalign", NULL});
#if MIA_HAVE_MEMALIGN
  aligns("memalign", ((two_f)address_of[memalign_])(MUCH, 1000), MUCH,
         (const char *const[]){"memalign", NULL});
#endif
#if MIA_HAVE_VALLOC
  aligns("valloc", ((size_f)address_of[valloc_])(1000), PAGE, of);
#endif
#if MIA_HAVE_PVALLOC
  aligns("pvalloc", ((size_f)address_of[pvalloc_])(1000), PAGE, of);
#endif
}

/* Functions that report on a block or free it and that few programs define. */
static void rest(void) {
  bool is_ours = ((bool (*)(void))address_of[OVERRIDING])();
  report(is_ours == !half_has("malloc"), "mia_is_overriding", "", NULL, NULL);
  void *p = malloc(100);
  size_t usable = ((size_t(*)(void *))address_of[USABLE])(p);
  bool known = half_has("malloc_usable_size") || !half_has("malloc");
  report(known ? usable >= 100 : usable == 0, "malloc_usable_size", "", NULL, NULL);
#if MIA_HAVE_CFREE
  half_last = NULL;
  ((free_f)address_of[cfree_])(p);
  const char *by = half_has("free") ? "free" : NULL;
  report(same(half_last, by), "cfree", "", half_last, by);
#else
  free(p);
#endif
}

int main(void) {
  static char out[BUFSIZ];
  setvbuf(stdout, out, _IOLBF, sizeof out); /* a buffer that stdio allocates would be counted */
  find_all();
  long live = half_live; /* blocks of the C library */
  for (int i = 0; i < NAMES; i++)
    if (address_of[i] == NULL) return printf("Bail out! name %d is missing\n", i), EXIT_FAILURE;
  GROUP(for_free, frees);
  GROUP(for_delete, deletes);
  GROUP(for_array, arrays);
  GROUP(for_aligned, aligned);
  GROUP(for_array_aligned, arrays_aligned);
  grows();
  aligns_much();
  rest();
  bool good = half_live == live;
  report(good, "all blocks are given back", "", NULL, NULL);
  return tap_end();
}
