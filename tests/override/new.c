/* new.c -- C++'s operators new and delete, called by their mangled names.
 *
 * Tests all 8 forms of new and 12 of delete that a program may replace (C++17 21.6.2),
 * without a C++ compiler or runtime library.  Prints TAP.
 *
 * SPDX-License-Identifier: MIT
 */
#include <mialloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../api/pattern.h"
#include "../tap.h"

/* The Itanium C++ ABI encodes size_t as unsigned long or unsigned int. */
#if __SIZEOF_SIZE_T__ == 8
#define Z(before, after) before##m##after
#else
#define Z(before, after) before##j##after
#endif

/* std::nothrow_t is empty and passed by reference, so any address will do. */
typedef const char *nothrow;

extern void *Z(_Znw, )(size_t);
extern void *Z(_Zna, )(size_t);
extern void *Z(_Znw, RKSt9nothrow_t)(size_t, nothrow);
extern void *Z(_Zna, RKSt9nothrow_t)(size_t, nothrow);
extern void *Z(_Znw, St11align_val_t)(size_t, size_t);
extern void *Z(_Zna, St11align_val_t)(size_t, size_t);
extern void *Z(_Znw, St11align_val_tRKSt9nothrow_t)(size_t, size_t, nothrow);
extern void *Z(_Zna, St11align_val_tRKSt9nothrow_t)(size_t, size_t, nothrow);

extern void _ZdlPv(void *);
extern void _ZdaPv(void *);
extern void _ZdlPvRKSt9nothrow_t(void *, nothrow);
extern void _ZdaPvRKSt9nothrow_t(void *, nothrow);
extern void Z(_ZdlPv, )(void *, size_t);
extern void Z(_ZdaPv, )(void *, size_t);
extern void _ZdlPvSt11align_val_t(void *, size_t);
extern void _ZdaPvSt11align_val_t(void *, size_t);
extern void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *, size_t, nothrow);
extern void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *, size_t, nothrow);
extern void Z(_ZdlPv, St11align_val_t)(void *, size_t, size_t);
extern void Z(_ZdaPv, St11align_val_t)(void *, size_t, size_t);

/* ---- all forms with one signature ----------------------------------------------- */

static const char any_nothrow;

/* `a' is the alignment; forms without one ignore it. */
#define NEW(name, call)                   \
  static void *name(size_t n, size_t a) { \
    (void)a;                              \
    return launder(call);                 \
  }
#define DELETE(name, call)                        \
  static void name(void *p, size_t n, size_t a) { \
    (void)n, (void)a;                             \
    call;                                         \
  }

NEW(new_one, Z(_Znw, )(n))
NEW(new_array, Z(_Zna, )(n))
NEW(new_one_nothrow, Z(_Znw, RKSt9nothrow_t)(n, &any_nothrow))
NEW(new_array_nothrow, Z(_Zna, RKSt9nothrow_t)(n, &any_nothrow))
NEW(new_one_aligned, Z(_Znw, St11align_val_t)(n, a))
NEW(new_array_aligned, Z(_Zna, St11align_val_t)(n, a))
NEW(new_one_aligned_nothrow, Z(_Znw, St11align_val_tRKSt9nothrow_t)(n, a, &any_nothrow))
NEW(new_array_aligned_nothrow, Z(_Zna, St11align_val_tRKSt9nothrow_t)(n, a, &any_nothrow))

DELETE(delete_one, _ZdlPv(p))
DELETE(delete_array, _ZdaPv(p))
DELETE(delete_one_nothrow, _ZdlPvRKSt9nothrow_t(p, &any_nothrow))
DELETE(delete_array_nothrow, _ZdaPvRKSt9nothrow_t(p, &any_nothrow))
DELETE(delete_one_sized, Z(_ZdlPv, )(p, n))
DELETE(delete_array_sized, Z(_ZdaPv, )(p, n))
DELETE(delete_one_aligned, _ZdlPvSt11align_val_t(p, a))
DELETE(delete_array_aligned, _ZdaPvSt11align_val_t(p, a))
DELETE(delete_one_aligned_nothrow, _ZdlPvSt11align_val_tRKSt9nothrow_t(p, a, &any_nothrow))
DELETE(delete_array_aligned_nothrow, _ZdaPvSt11align_val_tRKSt9nothrow_t(p, a, &any_nothrow))
DELETE(delete_one_sized_aligned, Z(_ZdlPv, St11align_val_t)(p, n, a))
DELETE(delete_array_sized_aligned, Z(_ZdaPv, St11align_val_t)(p, n, a))

typedef struct {
  const char *name;
  void *(*call)(size_t, size_t);
  bool array, aligned, nothrow;
} new_form;

static const new_form news[] = {
    {"new", new_one, false, false, false},
    {"new[]", new_array, true, false, false},
    {"new nothrow", new_one_nothrow, false, false, true},
    {"new[] nothrow", new_array_nothrow, true, false, true},
    {"new aligned", new_one_aligned, false, true, false},
    {"new[] aligned", new_array_aligned, true, true, false},
    {"new aligned nothrow", new_one_aligned_nothrow, false, true, true},
    {"new[] aligned nothrow", new_array_aligned_nothrow, true, true, true},
};
#define NEWS (sizeof news / sizeof news[0])

typedef struct {
  const char *name;
  void (*call)(void *, size_t, size_t);
  bool array, aligned;
} delete_form;

static const delete_form deletes[] = {
    {"delete", delete_one, false, false},
    {"delete[]", delete_array, true, false},
    {"delete nothrow", delete_one_nothrow, false, false},
    {"delete[] nothrow", delete_array_nothrow, true, false},
    {"delete sized", delete_one_sized, false, false},
    {"delete[] sized", delete_array_sized, true, false},
    {"delete aligned", delete_one_aligned, false, true},
    {"delete[] aligned", delete_array_aligned, true, true},
    {"delete aligned nothrow", delete_one_aligned_nothrow, false, true},
    {"delete[] aligned nothrow", delete_array_aligned_nothrow, true, true},
    {"delete sized aligned", delete_one_sized_aligned, false, true},
    {"delete[] sized aligned", delete_array_sized_aligned, true, true},
};
#define DELETES (sizeof deletes / sizeof deletes[0])

/* ---- tests ------------------------------------------------------------------------ */

static const size_t sizes[] = {0, 1, 8, 9, 16, 100, 1000, 5000, 70000, 1 << 20, 6 << 20};
#define SIZES (sizeof sizes / sizeof sizes[0])
enum { ALIGNMENT_BITS_FROM = 4, ALIGNMENT_BITS_TO = 21 };

/* Tests every size and alignment that fits the pair of forms, with other blocks of the same
 * kind live at the same time. */
static bool pair_works(const new_form *n, const delete_form *d) {
  void *blocks[SIZES];
  bool good = true;
  unsigned last = n->aligned ? ALIGNMENT_BITS_TO : ALIGNMENT_BITS_FROM;
  for (unsigned bits = ALIGNMENT_BITS_FROM; bits <= last; bits++) {
    size_t alignment = (size_t)1 << bits;
    for (size_t i = 0; i < SIZES; i++) {
      void *p = blocks[i] = n->call(sizes[i], alignment);
      good = good && p != NULL && is_aligned(p, sizes[i] <= 8 ? 8 : 16);
      good = good && (!n->aligned || is_aligned(p, alignment));
      size_t usable = mia_usable_size(p), fit = mia_good_size(sizes[i]);
      good = good && usable >= sizes[i];
      good = good && (n->aligned || mia_good_size(usable) == usable);
      good = good && (n->aligned || usable == fit || usable < 2 * fit);
      if (p != NULL) pattern_fill(p, sizes[i], i);
    }
    for (size_t i = 0; i < SIZES; i++) {
      good = good && pattern_holds(blocks[i], sizes[i], i);
      d->call(blocks[i], sizes[i], alignment);
    }
  }
  return good;
}

/* Returns true if the call, made in a child, ends the process by a signal instead of
 * returning; there is no code here that could catch bad_alloc. */
static bool dies(const new_form *n) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(EXIT_FAILURE);
    n->call(opaque(SIZE_MAX - 4096), 64);
    _exit(EXIT_SUCCESS);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

int main(void) {
  printf("1..%zu\n", NEWS + DELETES + NEWS);
  for (size_t i = 0; i < NEWS; i++) {
    const delete_form *plain = &deletes[(news[i].aligned ? 6 : 0) + (news[i].array ? 1 : 0)];
    tap_ok(pair_works(&news[i], plain), "%s: %s", news[i].name, "blocks of every size");
  }
  for (size_t i = 0; i < DELETES; i++) {
    const new_form *plain = &news[(deletes[i].aligned ? 4 : 0) + (deletes[i].array ? 1 : 0)];
    deletes[i].call(NULL, 10, 16);
    tap_ok(pair_works(plain, &deletes[i]), "%s: %s", deletes[i].name, "frees, and takes NULL");
  }
  for (size_t i = 0; i < NEWS; i++) {
    if (news[i].nothrow) {
      void *p = news[i].call(opaque(SIZE_MAX - 4096), 64);
      void *q = news[i].call(opaque(PTRDIFF_MAX), 64);
      tap_ok(p == NULL && q == NULL, "%s: %s", news[i].name, "NULL for too much");
    } else {
      tap_ok(dies(&news[i]), "%s: %s", news[i].name, "never returns NULL");
    }
  }
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
