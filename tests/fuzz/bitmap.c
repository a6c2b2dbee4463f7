/* bitmap.c -- a fuzzer's entry point that checks calls of map/bitmap against an array of
 * bools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bits.h"
#include "replay.h"

enum { CALL_BYTES = 7, STEPS = 8 };

static void need(const char *wrong, size_t first) {
  if (wrong == NULL) return;
  fprintf(stderr, "bitmap: %s (%zu)\n", wrong, first);
  abort();
}

/* Each call changes or reads a run of bits, and searches. */
static void run(const unsigned char *b) {
  size_t first = (b[1] + (size_t)b[6] * 256) % BITS;
  size_t count = 1 + b[2] % (BITS - first);
  size_t step = (size_t)1 << b[5] % STEPS;
  unsigned what = b[0] % (BITS_CHANGES + 1);
  need(what < BITS_CHANGES ? bits_change(what, first, count) : bits_ask(first, count), first);
  need(bits_search(first, first + b[3] % (BITS - first + 1), 1 + b[4] % (MIA_CELL_BITS + 9), step,
                   b[4] & (step - 1)),
       first);
  need(bits_agree() ? NULL : "bits", first);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  bits_begin();
  for (; size >= CALL_BYTES; size -= CALL_BYTES, data += CALL_BYTES) run(data);
  return 0;
}

REPLAY("bitmap", 100)
