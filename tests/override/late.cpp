// late.cpp -- thread-local C++ objects allocate and free in their destructors, also after the
// thread's part of mialloc has ended; prints TAP.
//
// Threads end by returning, by pthread_exit, by cancellation, and after mia_thread_done,
// which does what mialloc does at the end of a thread.  In that case the destructors find
// nothing of it left, as on platforms where they run after it.
//
// SPDX-License-Identifier: MIT
#include <mialloc.h>
#include <mialloc/stats.h>

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../tap.h"

namespace {

constexpr int ROUNDS = 50, THREADS = 4, ENTRIES = 40;

// Blocks of ended threads that may still be cached when a round has ended.
constexpr std::size_t SLACK = 64;

std::atomic<int> ended, wrong;

using text = std::string;
std::atomic<text *> passed_on;

text long_text(int i) { return text(static_cast<std::size_t>(100 + i), 'x'); }

// Constructed before `early' and so destroyed after it, which leaves something here.
struct second {
  std::vector<text> texts;
  ~second() {
    for (int i = 0; i < ENTRIES; i++) texts.push_back(long_text(i * 50));
    if (texts.size() != ENTRIES + 1) wrong++;
    for (int i = 0; i < ENTRIES; i++)
      if (texts[static_cast<std::size_t>(i + 1)] != long_text(i * 50)) wrong++;
    ended++;
  }
};

struct first {
  std::map<int, text> entries;
  std::unique_ptr<text> large = std::make_unique<text>(300000, 'y');
  ~first();
};

thread_local second later;
thread_local first early;

first::~first() {
  for (auto &entry : entries) {
    if (entry.second != long_text(entry.first)) wrong++;
    entry.second += *large;
  }
  delete passed_on.exchange(new text(long_text(7)));
  later.texts.push_back(long_text(1));
  ended++;
}

pthread_key_t key;

// Runs in several rounds of key destructors, each of which allocates.
extern "C" void at_end(void *turns) {
  auto *left = static_cast<int *>(turns);
  auto words = std::make_unique<std::vector<text>>();
  for (int i = 0; i < ENTRIES; i++) words->push_back(long_text(i));
  if (--*left > 0)
    pthread_setspecific(key, turns);
  else
    delete left;
}

enum ending { RETURNS, EXITS, IS_CANCELLED, IS_DONE, ENDINGS };

extern "C" void *work(void *arg) {
  for (int i = 0; i < ENTRIES; i++) early.entries[i] = long_text(i);
  pthread_setspecific(key, new int(3));
  switch (*static_cast<ending *>(arg)) {
  case EXITS:
    pthread_exit(nullptr);
  case IS_CANCELLED:
    pthread_cancel(pthread_self());
    pthread_testcancel();
    break;
  case IS_DONE:
    mia_thread_done();
    break;
  default:
    break;
  }
  return nullptr;
}

mia_stats stats() {
  mia_stats s;
  s.size = sizeof s;
  if (!mia_stats_get(&s)) std::abort();
  return s;
}

void round_of(ending how) {
  pthread_t threads[THREADS];
  for (auto &thread : threads)
    if (pthread_create(&thread, nullptr, work, &how) != 0) std::abort();
  for (auto &thread : threads) pthread_join(thread, nullptr);
}

void end_by(ending how, const char *what) {
  ended = wrong = 0;
  round_of(how);
  mia_stats before = stats();
  for (int i = 0; i < ROUNDS; i++) round_of(how);
  mia_stats after = stats();
  std::printf("# %zu blocks, %zu threads more\n", after.blocks - before.blocks,
              after.threads - before.threads);
  tap_ok(ended == (ROUNDS + 1) * THREADS * 2 && wrong == 0 && after.threads == before.threads &&
             after.blocks <= before.blocks + SLACK,
         "%s", what);
}

} // namespace

int main() {
  static const char *const names[ENDINGS] = {"threads that return", "that call pthread_exit",
                                             "that are cancelled", "whose mialloc ended before"};
  if (pthread_key_create(&key, at_end) != 0) return EXIT_FAILURE;
  for (int i = 0; i < ENDINGS; i++) end_by(static_cast<ending>(i), names[i]);
  return tap_end();
}
