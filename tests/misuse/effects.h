/* SPDX-License-Identifier: MIT */
/* effects.h -- the blocks of one misuse case, and what the case shows of its effects.
 *
 * A case takes blocks by take(), which compares each with all that the case holds: so two owners
 * of one block, and an address that the case has chosen, are noticed in the moment in which malloc
 * returns them.  It uses nothing but C's functions, so that any allocator can be looked at. */
#ifndef MISUSE_EFFECTS_H
#define MISUSE_EFFECTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Effects, as bits, the worst last. */
enum { LEAKED = 1, OVERWRITTEN = 2, TWO_OWNERS = 4, CHOSEN = 8 };

/* What a case tells the process that looks at it, in memory that both share. */
typedef struct report {
  unsigned effects;
  bool refused; /* the call failed as it may */
  bool absent;  /* the allocator has no such function */
} report;
static report *reported;

/* Which threads make the wrong call: that of the case, another one, or, if the misuse has two
 * calls, another one for each. */
typedef enum thread_kind { SELF, OTHER, BOTH, THREAD_KINDS } thread_kind;

/* The case: a misuse of blocks of one size by such threads. */
static struct {
  size_t size;
  thread_kind thread;
} now;

enum {
  HELD_MAX = 4000,
  MANY_BYTES = 160 * 1024, /* what take_many takes, within these bounds */
  MANY_LEAST = 6,
  MANY_MOST = 1400,
  WORD = sizeof(uintptr_t)
};

/* Volatile pointers, as the compiler knows what malloc does, and warns of misuse. */
static void *(*volatile get)(size_t) = malloc;
static void (*volatile release)(void *) = free;
static void *(*volatile resize)(void *, size_t) = realloc;

static struct {
  char *p;
  size_t size;
} held[HELD_MAX];
static unsigned held_count;

/* What an attacker would have malloc return. */
static _Alignas(4096) char target[3 * 4096];

static bool is_in(const char *p, size_t size, const char *q, size_t q_size) {
  return (uintptr_t)p < (uintptr_t)q + q_size && (uintptr_t)q < (uintptr_t)p + size;
}

/* Returns true if one of the blocks that the case holds has a byte of these. */
static bool is_held(const char *p, size_t size) {
  for (unsigned i = 0; i < held_count; i++)
    if (is_in(p, size, held[i].p, held[i].size)) return true;
  return false;
}

static void hold(char *p, size_t size) {
  if (is_in(p, size, target, sizeof target)) reported->effects |= CHOSEN;
  if (is_held(p, size)) reported->effects |= TWO_OWNERS;
  if (held_count == HELD_MAX) _Exit(EXIT_FAILURE);
  held[held_count].p = p;
  held[held_count++].size = size;
}

/* Takes a block; the case ends if there is none. */
static char *take(size_t size) {
  char *p = get(size);
  if (p == NULL) exit(EXIT_SUCCESS);
  hold(p, size);
  return p;
}

/* Takes as many blocks as use up free lists of this size, with what was freed before. */
static void take_many(size_t size) {
  size_t count = MANY_BYTES / size;
  if (count < MANY_LEAST) count = MANY_LEAST;
  if (count > MANY_MOST) count = MANY_MOST;
  while (count-- > 0) (void)take(size);
}

static void forget(const char *p) {
  for (unsigned i = held_count; i-- > 0;) {
    if (held[i].p != p) continue;
    held[i] = held[--held_count];
    return;
  }
}

/* ---- threads ---- */

static void *run_release(void *p) {
  release(p);
  return NULL;
}

static void in_thread(void *(*run)(void *), void *arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, arg) != 0) _Exit(EXIT_FAILURE);
  pthread_join(thread, NULL);
}

/* The wrong free of a case. */
static void misfree(void *p) {
  if (now.thread == SELF)
    release(p);
  else
    in_thread(run_release, p);
}

/* A right free, the block's first. */
static void let_go(char *p) {
  forget(p);
  if (now.thread == BOTH)
    in_thread(run_release, p);
  else
    release(p);
}

/* ---- writes and reads ---- */

/* Writes where the case has no business to; shows if that is another block's memory. */
static void miswrite(char *p, const void *what, size_t size) {
  if (is_held(p, size)) reported->effects |= OVERWRITTEN;
  memcpy(p, what, size);
}

static const char secret[] = "S3cr3t!?";

/* A secret at the start, in the middle and at the end of a block. */
static size_t middle_of(size_t size) { return size / 2 & ~(size_t)(WORD - 1); }
static void write_secrets(char *p, size_t size) {
  memcpy(p, secret, WORD);
  memcpy(p + middle_of(size), secret, WORD);
  memcpy(p + size - WORD, secret, WORD);
}

/* Shows if the secret can be read there. */
static void misread(const char *p) {
  const volatile char *at = p;
  bool same = true;
  for (unsigned i = 0; i < WORD; i++) same = same && at[i] == secret[i];
  if (same) reported->effects |= LEAKED;
}

static void misread_all(const char *p, size_t size) {
  misread(p);
  misread(p + middle_of(size));
  misread(p + size - WORD);
}

/* ---- the end ---- */

/* Goes on as a program would: frees all, and allocates again. */
static void go_on(void) {
  while (held_count > 0) {
    char *p = held[held_count - 1].p;
    held_count--;
    if (!is_in(p, 1, target, sizeof target)) release(p);
  }
  take_many(now.size);
  while (held_count > 0) release(held[--held_count].p);
}

#endif
