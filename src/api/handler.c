/* SPDX-License-Identifier: MIT */
/* handler.c -- memory or an exception.
 *
 * C++'s run-time library is called by its mangled names, and only if the program contains it. */
#include "base/prelude.h"

#include "api/entry.h"
#include "api/handler.h"
#include "base/bits.h"

#include <mialloc.h>
#include <mialloc/heap.h>

/* std::get_new_handler() and std::__throw_bad_alloc(). */
typedef void (*handler)(void);
handler get_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

_Noreturn void mia_api_bad_alloc(void) {
  if (throw_bad_alloc != NULL) throw_bad_alloc();
  mia_base_misuse("operator new without memory, and no C++ library to throw bad_alloc", NULL);
}

static void *allocate_once(mia_heap *heap, void *p, size_t size, size_t align) {
  if (heap != NULL) return mia_api_heap_malloc(heap, size, false);
  if (p != NULL) return mia_api_realloc(p, size, align);
  return align == 1 ? mia_enter_malloc(size) : mia_api_aligned(size, align, false);
}

bool mia_api_call_handler(void) {
  handler handle = get_handler != NULL ? get_handler() : NULL;
  if (handle != NULL) handle();
  return handle != NULL;
}

/* [new.delete.single]: as long as there is a handler, call it and try again.  No memory
 * makes an alignment one that there is. */
void *mia_api_retry_new(mia_heap *heap, void *p, size_t size, size_t align, bool throws) {
  while (mia_is_power_of_two(align) && mia_api_call_handler()) {
    void *q = allocate_once(heap, p, size, align);
    if (q != NULL) return q;
  }
  if (throws) mia_api_bad_alloc();
  return NULL;
}

static void *allocate_or_handle(mia_heap *heap, void *p, size_t size, size_t align, bool throws) {
  void *q = allocate_once(heap, p, size, align);
  return mia_likely(q != NULL) ? q : mia_api_retry_new(heap, p, size, align, throws);
}

void *mia_new(size_t size) { return allocate_or_handle(NULL, NULL, size, 1, true); }
void *mia_new_aligned(size_t size, size_t alignment) {
  return allocate_or_handle(NULL, NULL, size, alignment, true);
}
void *mia_new_nothrow(size_t size) { return allocate_or_handle(NULL, NULL, size, 1, false); }
void *mia_new_aligned_nothrow(size_t size, size_t alignment) {
  return allocate_or_handle(NULL, NULL, size, alignment, false);
}
void *mia_new_realloc(void *p, size_t size) { return allocate_or_handle(NULL, p, size, 1, true); }

/* A product that overflows fails at once: no handler can free enough memory for it. */
static size_t total_or_throw(size_t count, size_t size) {
  size_t total;
  if (!mia_product(count, size, &total)) mia_api_bad_alloc();
  return total;
}

void *mia_new_n(size_t count, size_t size) {
  return allocate_or_handle(NULL, NULL, total_or_throw(count, size), 1, true);
}
void *mia_new_reallocn(void *p, size_t count, size_t size) {
  return allocate_or_handle(NULL, p, total_or_throw(count, size), 1, true);
}

void *mia_heap_alloc_new(mia_heap *heap, size_t size) {
  return allocate_or_handle(heap, NULL, size, 1, true);
}
void *mia_heap_alloc_new_n(mia_heap *heap, size_t count, size_t size) {
  return allocate_or_handle(heap, NULL, total_or_throw(count, size), 1, true);
}
