// halves.cpp -- a C++ program that replaces some forms of new and delete; prints TAP.
//
// With REPLACES_ALIGNED or REPLACES_ARRAYS it replaces those forms too.  All other forms call
// the replaced ones, and forms that do not throw swallow what the replaced ones throw, as
// [new.delete] says.
//
// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <pthread.h>
#include <string>
#include <vector>

#include "../tap.h"

namespace {

unsigned unwound;
long live, arrays;
constexpr std::size_t HEADER = 64, TOO_MUCH = 1000000;

struct counts_unwinding {
  ~counts_unwinding() { unwound++; }
};

// Not an exception that the standard lets operator new throw, but programs do.
struct other {};

pthread_t ending_thread;
bool ends_thread;

// Returns an address other than the one that malloc returned.
void *allocate(std::size_t size) {
  counts_unwinding here;
  if (ends_thread && pthread_self() == ending_thread) {
    pthread_cancel(pthread_self());
    pthread_testcancel();
  }
  if (size > TOO_MUCH && size % 2 != 0) throw other();
  char *p = size > TOO_MUCH ? nullptr : static_cast<char *>(std::malloc(size + HEADER));
  if (p == nullptr) throw std::bad_alloc();
  live++;
  return p + HEADER;
}
void release(void *p) {
  if (p == nullptr) return;
  live--;
  std::free(static_cast<char *>(p) - HEADER);
}

} // namespace

void *operator new(std::size_t size) { return allocate(size); }
void operator delete(void *p) noexcept { release(p); }
#ifdef REPLACES_ARRAYS
void *operator new[](std::size_t size) {
  void *p = allocate(size);
  arrays++;
  return p;
}
void operator delete[](void *p) noexcept {
  if (p != nullptr) arrays--;
  release(p);
}
#endif
#ifdef REPLACES_ALIGNED
void *operator new(std::size_t size, std::align_val_t) { return allocate(size); }
void operator delete(void *p, std::align_val_t) noexcept { release(p); }
#endif

namespace {

template <typename T> T hidden(T value) {
  volatile T keep = value;
  return keep;
}

struct wide {
  int numbers[10];
  ~wide() {}
};
struct alignas(64) aligned {
  char bytes[64];
};

void forms() {
  wide *one = hidden(new wide);
  wide *many = hidden(new wide[5]);
  int *quiet = hidden(new (std::nothrow) int(5));
  int *quiet_many = hidden(new (std::nothrow) int[5]());
  tap_ok(live == 4, "each form allocates with the program's new");
#ifdef REPLACES_ARRAYS
  tap_ok(arrays == 2, "arrays are allocated with the program's new[]");
#endif
  delete one;
  delete[] many;
  delete quiet;
  delete[] quiet_many;
  ::operator delete (::operator new(8), std::size_t{8});
  ::operator delete[](::operator new[](8), std::size_t{8});
  ::operator delete(::operator new(8), std::nothrow);
  ::operator delete[](::operator new[](8), std::nothrow);
  tap_ok(live == 0 && arrays == 0, "each form frees with the program's delete");
}

void aligned_forms() {
  aligned *one = hidden(new aligned);
  aligned *many = hidden(new aligned[3]);
  aligned *quiet = hidden(new (std::nothrow) aligned);
  aligned *quiet_many = hidden(new (std::nothrow) aligned[3]);
#ifdef REPLACES_ALIGNED
  tap_ok(live == 4, "each aligned form allocates with the program's aligned new");
#else
  tap_ok(live == 0, "no aligned form calls an unaligned one");
#endif
  delete one;
  delete[] many;
  delete quiet;
  delete[] quiet_many;
  tap_ok(live == 0, "each aligned form frees with its counterpart");
}

void library() {
  {
    std::vector<std::string> texts(100, std::string(100, 'x'));
    std::map<int, std::string> tree;
    for (int i = 0; i < 1000; i++) tree[i] = std::string(50, 'y');
    std::function<int()> sum = [texts, tree] {
      return static_cast<int>(texts.size() + tree.size());
    };
    auto shared = std::make_shared<std::string>(200, 'z');
    tap_ok(sum() == 1100 && live > 1100, "containers of the C++ library use the program's new");
  }
  tap_ok(live == 0, "all containers are freed");
}

// A frame that lets no exception pass: only a catch below it helps.
void *call_noexcept(const std::function<void *()> &make) noexcept { return make(); }

void thrown() {
  enum { ROUNDS = 1000 };
  unsigned refused = 0, forms = 2;
  unwound = 0;
  for (std::size_t i = 0; i < ROUNDS; i++) {
    std::size_t size = hidden(2 * TOO_MUCH + i);
    refused += call_noexcept([=] { return ::operator new(size, std::nothrow); }) == nullptr;
    refused += call_noexcept([=] { return ::operator new[](size, std::nothrow); }) == nullptr;
#ifdef REPLACES_ALIGNED
    std::align_val_t at{64};
    refused += call_noexcept([=] { return ::operator new(size, at, std::nothrow); }) == nullptr;
    refused += call_noexcept([=] { return ::operator new[](size, at, std::nothrow); }) == nullptr;
    forms = 4;
#endif
  }
  tap_ok(refused == ROUNDS * forms, "nothrow forms return null where the program's throws");
  tap_ok(unwound == refused, "the frames in between are unwound");
  tap_ok(std::current_exception() == nullptr && !std::uncaught_exceptions(),
         "no exception is left");
  unsigned caught = 0;
  try {
    delete[] hidden(new char[hidden(2 * TOO_MUCH)]);
  } catch (const std::bad_alloc &) {
    caught++;
  }
  try {
    delete[] hidden(new char[hidden(2 * TOO_MUCH + 1)]);
  } catch (const other &) {
    caught++;
  }
  tap_ok(caught == 2 && live == 0, "throwing forms pass the exception on");
}

// Throws while another exception is handled, with a failing new in between.
void nested() {
  bool good = false;
  try {
    throw 5;
  } catch (int number) {
    good = call_noexcept([] { return ::operator new(hidden(2 * TOO_MUCH), std::nothrow); }) ==
               nullptr &&
           number == 5 && std::current_exception() != nullptr;
  }
  tap_ok(good, "while another exception is handled");
}

// A thread that ends inside of new unwinds all its frames.
void *end_in_new(void *) {
  ending_thread = pthread_self();
  ends_thread = true;
  return hidden(::operator new(16, std::nothrow)) == nullptr ? nullptr : &ends_thread;
}

void cancelled() {
  pthread_t thread;
  void *result = nullptr;
  if (pthread_create(&thread, nullptr, end_in_new, nullptr) != 0) std::abort();
  pthread_join(thread, &result);
  ends_thread = false;
  tap_ok(result == PTHREAD_CANCELED, "a thread that is cancelled in new ends");
}

} // namespace

int main() {
  forms();
  aligned_forms();
  library();
  thrown();
  nested();
  cancelled();
  return tap_end();
}
