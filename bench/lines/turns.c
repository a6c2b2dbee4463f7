/* turns.c -- see turns.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE 1 /* MAP_FIXED_NOREPLACE */

#include "turns.h"

#include "marks.h"

#undef malloc
#undef calloc
#undef realloc
#undef free

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { NS_EACH_CALL = 50, NS = 1000000000 };

/* A thread that waits for its turn. */
typedef struct waiter {
  struct waiter *next;
  sem_t turn;
} waiter;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static waiter *first, **last = &first;
static int is_taken;

static unsigned long long calls;
static unsigned processors, threads;
static _Thread_local unsigned processor = MARKS_PROCESSORS;

/* A thread runs on the processor of its number, as many as the environment says. */
static void choose_processor(void) {
  static const char *const name = "TURNS_PROCESSORS";
  if (threads == 0) {
    const char *given = getenv(name);
    processors = given != NULL ? (unsigned)atoi(given) : 2;
    if (processors == 0 || processors > MARKS_PROCESSORS ||
        mmap((void *)MARKS_START, MARKS_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
      fprintf(stderr, "turns: %s\n", name);
      exit(EXIT_FAILURE);
    }
  }
  processor = threads++ % processors;
}

static void mark(marks_kind kind) { *(volatile char *)marks_address(kind, processor) = 1; }

static void take_turn(void) {
  pthread_mutex_lock(&lock);
  if (processor == MARKS_PROCESSORS) choose_processor();
  waiter self = {.next = NULL};
  int waits = is_taken;
  is_taken = 1;
  if (waits) {
    sem_init(&self.turn, 0, 0);
    *last = &self;
    last = &self.next;
  }
  pthread_mutex_unlock(&lock);
  while (waits && sem_wait(&self.turn) != 0) {}
  calls++;
  mark(MARKS_ALLOCATOR);
}

/* The first that waits has the next turn, before this thread can have another. */
static void give_turn(void) {
  mark(MARKS_NOBODY);
  pthread_mutex_lock(&lock);
  waiter *next = first;
  if (next != NULL) {
    first = next->next;
    if (first == NULL) last = &first;
    sem_post(&next->turn);
  } else {
    is_taken = 0;
  }
  pthread_mutex_unlock(&lock);
}

/* The allocators read the time: here it passes as if nobody looked on.  Replaces the libc's. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now) {
  (void)id;
  unsigned long long ns = calls * NS_EACH_CALL / (processors > 0 ? processors : 1);
  *now = (struct timespec){.tv_sec = (time_t)(1 + ns / NS), .tv_nsec = (long)(ns % NS)};
  return 0;
}

/* Writes to both ends of a new block, as programs do, and gives the turn. */
static void *used(void *block, size_t size) {
  mark(MARKS_PROGRAM);
  if (block != NULL && size > 0) {
    volatile char *p = block;
    p[0] = 1;
    p[size - 1] = 1;
  }
  give_turn();
  return block;
}

void *turns_malloc(size_t size) {
  take_turn();
  return used(malloc(size), size);
}

void *turns_calloc(size_t count, size_t size) {
  take_turn();
  void *block = calloc(count, size);
  give_turn();
  return block;
}

void *turns_realloc(void *block, size_t size) {
  take_turn();
  block = realloc(block, size);
  give_turn();
  return block;
}

void turns_free(void *block) {
  take_turn();
  free(block);
  give_turn();
}
