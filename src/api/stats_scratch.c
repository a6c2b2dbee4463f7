/* SPDX-License-Identifier: MIT */
/* stats_scratch.c -- a structure of statistics outside the stack. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "api/stats_scratch.h"
#include "base/bits.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The page map cannot distinguish a mapping from a block: a huge block may begin in the same
 * slice as the mapping. */
typedef struct scratch {
  mia_stats stats;
  bool mapped; /* a mapping, not a block */
} scratch;

static size_t mapping_size(void) { return mia_align_up(sizeof(scratch), mia_os_page_size()); }

mia_stats *mia_api_take_scratch(void) {
  int error = errno;
  scratch *h = mia_os_reserve(mapping_size(), true);
  bool mapped = h != NULL;
  if (!mapped) h = mia_alloc_slow(sizeof *h, true);
  if (h == NULL) return NULL;
  h->mapped = mapped;
  h->stats.size = sizeof h->stats;
  errno = error;
  return &h->stats;
}

void mia_api_give_scratch(mia_stats *stats) {
  int error = errno;
  scratch *h = (scratch *)stats;
  if (h->mapped)
    (void)mia_os_release(h, mapping_size());
  else
    mia_alloc_free(h);
  errno = error;
}

unsigned mia_api_classes_in(size_t size, unsigned count) {
  size_t before = offsetof(mia_stats, classes);
  size_t room = size > before ? (size - before) / sizeof(mia_stats_class) : 0;
  if (room > MIA_STATS_CLASSES) room = MIA_STATS_CLASSES;
  return count < room ? count : (unsigned)room;
}

mia_stats *mia_api_full_copy(const mia_stats *from) {
  mia_stats *stats = mia_api_take_scratch();
  if (stats == NULL) return NULL;
  memcpy(stats, from, from->size);
  stats->class_count = mia_api_classes_in(from->size, stats->class_count);
  return stats;
}
