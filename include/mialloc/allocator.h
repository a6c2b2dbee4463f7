/* mialloc/allocator.h -- allocators for C++ containers, from C++11 on.
 *
 *   std::vector<int, mialloc::allocator<int>> v;
 *   mialloc::heap_allocator<int> a(heap);         a heap of the program
 *   mialloc::heap_destroy_allocator<int> d;       a heap of its own, destroyed
 *                                                 with its last copy: blocks are
 *                                                 not freed one by one
 *   mialloc::memory_resource r;                   C++17, std::pmr
 *
 * If memory is short, all call the new-handler and then throw std::bad_alloc.  If a size
 * overflows, they throw std::bad_array_new_length.  Any thread may use a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_ALLOCATOR_H
#define MIALLOC_ALLOCATOR_H

#ifndef __cplusplus
#error "mialloc/allocator.h is C++"
#endif

#include <mialloc.h>
#include <mialloc/heap.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace mialloc {

namespace detail {

/* The members that depend on the type alone. */
template <class T> struct sized {
  typedef T value_type;
  typedef std::size_t size_type;
  typedef std::ptrdiff_t difference_type;
  typedef T *pointer;
  typedef const T *const_pointer;
  typedef T &reference;
  typedef const T &const_reference;
  typedef std::true_type propagate_on_container_copy_assignment;
  typedef std::true_type propagate_on_container_move_assignment;
  typedef std::true_type propagate_on_container_swap;

  std::size_t max_size() const noexcept {
    return static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T);
  }
  pointer address(reference x) const noexcept { return std::addressof(x); }
  const_pointer address(const_reference x) const noexcept { return std::addressof(x); }
  template <class U, class... A> void construct(U *p, A &&...arguments) {
    ::new (static_cast<void *>(p)) U(std::forward<A>(arguments)...);
  }
  template <class U> void destroy(U *p) { p->~U(); }

protected:
  std::size_t bytes(std::size_t n) const {
    if (n > max_size()) throw std::bad_array_new_length();
    return n * sizeof(T);
  }
};

/* Returns true if malloc's alignment suffices, so that the faster functions without an
 * alignment argument can be used. */
constexpr bool is_plain(std::size_t alignment) { return alignment <= alignof(std::max_align_t); }

inline void *in_heap(mia_heap *heap, std::size_t size, std::size_t alignment) {
  if (is_plain(alignment)) return mia_heap_alloc_new(heap, size);
  for (;;) {
    void *p = mia_heap_malloc_aligned(heap, size, alignment);
    if (p != nullptr) return p;
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

} // namespace detail

/* Allocates with the functions without a heap argument. */
template <class T> class allocator : public detail::sized<T> {
public:
  typedef std::true_type is_always_equal;
  template <class U> struct rebind { typedef allocator<U> other; };

  allocator() noexcept = default;
  allocator(const allocator &) noexcept = default;
  template <class U> allocator(const allocator<U> &) noexcept {}
  allocator &operator=(const allocator &) noexcept = default;

  T *allocate(std::size_t n, const void * = nullptr) {
    std::size_t size = this->bytes(n);
    return static_cast<T *>(detail::is_plain(alignof(T)) ? mia_new(size)
                                                         : mia_new_aligned(size, alignof(T)));
  }
  void deallocate(T *p, std::size_t = 0) noexcept { mia_free(p); }
};

/* Any of these allocators can free what another one allocated. */
template <class T, class U> bool operator==(const allocator<T> &, const allocator<U> &) noexcept {
  return true;
}
template <class T, class U> bool operator!=(const allocator<T> &, const allocator<U> &) noexcept {
  return false;
}

/* Allocates from a heap: one that the program created and ends, or one that ends with the last
 * copy of the allocator.  In the second case blocks that are still in use move to the main
 * heap. */
template <class T> class heap_allocator : public detail::sized<T> {
public:
  typedef std::false_type is_always_equal;
  template <class U> struct rebind { typedef heap_allocator<U> other; };

  heap_allocator() : heap_(make(), mia_heap_delete) {}
  explicit heap_allocator(mia_heap *heap) : heap_(heap, [](mia_heap *) {}) {}
  heap_allocator(const heap_allocator &) noexcept = default;
  template <class U>
  heap_allocator(const heap_allocator<U> &other) noexcept : heap_(other.share()) {}
  heap_allocator &operator=(const heap_allocator &) noexcept = default;
  heap_allocator select_on_container_copy_construction() const { return *this; }

  T *allocate(std::size_t n, const void * = nullptr) {
    return static_cast<T *>(detail::in_heap(heap_.get(), this->bytes(n), alignof(T)));
  }
  void deallocate(T *p, std::size_t = 0) noexcept { mia_free(p); }
  void collect(bool force) { mia_heap_collect(heap_.get(), force); }
  mia_heap *heap() const noexcept { return heap_.get(); }
  const std::shared_ptr<mia_heap> &share() const noexcept { return heap_; }

protected:
  typedef void end(mia_heap *);
  explicit heap_allocator(end *ends) : heap_(make(), ends) {}

private:
  static mia_heap *make() {
    mia_heap *heap = mia_heap_new();
    if (heap == nullptr) throw std::bad_alloc();
    return heap;
  }
  std::shared_ptr<mia_heap> heap_;
};

/* Allocators that compare equal use one heap, and can free each other's blocks. */
template <class T, class U>
bool operator==(const heap_allocator<T> &a, const heap_allocator<U> &b) noexcept {
  return a.heap() == b.heap();
}
template <class T, class U>
bool operator!=(const heap_allocator<T> &a, const heap_allocator<U> &b) noexcept {
  return a.heap() != b.heap();
}

/* A heap_allocator whose heap is destroyed with its last copy, so that blocks need not be freed
 * one by one.  Nothing in the heap may be used afterwards. */
template <class T> class heap_destroy_allocator : public heap_allocator<T> {
public:
  template <class U> struct rebind { typedef heap_destroy_allocator<U> other; };

  heap_destroy_allocator() : heap_allocator<T>(&mia_heap_destroy) {}
  explicit heap_destroy_allocator(mia_heap *heap) : heap_allocator<T>(heap) {}
  heap_destroy_allocator(const heap_destroy_allocator &) noexcept = default;
  template <class U>
  heap_destroy_allocator(const heap_destroy_allocator<U> &other) noexcept
      : heap_allocator<T>(other) {}
  heap_destroy_allocator &operator=(const heap_destroy_allocator &) noexcept = default;
  heap_destroy_allocator select_on_container_copy_construction() const { return *this; }

  void deallocate(T *, std::size_t = 0) noexcept {}
};

} // namespace mialloc

#if __cplusplus >= 201703L && defined(__has_include)
#if __has_include(<memory_resource>)
#include <memory_resource>

namespace mialloc {

/* For std::pmr: allocates from a heap, or, without one, with the functions without a heap
 * argument. */
class memory_resource : public std::pmr::memory_resource {
public:
  explicit memory_resource(mia_heap *heap = nullptr) noexcept : heap_(heap) {}
  mia_heap *heap() const noexcept { return heap_; }

private:
  void *do_allocate(std::size_t size, std::size_t alignment) override {
    if (heap_ != nullptr) return detail::in_heap(heap_, size, alignment);
    return detail::is_plain(alignment) ? mia_new(size) : mia_new_aligned(size, alignment);
  }
  void do_deallocate(void *p, std::size_t, std::size_t) override { mia_free(p); }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
    const memory_resource *same = dynamic_cast<const memory_resource *>(&other);
    return same != nullptr && same->heap_ == heap_;
  }

  mia_heap *heap_;
};

} // namespace mialloc
#endif
#endif

#endif
