/* flow.c -- blocks that flow from producers to consumers; prints TAP.
 *
 *   flow [SECONDS]
 *
 * Two producers allocate blocks of all sizes, and the consumer of each frees them.  The number
 * of blocks in transit is bounded, so the memory of the process must be bounded too, however
 * long it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <sched.h>
#include <stdatomic.h>

enum { SECONDS_DEFAULT = 2, PAIRS = 2, RING = 4096, QUARTERS = 4, SLACK_PERCENT = 25 };
#define SLACK (8 * MIB)

typedef struct lane {
  _Atomic(void *) ring[RING]; /* NULL: the producer may fill it */
} lane;

static lane lanes[PAIRS];
static atomic_bool over;
static atomic_ulong moved;

static void *produce(void *arg) {
  lane *l = arg;
  uint64_t random = (uintptr_t)arg;
  for (unsigned i = 0; !atomic_load(&over); i = (i + 1) % RING) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size_t size = (size_t)8 << (random >> 33) % ((random >> 20) % 64 == 0 ? 15 : 10);
    void *block = soak_block(size);
    while (atomic_load_explicit(&l->ring[i], memory_order_acquire) != NULL && !atomic_load(&over))
      sched_yield();
    FREE(atomic_exchange(&l->ring[i], block));
  }
  return NULL;
}

static void *consume(void *arg) {
  lane *l = arg;
  unsigned long count = 0;
  for (unsigned i = 0; !atomic_load(&over);) {
    void *block = atomic_exchange_explicit(&l->ring[i], NULL, memory_order_acq_rel);
    if (block == NULL) {
      sched_yield();
      continue;
    }
    FREE(block);
    count++;
    i = (i + 1) % RING;
  }
  atomic_fetch_add(&moved, count);
  return NULL;
}

int main(int argc, char **argv) {
  unsigned long ms = soak_scale(argc, argv, SECONDS_DEFAULT) * 1000;
  pthread_t threads[2 * PAIRS];
  size_t rss[QUARTERS];
  for (int i = 0; i < PAIRS; i++) {
    threads[2 * i] = soak_thread(produce, &lanes[i]);
    threads[2 * i + 1] = soak_thread(consume, &lanes[i]);
  }
  for (int i = 0; i < QUARTERS; i++) {
    soak_sleep(ms / QUARTERS);
    rss[i] = soak_rss();
  }
  atomic_store(&over, true);
  for (int i = 0; i < 2 * PAIRS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < PAIRS; i++)
    for (int k = 0; k < RING; k++) FREE(atomic_exchange(&lanes[i].ring[k], NULL));
  size_t limit = rss[0] + rss[0] * SLACK_PERCENT / 100 + SLACK;
  tap_ok(moved > 0 && soak_within(rss[QUARTERS - 1], limit),
         "%lu blocks, KiB after each quarter: %zu %zu %zu %zu", (unsigned long)moved, rss[0] / KIB,
         rss[1] / KIB, rss[2] / KIB, rss[3] / KIB);
  return tap_end();
}
