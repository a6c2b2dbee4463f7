/* sheet.c -- a structure of statistics that lies on no stack. */
#include "base/prelude.h"

#include "alloc/alloc.h"
#include "api/sheet.h"
#include "base/bits.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static size_t mapped(void) { return mia_align_up(sizeof(mia_stats), mia_os_page_size()); }

mia_stats *mia_api_take_sheet(void) {
  int error = errno;
  mia_stats *sheet = mia_os_reserve(mapped(), true);
  if (sheet == NULL) sheet = mia_alloc_slow(sizeof *sheet, true);
  if (sheet == NULL) return NULL;
  sheet->size = sizeof *sheet;
  errno = error;
  return sheet;
}

void mia_api_give_sheet(mia_stats *sheet) {
  int error = errno;
  if (mia_page_of(sheet) != NULL)
    mia_alloc_free(sheet);
  else
    (void)mia_os_release(sheet, mapped());
  errno = error;
}

unsigned mia_api_classes_in(size_t size, unsigned count) {
  size_t before = offsetof(mia_stats, classes);
  size_t room = size > before ? (size - before) / sizeof(mia_stats_class) : 0;
  if (room > MIA_STATS_CLASSES) room = MIA_STATS_CLASSES;
  return count < room ? count : (unsigned)room;
}

mia_stats *mia_api_complete(const mia_stats *from) {
  mia_stats *sheet = mia_api_take_sheet();
  if (sheet == NULL) return NULL;
  memcpy(sheet, from, from->size);
  sheet->class_count = mia_api_classes_in(from->size, sheet->class_count);
  return sheet;
}
