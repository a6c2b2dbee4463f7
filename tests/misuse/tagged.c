/* SPDX-License-Identifier: MIT */
/* tagged.c -- what MIALLOC_SECURE=3 adds where the CPU has memory tags: run with it; prints TAP. */
#include "config.h"

#include "../address.h"
#include "../tap.h"
#include "said.h"

#include <errno.h>
#include <mialloc.h>
#include <mialloc/heap.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>

enum { TEXT_SIZE = 512, BLOCKS = 2000, GRANULE = 16, TAG_SHIFT = 56, TAGS = 16 };
enum { HAS_TAGS = 1 << 18, HWCAP2 = 26, AT_A_TAG = 9 }; /* HWCAP2_MTE, AT_HWCAP2, SEGV_MTESERR */

/* Volatile pointers, as the compiler knows these functions, and warns of misuse. */
static void *(*volatile take)(size_t) = mia_malloc;
static void (*volatile release)(void *) = mia_free;

static const size_t sizes[] = {1, 16, 40, 100, 1000, 5000, 30000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static unsigned tag_of(const void *p) { return (uintptr_t)p >> TAG_SHIFT & (TAGS - 1); }
static void *with_tag(const void *p, unsigned tag) {
  return (void *)(plain_address(p) | (uintptr_t)tag << TAG_SHIFT);
}

/* ---- tags ---- */

static int compare(const void *a, const void *b) {
  uintptr_t x = plain_address(*(void *const *)a), y = plain_address(*(void *const *)b);
  return (x > y) - (x < y);
}

/* Blocks of two pages may have the same tag where the pages meet. */
static bool are_neighbours(const void *p, const void *q, size_t distance) {
  enum { SLICE = 64 << 10 };
  return plain_address(q) - plain_address(p) == distance &&
         plain_address(p) / SLICE == plain_address(q) / SLICE;
}

static void tags_of_neighbours(size_t size) {
  static void *blocks[BLOCKS];
  unsigned none = 0, same = 0, seen = 0;
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = take(size);
    if (blocks[i] == NULL) exit(EXIT_FAILURE);
    memset(blocks[i], 'x', size);
    seen |= 1u << tag_of(blocks[i]);
    none += tag_of(blocks[i]) == 0;
  }
  qsort(blocks, BLOCKS, sizeof blocks[0], compare);
  size_t distance = SIZE_MAX;
  for (unsigned i = 1; i < BLOCKS; i++) {
    size_t between = plain_address(blocks[i]) - plain_address(blocks[i - 1]);
    if (between < distance) distance = between;
  }
  for (unsigned i = 1; i < BLOCKS; i++)
    same += are_neighbours(blocks[i - 1], blocks[i], distance) &&
            tag_of(blocks[i]) == tag_of(blocks[i - 1]);
  tap_ok(none == 0 && same == 0, "blocks of %zu bytes have tags other than those beside them",
         size);
  tap_ok(seen == (1u << TAGS) - 2, "blocks of %zu bytes have 15 tags", size);
  for (unsigned i = 0; i < BLOCKS; i++) release(blocks[i]);
}

/* ---- accesses that end the process ---- */

static bool may_meet_guard; /* then the access may end the process otherwise */

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  _exit(info->si_code == AT_A_TAG || may_meet_guard ? AT_A_TAG : EXIT_FAILURE);
}

/* Returns true if the function ends in an access with a wrong tag. */
static bool faults(void (*run)(void *), void *arg) {
  char text[TEXT_SIZE];
  int status = run_and_read(run, arg, text, sizeof text);
  return WIFEXITED(status) && WEXITSTATUS(status) == AT_A_TAG;
}

static void begin_faults(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  if (sigaction(SIGSEGV, &action, NULL) != 0) _exit(EXIT_FAILURE);
}

static void read_byte(const char *p) { (void)*(const volatile char *)p; }
static void write_byte(char *p) { *(volatile char *)p = 1; }

static void read_freed(void *arg) {
  char *p = take(*(const size_t *)arg);
  begin_faults();
  release(p);
  read_byte(p);
}
static void write_freed(void *arg) {
  char *p = take(*(const size_t *)arg);
  begin_faults();
  release(p);
  write_byte(p);
}
static void write_beyond(void *arg) {
  char *p = take(*(const size_t *)arg);
  size_t usable = mia_usable_size(p);
  may_meet_guard = true;
  begin_faults();
  write_byte(p + usable + usable / 4 + 2 * GRANULE); /* no class is larger by more */
}
static void read_destroyed(void *arg) {
  mia_heap *heap = mia_heap_new();
  char *p = mia_heap_malloc(heap, *(const size_t *)arg);
  begin_faults();
  mia_heap_destroy(heap);
  read_byte(p);
}
static void *read_freed_in_thread(void *arg) {
  read_freed(arg);
  return NULL;
}
static void start_reader(void *arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, read_freed_in_thread, arg) == 0) pthread_join(thread, NULL);
}

static void wrong_accesses(size_t size) {
  tap_ok(faults(read_freed, &size), "a read of a freed block of %zu bytes ends the process", size);
  tap_ok(faults(write_freed, &size), "a write to a freed block of %zu bytes ends the process",
         size);
  tap_ok(faults(write_beyond, &size), "a write beyond a block of %zu bytes ends the process", size);
  tap_ok(faults(read_destroyed, &size), "a read of a destroyed heap's %zu bytes ends the process",
         size);
  tap_ok(faults(start_reader, &size), "a thread's read of freed %zu bytes ends the process", size);
}

/* ---- pointers with another tag ---- */

static void free_by_other_tag(void *arg) {
  char *p = take(*(const size_t *)arg);
  release(with_tag(p, tag_of(p) ^ 1));
}
static void free_without_tag(void *arg) { release(with_tag(take(*(const size_t *)arg), 0)); }
static void resize_by_other_tag(void *arg) {
  char *p = take(*(const size_t *)arg);
  release(mia_realloc(with_tag(p, tag_of(p) ^ 1), 10));
}
static void measure_by_other_tag(void *arg) {
  char *p = take(*(const size_t *)arg);
  (void)mia_usable_size(with_tag(p, tag_of(p) ^ 1));
}
static void free_twice(void *arg) {
  char *p = take(*(const size_t *)arg);
  release(p);
  release(p);
}

static void is_told(void (*run)(void *), const char *what, const char *word) {
  char text[TEXT_SIZE];
  size_t size = 100;
  int status = run_and_read(run, &size, text, sizeof text);
  tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, word) != NULL, "%s",
         what);
}

/* ---- what keeps its tag ---- */

static void sizes_change(void) {
  bool good = true;
  for (size_t i = 0; i < SIZES; i++)
    for (size_t j = 0; j < SIZES; j++) {
      char *p = take(sizes[i]);
      memset(p, 'x', sizes[i]);
      char *q = mia_rezalloc(p, sizes[j]);
      size_t kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
      good = good && q != NULL && tag_of(q) != 0 && q[0] == 'x' && q[kept - 1] == 'x';
      memset(q, 'y', sizes[j]);
      release(q);
    }
  tap_ok(good, "a block that is resized has a tag, and its content");
}

static bool write_visited(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                          void *arg) {
  (void)heap, (void)area;
  if (block != NULL) memset(block, 'v', size);
  *(unsigned *)arg += block != NULL;
  return true;
}

static void visited_blocks_have_tags(void) {
  unsigned count = 0;
  mia_heap *heap = mia_heap_new();
  char *p = NULL;
  for (unsigned i = 0; i < 100; i++) p = mia_heap_zalloc(heap, 40);
  bool all = mia_heap_visit_blocks(heap, true, write_visited, &count);
  tap_ok(all && count == 100 && p[39] == 'v', "a visitor can write to %u blocks", count);
  mia_heap_destroy(heap);
}

static void large_blocks_have_none(void) {
  char *p = take(1 << 20);
  memset(p, 'x', 1 << 20);
  tap_ok(tag_of(p) == 0, "a block between guards has no tag");
  release(p);
}

int main(void) {
  tap_ok((getauxval(HWCAP2) & HAS_TAGS) != 0, "the system has memory tags");
  for (size_t i = 0; i < SIZES; i++) {
    tags_of_neighbours(sizes[i]);
    wrong_accesses(sizes[i]);
  }
  is_told(free_by_other_tag, "a free with another tag is told", "another tag");
  is_told(free_without_tag, "a free without a tag is told", "another tag");
  is_told(resize_by_other_tag, "realloc with another tag is told", "another tag");
  is_told(measure_by_other_tag, "malloc_usable_size with another tag is told", "another tag");
  is_told(free_twice, "a second free is told", "freed twice");
  sizes_change();
  visited_blocks_have_tags();
  large_blocks_have_none();
  return tap_end();
}
