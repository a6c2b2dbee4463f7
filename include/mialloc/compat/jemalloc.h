/* mialloc/compat/jemalloc.h -- jemalloc's functions that take flags, on mialloc.
 *
 * Flags are 0 or a sum of: one of MALLOCX_ALIGN(a) and MALLOCX_LG_ALIGN(n), and
 * MALLOCX_ZERO.  Those of jemalloc that choose an arena or a cache
 * (MALLOCX_ARENA, MALLOCX_TCACHE, MALLOCX_TCACHE_NONE) are accepted and do
 * nothing.  True of all functions:
 *  - they are inline, sizes are in bytes, any thread may call them;
 *  - `p' is a block, not NULL; dallocx, sdallocx or mia_free frees it;
 *  - a size of 0, which jemalloc leaves undefined, is as in mia_malloc(0);
 *  - without an alignment, blocks have mia_malloc's; a request that cannot be met,
 *    as one with an alignment above 1 GiB, is NULL and ENOMEM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_JEMALLOC_H
#define MIALLOC_JEMALLOC_H

#include <errno.h>
#include <mialloc.h>
#include <stdint.h>
#include <string.h>

/* Aligned to 1 << n, or to `a', a power of two: the lowest six bits hold the binary
 * logarithm.  Constants where their arguments are. */
#define MALLOCX_LG_ALIGN(n) ((int)(n))
#define MALLOCX_ALIGN(a) ((int)__builtin_ctzll(a))

/* All bytes of a block, or those that it gains, are zero. */
#define MALLOCX_ZERO ((int)0x40)

/* No effect here. */
#define MALLOCX_TCACHE(t) ((int)(((t) + 2) << 8))
#define MALLOCX_TCACHE_NONE MALLOCX_TCACHE(-1)
#define MALLOCX_ARENA(a) ((int)(((a) + 1) << 20))

#ifdef __cplusplus
extern "C" {
#endif

/* The alignment that flags ask for; 1 if they do not; the largest there is, which
 * no block can have, where a size_t does not hold it. */
static inline size_t mia_jemalloc_align(int flags) {
  unsigned most = sizeof(size_t) * 8 - 1, lg = (unsigned)flags & 0x3f;
  return (size_t)1 << (lg < most ? lg : most);
}

/* A block of at least `size' bytes; NULL: no memory. */
static inline void *mallocx(size_t size, int flags) {
  size_t align = mia_jemalloc_align(flags);
  return (flags & MALLOCX_ZERO) != 0 ? mia_zalloc_aligned(size, align)
                                     : mia_malloc_aligned(size, align);
}

/* Another size for a block, which may move; the contents up to the smaller of both
 * sizes are kept.  With MALLOCX_ZERO what is beyond the usable size that it had is
 * zero; what lies between the size once asked for and that is not.  With an
 * alignment the result has it, whatever `p' had.  Its usable size is what nallocx
 * says.  NULL: no memory, and `p' is as it
 * was. */
static inline void *rallocx(void *p, size_t size, int flags) {
  size_t before = mia_usable_size(p);
  void *q = mia_realloc_exact(p, size, mia_jemalloc_align(flags));
  if (q != NULL && (flags & MALLOCX_ZERO) != 0 && mia_usable_size(q) > before)
    memset((char *)q + before, 0, mia_usable_size(q) - before);
  return q;
}

/* Makes a block larger where it is: to size + extra bytes, else to `size', else not
 * at all; returns the usable size that it then has, which is less than `size' in
 * the last case.  None shrinks or moves, so an alignment that it has it keeps, and
 * one that it has not it does not get.  errno is left alone.  A sum that overflows
 * cannot be met, which jemalloc leaves undefined. */
static inline size_t xallocx(void *p, size_t size, size_t extra, int flags) {
  size_t before = mia_usable_size(p);
  size_t wanted = size + extra < size ? (size_t)-1 : size + extra;
  size_t after;
  int error = errno;
  if (mia_expand(p, wanted) == NULL) (void)!mia_expand(p, size);
  errno = error;
  after = mia_usable_size(p);
  if ((flags & MALLOCX_ZERO) != 0 && after > before) memset((char *)p + before, 0, after - before);
  return after;
}

/* The usable size of a block, at least what was asked for. */
static inline size_t sallocx(const void *p, int flags) {
  (void)flags;
  return mia_usable_size(p);
}

/* Frees a block. */
static inline void dallocx(void *p, int flags) {
  (void)flags;
  mia_free(p);
}

/* Frees a block of which the size is known: any from what was last asked for, with
 * the same alignment, to what sallocx says.  A size that it cannot have had is
 * misuse and ends the process. */
static inline void sdallocx(void *p, size_t size, int flags) {
  mia_free_aligned_sized(p, mia_jemalloc_align(flags), size);
}

/* The usable size that mallocx and rallocx would give, without giving it; 0 if that
 * could not be. */
static inline size_t nallocx(size_t size, int flags) {
  size_t align = mia_jemalloc_align(flags), good = mia_good_size_aligned(size, align);
  return good > PTRDIFF_MAX || align > (size_t)1 << 30 ? 0 : good;
}

#ifdef __cplusplus
}
#endif
#endif
