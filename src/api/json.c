/* json.c -- statistics as a JSON object. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/json.h"

/* The sign that comes before the next member. */
static const char *next(const char **separator) {
  const char *now = *separator;
  *separator = ",";
  return now;
}

static void put_member(mia_text *t, const char **separator, const char *name, uintmax_t n) {
  mia_base_put(t, next(separator));
  mia_base_put(t, "\"");
  mia_base_put(t, name);
  mia_base_put(t, "\":");
  mia_base_put_unsigned(t, n);
}

#define MEMBER(field) put_member(t, &separator, #field, s->field)

static void put_events(mia_text *t, const mia_stats_events *s) {
  const char *separator = "";
  mia_base_put(t, ",\n \"events\":{");
  MEMBER(refills);
  MEMBER(pages_made);
  MEMBER(pages_retired);
  MEMBER(pages_reused);
  MEMBER(pages_adopted);
  MEMBER(pages_pooled);
  MEMBER(pages_taken);
  MEMBER(batches_sent);
  mia_base_put(t, "}");
}

static void put_class(mia_text *t, const mia_stats_class *s) {
  const char *separator = "";
  mia_base_put(t, "{");
  MEMBER(block_size);
  MEMBER(pages);
  MEMBER(pages_peak);
  MEMBER(blocks);
  MEMBER(bytes);
  MEMBER(allocated);
  MEMBER(freed);
  mia_base_put(t, "}");
}

static void put_process(mia_text *t, const mia_stats *s) {
  const char *separator = ",\n ";
  MEMBER(arenas);
  MEMBER(reserved);
  MEMBER(committed);
  MEMBER(used);
  MEMBER(used_peak);
  MEMBER(purged);
  MEMBER(threads);
  MEMBER(threads_peak);
  MEMBER(rss);
  MEMBER(rss_peak);
  MEMBER(faults);
  MEMBER(faults_major);
  MEMBER(elapsed_ms);
  MEMBER(user_ms);
  MEMBER(system_ms);
}

static void put_head(mia_text *t, const mia_stats *s) {
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
  put_events(t, &s->events);
  put_process(t, s);
  mia_base_put(t, ",\n \"classes\":[\n");
}

static unsigned classes_of(const mia_stats *s) {
  return s->class_count < MIA_STATS_CLASSES ? s->class_count : MIA_STATS_CLASSES;
}

/* Its line; the last one ends the object. */
static void put_class_line(mia_text *t, const mia_stats *s, unsigned i) {
  mia_base_put(t, "  ");
  put_class(t, &s->classes[i]);
  mia_base_put(t, i + 1 < classes_of(s) ? ",\n" : "]}\n");
}

void mia_api_put_json(mia_text *t, const mia_stats *stats) {
  put_head(t, stats);
  for (unsigned i = 0; i < classes_of(stats); i++) put_class_line(t, stats, i);
}

/* In parts, so that a small stack suffices. */
void mia_api_print_json(const mia_stats *stats, mia_output_function *out, void *arg) {
  char buffer[MIA_API_JSON_HEAD];
  mia_text t = mia_base_text(buffer, sizeof buffer);
  put_head(&t, stats);
  mia_api_say(out, arg, buffer);
  for (unsigned i = 0; i < classes_of(stats); i++) {
    t = mia_base_text(buffer, sizeof buffer);
    put_class_line(&t, stats, i);
    mia_api_say(out, arg, buffer);
  }
}
