// halves.cpp -- a C++ program that replaces some forms of new and delete; prints TAP.
//
// REPLACES_ALIGNED, REPLACES_ARRAYS: also those.  All forms go by the ones that it has,
// and those that do not throw swallow what it throws, as [new.delete] says.
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

namespace {

unsigned tests, failures, unwound;
long live, arrays;
constexpr std::size_t HEADER = 64, TOO_MUCH = 1000000;

void ok(bool holds, const char *what) {
  std::printf("%sok %u - %s\n", holds ? "" : "not ", ++tests, what);
  if (!holds) failures++;
}

struct leaves {
  ~leaves() { unwound++; }
};

// Not what the standard has one throw, but a program may.
struct other {};

pthread_t waits_in;
bool stops;

// What the program hands out is not what malloc gave it.
void *take(std::size_t size) {
  leaves here;
  if (stops && pthread_self() == waits_in) {
    pthread_cancel(pthread_self());
    pthread_testcancel();
  }
  if (size > TOO_MUCH && size % 2 != 0) throw other();
  char *p = size > TOO_MUCH ? nullptr : static_cast<char *>(std::malloc(size + HEADER));
  if (p == nullptr) throw std::bad_alloc();
  live++;
  return p + HEADER;
}
void drop(void *p) {
  if (p == nullptr) return;
  live--;
  std::free(static_cast<char *>(p) - HEADER);
}

} // namespace

void *operator new(std::size_t size) { return take(size); }
void operator delete(void *p) noexcept { drop(p); }
#ifdef REPLACES_ARRAYS
void *operator new[](std::size_t size) {
  void *p = take(size);
  arrays++;
  return p;
}
void operator delete[](void *p) noexcept {
  if (p != nullptr) arrays--;
  drop(p);
}
#endif
#ifdef REPLACES_ALIGNED
void *operator new(std::size_t size, std::align_val_t) { return take(size); }
void operator delete(void *p, std::align_val_t) noexcept { drop(p); }
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
  ok(live == 4, "each form makes it by the program's");
#ifdef REPLACES_ARRAYS
  ok(arrays == 2, "arrays by the program's for arrays");
#endif
  delete one;
  delete[] many;
  delete quiet;
  delete[] quiet_many;
  ::operator delete(::operator new(8), std::size_t{8});
  ::operator delete[](::operator new[](8), std::size_t{8});
  ::operator delete(::operator new(8), std::nothrow);
  ::operator delete[](::operator new[](8), std::nothrow);
  ok(live == 0 && arrays == 0, "and takes it back by the program's");
}

void aligned_forms() {
  aligned *one = hidden(new aligned);
  aligned *many = hidden(new aligned[3]);
  aligned *quiet = hidden(new (std::nothrow) aligned);
  aligned *quiet_many = hidden(new (std::nothrow) aligned[3]);
#ifdef REPLACES_ALIGNED
  ok(live == 4, "each aligned form makes it by the program's");
#else
  ok(live == 0, "no aligned form goes by one that is not");
#endif
  delete one;
  delete[] many;
  delete quiet;
  delete[] quiet_many;
  ok(live == 0, "and the same takes it back");
}

void library() {
  {
    std::vector<std::string> texts(100, std::string(100, 'x'));
    std::map<int, std::string> tree;
    for (int i = 0; i < 1000; i++) tree[i] = std::string(50, 'y');
    std::function<int()> sum = [texts, tree] { return static_cast<int>(texts.size() + tree.size()); };
    auto shared = std::make_shared<std::string>(200, 'z');
    ok(sum() == 1100 && live > 1100, "the library's containers");
  }
  ok(live == 0, "are all given back");
}

// A frame that lets nothing through: only a catch below it helps.
void *quietly(const std::function<void *()> &make) noexcept { return make(); }

void thrown() {
  enum { ROUNDS = 1000 };
  unsigned refused = 0, forms = 2;
  unwound = 0;
  for (std::size_t i = 0; i < ROUNDS; i++) {
    std::size_t size = hidden(2 * TOO_MUCH + i);
    refused += quietly([=] { return ::operator new(size, std::nothrow); }) == nullptr;
    refused += quietly([=] { return ::operator new[](size, std::nothrow); }) == nullptr;
#ifdef REPLACES_ALIGNED
    std::align_val_t at{64};
    refused += quietly([=] { return ::operator new(size, at, std::nothrow); }) == nullptr;
    refused += quietly([=] { return ::operator new[](size, at, std::nothrow); }) == nullptr;
    forms = 4;
#endif
  }
  ok(refused == ROUNDS * forms, "nothrow forms return null where the program's throws");
  ok(unwound == refused, "what lay in between is cleaned up");
  ok(std::current_exception() == nullptr && !std::uncaught_exceptions(), "no exception is left");
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
  ok(caught == 2 && live == 0, "the others let it through");
}

// One that throws while another is handled, and a refusal in it.
void nested() {
  bool good = false;
  try {
    throw 5;
  } catch (int number) {
    good = quietly([] { return ::operator new(hidden(2 * TOO_MUCH), std::nothrow); }) == nullptr &&
           number == 5 && std::current_exception() != nullptr;
  }
  ok(good, "while another exception is handled");
}

// A thread that ends within goes through all frames to its end.
void *ends(void *) {
  waits_in = pthread_self();
  stops = true;
  return hidden(::operator new(16, std::nothrow)) == nullptr ? nullptr : &stops;
}

void cancelled() {
  pthread_t thread;
  void *result = nullptr;
  if (pthread_create(&thread, nullptr, ends, nullptr) != 0) std::abort();
  pthread_join(thread, &result);
  stops = false;
  ok(result == PTHREAD_CANCELED, "a thread that is cancelled in it ends");
}

} // namespace

int main() {
  forms();
  aligned_forms();
  library();
  thrown();
  nested();
  cancelled();
  std::printf("1..%u\n", tests);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
