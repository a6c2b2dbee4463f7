/* SPDX-License-Identifier: MIT */
/* misuses.h -- what a program must not do with blocks: a function for each misuse.
 *
 * Each function runs in its own process (cases.c).  It reports the address that the diagnostic
 * must name before the misuse, and goes on allocating and freeing afterwards, because a
 * misuse that is not detected must not make the allocator loop. */
#ifndef MISUSE_MISUSES_H
#define MISUSE_MISUSES_H

#include <mialloc.h>
#include <mialloc/heap.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 40, TINY = 8, SLICE = 65536, LARGE = 200000, HUGE_BLOCK = 40 << 20, CHURN = 3000 };

/* Volatile pointers, because the compiler knows malloc's attributes and warns of misuse. */
static void *(*volatile get)(size_t) = mia_malloc;
static void *(*volatile get_aligned)(size_t, size_t) = mia_malloc_aligned;
static void (*volatile release)(void *) = mia_free;
static void *(*volatile resize)(void *, size_t) = mia_realloc;

/* Reports the address that the diagnostic must name. */
static void report_address(const void *p);

static void churn(size_t size) {
  static void *blocks[CHURN];
  for (unsigned i = 0; i < CHURN; i++) blocks[i] = get(size);
  for (unsigned i = 0; i < CHURN; i++) release(blocks[i]);
}

static void *elsewhere(void *p) {
  release(p);
  return NULL;
}

static void in_thread(void *(*run)(void *), void *p) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, p) != 0) exit(EXIT_FAILURE);
  pthread_join(thread, NULL);
}
static void free_elsewhere(void *p) { in_thread(elsewhere, p); }

/* Returns a block with neighbours, so that its page is neither empty nor full. */
static char *get_between(size_t size) {
  (void)!get(size);
  char *p = get(size);
  (void)!get(size);
  report_address(p);
  return p;
}

/* ---- double frees ---- */

static void free_twice(char *p, size_t size) {
  release(p);
  release(p);
  churn(size);
}
static void twice_small(void) { free_twice(get_between(SMALL), SMALL); }
static void twice_tiny(void) { free_twice(get_between(TINY), TINY); }
static void twice_large(void) {
  char *p = get(LARGE);
  report_address(p);
  release(p);
  release(p);
}
static void twice_huge(void) {
  char *p = get(HUGE_BLOCK);
  report_address(p);
  release(p);
  release(p);
}
static void twice_alone(void) { /* the only block of its size */
  char *p = get(SMALL);
  report_address(p);
  free_twice(p, SMALL);
}
static void *twice_beside_a_live_one(void *arg) {
  (void)get(SMALL);
  char *p = get(SMALL);
  report_address(p);
  release(p);
  release(p);
  return arg;
}
static void twice_in_a_thread(void) { /* The page is looked at when the thread ends. */
  in_thread(twice_beside_a_live_one, NULL);
}
static void twice_in_a_heap(void) { /* The page is looked at when the heap is deleted. */
  mia_heap *heap = mia_heap_new();
  char *live = mia_heap_malloc(heap, SMALL), *p = mia_heap_malloc(heap, SMALL);
  if (live == NULL || p == NULL) return;
  report_address(p);
  release(p);
  release(p);
  mia_heap_delete(heap);
}
static void twice_delayed(void) {
  char *p = get_between(SMALL);
  char *q = get(SMALL);
  release(p);
  release(q);
  release(p);
  churn(SMALL);
}
static void twice_elsewhere(void) {
  char *p = get_between(SMALL);
  release(p);
  free_elsewhere(p);
  churn(SMALL);
}
static void twice_elsewhere_both(void) {
  char *p = get_between(SMALL);
  free_elsewhere(p);
  free_elsewhere(p);
  churn(SMALL);
}
static void twice_large_elsewhere(void) {
  char *p = get(LARGE);
  report_address(p);
  free_elsewhere(p);
  release(p);
}

/* ---- frees of pointers that are not blocks ---- */

static char in_data[64];

static void free_static(void) {
  report_address(in_data);
  release(in_data);
}
static void free_stack(void) {
  char here[64] = "";
  report_address(here);
  release(here);
}
static void free_unknown_address(void) { /* an address of no allocator */
  char *p = (char *)(uintptr_t)0x12340;
  report_address(p);
  release(p);
}
/* Flips an address bit that is clear in every block's address: one near the lowest such bit
 * or the highest that the processor does not ignore. */
enum {
  LOW_BIT = sizeof(void *) < 8   ? 30
            : MIA_ADDRESS_SIGNED ? 46
                                 : 48,
  HIGH_BIT = sizeof(void *) < 8   ? 31
             : MIA_ADDRESS_SIGNED ? 46
             : MIA_ADDRESS_TAGGED ? 55
                                  : 62
};
static char *with_flipped_bit(char *p, unsigned bit) {
  p = (char *)((uintptr_t)p ^ (uintptr_t)1 << bit);
  report_address(p);
  return p;
}
static void free_flipped_low(void) { release(with_flipped_bit(get_between(SMALL), LOW_BIT)); }
static void free_flipped_high(void) { release(with_flipped_bit(get_between(SMALL), HIGH_BIT)); }
static void free_flipped_sized(void) {
  mia_free_sized(with_flipped_bit(get_between(SMALL), LOW_BIT), SMALL);
}
static void free_flipped_elsewhere(void) {
  free_elsewhere(with_flipped_bit(get_between(SMALL), LOW_BIT));
}
static void realloc_flipped(void) {
  (void)!resize(with_flipped_bit(get_between(SMALL), HIGH_BIT), SMALL);
}
static void usable_size_flipped(void) {
  (void)mia_usable_size(with_flipped_bit(get_between(SMALL), HIGH_BIT));
}
static void free_inside(char *p, size_t by, size_t size) {
  report_address(p + by);
  release(p + by);
  churn(size);
}
static void free_inside_aligned(void) { free_inside(get_between(SMALL), 16, SMALL); }
static void free_inside_misaligned(void) { free_inside(get_between(SMALL), 1, SMALL); }
static void free_inside_misaligned_elsewhere(void) {
  char *p = get_between(SMALL) + 7;
  report_address(p);
  free_elsewhere(p);
}
static void free_inside_misaligned_sized(void) {
  char *p = get_between(SMALL) + 1;
  report_address(p);
  mia_free_sized(p, SMALL);
}
static void realloc_misaligned(void) {
  char *p = get_between(SMALL) + 1;
  report_address(p);
  p = resize(p, SMALL);
}
static void usable_size_misaligned(void) {
  char *p = get_between(SMALL) + 1;
  report_address(p);
  (void)mia_usable_size(p);
}
static void free_inside_large(void) {
  char *p = get(LARGE);
  report_address(p + 16);
  release(p + 16);
}
static void free_inside_elsewhere(void) {
  char *p = get_between(SMALL);
  report_address(p + 16);
  free_elsewhere(p + 16);
  churn(SMALL);
}

/* ---- writes outside of a block or after its free ---- */

static char *overflow(size_t size, size_t by) {
  char *p = get_between(size);
  memset(p + size, 'x', by);
  return p;
}
static void overflow_and_free(size_t size, size_t by) {
  release(overflow(size, by));
  if (size < LARGE) churn(size);
}
static void overflow_1(void) { overflow_and_free(SMALL, 1); }
static void overflow_8(void) { overflow_and_free(SMALL, 8); }
static void overflow_tiny(void) { overflow_and_free(TINY, 1); }
static void overflow_none(void) { overflow_and_free(0, 1); }
static void overflow_large(void) { overflow_and_free(LARGE, 1); }
static void overflow_huge(void) { overflow_and_free(HUGE_BLOCK, 8); }
static void overflow_aligned(void) {
  char *p = get_aligned(SMALL, 64);
  report_address(p);
  p[SMALL] = 'x';
  release(p);
  churn(SMALL);
}
static void overflow_realloc(void) {
  char *p = overflow(SMALL, 1);
  p = resize(p, SMALL + 1);
  churn(SMALL);
}
static void overflow_elsewhere(void) {
  free_elsewhere(overflow(SMALL, 1));
  churn(SMALL);
}
static bool ignore_block(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                         void *arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  return true;
}
static void overflow_walk(void) {
  (void)overflow(SMALL, 1);
  (void)mia_heap_visit_blocks(mia_heap_main(), true, ignore_block, NULL);
}
static void overflow_shrunk(void) {
  char *p = resize(get(LARGE), LARGE - SMALL);
  report_address(p);
  p[LARGE - SMALL] = 'x';
  release(p);
}
static char *underflow(size_t size, size_t by) {
  char *p = get_between(size);
  memset(p - by, 'x', by);
  return p;
}
static void underflow_and_free(size_t size, size_t by) {
  release(underflow(size, by));
  churn(size);
}
static void underflow_1(void) { underflow_and_free(SMALL, 1); }
static void underflow_8(void) { underflow_and_free(SMALL, 8); }
static void underflow_tiny(void) { underflow_and_free(TINY, 8); }
static void underflow_first(void) { /* the first block of a page: of a new slice */
  char *p = get_between(SMALL);
  uintptr_t slice = (uintptr_t)p / SLICE;
  while ((uintptr_t)p / SLICE == slice) p = get(SMALL);
  report_address(p);
  memset(p - TINY, 'x', TINY);
  release(p);
  churn(SMALL);
}
static void underflow_large(void) {
  char *p = underflow(LARGE, 8);
  release(p);
}
static void underflow_huge(void) {
  char *p = underflow(HUGE_BLOCK, 8);
  release(p);
}
static void underflow_elsewhere(void) {
  free_elsewhere(underflow(SMALL, 8));
  churn(SMALL);
}
static void write_after(size_t at) {
  char *p = get_between(SMALL);
  release(p);
  memset(p + at, 'x', 8);
  churn(SMALL);
}
static void write_after_link(void) { write_after(0); }
static void write_after_walk(void) {
  char *p = get_between(SMALL);
  release(p);
  memset(p, 'x', 8);
  (void)mia_heap_visit_blocks(mia_heap_main(), true, ignore_block, NULL);
}
static void write_after_purge(void) {
  static char *blocks[CHURN];
  for (unsigned i = 0; i < CHURN; i++) blocks[i] = get(SMALL);
  for (unsigned i = 1; i < CHURN; i++)
    if (i % 100 != 0) release(blocks[i]);
  report_address(blocks[CHURN / 2 + 1]);
  memset(blocks[CHURN / 2 + 1], 'x', 8);
  (void)mia_purge();
}
static void write_after_content(void) { write_after(24); }
static void write_after_tiny(void) {
  char *p = get_between(TINY);
  release(p);
  memset(p, 'x', TINY);
  churn(TINY);
}

/* ---- wrong sizes and alignments in sized frees ---- */

static void sized_larger(void) {
  char *p = get_between(SMALL);
  mia_free_sized(p, (size_t)2 * SMALL);
  churn(SMALL);
}
static void sized_smaller(void) {
  mia_free_sized(get_between(SMALL), SMALL - 1);
  churn(SMALL);
}
static void sized_larger_large(void) { mia_free_sized(get_between(LARGE), (size_t)2 * LARGE); }
static void *free_sized_elsewhere(void *p) {
  mia_free_sized(p, (size_t)2 * SMALL);
  return NULL;
}
static void sized_larger_elsewhere(void) {
  in_thread(free_sized_elsewhere, get_between(SMALL));
  churn(SMALL);
}
static void sized_misaligned_large(void) {
  size_t align = 4096;
  char *p = get_between(LARGE);
  while (((uintptr_t)p & (align - 1)) == 0) align *= 2;
  mia_free_aligned_sized(p, align, LARGE);
}
static void sized_misaligned(void) {
  char *p = get_between(48);
  size_t align = 4096;
  while (((uintptr_t)p & (align - 1)) == 0) align *= 2;
  mia_free_aligned_sized(p, align, 48);
  churn(48);
}

/* ---- use of freed and foreign pointers ---- */

static void realloc_freed(void) {
  char *p = get_between(SMALL);
  release(p);
  p = resize(p, (size_t)4 * SMALL);
  churn(SMALL);
}
static void realloc_freed_large(void) {
  char *p = get(LARGE);
  report_address(p);
  release(p);
  p = resize(p, (size_t)4 * LARGE);
}
static void realloc_static(void) {
  report_address(in_data);
  (void)!resize(in_data, SMALL);
}
static void usable_size_freed(void) {
  char *p = get_between(SMALL);
  release(p);
  (void)mia_usable_size(p);
  churn(SMALL);
}
static void usable_size_static(void) {
  report_address(in_data);
  (void)mia_usable_size(in_data);
}
static void free_of_destroyed(void) {
  mia_heap *heap = mia_heap_new();
  char *p = mia_heap_malloc(heap, LARGE);
  report_address(p);
  mia_heap_destroy(heap);
  release(p);
}

#endif
