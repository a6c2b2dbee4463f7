/* realloc.c -- changing the size of a block. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "base/bits.h"
#include "local/stock.h"
#include "local/thread.h"

#include <errno.h>
#include <string.h>

/* A large block that has to move in order to grow to this size, or beyond, gets
 * a mapping of its own: growing goes on, and then costs no copying. */
#define HUGE_BY_GROWTH (8 * MIA_MIB)

/* Worth keeping at a smaller size: at least half of it would be used, or there
 * is no smaller block. */
static bool fits(size_t usable, size_t size) {
  return size <= usable && (size >= usable / 2 || usable == MIA_BLOCK_MIN);
}

static void *move(mia_heap *heap, void *p, size_t usable, size_t size, size_t align,
                  size_t offset) {
  void *to = mia_alloc_in(heap, size, align, offset, false);
  if (to == NULL) return NULL;
  memcpy(to, p, usable < size ? usable : size);
  mia_alloc_free(p);
  return to;
}

static void *move_to_mapping(mia_page *page, size_t size) {
  bool zero;
  mia_local *self = mia_local_attach();
  if (self == NULL) return NULL;
  mia_page *to = mia_local_make_single(self, &(mia_single){.size = size, .align = 1, .huge = true},
                                       &zero);
  if (to == NULL) return NULL;
  mia_count_add(&self->counts.lent[to->size_class], 1);
  memcpy(to->start, page->start, page->size);
  mia_alloc_free(page->start);
  return to->start;
}

/* The one block of a page at another size; NULL: not without copying it to
 * where any block could be.  It stays in its heap: only the main one's can get
 * another mapping. */
static void *resize_single(mia_page *page, size_t size, size_t align) {
  if (size <= MIA_CLASS_SIZE_MAX) return NULL;
  bool may_move = align <= MIA_BLOCK_ALIGN;
  int error = errno;
  void *p = mia_page_resize_single(page, size, may_move) ? page->start : NULL;
  if (p == NULL && may_move && size > page->size && size >= HUGE_BY_GROWTH &&
      mia_local_is_main(page))
    p = move_to_mapping(page, size);
  errno = error;
  return p;
}

/* A block that was aligned behind a header may lie at any byte: what is resized
 * without an offset is aligned like others. */
static bool is_placed(const mia_page *page, const char *p, size_t align, size_t offset) {
  if (!mia_is_aligned(p + offset, align)) return false;
  return page->lead == 0 || offset > 0 || mia_is_aligned(p, MIA_BLOCK_ALIGN);
}

void *mia_alloc_resize_in(mia_heap *heap, void *p, size_t size, size_t align, size_t offset) {
  if (p == NULL || !mia_is_power_of_two(align) || size > MIA_SIZE_MAX - MIA_SLICE_SIZE)
    return mia_alloc_in(heap, size, align, offset, false); /* which says what is wrong */
  size_t usable = mia_alloc_usable(p);
  mia_page *page = mia_page_of(p);
  mia_page_require_block(page, p);
  if (!is_placed(page, p, align, offset)) return move(heap, p, usable, size, align, offset);
  if (page->size_class >= MIA_CLASS_COUNT) {
    void *q = resize_single(page, size, offset == 0 ? align : MIA_ALIGN_MAX);
    if (q != NULL) return q;
  }
  return fits(usable, size) ? p : move(heap, p, usable, size, align, offset);
}

void *mia_alloc_resize(void *p, size_t size, size_t align) {
  return mia_alloc_resize_in(mia_local_default_heap(mia_local_self), p, size, align, 0);
}
