/* SPDX-License-Identifier: MIT */
/* sites.c -- the operations that name a memory order, and the trace of the last execution. */
#include "core.h"

#include <stdio.h>
#include <string.h>

enum { NAMES = 4096, TRACE = 4096 };

/* A site that is inlined into several objects has several name strings. */
typedef struct name {
  const char *text;
  race_site *site;
} name;

typedef struct event {
  const char *site;
  const void *at;
  const char *what;
  uint64_t value;
  unsigned thread;
} event;

static struct {
  name names[NAMES];
  event events[TRACE];
  size_t event_count;
} known;

race_site_table *race_sites;

static const char *from_src(const char *site) {
  const char *found = NULL;
  for (const char *at = site; (at = strstr(at, "src/")) != NULL; at++) found = at;
  if (found != NULL) return found;
  const char *slash = strrchr(site, '/');
  return slash != NULL ? slash + 1 : site;
}

static race_site *find(const char *text, race_order order) {
  text = from_src(text);
  for (size_t i = 0; i < race_sites->count; i++)
    if (strcmp(race_sites->sites[i].name, text) == 0) return &race_sites->sites[i];
  if (race_sites->count == RACE_SITES) race_fail("too many sites");
  race_site *s = &race_sites->sites[race_sites->count++];
  *s = (race_site){.order = order, .used = order};
  (void)snprintf(s->name, sizeof s->name, "%s", text);
  return s;
}

race_order core_order_at(const char *site, race_order order) {
  if (order == RACE_RELAXED) return order;
  for (size_t i = (uintptr_t)site / sizeof(void *);; i++) {
    name *n = &known.names[i % NAMES];
    if (n->text != NULL && n->text != site) continue;
    if (n->text == NULL) *n = (name){.text = site, .site = find(site, order)};
    n->site->seen = true;
    return n->site->used;
  }
}

/* ---- the trace ---- */

void core_forget_trace(void) { known.event_count = 0; }

void core_trace(const char *site, const void *at, uint64_t value, const char *what) {
  if (known.event_count == TRACE) return;
  known.events[known.event_count++] = (event){
      .site = site, .at = at, .what = what, .value = value, .thread = core.current};
}

void race_print_trace(void) {
  for (size_t i = 0; i < known.event_count; i++) {
    const event *e = &known.events[i];
    printf("#   %u: %p %s %#llx  %s\n", e->thread, e->at, e->what, (unsigned long long)e->value,
           from_src(e->site));
  }
}
