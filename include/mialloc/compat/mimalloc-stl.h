/* mialloc/compat/mimalloc-stl.h -- mimalloc's allocators for C++ containers, on
 * those of mialloc/allocator.h, which say what each does; mimalloc.h includes this.
 * A heap is a mi_heap_t, and becomes an allocator without being asked to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIMALLOC_STL_H
#define MIMALLOC_STL_H

#include "mimalloc.h"
#include <mialloc/allocator.h>

/* That the two allocators with a heap are there. */
#define MI_HAS_HEAP_STL_ALLOCATOR 1

/* Blocks that name no heap: mialloc::allocator. */
template <class T> struct mi_stl_allocator : public mialloc::allocator<T> {
  template <class U> struct rebind { typedef mi_stl_allocator<U> other; };

  mi_stl_allocator() noexcept = default;
  mi_stl_allocator(const mi_stl_allocator &) noexcept = default;
  template <class U> mi_stl_allocator(const mi_stl_allocator<U> &) noexcept {}
  mi_stl_allocator &operator=(const mi_stl_allocator &) noexcept = default;
  mi_stl_allocator select_on_container_copy_construction() const { return *this; }
};

/* Blocks of a heap, one of its own or the program's: mialloc::heap_allocator. */
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
  /* Whether both have their blocks from one heap. */
  template <class U> bool is_equal(const mi_heap_stl_allocator<U> &other) const {
    return *this == other;
  }
};

/* The same, not freed one by one: mialloc::heap_destroy_allocator. */
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
  /* Whether both have their blocks from one heap. */
  template <class U> bool is_equal(const mi_heap_destroy_stl_allocator<U> &other) const {
    return *this == other;
  }
};

#endif
