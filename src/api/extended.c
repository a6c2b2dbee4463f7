/* SPDX-License-Identifier: MIT */
/* extended.c -- extensions of the standard functions: counted, zeroed, in place, with the
 * usable size of the block. */
#include "base/prelude.h"

#include "api/entry.h"

#include <mialloc.h>

#include <errno.h>
#include <string.h>

/* ---- counted ---- */

void *mia_mallocn(size_t count, size_t size) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_enter_malloc(total);
}

void *mia_reallocf(void *p, size_t size) {
  void *q = mia_api_realloc(p, size, 1);
  if (q == NULL) mia_enter_free(p);
  return q;
}

int mia_reallocarr(void *address, size_t count, size_t size) {
  if (address == NULL) return EINVAL;
  void *p;
  memcpy(&p, address, sizeof p); /* `address' is that of a pointer to any type */
  int error = errno;
  p = mia_enter_reallocarray(p, count, size);
  errno = error;
  if (p == NULL) return ENOMEM;
  memcpy(address, &p, sizeof p);
  return 0;
}

/* ---- in place ---- */

void *mia_expand(void *p, size_t size) {
  if (p == NULL) return NULL;
  if (mia_alloc_extend(p, size)) return p;
  errno = ENOMEM;
  return NULL;
}

/* ---- zeroed ---- */

void *mia_rezalloc_aligned_at(void *p, size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_rezalloc(mia_alloc_heap_default(), p, size, alignment, offset);
}

void *mia_rezalloc_aligned(void *p, size_t size, size_t alignment) {
  return mia_rezalloc_aligned_at(p, size, alignment, 0);
}

void *mia_rezalloc(void *p, size_t size) { return mia_rezalloc_aligned_at(p, size, 1, 0); }

void *mia_recalloc_aligned_at(void *p, size_t count, size_t size, size_t alignment, size_t offset) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_rezalloc_aligned_at(p, total, alignment, offset);
}

void *mia_recalloc_aligned(void *p, size_t count, size_t size, size_t alignment) {
  return mia_recalloc_aligned_at(p, count, size, alignment, 0);
}

void *mia_recalloc(void *p, size_t count, size_t size) {
  return mia_recalloc_aligned_at(p, count, size, 1, 0);
}

/* ---- aligned behind a header ---- */

void *mia_malloc_aligned_at(size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_aligned(mia_alloc_heap_default(), size, alignment, offset, false);
}

void *mia_zalloc_aligned_at(size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_aligned(mia_alloc_heap_default(), size, alignment, offset, true);
}

void *mia_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return mia_zalloc_aligned_at(total, alignment, offset);
}

void *mia_realloc_aligned_at(void *p, size_t size, size_t alignment, size_t offset) {
  return mia_api_heap_realloc(mia_alloc_heap_default(), p, size, alignment, offset);
}

/* ---- with the usable size ---- */

static void *store_usable(void *p, size_t *usable) {
  if (usable != NULL) *usable = mia_alloc_usable(p);
  return p;
}

void *mia_malloc_at_least(size_t size, size_t *usable) {
  return store_usable(mia_enter_malloc(size), usable);
}
void *mia_zalloc_at_least(size_t size, size_t *usable) {
  return store_usable(mia_api_zalloc(size), usable);
}
void *mia_calloc_at_least(size_t count, size_t size, size_t *usable) {
  return store_usable(mia_enter_calloc(count, size), usable);
}
void *mia_malloc_aligned_at_least(size_t size, size_t alignment, size_t *usable) {
  return store_usable(mia_api_aligned(size, alignment, false), usable);
}
void *mia_zalloc_aligned_at_least(size_t size, size_t alignment, size_t *usable) {
  return store_usable(mia_api_aligned(size, alignment, true), usable);
}

void *mia_realloc_at_least(void *p, size_t size, size_t *before, size_t *after) {
  (void)store_usable(p, before);
  return store_usable(mia_api_realloc(p, size, 1), after);
}

void mia_free_usable(void *p, size_t *usable) { mia_enter_free(store_usable(p, usable)); }

/* ---- any pointer ---- */

bool mia_any_heap_contains(const void *p) { return mia_api_page_around(p) != NULL; }
