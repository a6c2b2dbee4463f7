// containers.cpp -- mialloc's allocators in containers of the standard library.  C++11 to
// C++20; prints TAP.
//
// SPDX-License-Identifier: MIT
#include <mialloc/allocator.h>
#include <mimalloc.h>

#include <cstdio>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../tap.h"

struct alignas(128) wide {
  int n;
};

// Uses all kinds of containers with copies of one allocator.
template <template <class> class A> static bool fills(const A<int> &a) {
  typedef std::pair<const int, int> pair;
  std::vector<int, A<int>> v(a);
  std::list<int, A<int>> l(a);
  std::deque<int, A<int>> d(a);
  std::map<int, int, std::less<int>, A<pair>> m((std::less<int>()), A<pair>(a));
  std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, A<pair>> u(
      8, std::hash<int>(), std::equal_to<int>(), A<pair>(a));
  std::basic_string<char, std::char_traits<char>, A<char>> s((A<char>(a)));
  std::vector<wide, A<wide>> w((A<wide>(a)));
  bool good = true;
  for (int i = 0; i < 5000; i++) {
    v.push_back(i);
    l.push_front(i);
    d.push_back(i);
    m[i * 7 % 5003] = i;
    u[i] = i;
    s += static_cast<char>('a' + i % 26);
    w.push_back(wide{i});
  }
  for (int i = 0; i < 5000; i++) {
    std::size_t at = static_cast<std::size_t>(i);
    good = good && v[at] == i && d[at] == i && u[i] == i && w[at].n == i;
  }
  good = good && reinterpret_cast<std::uintptr_t>(w.data()) % 128 == 0;
  good = good && mia_any_heap_contains(v.data()) && mia_is_in_heap_region(&*l.begin());
  std::vector<int, A<int>> copy(v), other(std::move(copy));
  copy = other;
  swap(copy, v);
  good = good && copy == v && copy == other;
  return good && m.size() == 5000 && l.size() == 5000 && s.size() == 5000;
}

static bool fills_heap() {
  mia_heap *heap = mia_heap_new();
  bool good = fills<mialloc::heap_allocator>(mialloc::heap_allocator<int>(heap));
  {
    std::vector<int, mialloc::heap_allocator<int>> v(100, 7, mialloc::heap_allocator<int>(heap));
    good = good && mia_heap_of(v.data()) == heap;
    good = good && v.get_allocator() == mialloc::heap_allocator<long>(heap);
    good = good && v.get_allocator() != mialloc::heap_allocator<int>();
  }
  mia_heap_delete(heap);
  return good && fills<mialloc::heap_allocator>(mialloc::heap_allocator<int>());
}

// When an allocator's own heap ends, its blocks stay valid, or end too, depending on the
// allocator.
template <template <class> class A> static bool outlives() {
  int *p;
  {
    A<int> a;
    p = a.allocate(1000);
    a.deallocate(p, 1000);
    p = a.allocate(2000);
  }
  bool is = mia_any_heap_contains(p);
  if (is) mia_free(p);
  return is;
}

static bool refuses() {
  mialloc::allocator<long> a;
  std::size_t too_many = a.max_size();
  int caught = 0;
  try {
    (void)a.allocate(too_many + 1);
  } catch (const std::bad_array_new_length &) {
    caught++;
  }
  try {
    (void)a.allocate(too_many);
  } catch (const std::bad_alloc &) {
    caught++;
  }
  try {
    (void)mialloc::heap_allocator<wide>().allocate(a.max_size() / 32);
  } catch (const std::bad_alloc &) {
    caught++;
  }
  return caught == 3;
}

static int handled;
static void handle() {
  if (++handled == 3) std::set_new_handler(nullptr);
}

static bool calls_handler() {
  std::set_new_handler(handle);
  bool caught = false;
  try {
    mia_free(mia_new(static_cast<std::size_t>(-1) / 4));
  } catch (const std::bad_alloc &) {
    caught = true;
  }
  std::set_new_handler(nullptr);
  return caught && handled == 3;
}

static bool crosses_threads() {
  mialloc::heap_destroy_allocator<int> a;
  std::vector<int, mialloc::heap_destroy_allocator<int>> v(a);
  std::thread([&] {
    for (int i = 0; i < 100000; i++) v.push_back(i);
  }).join();
  return v.size() == 100000 && v[99999] == 99999;
}

#if __cplusplus >= 201703L
#include <memory_resource>
static bool is_resource() {
  mia_heap *heap = mia_heap_new();
  mialloc::memory_resource plain, of_heap(heap), same(heap);
  bool good = plain != of_heap && of_heap == same && plain.is_equal(mialloc::memory_resource());
  {
    std::pmr::vector<std::pmr::string> v(&of_heap);
    for (int i = 0; i < 1000; i++) v.emplace_back("a string that is too long to be within");
    good = good && mia_heap_of(v.data()) == heap && mia_heap_of(v[7].data()) == heap;
    std::pmr::vector<wide> w(&of_heap), x(&plain);
    w.resize(10);
    x.resize(10);
    good = good && reinterpret_cast<std::uintptr_t>(w.data()) % 128 == 0;
    good = good && reinterpret_cast<std::uintptr_t>(x.data()) % 128 == 0;
    good = good && mia_any_heap_contains(x.data());
  }
  mia_heap_destroy(heap);
  return good;
}
#endif

int main() {
  tap_ok(fills<mialloc::allocator>(mialloc::allocator<int>()),
         "containers of the default allocator");
  tap_ok(fills_heap(), "containers of a heap");
  tap_ok(fills<mialloc::heap_destroy_allocator>(mialloc::heap_destroy_allocator<int>()),
         "containers of a heap that is destroyed");
  tap_ok(outlives<mialloc::heap_allocator>(), "blocks outlive a heap that is deleted");
  tap_ok(!outlives<mialloc::heap_destroy_allocator>(),
         "blocks do not outlive a heap that is destroyed");
  tap_ok(refuses(), "impossible requests throw");
  tap_ok(calls_handler(), "the new-handler is called");
  tap_ok(crosses_threads(), "containers that threads share");
  tap_ok(fills<mi_stl_allocator>(mi_stl_allocator<int>()) &&
             fills<mi_heap_stl_allocator>(mi_heap_stl_allocator<int>()) &&
             MI_HAS_HEAP_STL_ALLOCATOR == 1,
         "mimalloc's names");
#if __cplusplus >= 201703L
  tap_ok(is_resource(), "std::pmr");
#endif
  return tap_end();
}
