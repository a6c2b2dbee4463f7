/* bursts.c -- threads that handle requests: each makes a burst of small blocks of many sizes, and
 * frees most of them at its end, half in reverse and half in order.  A sixteenth goes to other
 * threads through random slots of a table that all share; as many are kept for long.
 *
 *   bursts THREADS BLOCKS TOP BURSTS    BURSTS of up to BLOCKS blocks, in all
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <stdatomic.h>

enum { THREADS_MOST = 64, BLOCKS_MOST = 4096, SHARED = 4096, KEPT = 8192, ONE_IN = 16 };

static _Atomic(void *) shared[SHARED];
static size_t blocks, top, bursts;

/* Puts a block into the table and frees the one that it replaces, often another thread's. */
static void hand_over(void *block, uint64_t *random) {
  free(atomic_exchange(&shared[(load_random(random) >> 20) % SHARED], block));
}

/* Keeps a block, and frees the one that was kept the longest. */
static void keep(void **kept, size_t *oldest, void *block) {
  free(kept[*oldest]);
  kept[*oldest] = block;
  *oldest = (*oldest + 1) % KEPT;
}

static void burst(void **kept, size_t *oldest, uint64_t *random) {
  void *mine[BLOCKS_MOST];
  size_t count = 0;
  for (size_t n = 1 + (load_random(random) >> 20) % blocks; n > 0; n--) {
    void *block = load_take(load_size(random, top));
    size_t kind = (load_random(random) >> 20) % ONE_IN;
    if (kind == 0)
      hand_over(block, random);
    else if (kind == 1)
      keep(kept, oldest, block);
    else
      mine[count++] = block;
  }
  size_t half = count / 2;
  for (size_t i = count; i > half; i--) free(mine[i - 1]);
  for (size_t i = 0; i < half; i++) free(mine[i]);
}

static void *work(void *arg) {
  const load_thread *self = arg;
  uint64_t random = load_seed(self->number);
  void **kept = load_checked(calloc(KEPT, sizeof *kept));
  size_t oldest = 0;
  for (size_t n = 0; n < bursts; n++) burst(kept, &oldest, &random);
  for (size_t i = 0; i < KEPT; i++) free(kept[i]);
  free(kept);
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 2);
  blocks = load_argument(argc, argv, 2, 2000);
  top = load_argument(argc, argv, 3, 1024);
  bursts = load_argument(argc, argv, 4, 16000) / count;
  if (count > THREADS_MOST || blocks == 0 || blocks > BLOCKS_MOST) load_fail("what arguments?");
  load_start(threads, count, work);
  load_join(threads, count);
  for (size_t i = 0; i < SHARED; i++) free(atomic_load(&shared[i]));
  return EXIT_SUCCESS;
}
