/* pipeline.c -- some threads allocate blocks, others free them: a reader that parses and
 * workers that consume.  Batches pass through a queue of bounded length.
 *
 *   pipeline PAIRS TOP BATCHES    PAIRS of a producer and a consumer; BATCHES of 256 blocks each
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { PAIRS_MOST = 8, BATCH = 256, QUEUE = 16 };

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  void *batches[QUEUE][BATCH];
  size_t put, taken;
} queue;

static queue queues[PAIRS_MOST];
static size_t pairs, top, batches;

static void *produce(void *arg) {
  const load_thread *self = arg;
  queue *to = &queues[self->number / 2];
  uint64_t random = load_seed(self->number);
  for (size_t n = 0; n < batches; n++) {
    void *made[BATCH];
    for (size_t i = 0; i < BATCH; i++) made[i] = load_take(load_size(&random, top));
    pthread_mutex_lock(&to->lock);
    while (to->put - to->taken == QUEUE) pthread_cond_wait(&to->changed, &to->lock);
    memcpy(to->batches[to->put++ % QUEUE], made, sizeof made);
    pthread_cond_signal(&to->changed);
    pthread_mutex_unlock(&to->lock);
  }
  return NULL;
}

static void *consume(void *arg) {
  const load_thread *self = arg;
  queue *from = &queues[self->number / 2];
  for (size_t n = 0; n < batches; n++) {
    void *got[BATCH];
    pthread_mutex_lock(&from->lock);
    while (from->put == from->taken) pthread_cond_wait(&from->changed, &from->lock);
    memcpy(got, from->batches[from->taken++ % QUEUE], sizeof got);
    pthread_cond_signal(&from->changed);
    pthread_mutex_unlock(&from->lock);
    for (size_t i = 0; i < BATCH; i++) free(got[i]);
  }
  return NULL;
}

static void *work(void *arg) {
  const load_thread *self = arg;
  return self->number % 2 == 0 ? produce(arg) : consume(arg);
}

int main(int argc, char **argv) {
  static load_thread threads[PAIRS_MOST * 2];
  pairs = load_argument(argc, argv, 1, 1);
  top = load_argument(argc, argv, 2, 1024);
  batches = load_argument(argc, argv, 3, 16000);
  if (pairs > PAIRS_MOST) load_fail("what arguments?");
  for (size_t i = 0; i < pairs; i++) {
    pthread_mutex_init(&queues[i].lock, NULL);
    pthread_cond_init(&queues[i].changed, NULL);
  }
  load_start(threads, pairs * 2, work);
  load_join(threads, pairs * 2);
  return EXIT_SUCCESS;
}
