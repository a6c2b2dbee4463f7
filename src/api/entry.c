/* entry.c -- the ways in, behind their fast paths. */
#include "base/prelude.h"

#include "api/entry.h"
#include "api/process.h"
#include "os/os.h"

#include <errno.h>

void *mia_api_malloc_slow(size_t size) {
  void *p = mia_alloc_slow(size, false);
  mia_api_tick();
  return p;
}

void mia_api_free_slow(void *p) {
  mia_alloc_free_slow(p);
  mia_api_tick();
}

void *mia_api_overflow(void) {
  errno = ENOMEM;
  return NULL;
}

void *mia_api_zalloc(size_t size) {
  void *p = mia_alloc_zeroed(size);
  mia_api_tick();
  return p;
}

void *mia_api_aligned(size_t size, size_t align, bool zero) {
  void *p = mia_alloc_aligned(size, align, zero);
  mia_api_tick();
  return p;
}

void *mia_api_realloc(void *p, size_t size, size_t align) {
  void *q = mia_alloc_resize(p, size, align);
  mia_api_tick();
  return q;
}

int mia_api_posix_memalign(void **result, size_t align, size_t size) {
  if (!mia_is_power_of_two(align) || align % sizeof(void *) != 0) return EINVAL;
  int error = errno;
  void *p = mia_api_aligned(size, align, false);
  errno = error;
  if (p == NULL) return ENOMEM;
  *result = p;
  return 0;
}

void *mia_api_memalign(size_t align, size_t size) {
  size_t rounded = mia_power_above(align);
  if (rounded == 0) return mia_api_overflow();
  return mia_api_aligned(size, rounded, false);
}

void *mia_api_pvalloc(size_t size) {
  size_t page = mia_os_page_size();
  size_t rounded = mia_align_up(size > 0 ? size : 1, page);
  if (rounded < size) return mia_api_overflow();
  return mia_api_aligned(rounded, page, false);
}

void mia_api_free_sized(void *p, size_t size, size_t align) {
  if (MIA_DEBUG) mia_alloc_require_request(p, size, align);
  mia_enter_free(p);
}

size_t mia_api_memalignment(const void *p) {
  uintptr_t address = (uintptr_t)p;
  return (size_t)(address & -address);
}
