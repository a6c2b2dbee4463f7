/* SPDX-License-Identifier: MIT */
/* stats.c -- statistics as a structure and as text. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/json.h"
#include "api/options.h"
#include "api/stats.h"
#include "api/stats_scratch.h"
#include "api/stats_walk.h"
#include "base/fmt.h"
#include "os/os.h"
#include "theap/bin.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { COLUMN_SIZE = 16, COLUMN_PEAK = 42, COLUMN_BLOCKS = 60, COLUMN_BYTES = 80 };

/* ---- the structure ---- */

static void count(const mia_stats_walk *wanted, mia_stats *stats) {
  int error = errno;
  mia_theap *self = mia_theap_self;
  if (!mia_theap_is_none(self)) mia_theap_flush_remote(self);
  mia_api_count_stats(wanted, stats);
  errno = error;
}

/* The smallest structure: it includes the version, without which the structure has no meaning. */
#define SIZE_MIN offsetof(mia_stats, pages)

/* For a program whose structure is smaller or larger: fills in what both have. */
static bool fill_part(const mia_stats_walk *wanted, mia_stats *stats) {
  size_t size = stats->size;
  if (size < SIZE_MIN) {
    errno = EINVAL;
    return false;
  }
  mia_stats *all = mia_api_take_scratch();
  if (all == NULL) return false;
  count(wanted, all);
  if (size < all->size) all->size = size;
  all->class_count = mia_api_classes_in(all->size, all->class_count);
  memcpy(stats, all, all->size);
  mia_api_give_scratch(all);
  return true;
}

static bool fill(mia_stats_walk wanted, mia_stats *stats) {
  if (stats->size != sizeof *stats) return fill_part(&wanted, stats);
  count(&wanted, stats);
  return true;
}

bool mia_stats_get(mia_stats *stats) { return fill((mia_stats_walk){0}, stats); }

bool mia_heap_stats_get(mia_heap *heap, mia_stats *stats) {
  return fill((mia_stats_walk){.heap = heap}, stats);
}

bool mia_subproc_stats_get(mia_subproc *subproc, mia_stats *stats) {
  return fill((mia_stats_walk){.subproc = subproc}, stats);
}

bool mia_thread_stats_get(mia_stats *stats) {
  return fill((mia_stats_walk){.thread = mia_theap_self}, stats);
}

/* ---- text ---- */

void mia_api_open_stats(void) {
  int fd = mia_os_copy_stderr();
  if (fd > 0) mia_aword_set(&mia_api_all.stderr_copy, (uintptr_t)fd);
}

static void put_count(mia_text *t, const char *name, uintmax_t n) {
  mia_base_put(t, name);
  mia_base_put_unsigned(t, n);
}

static void put_summary(mia_text *t, const mia_stats *s) {
  mia_base_put(t, "mialloc " PACKAGE_VERSION ":");
  mia_base_put_named_size(t, " peak ", s->used_peak);
  mia_base_put_named_size(t, ", committed ", s->committed);
  mia_base_put_named_size(t, ", reserved ", s->reserved);
  mia_base_put_named_size(t, ", purged ", (size_t)s->purged);
  put_count(t, ", threads ", s->threads);
  put_count(t, " (peak ", s->threads_peak);
  put_count(t, "), page faults ", s->faults);
  mia_base_put_named_size(t, ", peak RSS ", s->rss_peak);
  mia_base_put(t, "\n");
}

static void put_row(mia_text *t, const char *kind, const mia_stats_class *c) {
  const char *line = t->at;
  mia_base_put(t, "  ");
  mia_base_put(t, kind);
  if (c->block_size > 0) {
    mia_base_put_pad(t, line, sizeof "  class" - 1);
    mia_base_put_named_size(t, " ", c->block_size);
  }
  mia_base_put_pad(t, line, COLUMN_SIZE);
  put_count(t, " pages ", c->pages);
  mia_base_put_pad(t, line, COLUMN_PEAK);
  put_count(t, "peak ", c->pages_peak);
  mia_base_put_pad(t, line, COLUMN_BLOCKS);
  put_count(t, "blocks ", c->blocks);
  mia_base_put_pad(t, line, COLUMN_BYTES);
  mia_base_put_size(t, c->bytes);
  mia_base_put(t, "\n");
}

static const char *kind_of(unsigned i) {
  if (i < MIA_CLASS_COUNT) return "class";
  return i == MIA_CLASS_LARGE ? "large" : "huge";
}

static void print_text(const mia_stats *s, mia_output_function *out, void *arg) {
  mia_lines lines;
  mia_api_begin_lines(&lines, out, arg);
  put_summary(&lines.text, s);
  for (unsigned i = 0; i < s->class_count && i < MIA_STATS_CLASSES; i++) {
    mia_api_end_line(&lines);
    if (s->classes[i].pages > 0 || s->classes[i].pages_peak > 0)
      put_row(&lines.text, kind_of(i), &s->classes[i]);
  }
  mia_api_end_lines(&lines);
}

typedef void printer(const mia_stats *stats, mia_output_function *out, void *arg);

/* Prints the statistics of the process. */
static void print_all(printer *print, mia_output_function *out, void *arg) {
  mia_stats *stats = mia_api_take_scratch();
  if (stats == NULL) {
    mia_api_write_message(out, arg, "mialloc: no memory for statistics\n");
    return;
  }
  count(&(mia_stats_walk){0}, stats);
  print(stats, out, arg);
  mia_api_give_scratch(stats);
}

void mia_stats_print_as(const mia_stats *stats, mia_output_function *out, void *arg) {
  mia_stats *all = mia_api_is_short(stats) ? mia_api_full_copy(stats) : NULL;
  if (all != NULL || !mia_api_is_short(stats)) print_text(all != NULL ? all : stats, out, arg);
  if (all != NULL) mia_api_give_scratch(all);
}

void mia_stats_print_out(mia_output_function *out, void *arg) { print_all(print_text, out, arg); }

static void print_process(const mia_stats *s, mia_output_function *out, void *arg) {
  mia_lines lines;
  mia_api_begin_lines(&lines, out, arg);
  mia_text *t = &lines.text;
  put_count(t, "process: elapsed ", s->elapsed_ms);
  put_count(t, " ms, user ", s->user_ms);
  put_count(t, " ms, system ", s->system_ms);
  mia_base_put_named_size(t, " ms, RSS ", s->rss);
  mia_base_put_named_size(t, " (peak ", s->rss_peak);
  mia_base_put_named_size(t, "), committed ", s->committed);
  put_count(t, ", page faults ", s->faults);
  put_count(t, " (from disk ", s->faults_major);
  mia_base_put(t, ")\n");
  mia_api_end_lines(&lines);
}

void mia_process_print_out(mia_output_function *out, void *arg) {
  print_all(print_process, out, arg);
}

/* ---- at exit, and on request ---- */

static void write_to_copy(const char *text, void *fd) {
  mia_os_write((int)(uintptr_t)fd, text, strlen(text));
}

void mia_api_print_stats(void) {
  uintptr_t copy = mia_aword_get(&mia_api_all.stderr_copy);
  mia_output_function *out = copy != 0 && !mia_api_has_output() ? write_to_copy : NULL;
  bool json = mia_api_is_on(MIA_OPTION_STATS_JSON);
  print_all(json ? mia_api_print_json : print_text, out, (void *)copy);
}
