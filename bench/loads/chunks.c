/* chunks.c -- a virtual machine beside its own heap, as Java's: each compilation takes chunks of
 * 1, 10 and 32 KiB and frees all at its end; classes that are loaded leave small blocks that stay,
 * and buffers of files come and go.
 *
 *   chunks THREADS THOUSANDS    of compilations, in all
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { THREADS_MOST = 64, CHUNKS_MOST = 60, CLASS_BLOCKS = 12, BUFFERS = 16 };

static size_t compilations;

static void compile(uint64_t *random) {
  static const size_t sizes[] = {1 << 10, 10 << 10, 32 << 10};
  void *chunks[CHUNKS_MOST];
  size_t count = 1 + (load_random(random) >> 20) % CHUNKS_MOST;
  for (size_t i = 0; i < count; i++) {
    size_t size = sizes[i < 4 ? 0 : i < 20 ? 1 : 2];
    chunks[i] = memset(load_take(size), 1, size / 2);
  }
  for (size_t i = 0; i < count; i++) free(chunks[i]);
}

/* The blocks stay until the end. */
static void load_class(uint64_t *random) {
  for (int i = 0; i < CLASS_BLOCKS; i++) (void)load_take(load_size(random, 2048));
}

static void *work(void *arg) {
  const load_thread *self = arg;
  uint64_t random = load_seed(self->number);
  void *buffers[BUFFERS] = {NULL};
  for (size_t n = 0; n < compilations; n++) {
    compile(&random);
    load_class(&random);
    void **buffer = &buffers[(load_random(&random) >> 20) % BUFFERS];
    free(*buffer);
    *buffer = load_take(8 * LOAD_KIB + (load_random(&random) >> 20) % (512 * LOAD_KIB));
  }
  for (size_t i = 0; i < BUFFERS; i++) free(buffers[i]);
  return NULL;
}

int main(int argc, char **argv) {
  static load_thread threads[THREADS_MOST];
  size_t count = load_argument(argc, argv, 1, 2);
  if (count == 0 || count > THREADS_MOST) load_fail("what arguments?");
  compilations = load_argument(argc, argv, 2, 20) * 1000 / count;
  load_start(threads, count, work);
  load_join(threads, count);
  return EXIT_SUCCESS;
}
