// replaced.cpp -- operator new and delete by a header, whatever the library
// defines.  Prints TAP.
//
// SPDX-License-Identifier: MIT
#include <mimalloc-new-delete.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static int tests, failures;

static void check(const char *what, bool good) {
  std::printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
  if (!good) failures++;
}

struct node {
  std::string name;
  std::vector<int> numbers;
};

int main() {
  node *volatile one = new node{std::string(100, 'x'), {1, 2, 3}};
  node *volatile many = new node[10];
  node *volatile quiet = new (std::nothrow) node;
  check("new", mia_any_heap_contains(one) && mia_any_heap_contains(one->name.data()));
  check("new with nothrow", mia_any_heap_contains(quiet));
  check("new[]", mia_is_in_heap_region(many));
  delete one;
  delete[] many;
  delete quiet;
#if __cplusplus >= 201703L
  struct alignas(256) wide {
    char c;
  };
  wide *volatile aligned = new wide, *volatile all = new wide[5];
  check("aligned new", mia_any_heap_contains(aligned) && mia_is_in_heap_region(all) &&
                           reinterpret_cast<std::uintptr_t>(aligned) % 256 == 0 &&
                           reinterpret_cast<std::uintptr_t>(all) % 256 == 0);
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
  check("bad_alloc", thrown && ::operator new(much, std::nothrow) == nullptr);
  std::printf("1..%d\n", tests);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
