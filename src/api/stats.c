/* stats.c -- what the process used, as text. */
#include "base/prelude.h"

#include "api/options.h"
#include "api/stats.h"
#include "arena/arena.h"
#include "base/fmt.h"
#include "local/local.h"
#include "os/os.h"

enum { TEXT_SIZE = 8192, COLUMN_SIZE = 16, COLUMN_PAGES = 26, COLUMN_PEAK = 36 };

void mia_api_open_stats(void) {
  int fd = mia_os_copy_stderr();
  if (fd > 0) mia_aword_set(&mia_api_all.stderr_copy, (uintptr_t)fd);
}

static void put_bytes(mia_text *t, const char *name, size_t bytes) {
  mia_base_put(t, name);
  mia_base_put_size(t, bytes);
}

static void put_count(mia_text *t, const char *name, size_t n) {
  mia_base_put(t, name);
  mia_base_put_unsigned(t, n);
}

static void put_summary(mia_text *t) {
  mia_os_usage usage = mia_os_measure();
  size_t used = mia_aword_get(&mia_arena_all.used);
  mia_base_put(t, "mialloc " PACKAGE_VERSION ":");
  put_bytes(t, " peak ", mia_aword_get(&mia_arena_all.used_peak));
  put_bytes(t, ", committed ", used + mia_arena_idle());
  put_bytes(t, ", reserved ", mia_aword_get(&mia_arena_all.reserved));
  put_bytes(t, ", purged ", mia_aword_get(&mia_arena_all.purged));
  put_count(t, ", threads ", mia_aword_get(&mia_local_all.attached.now));
  put_count(t, " (peak ", mia_aword_get(&mia_local_all.attached.peak));
  put_count(t, "), page faults ", usage.minor_faults + usage.major_faults);
  put_bytes(t, ", peak RSS ", usage.peak_rss);
  mia_base_put(t, "\n");
}

static void put_row(mia_text *t, const char *kind, size_t size, const mia_tally *pages) {
  const char *line = t->at;
  mia_base_put(t, "  ");
  mia_base_put(t, kind);
  if (size > 0) {
    mia_base_put_pad(t, line, sizeof "  class" - 1);
    put_bytes(t, " ", size);
  }
  mia_base_put_pad(t, line, COLUMN_SIZE);
  put_count(t, " pages ", mia_aword_get(&pages->now));
  mia_base_put_pad(t, line, COLUMN_PAGES + COLUMN_SIZE);
  put_count(t, "peak ", mia_aword_get(&pages->peak));
  mia_base_put(t, "\n");
}

void mia_api_print_stats(void) {
  char buffer[TEXT_SIZE];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  put_summary(&t);
  for (unsigned size_class = 0; size_class < MIA_CLASS_KINDS; size_class++) {
    const mia_tally *pages = &mia_local_all.pages[size_class];
    if (mia_aword_get(&pages->peak) == 0) continue;
    if (size_class < MIA_CLASS_COUNT)
      put_row(&t, "class", mia_class_size(size_class), pages);
    else
      put_row(&t, size_class == MIA_CLASS_LARGE ? "large" : "huge", 0, pages);
  }
  uintptr_t copy = mia_aword_get(&mia_api_all.stderr_copy);
  mia_os_write(copy != 0 ? (int)copy : MIA_OS_STDERR, t.start, (size_t)(t.at - t.start));
}
