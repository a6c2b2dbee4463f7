/* SPDX-License-Identifier: MIT */
/* memory.c -- atomic cells with the semantics of C11.
 *
 * Each cell (a place) has messages in modification order, each with a time
 * stamp.  A thread may read any message that is not older than what it knows of the
 * place, and a store may go anywhere behind that.  A read-modify-write stands right
 * behind the message that it read, and nothing comes between the two.  A released
 * message carries what its thread knew; a thread that acquires it then knows that too.
 * A read-modify-write passes on what the message that it read carried. */
#include "core.h"

#include <string.h>

enum { START_STAMP = 1 };
#define STEP ((uint64_t)1 << 32)

typedef struct message {
  uint64_t value;
  uint64_t stamp;
  uint64_t id;         /* a hash of writer, time and value; does not depend on the execution */
  bool followed;       /* a read-modify-write that read it stands behind it */
  core_view *released; /* what it carries; NULL: nothing */
} message;

typedef struct place {
  void *at;
  size_t size;
  size_t count;
  uint64_t stamp; /* of the first message */
  message *messages[CORE_PLACE_MESSAGES];
} place;

static struct {
  place places[CORE_PLACES];
  size_t place_count; /* place 0 is not used */
  message messages[CORE_MESSAGES];
  size_t message_count;
  core_view views[CORE_MESSAGES];
  size_t view_count;
} all = {.place_count = 1};

void core_join(core_view *v, const core_view *other) {
  for (size_t i = 0; i < RACE_THREADS; i++)
    if (v->clock[i] < other->clock[i]) v->clock[i] = other->clock[i];
  for (; v->places < other->places; v->places++) v->seen[v->places] = 0;
  for (size_t i = 0; i < other->places; i++)
    if (v->seen[i] < other->seen[i]) v->seen[i] = other->seen[i];
}

static uint64_t *seen(unsigned at) {
  core_view *v = &core_self()->view;
  for (; v->places <= at; v->places++) v->seen[v->places] = 0;
  return &v->seen[at];
}

void core_forget_places(void) { all.place_count = 1, all.message_count = all.view_count = 0; }

void core_drop_place(unsigned i) {
  place *p = &all.places[i];
  if (p->count > 0) p->stamp = p->messages[p->count - 1]->stamp + STEP;
  p->count = 0;
}

static message *new_message(void) {
  if (all.message_count == CORE_MESSAGES) race_fail("model too long: messages");
  message *m = &all.messages[all.message_count++];
  *m = (message){0};
  return m;
}

/* The first message is what memory held before the threads began; every thread knows it. */
static void begin_place(place *p) {
  message *m = new_message();
  m->value = core_peek(p->at, p->size);
  m->stamp = p->stamp;
  m->id = core_mix(m->value, 1);
  p->messages[p->count++] = m;
}

static unsigned place_of(void *at, size_t size) {
  unsigned i = core_place_at(at);
  if (i == 0) {
    if (all.place_count == CORE_PLACES) race_fail("model too large: places");
    i = (unsigned)all.place_count++;
    all.places[i] = (place){.at = at, .size = size, .stamp = START_STAMP};
    core_set_place(at, i);
  }
  if (all.places[i].count == 0) begin_place(&all.places[i]);
  core_self()->polled[i] = true;
  return i;
}

/* A sum over all places, since they are registered in any order. */
uint64_t core_hash_places(void) {
  uint64_t sum = 0;
  for (size_t i = 1; i < all.place_count; i++) {
    const place *p = &all.places[i];
    uint64_t hash = (uintptr_t)p->at;
    for (size_t k = 0; k < p->count; k++) hash = core_mix(hash, p->messages[k]->id);
    if (p->count > 1) sum += hash;
  }
  return sum;
}

/* Returns the stamp of the latest message of a place, or 0 if the running thread has not polled
 * the place. */
static uint64_t polled(unsigned i) {
  const place *p = &all.places[i];
  return core_self()->polled[i] && p->count > 0 ? p->messages[p->count - 1]->stamp : 0;
}

bool core_can_see_newer(void) {
  for (unsigned i = 1; i < all.place_count; i++)
    if (*seen(i) < polled(i)) return true;
  return false;
}

void core_see_latest(void) {
  for (unsigned i = 1; i < all.place_count; i++) {
    if (*seen(i) < polled(i)) *seen(i) = polled(i);
    core_self()->polled[i] = false;
  }
}

/* ---- reading ---- */

static size_t first_visible(unsigned i) {
  const place *p = &all.places[i];
  size_t k = p->count - 1;
  while (k > 0 && p->messages[k - 1]->stamp >= *seen(i)) k--;
  return k;
}

static message *read_message(unsigned i, size_t k, race_order order) {
  message *m = all.places[i].messages[k];
  *seen(i) = m->stamp;
  if ((order & RACE_ACQUIRE) != 0 && m->released != NULL)
    core_join(&core_self()->view, m->released);
  return m;
}

/* ---- writing ---- */

static uint64_t stamp_behind(const place *p, size_t k) {
  uint64_t before = p->messages[k]->stamp;
  if (k + 1 == p->count) return before + STEP;
  return before + (p->messages[k + 1]->stamp - before) / 2;
}

/* Writes behind message k of a place.  The new message carries `carried', and with a release order
 * also what the thread knows. */
static void write_behind(unsigned i, size_t k, uint64_t value, race_order order,
                         const core_view *carried) {
  place *p = &all.places[i];
  core_thread *self = core_self();
  if (p->count == CORE_PLACE_MESSAGES) race_fail("model too long: messages of a place");
  message *m = new_message();
  m->value = value;
  m->stamp = stamp_behind(p, k);
  m->id = core_mix(core_mix(core.current + 2, self->operations), value);
  memmove(&p->messages[k + 2], &p->messages[k + 1], (p->count - k - 1) * sizeof p->messages[0]);
  p->messages[k + 1] = m;
  p->count++;
  *seen(i) = m->stamp;
  if ((order & RACE_RELEASE) != 0 || carried != NULL) {
    m->released = &all.views[all.view_count++];
    m->released->places = 0;
    memset(m->released->clock, 0, sizeof m->released->clock);
    if ((order & RACE_RELEASE) != 0) core_join(m->released, &self->view);
    if (carried != NULL) core_join(m->released, carried);
  }
  if (k + 2 == p->count) core_put(p->at, p->size, value);
  core.changes++;
}

static uint64_t cut(uint64_t value, size_t size) {
  return size == sizeof value ? value : value & (((uint64_t)1 << size * 8) - 1);
}

static uint64_t updated(race_update how, uint64_t was, uint64_t v) {
  switch (how) {
  case RACE_ADD:
    return was + v;
  case RACE_SUB:
    return was - v;
  case RACE_OR:
    return was | v;
  case RACE_AND:
    return was & v;
  default:
    return v;
  }
}

/* ---- the operations ---- */

enum { LOAD = 1, STORE, CHANGE, SWAPPED, NOT_SWAPPED };

/* While no thread runs, and for memory that is ignored, operations use the memory directly. */
static bool directly(const void *at) { return core.mode != CORE_RUNNING || core_is_ignored(at); }

static void end_operation(unsigned kind, const void *at, uint64_t read, uint64_t value,
                          const char *site, const char *what) {
  core_note(kind, (uintptr_t)at, core_mix(read, value));
  core_trace(site, at, value, what);
  core_tick();
}

uint64_t race_load(const void *cell, size_t size, race_order order, const char *site) {
  if (directly(cell)) return core_peek(cell, size);
  void *at = (void *)(uintptr_t)cell;
  core_arrive(CORE_GOES_ON, NULL);
  order = core_order_at(site, order);
  unsigned i = place_of(at, size);
  size_t first = first_visible(i);
  size_t k = all.places[i].count - 1 - core_choose(all.places[i].count - first);
  const message *m = read_message(i, k, order);
  core_touch(at, size, CORE_ATOMIC_READ);
  end_operation(LOAD, at, m->id, m->value, site, "=");
  return m->value;
}

/* A store may go behind any message that the thread can still read, except for those that a
 * read-modify-write stands behind. */
void race_store(void *at, size_t size, uint64_t v, race_order order, const char *site) {
  if (directly(at)) {
    core_put(at, size, v);
    return;
  }
  core_arrive(CORE_GOES_ON, NULL);
  order = core_order_at(site, order);
  unsigned i = place_of(at, size);
  const place *p = &all.places[i];
  size_t ways[CORE_PLACE_MESSAGES], count = 0;
  for (size_t k = p->count; k-- > first_visible(i);)
    if (k + 1 == p->count || !p->messages[k]->followed) ways[count++] = k;
  size_t k = ways[core_choose(count)];
  core_touch(at, size, CORE_ATOMIC_WRITE);
  write_behind(i, k, v, order, NULL);
  end_operation(STORE, at, 0, v, site, "<-");
}

static void write_after_read(unsigned i, size_t k, message *m, uint64_t v, race_order order) {
  m->followed = true;
  write_behind(i, k, v, order, m->released);
}

uint64_t race_change(void *at, size_t size, race_update how, uint64_t v, race_order order,
                     const char *site) {
  if (directly(at)) {
    uint64_t was = core_peek(at, size);
    core_put(at, size, cut(updated(how, was, v), size));
    return was;
  }
  core_arrive(CORE_GOES_ON, NULL);
  order = core_order_at(site, order);
  unsigned i = place_of(at, size);
  const place *p = &all.places[i];
  size_t ways[CORE_PLACE_MESSAGES], count = 0;
  for (size_t k = p->count; k-- > first_visible(i);)
    if (!p->messages[k]->followed) ways[count++] = k;
  size_t k = ways[core_choose(count)];
  message *m = read_message(i, k, order);
  core_touch(at, size, CORE_ATOMIC_WRITE);
  uint64_t now = cut(updated(how, m->value, v), size);
  write_after_read(i, k, m, now, order);
  end_operation(CHANGE, at, m->id, now, site, "<-");
  return m->value;
}

/* The outcomes of a weak compare-and-swap: it succeeds with a message, fails with a message of
 * another value, or fails for no reason. */
typedef struct outcome {
  size_t message;
  bool swapped;
  bool spurious;
} outcome;

static size_t outcomes_of(unsigned i, uint64_t was, outcome *ways) {
  const place *p = &all.places[i];
  size_t count = 0;
  bool may_fail = core_self()->spurious < core.spurious;
  for (size_t k = p->count; k-- > first_visible(i);) {
    bool equal = p->messages[k]->value == was;
    if (equal && !p->messages[k]->followed) ways[count++] = (outcome){k, true, false};
    if (!equal) ways[count++] = (outcome){k, false, false};
    if (equal && may_fail) ways[count++] = (outcome){k, false, true};
    if (equal) may_fail = false;
  }
  if (count == 0) race_fail("an exchange without outcome");
  return count;
}

bool race_swap_if(void *at, size_t size, uint64_t *was, uint64_t now, race_order order,
                  const char *site) {
  if (directly(at)) {
    uint64_t is = core_peek(at, size);
    if (is == *was) core_put(at, size, now);
    bool equal = is == *was;
    *was = is;
    return equal;
  }
  core_arrive(CORE_GOES_ON, NULL);
  order = core_order_at(site, order);
  unsigned i = place_of(at, size);
  outcome ways[2 * CORE_PLACE_MESSAGES];
  size_t count = outcomes_of(i, *was, ways);
  outcome way = ways[core_choose(count)];
  message *m = read_message(i, way.message, way.swapped ? order : RACE_RELAXED);
  core_touch(at, size, way.swapped ? CORE_ATOMIC_WRITE : CORE_ATOMIC_READ);
  if (way.spurious) core_self()->spurious++;
  if (way.swapped) write_after_read(i, way.message, m, now, order);
  end_operation(way.swapped ? SWAPPED : NOT_SWAPPED, at, m->id, way.swapped ? now : m->value, site,
                way.swapped ? "<-" : "is still");
  *was = m->value;
  return way.swapped;
}
