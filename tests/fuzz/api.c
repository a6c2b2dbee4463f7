/* api.c -- a fuzzer's entry point that checks a stream of calls against the shadow model.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"
#include "replay.h"

/* Every stream starts with an allocator that has nothing in use and nothing cached, so that
 * its behaviour hardly depends on earlier streams. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  static model m;
  m = (model){.threads = true};
  model_run(&m, data, size);
  model_end(&m);
  mia_collect(true);
  return 0;
}

REPLAY("api", 30)
