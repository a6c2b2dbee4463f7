/* SPDX-License-Identifier: MIT */
/* kinds.h -- the kinds of misuse: a function for each, which misuses blocks of `now.size' bytes by
 * the threads that `now.thread' names (effects.h). */
#ifndef MISUSE_KINDS_H
#define MISUSE_KINDS_H

#include "effects.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Returns a block between others, so that its page is neither empty nor full. */
static char *take_between(void) {
  (void)take(now.size);
  char *p = take(now.size);
  (void)take(now.size);
  return p;
}

/* ---- double frees ---- */

static void twice_at_once(void) {
  char *p = take_between();
  let_go(p);
  misfree(p);
  take_many(now.size);
}
static void twice_around_one(void) {
  char *p = take_between(), *q = take(now.size);
  let_go(p);
  let_go(q);
  misfree(p);
  take_many(now.size);
}
static void twice_around_many(void) {
  enum { MANY = 40 };
  char *between[MANY], *p = take_between();
  unsigned many = now.size < 1 << 20 ? MANY : 3;
  for (unsigned i = 0; i < many; i++) between[i] = take(now.size);
  let_go(p);
  for (unsigned i = 0; i < many; i++) let_go(between[i]);
  misfree(p);
  take_many(now.size);
}
static void twice_after_reuse(void) {
  char *p = take_between();
  let_go(p);
  take_many(now.size);
  misfree(p);
  take_many(now.size);
}
static void twice_after_others(void) {
  char *p = take_between();
  let_go(p);
  for (size_t other = 32; other < 3000; other *= 3)
    if (other != now.size) take_many(other);
  misfree(p);
  take_many(now.size);
}
static void twice_with_link(void) {
  static char *const links[2] = {target + 4096, target + 4096};
  char *p = take_between(), *q = take(now.size);
  let_go(p);
  let_go(q);
  misfree(p);
  miswrite(take(now.size), links, sizeof links);
  take_many(now.size);
}
static void twice_by_old_address(void) {
  char *p = take_between();
  forget(p);
  char *q = resize(p, now.size * 2);
  if (q == NULL) return;
  hold(q, now.size * 2);
  if (q == p) reported->refused = true; /* it has not moved: no misuse */
  if (q != p) misfree(p);
  take_many(now.size);
}

/* ---- pointers into blocks ---- */

static void free_inside_by(size_t by) {
  misfree(take_between() + by);
  take_many(now.size);
}
static void free_inside_1(void) { free_inside_by(1); }
static void free_inside_8(void) { free_inside_by(8); }
static void free_inside_16(void) { free_inside_by(16); }
static void free_inside_middle(void) { free_inside_by(now.size / 2 & ~(size_t)15); }
static void free_before(void) {
  misfree(take_between() - 16);
  take_many(now.size);
}

/* ---- pointers of others ---- */

static char in_data[256];
static char *other_mapping(void) {
  char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) _Exit(EXIT_FAILURE);
  return p + 64;
}
static char *no_mapping(void) {
  char *p = other_mapping();
  (void)munmap(p - 64, 1 << 20);
  return p;
}
/* A block's address with a bit that no address has. */
static char *beyond_addresses(void) {
  return (char *)((uintptr_t)take(now.size) ^ (uintptr_t)1 << (8 * WORD - (WORD > 4 ? 16 : 1)));
}

static void free_stack(void) {
  _Alignas(16) char here[256] = "";
  misfree(here + 64);
  take_many(now.size);
}
static void free_static(void) { misfree(in_data + 64); }
static void free_other_mapping(void) { misfree(other_mapping()); }
static void free_no_mapping(void) { misfree(no_mapping()); }
static void free_code(void) { misfree((void *)((uintptr_t)free_code & ~(uintptr_t)15)); }
static void free_beyond(void) { misfree(beyond_addresses()); }
static void free_number(void) { misfree((void *)(uintptr_t)0x1230); }

/* ---- other calls with pointers that are no live blocks ---- */

static void misresize(char *p, size_t size) {
  char *q = resize(p, size);
  if (q == NULL)
    reported->refused = true;
  else
    hold(q, size);
}
static size_t double_size(void) { return now.size > 0 ? now.size * 2 : 256; }
static void resize_freed(void) {
  char *p = take_between();
  let_go(p);
  misresize(p, double_size());
  take_many(now.size);
}
static void resize_freed_same(void) {
  char *p = take_between();
  let_go(p);
  misresize(p, now.size);
  take_many(now.size);
}
static void resize_inside(void) {
  misresize(take_between() + 16, double_size());
  take_many(now.size);
}
static void resize_inside_1(void) { misresize(take_between() + 1, double_size()); }
static void resize_static(void) { misresize(in_data + 64, 100); }
static void resize_other_mapping(void) { misresize(other_mapping(), 100); }

static void missize(char *p) {
  size_t (*volatile usable)(void *) = malloc_usable_size;
  if (usable(p) == 0) reported->refused = true;
}
static void size_freed(void) {
  char *p = take_between();
  let_go(p);
  missize(p);
}
static void size_inside(void) { missize(take_between() + 16); }
static void size_inside_1(void) { missize(take_between() + 1); }
static void size_static(void) { missize(in_data + 64); }
static void size_other_mapping(void) { missize(other_mapping()); }

/* ---- writes beyond the ends ---- */

static const char filling[] =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

static char *overflow(const char *what, size_t by) {
  char *p = take_between();
  miswrite(p + now.size, what, by);
  return p;
}
static void free_written(char *p) {
  forget(p);
  misfree(p);
  take_many(now.size);
}
static void overflow_null(void) { free_written(overflow("", 1)); }
static void overflow_1(void) { free_written(overflow(filling, 1)); }
static void overflow_8(void) { free_written(overflow(filling, 8)); }
static void overflow_64(void) { free_written(overflow(filling, 64)); }
static void overflow_resized(void) {
  char *p = overflow(filling, 8);
  forget(p);
  misresize(p, double_size());
}
static void overflow_left(void) {
  (void)overflow(filling, 8);
  held_count = 0;
}
static void overflow_into_free(void) {
  static char *const links[2] = {target + 4096, target + 4096};
  char *p = take_between();
  let_go(held[held_count - 1].p); /* it lies behind the other, most likely */
  miswrite(p + now.size, links, sizeof links);
  take_many(now.size);
}
static void underflow_1(void) {
  char *p = take_between();
  miswrite(p - 1, filling, 1);
  free_written(p);
}
static void underflow_8(void) {
  char *p = take_between();
  miswrite(p - 8, filling, 8);
  free_written(p);
}

/* ---- writes to free blocks ---- */

static void write_after_free(size_t at, const void *what, size_t size) {
  char *p = take_between();
  let_go(p);
  miswrite(p + at, what, size);
  take_many(now.size);
}
static void written_start(void) { write_after_free(0, filling, WORD); }
static void written_middle(void) { write_after_free(middle_of(now.size), filling, WORD); }
static void written_end(void) { write_after_free(now.size - WORD, filling, WORD); }
static void written_zero(void) { write_after_free(0, "\0\0\0\0\0\0\0", WORD); }
static void written_byte(void) {
  char *q = take(now.size), *p = take_between();
  let_go(q);
  let_go(p); /* its link leads to the other */
  p[0] ^= 0x10;
  take_many(now.size);
}
static void written_target(void) {
  static char *const links[2] = {target + 4096, target + 4096};
  write_after_free(0, links, sizeof links);
}
static void written_live(void) {
  char *live = take(now.size), *links[2] = {live, live};
  write_after_free(0, links, sizeof links);
}
static void written_other_size(void) {
  char *live = take(now.size < 1000 ? 2000 : 48), *links[2] = {live, live};
  write_after_free(0, links, sizeof links);
}
static void written_after_reuse(void) {
  char *p = take_between();
  let_go(p);
  take_many(now.size);
  miswrite(p, filling, WORD);
}

/* ---- reads ---- */

static char *freed_with_secrets(void) {
  char *p = take_between();
  write_secrets(p, now.size);
  let_go(p);
  return p;
}
static void read_start(void) { misread(freed_with_secrets()); }
static void read_middle(void) { misread(freed_with_secrets() + middle_of(now.size)); }
static void read_end(void) { misread(freed_with_secrets() + now.size - WORD); }
static void read_after_reuse(void) {
  char *p = take_between();
  let_go(p);
  unsigned before = held_count;
  take_many(now.size);
  for (unsigned i = before; i < held_count; i++) write_secrets(held[i].p, now.size);
  misread_all(p, now.size);
}
static void read_uninitialised(void) {
  (void)freed_with_secrets();
  unsigned before = held_count;
  take_many(now.size);
  for (unsigned i = before; i < held_count; i++) misread_all(held[i].p, now.size);
}
static void read_grown(void) {
  size_t double_of = now.size * 2;
  char *p = take(double_of);
  write_secrets(p, double_of);
  let_go(p);
  char *q = take(now.size);
  forget(q);
  q = resize(q, double_of);
  if (q == NULL) return;
  hold(q, double_of);
  misread_all(q + now.size, now.size);
}

/* ---- sized frees ---- */

/* C23's function where there is one, or C++'s. */
static void mis_sized(char *p, size_t size) {
  typedef void free_function(void *, size_t);
  free_function *sized = (free_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "free_sized");
  if (sized == NULL) sized = (free_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "_ZdlPvm");
  reported->absent = sized == NULL;
  if (sized == NULL) return;
  forget(p);
  sized(p, size);
  take_many(now.size);
}
static void sized_larger(void) { mis_sized(take_between(), now.size * 2); }
static void sized_smaller(void) { mis_sized(take_between(), now.size / 2); }
static void sized_aligned(void) {
  typedef void free_function(void *, size_t, size_t);
  free_function *sized = (free_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "free_aligned_sized");
  reported->absent = sized == NULL;
  if (sized == NULL) return;
  char *p = take_between();
  size_t align = 32;
  while (((uintptr_t)p & (align - 1)) == 0) align *= 2;
  forget(p);
  sized(p, align, now.size);
}

/* ---- the table ---- */

enum {
  ANY_SIZE = 0x1ff,            /* a bit for each of `sizes' */
  ONE_SIZE = 0x002,            /* the size plays no part */
  FROM_64 = ANY_SIZE & ~0x001, /* smaller blocks have no such place */
  BY_ANY = 1 << SELF | 1 << OTHER | 1 << BOTH,
  BY_TWO = 1 << SELF | 1 << OTHER,
  BY_ONE = 1 << SELF
};
static const size_t sizes[] = {16, 64, 256, 1000, 4096, 16384, 40000, 300000, (size_t)40 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

typedef struct kind {
  const char *name;
  void (*run)(void);
  unsigned sizes;
  unsigned threads;
} kind;

static const kind kinds[] = {
    {"block freed twice", twice_at_once, ANY_SIZE, BY_ANY},
    {"freed twice, another block between", twice_around_one, ANY_SIZE, BY_ANY},
    {"freed twice, many blocks between", twice_around_many, ANY_SIZE, BY_ANY},
    {"freed twice, reused between", twice_after_reuse, ANY_SIZE, BY_ANY},
    {"freed twice, allocations of other sizes between", twice_after_others, ANY_SIZE, BY_TWO},
    {"freed twice, then a link written", twice_with_link, ANY_SIZE, BY_ONE},
    {"old address freed after realloc", twice_by_old_address, ANY_SIZE, BY_ONE},
    {"inside of a block freed, by 1", free_inside_1, ANY_SIZE, BY_TWO},
    {"inside of a block freed, by 8", free_inside_8, ANY_SIZE, BY_ONE},
    {"inside of a block freed, by 16", free_inside_16, FROM_64, BY_TWO},
    {"middle of a block freed", free_inside_middle, FROM_64, BY_TWO},
    {"16 bytes before a block freed", free_before, FROM_64, BY_ONE},
    {"stack freed", free_stack, ONE_SIZE, BY_TWO},
    {"static object freed", free_static, ONE_SIZE, BY_TWO},
    {"another mapping freed", free_other_mapping, ONE_SIZE, BY_TWO},
    {"address without memory freed", free_no_mapping, ONE_SIZE, BY_TWO},
    {"code freed", free_code, ONE_SIZE, BY_TWO},
    {"address with a wrong high bit freed", free_beyond, ONE_SIZE, BY_TWO},
    {"small number freed", free_number, ONE_SIZE, BY_TWO},
    {"realloc of a free block", resize_freed, ANY_SIZE, BY_ONE},
    {"realloc of a free block to its size", resize_freed_same, ANY_SIZE, BY_ONE},
    {"realloc of the inside of a block, by 16", resize_inside, FROM_64, BY_ONE},
    {"realloc of the inside of a block, by 1", resize_inside_1, ANY_SIZE, BY_ONE},
    {"realloc of a static object", resize_static, ONE_SIZE, BY_ONE},
    {"realloc of another mapping", resize_other_mapping, ONE_SIZE, BY_ONE},
    {"usable size of a free block", size_freed, ANY_SIZE, BY_ONE},
    {"usable size of the inside of a block, by 16", size_inside, FROM_64, BY_ONE},
    {"usable size of the inside of a block, by 1", size_inside_1, ANY_SIZE, BY_ONE},
    {"usable size of a static object", size_static, ONE_SIZE, BY_ONE},
    {"usable size of another mapping", size_other_mapping, ONE_SIZE, BY_ONE},
    {"overflow by a null byte", overflow_null, ANY_SIZE, BY_ONE},
    {"overflow by 1 byte", overflow_1, ANY_SIZE, BY_TWO},
    {"overflow by 8 bytes", overflow_8, ANY_SIZE, BY_TWO},
    {"overflow by 64 bytes", overflow_64, ANY_SIZE, BY_ONE},
    {"overflow by 8 bytes, then realloc", overflow_resized, ANY_SIZE, BY_ONE},
    {"overflow by 8 bytes, then exit", overflow_left, ANY_SIZE, BY_ONE},
    {"overflow into a free block's link", overflow_into_free, ANY_SIZE, BY_ONE},
    {"underflow by 1 byte", underflow_1, ANY_SIZE, BY_ONE},
    {"underflow by 8 bytes", underflow_8, ANY_SIZE, BY_ONE},
    {"free block written to, at its start", written_start, ANY_SIZE, BY_ANY & ~(1 << OTHER)},
    {"free block written to, in the middle", written_middle, FROM_64, BY_ONE},
    {"free block written to, at its end", written_end, ANY_SIZE, BY_ONE},
    {"free block's start cleared", written_zero, ANY_SIZE, BY_ONE},
    {"free block's first byte changed", written_byte, ANY_SIZE, BY_ONE},
    {"free block's link led to a static object", written_target, ANY_SIZE, BY_ANY & ~(1 << OTHER)},
    {"free block's link led to a live block", written_live, ANY_SIZE, BY_ONE},
    {"free block's link led to a block of another size", written_other_size, ANY_SIZE, BY_ONE},
    {"block written to by its former owner", written_after_reuse, ANY_SIZE, BY_ONE},
    {"secret read after free, at the start", read_start, ANY_SIZE, BY_ONE},
    {"secret read after free, in the middle", read_middle, FROM_64, BY_ONE},
    {"secret read after free, at the end", read_end, ANY_SIZE, BY_ONE},
    {"block read by its former owner", read_after_reuse, ANY_SIZE, BY_ONE},
    {"former owner's secret in a new block", read_uninitialised, ANY_SIZE, BY_ONE},
    {"former owner's secret in a block that grew", read_grown, ANY_SIZE, BY_ONE},
    {"sized free with twice the size", sized_larger, ANY_SIZE, BY_ONE},
    {"sized free with half of the size", sized_smaller, ANY_SIZE, BY_ONE},
    {"sized free with another alignment", sized_aligned, ANY_SIZE, BY_ONE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

#endif
