/* owned.c -- values with owners, as in Rust: vectors that double, strings and boxes inside, dropped
 * in the reverse order of their making.  One value in eight is sent to a thread that drops it.
 *
 *   owned THOUSANDS    of values
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { SCOPE = 200, SENT_ONE_IN = 8, ITEMS_MOST = 64, TEXT_MOST = 120, BATCH = 64 };

/* A vector of strings, in a box. */
typedef struct value {
  char **items;
  size_t count, room;
} value;

/* The channel has room for one batch. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static value *channel[BATCH];
static size_t sent;
static int closed;

static char *text(uint64_t *random) {
  size_t length = 1 + (load_random(random) >> 20) % TEXT_MOST;
  char *s = load_take(length + 1);
  memset(s, 't', length);
  s[length] = 0;
  return s;
}

static value *make(uint64_t *random) {
  value *v = load_take(sizeof *v);
  *v = (value){NULL, 0, 0};
  for (size_t n = (load_random(random) >> 20) % ITEMS_MOST; n > 0; n--) {
    if (v->count == v->room) {
      v->room = v->room == 0 ? 4 : v->room * 2;
      v->items = load_checked(realloc(v->items, v->room * sizeof *v->items));
    }
    v->items[v->count++] = text(random);
  }
  return v;
}

static void drop(value *v) {
  for (size_t i = 0; i < v->count; i++) free(v->items[i]);
  free(v->items);
  free(v);
}

static void send_batch(value *const *batch, size_t count) {
  pthread_mutex_lock(&lock);
  while (sent > 0) pthread_cond_wait(&changed, &lock);
  memcpy(channel, batch, count * sizeof *batch);
  sent = count;
  closed = count == 0;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *receive(void *arg) {
  (void)arg;
  value *got[BATCH];
  size_t count;
  do {
    pthread_mutex_lock(&lock);
    while (sent == 0 && !closed) pthread_cond_wait(&changed, &lock);
    count = sent;
    memcpy(got, channel, count * sizeof *got);
    sent = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) drop(got[i]);
  } while (count > 0);
  return NULL;
}

int main(int argc, char **argv) {
  size_t scopes = load_argument(argc, argv, 1, 100) * 1000 / SCOPE;
  uint64_t random = load_seed(0);
  pthread_t receiver;
  if (pthread_create(&receiver, NULL, receive, NULL) != 0) load_fail("no thread");
  value *batch[BATCH];
  size_t waiting = 0;
  for (size_t n = 0; n < scopes; n++) {
    value *mine[SCOPE];
    for (size_t i = 0; i < SCOPE; i++) mine[i] = make(&random);
    for (size_t i = SCOPE; i > 0; i--) {
      if ((load_random(&random) >> 20) % SENT_ONE_IN != 0) {
        drop(mine[i - 1]);
        continue;
      }
      batch[waiting++] = mine[i - 1];
      if (waiting == BATCH) {
        send_batch(batch, BATCH);
        waiting = 0;
      }
    }
  }
  if (waiting > 0) send_batch(batch, waiting);
  send_batch(batch, 0);
  pthread_join(receiver, NULL);
  return EXIT_SUCCESS;
}
