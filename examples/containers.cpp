/* SPDX-License-Identifier: MIT */
/* containers.cpp -- C++ containers on mialloc, and in a heap of their own.
 *
 *   c++ containers.cpp $(pkg-config --cflags --libs mialloc) && ./a.out
 *
 * new, delete and every container use mialloc by being linked with it.  Allocators
 * are for those who want to say so, or want blocks in a certain heap. */
#include <mialloc/allocator.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

/* Every node of such a map is in one heap, which ends with the map's last copy:
 * nothing is freed one by one. */
template <class K, class V>
using quick_map =
    std::map<K, V, std::less<K>, mialloc::heap_destroy_allocator<std::pair<const K, V>>>;

int main() {
  std::vector<int> plain(1000, 1);
  std::vector<int, mialloc::allocator<int>> named(1000, 2);
  bool ours = mia_any_heap_contains(plain.data()) && mia_any_heap_contains(named.data());
  std::printf("both vectors are mialloc's: %s\n", ours ? "yes" : "no");

  quick_map<int, std::string> squares;
  for (int i = 0; i < 1000; i++) squares[i] = std::to_string(i * i);
  std::printf("12 * 12 is %s\n", squares[12].c_str());
  return ours && squares[12] == "144" ? 0 : 1;
}
