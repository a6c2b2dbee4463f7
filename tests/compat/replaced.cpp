// replaced.cpp -- a header replaces operator new and delete, whatever the library defines.
// Prints TAP.
//
// SPDX-License-Identifier: MIT
#include <mimalloc-new-delete.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../tap.h"

struct node {
  std::string name;
  std::vector<int> numbers;
};

int main() {
  node *volatile one = new node{std::string(100, 'x'), {1, 2, 3}};
  node *volatile many = new node[10];
  node *volatile quiet = new (std::nothrow) node;
  tap_ok(mia_any_heap_contains(one) && mia_any_heap_contains(one->name.data()), "new");
  tap_ok(mia_any_heap_contains(quiet), "new with nothrow");
  tap_ok(mia_is_in_heap_region(many), "new[]");
  delete one;
  delete[] many;
  delete quiet;
#if __cplusplus >= 201703L
  struct alignas(256) wide {
    char c;
  };
  wide *volatile aligned = new wide, *volatile all = new wide[5];
  tap_ok(mia_any_heap_contains(aligned) && mia_is_in_heap_region(all) &&
             reinterpret_cast<std::uintptr_t>(aligned) % 256 == 0 &&
             reinterpret_cast<std::uintptr_t>(all) % 256 == 0,
         "aligned new");
  delete aligned;
  delete[] all;
#endif
  std::size_t volatile much = static_cast<std::size_t>(-1) / 2;
  bool thrown = false;
  try {
    ::operator delete(::operator new(much));
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  tap_ok(thrown && ::operator new(much, std::nothrow) == nullptr, "bad_alloc");
  return tap_end();
}
