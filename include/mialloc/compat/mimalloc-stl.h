/* mialloc/compat/mimalloc-stl.h -- mimalloc's allocators for C++ containers, on those of
 * mialloc/allocator.h, which documents them.  mimalloc.h includes this header.  A heap is a
 * mi_heap_t, and converts implicitly to an allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIMALLOC_STL_H
#define MIMALLOC_STL_H

#include "mimalloc.h"
#include <mialloc/allocator.h>

/* The two allocators with a heap are available. */
#define MI_HAS_HEAP_STL_ALLOCATOR 1

/* mialloc::allocator: allocates with the functions without a heap argument. */
template <class T> struct mi_stl_allocator : public mialloc::allocator<T> {
  template <class U> struct rebind { typedef mi_stl_allocator<U> other; };

  mi_stl_allocator() noexcept = default;
  mi_stl_allocator(const mi_stl_allocator &) noexcept = default;
  template <class U> mi_stl_allocator(const mi_stl_allocator<U> &) noexcept {}
  mi_stl_allocator &operator=(const mi_stl_allocator &) noexcept = default;
  mi_stl_allocator select_on_container_copy_construction() const { return *this; }
};

/* mialloc::heap_allocator: allocates from a heap of its own or of the program. */
template <class T> struct mi_heap_stl_allocator : public mialloc::heap_allocator<T> {
  template <class U> struct rebind { typedef mi_heap_stl_allocator<U> other; };

  mi_heap_stl_allocator() = default;
  mi_heap_stl_allocator(mi_heap_t *heap) : mialloc::heap_allocator<T>(mia_mi_heap(heap)) {}
  mi_heap_stl_allocator(const mi_heap_stl_allocator &) noexcept = default;
  template <class U>
  mi_heap_stl_allocator(const mi_heap_stl_allocator<U> &other) noexcept
      : mialloc::heap_allocator<T>(other) {}
  mi_heap_stl_allocator &operator=(const mi_heap_stl_allocator &) noexcept = default;
  mi_heap_stl_allocator select_on_container_copy_construction() const { return *this; }
  /* Returns true if both allocate from one heap. */
  template <class U> bool is_equal(const mi_heap_stl_allocator<U> &other) const {
    return *this == other;
  }
};

/* mialloc::heap_destroy_allocator: a heap whose blocks are not freed one by one. */
template <class T>
struct mi_heap_destroy_stl_allocator : public mialloc::heap_destroy_allocator<T> {
  template <class U> struct rebind { typedef mi_heap_destroy_stl_allocator<U> other; };

  mi_heap_destroy_stl_allocator() = default;
  mi_heap_destroy_stl_allocator(mi_heap_t *heap)
      : mialloc::heap_destroy_allocator<T>(mia_mi_heap(heap)) {}
  mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator &) noexcept = default;
  template <class U>
  mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator<U> &other) noexcept
      : mialloc::heap_destroy_allocator<T>(other) {}
  mi_heap_destroy_stl_allocator &
  operator=(const mi_heap_destroy_stl_allocator &) noexcept = default;
  mi_heap_destroy_stl_allocator select_on_container_copy_construction() const { return *this; }
  /* Returns true if both allocate from one heap. */
  template <class U> bool is_equal(const mi_heap_destroy_stl_allocator<U> &other) const {
    return *this == other;
  }
};

#endif
