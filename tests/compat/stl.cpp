// stl.cpp -- a program with mimalloc's allocators: an index of documents, one part of it in
// its own heap, and a query whose containers end with their heap.  C++11 to C++20; prints TAP.
//
// SPDX-License-Identifier: MIT

// Forward declarations, as in headers of programs that don't want to include mimalloc's
// headers.
template <class T> struct mi_stl_allocator;
template <class T> struct mi_heap_stl_allocator;
template <class T> struct mi_heap_destroy_stl_allocator;
struct mi_heap_s;
void take(mi_heap_s *heap);

#include <mimalloc.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../tap.h"

static mi_heap_t *taken;
void take(mi_heap_s *heap) { taken = heap; }

template <class T> using in_heap = mi_heap_stl_allocator<T>;
typedef std::basic_string<char, std::char_traits<char>, in_heap<char>> heap_string;
typedef std::vector<int, in_heap<int>> postings;
typedef std::map<heap_string, postings, std::less<heap_string>,
                 in_heap<std::pair<const heap_string, postings>>>
    index_map;

static heap_string word(int n, const in_heap<char> &a) {
  return heap_string(("a word that lies in no object " + std::to_string(n)).c_str(), a);
}

// Every allocation of the index must be in its heap.
static bool indexes() {
  mi_heap_t *heap = mi_heap_new();
  take(heap);
  bool good = taken == heap;
  {
    in_heap<char> a = heap; // converts implicitly, as mimalloc's do
    index_map index(std::less<heap_string>(), a);
    for (int document = 0; document < 500; document++) {
      for (int n = 1; n <= 20; n++) {
        if (document % n != 0) continue;
        index_map::iterator i = index.find(word(n, a));
        if (i == index.end()) i = index.emplace(word(n, a), postings(a)).first;
        i->second.push_back(document);
      }
    }
    for (const auto &entry : index)
      good = good && mi_heap_contains(heap, entry.first.data()) &&
             mi_heap_contains(heap, entry.second.data());
    good = good && index.size() == 20 && index.find(word(7, a))->second.size() == 72;
    good = good && a.is_equal(in_heap<int>(heap)) && !a.is_equal(in_heap<int>());
    index_map copy(index), moved(std::move(index));
    good = good && copy == moved && copy.get_allocator() == a;
  }
  mi_heap_delete(heap);
  return good;
}

template <class T> using in_query = mi_heap_destroy_stl_allocator<T>;
struct kept : public in_query<int> { // an allocator derived from mimalloc's
  kept() {}
};

// A query never frees what it allocates; its memory ends with it.
static bool queries() {
  const void *where;
  {
    std::vector<int, in_query<int>> hits{in_query<int>()};
    for (int i = 0; i < 10000; i++) hits.push_back(i * 7919 % 10007);
    std::set<int, std::less<int>, in_query<int>> sorted(
        hits.begin(), hits.end(), std::less<int>(), hits.get_allocator());
    where = hits.data();
    if (!std::is_sorted(sorted.begin(), sorted.end()) || !mi_any_heap_contains(where)) return false;
    if (mi_heap_of(where) != mi_heap_of(&*sorted.begin())) return false;
  }
  return !mi_any_heap_contains(where) && kept().is_equal(in_query<int>()) == false;
}

static bool names_none() {
  std::vector<int, mi_stl_allocator<int>> v;
  for (int i = 0; i < 1000; i++) v.push_back(i);
  mi_stl_allocator<int> a;
  mi_stl_allocator<long> b(a);
  int *p = a.allocate(3);
  a.deallocate(p, 3);
  bool same = a == b && !(a != b) && mi_stl_allocator<int>::is_always_equal::value;
  return same && mi_heap_of(v.data()) == mi_heap_main();
}

// mimalloc declares these functions with these C++ attributes.
static_assert(noexcept(mi_free(nullptr)) && noexcept(mi_malloc(1)), "as its header says");
static_assert(!noexcept(mi_new(1)) && noexcept(mi_new_nothrow(1)), "as its header says");
static_assert(std::is_same<mi_stl_allocator<int>::rebind<char>::other, mi_stl_allocator<char>>{},
              "rebinding stays in the family");
#if __cplusplus >= 201703L
static void *(*const plain)(size_t) noexcept = mi_malloc;
#else
static void *(*const plain)(size_t) = mi_malloc;
#endif

int main() {
  tap_ok(indexes(), "an index in a heap");
  tap_ok(queries(), "a query that is destroyed");
  tap_ok(names_none(), "containers without a heap");
  void *p = plain(10);
  tap_ok(p != nullptr, "a pointer to a function");
  mi_free(p);
  return tap_end();
}
