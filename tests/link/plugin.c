/* SPDX-License-Identifier: MIT */
/* plugin.c -- a shared object with its own mialloc, linked from the static library.  It frees
 * each block by the counterpart of the function that allocated it. */
#include "plugin.h"

#include <mialloc.h>
#include <stdlib.h>
#include <string.h>

int plugin_work(void) {
  enum { BLOCKS = 500 };
  void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = mia_malloc(i + 1);
    if (blocks[i] == NULL) return 0;
    memset(blocks[i], 2, i + 1);
  }
  for (size_t i = 0; i < BLOCKS; i++) mia_free(blocks[i]);
  return 1;
}

char *plugin_text(void) { return strdup("from the plug-in"); }
void plugin_drop(char *text) { free(text); }
