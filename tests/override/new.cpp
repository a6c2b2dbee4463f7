// new.cpp -- a C++17 program whose memory comes from mialloc; prints TAP.
//
// Optional, for hosts with a C++ compiler. new.c tests every form by name; here the language
// and its library use them, and failures follow their rules.
// SPDX-License-Identifier: MIT
#include <mialloc.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../tap.h"

namespace {

// Returns true for a block of mialloc with at least `size' bytes; a foreign block would end
// the program.
bool is_ours(const void *p, std::size_t size) {
  std::size_t usable = mia_usable_size(p);
  return p != nullptr && usable >= size && mia_good_size(usable) == usable;
}

// Hides a value from the optimizer, which may remove a new with its delete.
template <typename T> T hidden(T value) {
  volatile T keep = value;
  return keep;
}

constexpr std::size_t impossible = PTRDIFF_MAX - 4096;

template <std::size_t alignment> struct alignas(alignment) over_aligned {
  unsigned char bytes[alignment + 1];
};

template <std::size_t alignment> bool aligned_objects() {
  using object = over_aligned<alignment>;
  bool good = true;
  std::vector<std::unique_ptr<object>> many;
  for (int i = 0; i < 20; i++) {
    many.push_back(std::make_unique<object>());
    good = good && reinterpret_cast<std::uintptr_t>(many.back().get()) % alignment == 0;
    good = good && is_ours(many.back().get(), sizeof(object));
  }
  object *array = hidden(new object[3]);
  good = good && reinterpret_cast<std::uintptr_t>(array) % alignment == 0;
  delete[] array;
  std::vector<object> grown;
  for (int i = 0; i < 20; i++) grown.emplace_back();
  return good && reinterpret_cast<std::uintptr_t>(grown.data()) % alignment == 0;
}

void containers() {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 1000000; i++) numbers.push_back(i);
  std::uint64_t sum = std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
  tap_ok(sum == UINT64_C(499999500000) && is_ours(numbers.data(), 4000000), "vector");

  std::map<std::string, std::vector<int>> tree;
  for (int i = 0; i < 30000; i++) {
    tree["a key that is too long for the string itself " + std::to_string(i % 5000)].push_back(i);
  }
  bool whole = tree.size() == 5000;
  for (const auto &entry : tree) whole = whole && entry.second.size() == 6;
  tap_ok(whole, "map of strings to vectors");

  std::unordered_map<int, std::shared_ptr<std::string>> table;
  for (int i = 0; i < 20000; i++) table[i * 31] = std::make_shared<std::string>(i % 200, 'x');
  for (int i = 0; i < 20000; i += 2) table.erase(i * 31);
  whole = table.size() == 10000;
  for (const auto &entry : table) {
    whole = whole && entry.second->size() == static_cast<std::size_t>(entry.first / 31 % 200);
  }
  tap_ok(whole, "unordered_map of shared strings");

  std::function<int(int)> closure = [big = std::string(300, 'y')](int i) {
    return big[static_cast<std::size_t>(i)];
  };
  tap_ok(closure(299) == 'y', "function with a large closure");
}

void exceptions() {
  bool good = true;
  for (int i = 0; i < 1000; i++) {
    try {
      throw std::runtime_error("thrown " + std::string(100, 'z') + std::to_string(i));
    } catch (const std::exception &e) {
      good = good && std::string(e.what()).size() >= 108;
    }
  }
  tap_ok(good, "exceptions");
}

template <typename F> bool throws_bad_alloc(F allocate) {
  try {
    allocate();
  } catch (const std::bad_alloc &) {
    return true;
  }
  return false;
}

void failure() {
  std::size_t size = hidden(impossible);
  tap_ok(throws_bad_alloc([=] { return hidden(::operator new(size)); }), "new throws bad_alloc");
  tap_ok(throws_bad_alloc([=] { return hidden(::operator new[](size)); }),
         "new[] throws bad_alloc");
  tap_ok(throws_bad_alloc([=] { return hidden(::operator new (size, std::align_val_t{64})); }),
         "aligned new throws bad_alloc");
  tap_ok(throws_bad_alloc([=] { return hidden(::operator new[](size, std::align_val_t{64})); }),
         "aligned new[] throws bad_alloc");
  tap_ok(throws_bad_alloc([=] { return std::vector<char>(size).size(); }),
         "vector throws bad_alloc");
  tap_ok(hidden(::operator new(size, std::nothrow)) == nullptr, "nothrow new returns null");
  tap_ok(hidden(::operator new[](size, std::nothrow)) == nullptr, "nothrow new[] returns null");
  tap_ok(hidden(::operator new (size, std::align_val_t{64}, std::nothrow)) == nullptr,
         "aligned nothrow new returns null");
}

int handler_calls;

void gives_up_after_three() {
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}

struct from_handler {};

void throws_its_own() {
  handler_calls++;
  throw from_handler();
}

// C++17 21.6.2.1p3: the handler is called until it gives up or memory is available.
void new_handlers() {
  std::size_t size = hidden(impossible);
  std::set_new_handler(gives_up_after_three);
  bool thrown = throws_bad_alloc([=] { return hidden(::operator new(size)); });
  tap_ok(thrown && handler_calls == 3, "new calls the new_handler");

  handler_calls = 0;
  std::set_new_handler(gives_up_after_three);
  void *p = hidden(::operator new(size, std::nothrow));
  tap_ok(p == nullptr && handler_calls == 3, "nothrow new calls the new_handler");

  handler_calls = 0;
  bool own = false;
  std::set_new_handler(throws_its_own);
  try {
    p = hidden(::operator new[](size));
  } catch (const from_handler &) {
    own = true;
  }
  tap_ok(own && handler_calls == 1, "new throws what the new_handler throws");

  handler_calls = 0;
  std::set_new_handler(gives_up_after_three);
  thrown = throws_bad_alloc([] { return hidden(mia_new_aligned(64, hidden(std::size_t{48}))); });
  p = hidden(mia_new_aligned_nothrow(64, hidden(std::size_t{48})));
  std::set_new_handler(nullptr);
  tap_ok(thrown && p == nullptr && handler_calls == 0,
         "the new_handler is not called for an invalid alignment");
}

// One thread makes objects that another destroys.
void threads() {
  constexpr int count = 20000;
  std::vector<std::unique_ptr<std::string>> strings(count);
  std::thread maker([&] {
    for (int i = 0; i < count; i++) strings[i] = std::make_unique<std::string>(i % 100, 'a');
  });
  maker.join();
  std::atomic<long> length{0};
  std::vector<std::thread> takers;
  for (int t = 0; t < 4; t++) {
    takers.emplace_back([&, t] {
      for (int i = t; i < count; i += 4) {
        length += static_cast<long>(strings[i]->size());
        strings[i].reset();
      }
    });
  }
  for (auto &taker : takers) taker.join();
  tap_ok(length == count / 100 * 4950L, "threads");
}

std::vector<std::string> before_main(100, std::string(50, 'b'));

struct at_exit {
  std::vector<int> numbers = std::vector<int>(1000, 1);
  ~at_exit() { numbers.resize(100000); }
} last;

} // namespace

int main() {
  tap_ok(before_main.size() == 100 && is_ours(before_main[99].data(), 51), "objects before main");
  containers();
  tap_ok(aligned_objects<32>(), "objects aligned to 32");
  tap_ok(aligned_objects<64>(), "objects aligned to 64");
  tap_ok(aligned_objects<4096>(), "objects aligned to 4096");
  exceptions();
  failure();
  new_handlers();
  threads();
  return tap_end();
}
