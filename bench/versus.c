/* versus.c -- times of malloc and free in a few simple patterns.
 *
 *   versus       prints a line for each pattern: its name and nanoseconds per block
 *
 * Each pattern is repeated and its median taken. bench/versus.sh compares allocators: it runs
 * this program under each of them in turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  REPEATS = 7,
  BATCH = 1000,       /* blocks live at a time */
  PAIRS = 200000,     /* in each repetition */
  BATCHES_MOST = 100, /* in each repetition; fewer for large blocks: */
  BATCHES_BYTES = 16 << 20,
  THREADS = 4,
  HAND_BATCHES = 60, /* that each thread sends in each repetition */
  INBOX = 4,         /* batches that can wait for a thread */
  HAND_SIZE_TOP = 1024
};

/* A store that the compiler must keep; otherwise it would remove malloc together with its
 * free. */
static void *volatile kept_by_compiler;

static void *take(size_t size) {
  unsigned char *p = malloc(size);
  if (p == NULL) {
    fputs("versus: out of memory\n", stderr);
    exit(EXIT_FAILURE);
  }
  p[0] = 1;
  kept_by_compiler = p;
  return p;
}

static void pairs(size_t size) {
  for (int i = 0; i < PAIRS; i++) free(take(size));
}

static int batches(size_t size) {
  size_t fit = BATCHES_BYTES / (size * BATCH);
  return fit < BATCHES_MOST ? (int)fit : BATCHES_MOST;
}

/* Last in, first out. */
static void lifo(size_t size) {
  static void *blocks[BATCH];
  int count = batches(size);
  for (int n = 0; n < count; n++) {
    for (int i = 0; i < BATCH; i++) blocks[i] = take(size);
    for (int i = BATCH; i > 0; i--) free(blocks[i - 1]);
  }
}

/* First in, first out. */
static void fifo(size_t size) {
  static void *blocks[BATCH];
  int count = batches(size);
  for (int n = 0; n < count; n++) {
    for (int i = 0; i < BATCH; i++) blocks[i] = take(size);
    for (int i = 0; i < BATCH; i++) free(blocks[i]);
  }
}

/* ---- threads that pass batches on in a circle -------------------------------------- */

typedef struct {
  void *blocks[BATCH];
} batch;

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  batch waiting[INBOX];
  unsigned first, count;
} inbox;

static inbox inboxes[THREADS];

static void send(inbox *to, const batch *sent) {
  pthread_mutex_lock(&to->lock);
  while (to->count == INBOX) pthread_cond_wait(&to->changed, &to->lock);
  to->waiting[(to->first + to->count++) % INBOX] = *sent;
  pthread_cond_broadcast(&to->changed);
  pthread_mutex_unlock(&to->lock);
}

static void receive(inbox *from, batch *received) {
  pthread_mutex_lock(&from->lock);
  while (from->count == 0) pthread_cond_wait(&from->changed, &from->lock);
  *received = from->waiting[from->first];
  from->first = (from->first + 1) % INBOX;
  from->count--;
  pthread_cond_broadcast(&from->changed);
  pthread_mutex_unlock(&from->lock);
}

static void *hand_on(void *arg) {
  size_t self = (size_t)((inbox *)arg - inboxes);
  batch in, out;
  uint32_t random = (uint32_t)self + 1;
  for (int n = 0; n < HAND_BATCHES; n++) {
    for (int i = 0; i < BATCH; i++) {
      random = random * 69069u + 12345u;
      out.blocks[i] = take(1 + (random >> 8) % HAND_SIZE_TOP);
    }
    send(&inboxes[(self + 1) % THREADS], &out);
    receive(&inboxes[self], &in);
    for (int i = 0; i < BATCH; i++) free(in.blocks[i]);
  }
  return NULL;
}

static void hand_over(size_t size) {
  pthread_t threads[THREADS];
  (void)size;
  for (int i = 0; i < THREADS; i++) {
    pthread_mutex_init(&inboxes[i].lock, NULL);
    pthread_cond_init(&inboxes[i].changed, NULL);
  }
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, hand_on, &inboxes[i]) != 0) exit(EXIT_FAILURE);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* ---- timing ------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(const char *name, void (*pattern)(size_t), size_t size, double blocks) {
  double times[REPEATS];
  pattern(size); /* warm-up: gets the memory from the OS */
  for (int i = 0; i < REPEATS; i++) {
    double start = clock_seconds();
    pattern(size);
    times[i] = (clock_seconds() - start) * 1e9 / blocks;
  }
  qsort(times, REPEATS, sizeof times[0], ascending);
  if (size == 0) {
    printf("%s %.3f\n", name, times[REPEATS / 2]);
  } else {
    printf("%s-%zu %.3f\n", name, size, times[REPEATS / 2]);
  }
  fflush(stdout);
}

int main(void) {
  static const size_t sizes[] = {16, 64, 256, 1024, 4096};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  for (int i = 0; i < SIZES; i++) measure("pair", pairs, sizes[i], PAIRS);
  for (int i = 0; i < SIZES; i++) measure("lifo", lifo, sizes[i], BATCH * batches(sizes[i]));
  for (int i = 0; i < SIZES; i++) measure("fifo", fifo, sizes[i], BATCH * batches(sizes[i]));
  measure("hand-over", hand_over, 0, (double)THREADS * HAND_BATCHES * BATCH);
  return EXIT_SUCCESS;
}
