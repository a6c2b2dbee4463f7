/* mialloc/compat/jemalloc.h -- jemalloc's functions that take flags, on mialloc.
 *
 * `flags' is 0 or a sum of one of MALLOCX_ALIGN(a) and MALLOCX_LG_ALIGN(n), and of
 * MALLOCX_ZERO.  The flags of jemalloc that choose an arena or a cache (MALLOCX_ARENA,
 * MALLOCX_TCACHE, MALLOCX_TCACHE_NONE) are accepted and have no effect.  For all functions:
 *  - They are inline.  Sizes are in bytes.  Any thread may call them.
 *  - `p' is a block, not NULL.  dallocx, sdallocx or mia_free frees it.
 *  - A size of 0, which jemalloc leaves undefined, is treated as in mia_malloc(0).
 *  - Without an alignment, blocks are aligned like mia_malloc's.  A request that cannot be met,
 *    such as one with an alignment above 1 GiB, returns NULL and sets errno to ENOMEM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_JEMALLOC_H
#define MIALLOC_JEMALLOC_H

#include <errno.h>
#include <mialloc.h>
#include <stdint.h>
#include <string.h>

/* Align the block to 1 << n, or to `a', a power of two.  The lowest six bits of the flags hold
 * the binary logarithm.  The results are constants if the arguments are. */
#define MALLOCX_LG_ALIGN(n) ((int)(n))
#define MALLOCX_ALIGN(a) ((int)__builtin_ctzll(a))

/* All bytes of a new block, or those that a block gains, are zero. */
#define MALLOCX_ZERO ((int)0x40)

/* Accepted, without effect. */
#define MALLOCX_TCACHE(t) ((int)(((t) + 2) << 8))
#define MALLOCX_TCACHE_NONE MALLOCX_TCACHE(-1)
#define MALLOCX_ARENA(a) ((int)(((a) + 1) << 20))

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the alignment that the flags request, or 1 if they request none.  If size_t cannot
 * hold the alignment, returns the greatest power of two, which no block can have. */
static inline size_t mia_jemalloc_align(int flags) {
  unsigned most = sizeof(size_t) * 8 - 1, lg = (unsigned)flags & 0x3f;
  return (size_t)1 << (lg < most ? lg : most);
}

/* Returns a block of at least `size' bytes; NULL if memory is short. */
static inline void *mallocx(size_t size, int flags) {
  size_t align = mia_jemalloc_align(flags);
  return (flags & MALLOCX_ZERO) != 0 ? mia_zalloc_aligned(size, align)
                                     : mia_malloc_aligned(size, align);
}

/* Resizes a block, which may move.  The contents are kept up to the smaller of the old and the
 * new size.  With MALLOCX_ZERO the bytes beyond the usable size that the block had are zero;
 * the bytes between the size that was once requested and that usable size are not.  With an
 * alignment the result is aligned, whatever the alignment of `p' was.  The usable size of the
 * result is what nallocx returns.  Returns NULL if memory is short, and leaves `p' unchanged. */
static inline void *rallocx(void *p, size_t size, int flags) {
  size_t before = mia_usable_size(p);
  void *q = mia_realloc_exact(p, size, mia_jemalloc_align(flags));
  if (q != NULL && (flags & MALLOCX_ZERO) != 0 && mia_usable_size(q) > before)
    memset((char *)q + before, 0, mia_usable_size(q) - before);
  return q;
}

/* Grows a block in place: to size + extra bytes; if that is not possible, to `size'; otherwise
 * not at all.  Returns the usable size that the block then has, which is less than `size' in
 * the last case.  No block shrinks or moves, so its alignment does not change, whatever the
 * flags request.  Leaves errno unchanged.  If the sum overflows, which jemalloc leaves
 * undefined, it counts as a size that is not possible. */
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

/* Returns the usable size of a block, which is at least the size that was requested. */
static inline size_t sallocx(const void *p, int flags) {
  (void)flags;
  return mia_usable_size(p);
}

/* Frees a block. */
static inline void dallocx(void *p, int flags) {
  (void)flags;
  mia_free(p);
}

/* Frees a block whose size is known: any size from the one that was last requested, with the
 * same alignment, up to the one that sallocx returns.  A size that the block cannot have had is
 * misuse and ends the process. */
static inline void sdallocx(void *p, size_t size, int flags) {
  mia_free_aligned_sized(p, mia_jemalloc_align(flags), size);
}

/* Returns the usable size that mallocx and rallocx would give, without allocating; 0 if the
 * request could not be met. */
static inline size_t nallocx(size_t size, int flags) {
  size_t align = mia_jemalloc_align(flags), good = mia_good_size_aligned(size, align);
  return good > PTRDIFF_MAX || align > (size_t)1 << 30 ? 0 : good;
}

#ifdef __cplusplus
}
#endif
#endif
