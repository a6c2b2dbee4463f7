/* sheet.c -- a structure of statistics that lies on no stack. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "api/stats_scratch.h"
#include "base/bits.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The page map does not tell whose it is: a huge block may begin in the same slice. */
typedef struct held {
  mia_stats sheet;
  bool mapped; /* it is a mapping, and no block */
} held;

static size_t mapping_size(void) { return mia_align_up(sizeof(held), mia_os_page_size()); }

mia_stats *mia_api_take_scratch(void) {
  int error = errno;
  held *h = mia_os_reserve(mapping_size(), true);
  bool mapped = h != NULL;
  if (!mapped) h = mia_alloc_slow(sizeof *h, true);
  if (h == NULL) return NULL;
  h->mapped = mapped;
  h->sheet.size = sizeof h->sheet;
  errno = error;
  return &h->sheet;
}

void mia_api_give_scratch(mia_stats *sheet) {
  int error = errno;
  held *h = (held *)sheet;
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

mia_stats *mia_api_complete(const mia_stats *from) {
  mia_stats *sheet = mia_api_take_scratch();
  if (sheet == NULL) return NULL;
  memcpy(sheet, from, from->size);
  sheet->class_count = mia_api_classes_in(from->size, sheet->class_count);
  return sheet;
}
