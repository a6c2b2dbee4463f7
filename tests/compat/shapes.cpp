// shapes.cpp -- a program with mimalloc-new-delete.h: objects with base classes, arrays,
// constructors that throw, and smart pointers, through new and delete as the compiler calls
// them.  C++11 to C++20; prints TAP.
//
// SPDX-License-Identifier: MIT
#include <mimalloc-new-delete.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../tap.h"

static int alive;

class shape {
public:
  explicit shape(std::string name) : name_(std::move(name)) { alive++; }
  shape(const shape &) = delete;
  shape &operator=(const shape &) = delete;
  virtual ~shape() { alive--; }
  virtual double area() const = 0;
  const std::string &name() const { return name_; }

private:
  std::string name_;
};

class square : public shape {
public:
  explicit square(double side) : shape("a square, with a name that needs a block"), side_(side) {
    if (side < 0) throw std::invalid_argument("side");
  }
  double area() const override { return side_ * side_; }

private:
  double side_;
};

// Larger than its base: delete receives the size of the whole object.
class polygon : public shape {
public:
  explicit polygon(int n) : shape("a polygon, with a name that needs a block"), corners_() {
    for (int i = 0; i < n; i++) corners_.emplace_back(new double[2]{i * 1.0, i * 2.0});
  }
  double area() const override { return static_cast<double>(corners_.size()) + room_[2999]; }

private:
  std::vector<std::unique_ptr<double[]>> corners_;
  char room_[3000] = {};
};

static std::unique_ptr<shape> make(int i) {
  if (i % 2 == 0) return std::unique_ptr<shape>(new square(i));
  return std::unique_ptr<shape>(new polygon(i % 10));
}

static bool draws() {
  std::vector<std::unique_ptr<shape>> all;
  double sum = 0;
  for (int i = 0; i < 200; i++) all.push_back(make(i));
  bool ours = true;
  for (const auto &s : all) {
    sum += s->area();
    ours = ours && mi_any_heap_contains(s.get()) && mi_any_heap_contains(s->name().data());
  }
  bool right = sum == 1313900.0 && alive == 200;
  all.clear();
  return ours && right && alive == 0;
}

// If a constructor throws, the block of the object is freed.
static bool throws() {
  int caught = 0;
  mi_collect(true);
  for (int i = 0; i < 100; i++) {
    try {
      std::shared_ptr<shape> s(new square(-1));
      return false;
    } catch (const std::invalid_argument &) {
      caught++;
    }
  }
  return caught == 100 && alive == 0;
}

// One thread deletes the objects of another.
static bool hands_over() {
  std::vector<std::shared_ptr<shape>> all(300);
  std::thread([&] {
    for (int i = 0; i < 300; i++) all[static_cast<std::size_t>(i)] = make(i);
  }).join();
  bool there = alive == 300;
  all.clear();
  return there && alive == 0;
}

int main() {
  tap_ok(draws(), "objects with base classes");
  tap_ok(throws(), "constructors that throw");
  tap_ok(hands_over(), "objects deleted by another thread");
  return tap_end();
}
