/* mialloc/compat/jemalloc.h -- jemalloc's functions that take flags, on mialloc.
 *
 * Flags are a sum of: one of MALLOCX_ALIGN(a) and MALLOCX_LG_ALIGN(n), and
 * MALLOCX_ZERO.  Those of jemalloc that choose an arena or a cache
 * (MALLOCX_ARENA, MALLOCX_TCACHE, MALLOCX_TCACHE_NONE) are accepted and do
 * nothing.  All functions are inline; sizes are in bytes; any thread may call
 * them; a block is freed by dallocx, sdallocx or mia_free.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_JEMALLOC_H
#define MIALLOC_JEMALLOC_H

#include <mialloc.h>
#include <stdint.h>
#include <string.h>

/* The lowest six bits hold the binary logarithm of the alignment. */
#define MALLOCX_LG_ALIGN(n) ((int)(n))
#define MALLOCX_ALIGN(a) ((int)mia_jemalloc_lg(a))
#define MALLOCX_ZERO ((int)0x40)
#define MALLOCX_TCACHE(t) ((int)(((t) + 2) << 8))
#define MALLOCX_TCACHE_NONE MALLOCX_TCACHE(-1)
#define MALLOCX_ARENA(a) ((int)(((a) + 1) << 20))

#ifdef __cplusplus
extern "C" {
#endif

/* The binary logarithm of a power of two. */
static inline unsigned mia_jemalloc_lg(size_t power) {
  unsigned lg = 0;
  while ((power >>= 1) != 0) lg++;
  return lg;
}

/* The alignment that flags ask for; 1 if they do not. */
static inline size_t mia_jemalloc_align(int flags) { return (size_t)1 << (flags & 0x3f); }

/* A block of at least `size' bytes; NULL: no memory. */
static inline void *mallocx(size_t size, int flags) {
  size_t align = mia_jemalloc_align(flags);
  return (flags & MALLOCX_ZERO) != 0 ? mia_zalloc_aligned(size, align)
                                     : mia_malloc_aligned(size, align);
}

/* Another size for a block; with MALLOCX_ZERO what is beyond the usable size that
 * it had is zero.  NULL: no memory, and `p' is as it was. */
static inline void *rallocx(void *p, size_t size, int flags) {
  size_t before = mia_usable_size(p);
  void *q = mia_realloc_aligned(p, size, mia_jemalloc_align(flags));
  if (q != NULL && (flags & MALLOCX_ZERO) != 0 && mia_usable_size(q) > before)
    memset((char *)q + before, 0, mia_usable_size(q) - before);
  return q;
}

/* Makes a block `extra' bytes larger than `size', or as much of that as can be
 * done where it is; returns the usable size that it then has. */
static inline size_t xallocx(void *p, size_t size, size_t extra, int flags) {
  size_t before = mia_usable_size(p);
  size_t wanted = size + extra < size ? (size_t)-1 : size + extra;
  size_t after;
  if (mia_expand(p, wanted) == NULL) (void)!mia_expand(p, size);
  after = mia_usable_size(p);
  if ((flags & MALLOCX_ZERO) != 0 && after > before) memset((char *)p + before, 0, after - before);
  return after;
}

/* The usable size of a block. */
static inline size_t sallocx(const void *p, int flags) {
  (void)flags;
  return mia_usable_size(p);
}

/* Frees a block. */
static inline void dallocx(void *p, int flags) {
  (void)flags;
  mia_free(p);
}

/* Frees a block of which the size that was asked for is known. */
static inline void sdallocx(void *p, size_t size, int flags) {
  mia_free_aligned_sized(p, mia_jemalloc_align(flags), size);
}

/* The usable size that mallocx would give; 0 if that could not be. */
static inline size_t nallocx(size_t size, int flags) {
  if (size > PTRDIFF_MAX) return 0;
  return mia_good_size_aligned(size, mia_jemalloc_align(flags));
}

#ifdef __cplusplus
}
#endif
#endif
