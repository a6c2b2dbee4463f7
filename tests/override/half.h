/* SPDX-License-Identifier: MIT */
/* half.h -- the names of an allocator, some of which a program defines itself. */
#ifndef MIALLOC_TESTS_HALF_H
#define MIALLOC_TESTS_HALF_H

#include "config.h"

#include <stddef.h>

#define M MIA_MANGLED_SIZE
#define NOTHROW "RKSt9nothrow_t"
#define ALIGNED "St11align_val_t"

/* Each entry: name, symbol. */
#define MAKERS(X)                                    \
  X(malloc, "malloc")                                \
  X(calloc, "calloc")                                \
  X(realloc, "realloc")                              \
  X(reallocarray, "reallocarray")                    \
  X(aligned_alloc, "aligned_alloc")                  \
  X(posix_memalign, "posix_memalign")                \
  X(new_1, "_Znw" M)                                 \
  X(new_n, "_Zna" M)                                 \
  X(new_1_nothrow, "_Znw" M NOTHROW)                 \
  X(new_n_nothrow, "_Zna" M NOTHROW)                 \
  X(new_1_aligned, "_Znw" M ALIGNED)                 \
  X(new_n_aligned, "_Zna" M ALIGNED)                 \
  X(new_1_aligned_nothrow, "_Znw" M ALIGNED NOTHROW) \
  X(new_n_aligned_nothrow, "_Zna" M ALIGNED NOTHROW)

#define DROPPERS(X)                                     \
  X(free, "free")                                       \
  X(free_sized, "free_sized")                           \
  X(free_aligned_sized, "free_aligned_sized")           \
  X(delete_1, "_ZdlPv")                                 \
  X(delete_n, "_ZdaPv")                                 \
  X(delete_1_sized, "_ZdlPv" M)                         \
  X(delete_n_sized, "_ZdaPv" M)                         \
  X(delete_1_nothrow, "_ZdlPv" NOTHROW)                 \
  X(delete_n_nothrow, "_ZdaPv" NOTHROW)                 \
  X(delete_1_aligned, "_ZdlPv" ALIGNED)                 \
  X(delete_n_aligned, "_ZdaPv" ALIGNED)                 \
  X(delete_1_sized_aligned, "_ZdlPv" M ALIGNED)         \
  X(delete_n_sized_aligned, "_ZdaPv" M ALIGNED)         \
  X(delete_1_aligned_nothrow, "_ZdlPv" ALIGNED NOTHROW) \
  X(delete_n_aligned_nothrow, "_ZdaPv" ALIGNED NOTHROW)

/* Names that not every C library has. */
#if MIA_HAVE_MEMALIGN
#define OTHER_1(X) X(memalign, "memalign")
#else
#define OTHER_1(X)
#endif
#if MIA_HAVE_VALLOC
#define OTHER_2(X) X(valloc, "valloc")
#else
#define OTHER_2(X)
#endif
#if MIA_HAVE_PVALLOC
#define OTHER_3(X) X(pvalloc, "pvalloc")
#else
#define OTHER_3(X)
#endif
#if MIA_HAVE_CFREE
#define OTHER_4(X) X(cfree, "cfree")
#else
#define OTHER_4(X)
#endif
#define OTHERS(X) OTHER_1(X) OTHER_2(X) OTHER_3(X) OTHER_4(X)

/* Functions and variables of half.c: whether it has that name; the name of its function that
 * was called last, or NULL, and the number of calls; whether a block is its own; the number
 * of its live blocks. */
int half_has(const char *name);
extern const char *half_last;
extern unsigned half_calls;
int half_owns(const void *p);
extern long half_live;

#endif
