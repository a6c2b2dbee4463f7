/* extended.c -- the standard forms with a twist: counted, zeroed, in place, with
 * the real size of the block. */
#include "base/prelude.h"

#include "api/entry.h"
#include "arena/arena.h"
#include "page/page.h"

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
  memcpy(&p, address, sizeof p); /* it is the address of a pointer to any type */
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
  if (size <= mia_alloc_usable(p)) return p;
  mia_page *page = mia_page_of(p);
  int error = errno;
  if (page != NULL && page->size_class >= MIA_CLASS_COUNT &&
      size <= MIA_SIZE_MAX - MIA_SLICE_SIZE && mia_page_resize_single(page, size, false)) {
    errno = error;
    return p;
  }
  errno = ENOMEM;
  return NULL;
}

/* ---- zeroed ---- */

/* Growing so much, it is cheaper to begin with a block that is zero, of which
 * the new part need not be touched. */
static bool is_growth_large(size_t usable, size_t size) {
  return size > MIA_CLASS_SIZE_MAX && size / 2 >= usable;
}

static void *move_to_zeroed(void *p, size_t usable, size_t size, size_t align) {
  void *to = mia_api_aligned(size, align, true);
  if (to == NULL) return NULL;
  memcpy(to, p, usable);
  mia_enter_free(p);
  return to;
}

static void *rezalloc(void *p, size_t size, size_t align) {
  if (p == NULL) return mia_api_aligned(size, align, true);
  size_t usable = mia_alloc_usable(p);
  if (is_growth_large(usable, size)) return move_to_zeroed(p, usable, size, align);
  char *q = mia_api_realloc(p, size, align);
  if (q == NULL) return NULL;
  /* Whatever has become of the block: what was kept ends here. */
  size_t kept = usable < size ? usable : size;
  memset(q + kept, 0, mia_alloc_usable(q) - kept);
  return q;
}

void *mia_rezalloc(void *p, size_t size) { return rezalloc(p, size, 1); }

void *mia_rezalloc_aligned(void *p, size_t size, size_t alignment) {
  return rezalloc(p, size, alignment);
}

void *mia_recalloc_aligned(void *p, size_t count, size_t size, size_t alignment) {
  size_t total;
  if (!mia_product(count, size, &total)) return mia_api_overflow();
  return rezalloc(p, total, alignment);
}

void *mia_recalloc(void *p, size_t count, size_t size) {
  return mia_recalloc_aligned(p, count, size, 1);
}

/* ---- with the real size ---- */

static void *tell(void *p, size_t *usable) {
  if (usable != NULL) *usable = mia_alloc_usable(p);
  return p;
}

void *mia_umalloc(size_t size, size_t *usable) { return tell(mia_enter_malloc(size), usable); }
void *mia_uzalloc(size_t size, size_t *usable) { return tell(mia_api_zalloc(size), usable); }
void *mia_ucalloc(size_t count, size_t size, size_t *usable) {
  return tell(mia_enter_calloc(count, size), usable);
}
void *mia_umalloc_aligned(size_t size, size_t alignment, size_t *usable) {
  return tell(mia_api_aligned(size, alignment, false), usable);
}
void *mia_uzalloc_aligned(size_t size, size_t alignment, size_t *usable) {
  return tell(mia_api_aligned(size, alignment, true), usable);
}

void *mia_urealloc(void *p, size_t size, size_t *before, size_t *after) {
  (void)tell(p, before);
  return tell(mia_api_realloc(p, size, 1), after);
}

void mia_ufree(void *p, size_t *usable) { mia_enter_free(tell(p, usable)); }

/* ---- any pointer ---- */

bool mia_any_heap_contains(const void *p) {
  const mia_page *page = mia_page_of(p);
  if (page == NULL || page->size == 0) return false;
  size_t offset = (uintptr_t)p - (uintptr_t)page->start;
  return offset % page->size == 0 && offset / page->size < page->total;
}

static bool is_in_arena(const mia_arena *arena, const void *p) {
  return (uintptr_t)p - (uintptr_t)arena->start < arena->slices << MIA_SLICE_SHIFT;
}

bool mia_is_in_heap_region(const void *p) {
  size_t count = mia_aword_get_acq(&mia_arena_all.count);
  for (size_t i = 0; i < count; i++)
    if (is_in_arena(mia_arena_nth(i), p)) return true;
  return mia_page_of(p) != NULL;
}
