/* SPDX-License-Identifier: MIT */
/* early.c -- a program that allocates before main and after it.
 *
 * Before: in .preinit_array, where the platform has it, and in constructors.  After: in
 * destructors of thread keys, in every round; in atexit handlers, from the first registered
 * to the last; in destructors.  Each of them frees blocks of earlier ones.  A destructor that
 * runs last sets the exit status: 0 on success. */
#ifndef PRELOADED
#include <mialloc.h>
#endif
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 64, ROUNDS = 200, KEYS = 8, HANDLERS = 40 };

static char *kept[KEPT];
static int failures;
static int turns, handlers;

/* A program cannot name functions of a preloaded library. */
static int is_ours(const void *p, size_t size) {
#ifdef PRELOADED
  (void)size;
  return p != NULL;
#else
  size_t usable = mia_usable_size(p);
  return p != NULL && usable >= size && mia_good_size(usable) == usable;
#endif
}

/* Checks that blocks are mialloc's and usable.  Some are kept, to be freed by later callers. */
static void work(size_t seed) {
  for (size_t i = 0; i < ROUNDS; i++) {
    size_t size = (seed * 31 + i * 37) % 3000 + (i % 50 == 0 ? 300000 : 0);
    char *p = i % 2 == 0 ? malloc(size) : calloc(1, size);
    if (!is_ours(p, size)) {
      failures++;
      return;
    }
    memset(p, (int)(i & 63), size);
    char **place = &kept[(seed + i) % KEPT];
    if (i % 7 == 0) {
      free(*place);
      *place = p;
    } else {
      free(realloc(p, size / 2 + 1));
    }
  }
}

/* ---- early ---- */

#ifdef __GLIBC__
static int before_constructors;

static void first(int argc, char **argv, char **environment) {
  (void)argc;
  (void)argv;
  (void)environment;
  work(2);
  before_constructors = 1;
}
__attribute__((used, section(".preinit_array"))) static void (*const preinit)(int, char **,
                                                                              char **) = first;
#endif

__attribute__((constructor(101))) static void construct_first(void) { work(3); }
__attribute__((constructor)) static void construct(void) { work(4); }

/* ---- late ---- */

static pthread_key_t keys[KEYS];

/* Sets its own key again, so that every round of destructors has work, also those after the
 * library's own. */
static void at_thread_end(void *value) {
  uintptr_t turn = (uintptr_t)value;
  __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
  work(100 + turn);
  (void)pthread_setspecific(keys[turn % KEYS], (void *)(turn + KEYS));
}

static void *run(void *unused) {
  (void)unused;
  for (uintptr_t i = 0; i < KEYS; i++) (void)pthread_setspecific(keys[i], (void *)(i + KEYS));
  work(50);
  return NULL;
}

static void at_end(void) {
  work(200 + (size_t)handlers);
  handlers++;
}

__attribute__((destructor)) static void destruct(void) { work(300); }

__attribute__((destructor(101))) static void destruct_last(void) {
  work(400);
  for (size_t i = 0; i < KEPT; i++) free(kept[i]);
  if (handlers != HANDLERS) failures++;
  if (failures != 0) _exit(EXIT_FAILURE);
}

int main(void) {
  pthread_t thread;
#ifdef __GLIBC__
  if (!before_constructors) return EXIT_FAILURE;
#endif
  /* Half of the keys are older than the library's, if it creates its key that late. */
  for (int i = 0; i < KEYS; i++)
    if (pthread_key_create(&keys[i], at_thread_end) != 0) return EXIT_FAILURE;
  for (int i = 0; i < HANDLERS; i++)
    if (atexit(at_end) != 0) return EXIT_FAILURE;
  /* One thread at a time, because `kept' is shared. */
  for (int i = 0; i < 20; i++) {
    if (pthread_create(&thread, NULL, run, NULL) != 0) return EXIT_FAILURE;
    (void)pthread_join(thread, NULL);
  }
  if (turns < 20 * KEYS * 2) return EXIT_FAILURE;
  work(60);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
