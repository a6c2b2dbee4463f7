/* SPDX-License-Identifier: MIT */
/* json.c -- statistics as a JSON object. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/json.h"

/* Returns the separator before the next member. */
static const char *take_separator(const char **separator) {
  const char *now = *separator;
  *separator = ",";
  return now;
}

static void put_member(mia_text *t, const char **separator, const char *name, uintmax_t n) {
  mia_base_put(t, take_separator(separator));
  mia_base_put(t, "\"");
  mia_base_put(t, name);
  mia_base_put(t, "\":");
  mia_base_put_unsigned(t, n);
}

#define MEMBER(field) put_member(t, &separator, #field, s->field)

static void put_totals(mia_text *t, const mia_stats *s) {
  const char *separator = "";
  mia_base_put(t, "{");
  MEMBER(size);
  MEMBER(version);
  MEMBER(class_count);
  MEMBER(pages);
  MEMBER(blocks);
  MEMBER(bytes);
  MEMBER(allocated);
  MEMBER(freed);
  mia_base_put(t, ",\n");
}

static void put_events(mia_text *t, const mia_stats_events *s) {
  const char *separator = "";
  mia_base_put(t, " \"events\":{");
  MEMBER(refills);
  MEMBER(pages_made);
  MEMBER(pages_retired);
  MEMBER(pages_reused);
  MEMBER(pages_reclaimed_on_free);
  MEMBER(pages_abandoned);
  MEMBER(pages_reclaimed_on_alloc);
  MEMBER(batches_sent);
  mia_base_put(t, "},\n");
}

static void put_memory(mia_text *t, const mia_stats *s) {
  const char *separator = " ";
  MEMBER(arenas);
  MEMBER(reserved);
  MEMBER(committed);
  MEMBER(used);
  MEMBER(used_peak);
  MEMBER(purged);
  MEMBER(threads);
  MEMBER(threads_peak);
  mia_base_put(t, ",\n");
}

static void put_process(mia_text *t, const mia_stats *s) {
  const char *separator = " ";
  MEMBER(rss);
  MEMBER(rss_peak);
  MEMBER(faults);
  MEMBER(faults_major);
  MEMBER(elapsed_ms);
  MEMBER(user_ms);
  MEMBER(system_ms);
  mia_base_put(t, ",\n");
}

static void put_class(mia_text *t, const mia_stats_class *s) {
  const char *separator = "";
  mia_base_put(t, "  {");
  MEMBER(block_size);
  MEMBER(pages);
  MEMBER(pages_peak);
  MEMBER(blocks);
  MEMBER(bytes);
  MEMBER(allocated);
  MEMBER(freed);
  mia_base_put(t, "}");
}

/* Writes one of the lines before the classes. */
static void put_head(mia_text *t, const mia_stats *s, unsigned line) {
  switch (line) {
  case 0:
    put_totals(t, s);
    break;
  case 1:
    put_events(t, &s->events);
    break;
  case 2:
    put_memory(t, s);
    break;
  case 3:
    put_process(t, s);
    break;
  default:
    mia_base_put(t, " \"classes\":[\n");
  }
}
enum { HEAD_LINES = 5 };

/* Writes a line of the object; the last one closes the object.  Returns true if another line
 * follows. */
static bool put_line(mia_text *t, const mia_stats *s, unsigned line) {
  unsigned classes = s->class_count < MIA_STATS_CLASSES ? s->class_count : MIA_STATS_CLASSES;
  bool more = line + 1 < HEAD_LINES + classes;
  if (line < HEAD_LINES) {
    put_head(t, s, line);
  } else {
    put_class(t, &s->classes[line - HEAD_LINES]);
    if (more) mia_base_put(t, ",\n");
  }
  if (!more) mia_base_put(t, "]}\n");
  return more;
}

void mia_api_put_json(mia_text *t, const mia_stats *stats) {
  for (unsigned line = 0; put_line(t, stats, line); line++) {}
}

void mia_api_print_json(const mia_stats *stats, mia_output_function *out, void *arg) {
  mia_lines lines;
  mia_api_begin_lines(&lines, out, arg);
  for (unsigned line = 0; put_line(&lines.text, stats, line); line++) mia_api_end_line(&lines);
  mia_api_end_lines(&lines);
}
