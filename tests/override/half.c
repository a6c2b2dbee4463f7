/* half.c -- the part of an allocator that a program defines itself: the functions whose
 * macros HAS_name are defined.  Its blocks are recognised by their address and a header, and
 * are never reused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "half.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 1 << 24, HEADER = 16, LIVE_BLOCK = 0x11fe, FREED_BLOCK = 0xdead };
static _Alignas(4096) char pool[POOL];
static size_t used;

const char *half_last;
unsigned half_calls;
long half_live;

int half_owns(const void *p) { return (uintptr_t)p - (uintptr_t)pool < POOL; }

/* Returns a block at an odd multiple of 16, unless a larger alignment is requested. */
__attribute__((unused)) static void *take(const char *name, size_t size, size_t align) {
  half_last = name;
  half_calls++;
  size_t at = align > HEADER ? (used + HEADER + align - 1) & -align
                             : ((used + 31) & -(size_t)32) + HEADER;
  if (size > POOL / 4 || at + size > POOL) return NULL;
  used = at + size;
  memcpy(pool + at - HEADER, &(size_t[2]){size, LIVE_BLOCK}, sizeof(size_t[2]));
  half_live++;
  return memset(pool + at, 0x5a, size);
}

__attribute__((unused)) static void drop(const char *name, void *p) {
  half_last = name;
  half_calls++;
  if (!half_owns(p)) return; /* a block of another allocator, which such programs leak */
  size_t header[2];
  memcpy(header, (char *)p - HEADER, sizeof header);
  if (header[1] != LIVE_BLOCK) abort();
  header[1] = FREED_BLOCK;
  memcpy((char *)p - HEADER, header, sizeof header);
  half_live--;
}

#define ALLOCATES(name, parameters, symbol, size, align) \
  extern void *my_##name parameters __asm__(symbol);     \
  void *my_##name parameters { return take(#name, size, align); }
#define FREES(name, parameters, symbol)             \
  extern void my_##name parameters __asm__(symbol); \
  void my_##name parameters { drop(#name, p); }

#ifdef HAS_malloc
ALLOCATES(malloc, (size_t n), "malloc", n, 1)
#endif
#ifdef HAS_free
FREES(free, (void *p), "free")
#endif
#ifdef HAS_calloc
extern void *my_calloc(size_t n, size_t size) __asm__("calloc");
void *my_calloc(size_t n, size_t size) {
  void *p = take("calloc", n * size, 1);
  return p == NULL ? NULL : memset(p, 0, n * size);
}
#endif
#ifdef HAS_realloc
extern void *my_realloc(void *p, size_t n) __asm__("realloc");
void *my_realloc(void *p, size_t n) {
  void *q = take("realloc", n, 1);
  size_t before = 0;
  if (p != NULL) memcpy(&before, (char *)p - HEADER, sizeof before);
  if (q == NULL || p == NULL) return q;
  memcpy(q, p, before < n ? before : n);
  drop("realloc", p);
  return q;
}
#endif
#ifdef HAS_aligned_alloc
ALLOCATES(aligned_alloc, (size_t a, size_t n), "aligned_alloc", n, a)
#endif
#ifdef HAS_memalign
ALLOCATES(memalign, (size_t a, size_t n), "memalign", n, a)
#endif
#ifdef HAS_posix_memalign
extern int my_posix_memalign(void **p, size_t a, size_t n) __asm__("posix_memalign");
int my_posix_memalign(void **p, size_t a, size_t n) {
  *p = take("posix_memalign", n, a);
  return *p == NULL;
}
#endif
#ifdef HAS_malloc_usable_size
extern size_t my_usable(void *p) __asm__("malloc_usable_size");
size_t my_usable(void *p) {
  size_t size = 0;
  if (p != NULL) memcpy(&size, (char *)p - HEADER, sizeof size);
  return size;
}
#endif

#define PLAIN (size_t n)
#define TAGGED (size_t n, const void *tag)
#define AT (size_t n, size_t a)
#define AT_TAGGED (size_t n, size_t a, const void *tag)
#ifdef HAS_new_1
ALLOCATES(new_1, PLAIN, "_Znw" M, n, 1)
#endif
#ifdef HAS_new_n
ALLOCATES(new_n, PLAIN, "_Zna" M, n, 1)
#endif
#ifdef HAS_new_1_nothrow
ALLOCATES(new_1_nothrow, TAGGED, "_Znw" M NOTHROW, n, 1)
#endif
#ifdef HAS_new_n_nothrow
ALLOCATES(new_n_nothrow, TAGGED, "_Zna" M NOTHROW, n, 1)
#endif
#ifdef HAS_new_1_aligned
ALLOCATES(new_1_aligned, AT, "_Znw" M ALIGNED, n, a)
#endif
#ifdef HAS_new_n_aligned
ALLOCATES(new_n_aligned, AT, "_Zna" M ALIGNED, n, a)
#endif
#ifdef HAS_delete_1
FREES(delete_1, (void *p), "_ZdlPv")
#endif
#ifdef HAS_delete_n
FREES(delete_n, (void *p), "_ZdaPv")
#endif
#ifdef HAS_delete_1_sized
FREES(delete_1_sized, (void *p, size_t n), "_ZdlPv" M)
#endif
#ifdef HAS_delete_n_sized
FREES(delete_n_sized, (void *p, size_t n), "_ZdaPv" M)
#endif
#ifdef HAS_delete_1_nothrow
FREES(delete_1_nothrow, (void *p, const void *tag), "_ZdlPv" NOTHROW)
#endif
#ifdef HAS_delete_n_nothrow
FREES(delete_n_nothrow, (void *p, const void *tag), "_ZdaPv" NOTHROW)
#endif
#ifdef HAS_delete_1_aligned
FREES(delete_1_aligned, (void *p, size_t a), "_ZdlPv" ALIGNED)
#endif
#ifdef HAS_delete_n_aligned
FREES(delete_n_aligned, (void *p, size_t a), "_ZdaPv" ALIGNED)
#endif

/* HAS holds those names, separated by blanks. */
int half_has(const char *name) {
  const char *names = HAS;
  size_t length = strlen(name);
  for (const char *at = names; (at = strstr(at, name)) != NULL; at += length)
    if (at[-1] == ' ' && at[length] == ' ') return 1;
  return 0;
}
