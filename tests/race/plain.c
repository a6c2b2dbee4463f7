/* SPDX-License-Identifier: MIT */
/* plain.c -- plain memory: which threads accessed it, and what it held before.
 *
 * Two accesses to the same byte by different threads, of which one writes and
 * not both are atomic, are a data race unless one happens before the other.  In
 * whichever order they are run, the second access finds the record of the first. */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
  GRAIN = 8,
  RECORDS = 32,
  STRETCHES = 2,
  CELLS = 1 << 20,
  UNDO_MAX = 1 << 16,
  IGNORED = 32,
  ACCESSES = 1 << 20
};

typedef struct record {
  uint8_t thread;
  uint8_t access;
  uint8_t bytes; /* a bit for each byte of the grain */
  uint32_t clock;
} record;

/* The accesses to a grain, which is eight bytes. */
typedef struct cell {
  uint32_t execution; /* the execution that the rest is valid for */
  uint16_t places[2]; /* the atomic cells here: two if they have 32 bits */
  bool saved;         /* the old content is in `undos' */
  uint8_t count;
  record records[RECORDS];
} cell;

typedef struct stretch {
  const char *start;
  size_t size;
  uint32_t *cells; /* for each grain the index of its cell, 0: none */
} stretch;

typedef struct undo {
  char *at;
  uint64_t was;
} undo;

static struct {
  stretch stretches[STRETCHES];
  size_t stretch_count;
  cell *cells;
  uint32_t cell_count;
  undo undos[UNDO_MAX];
  size_t undo_count;
  struct {
    const char *start;
    size_t size;
  } ignored[IGNORED];
  size_t ignored_count;
  uintptr_t unwatched[2]; /* grains */
} plain;

static void *big(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
  if (p == MAP_FAILED) race_fail("no memory for the checker");
  return p;
}

void race_watch(const void *start, size_t size) {
  if (plain.stretch_count == STRETCHES) race_fail("too many stretches");
  if (plain.cells == NULL) plain.cells = big(CELLS * sizeof(cell));
  if (plain.cell_count == 0) plain.cell_count = 1;
  const char *first = (const char *)((uintptr_t)start & ~(uintptr_t)(GRAIN - 1));
  size += (size_t)((const char *)start - first) + GRAIN;
  plain.stretches[plain.stretch_count++] = (stretch){
      .start = first, .size = size, .cells = big(size / GRAIN * sizeof(uint32_t))};
}

void race_ignore(const void *start, size_t size) {
  if (plain.ignored_count == IGNORED) race_fail("too much is ignored");
  plain.ignored[plain.ignored_count].start = start;
  plain.ignored[plain.ignored_count++].size = size;
}

bool core_is_ignored(const void *at) {
  for (size_t i = 0; i < plain.ignored_count; i++)
    if ((uintptr_t)at - (uintptr_t)plain.ignored[i].start < plain.ignored[i].size) return true;
  return false;
}

void core_unwatch(const void *variable) {
  plain.unwatched[0] = (uintptr_t)variable / GRAIN;
  plain.unwatched[1] = (uintptr_t)&errno / GRAIN;
}

/* Returns NULL for memory that is not watched, such as a stack. */
static cell *cell_at(const void *at) {
  uintptr_t grain = (uintptr_t)at / GRAIN;
  if (grain == plain.unwatched[0] || grain == plain.unwatched[1]) return NULL;
  for (size_t i = 0; i < plain.stretch_count; i++) {
    const stretch *s = &plain.stretches[i];
    size_t offset = (uintptr_t)at - (uintptr_t)s->start;
    if (offset >= s->size) continue;
    uint32_t *index = &s->cells[offset / GRAIN];
    if (*index == 0) {
      if (plain.cell_count == CELLS) race_fail("model too large: memory");
      *index = plain.cell_count++;
    }
    cell *c = &plain.cells[*index];
    if (c->execution != core.execution) *c = (cell){.execution = core.execution};
    return c;
  }
  return NULL;
}

/* ---- undoing ---- */

static void save(cell *c, uintptr_t grain) {
  if (c->saved || core.mode == CORE_ALONE) return;
  c->saved = true;
  if (plain.undo_count == UNDO_MAX) race_fail("model too long: writes");
  undo *u = &plain.undos[plain.undo_count++];
  u->at = (char *)grain;
  memcpy(&u->was, u->at, GRAIN);
}

void core_undo(void) {
  while (plain.undo_count > 0) {
    const undo *u = &plain.undos[--plain.undo_count];
    memcpy(u->at, &u->was, GRAIN);
  }
}

uint64_t core_peek(const void *at, size_t size) {
  uint32_t narrow;
  uint64_t wide;
  if (size == sizeof narrow) {
    memcpy(&narrow, at, size);
    return narrow;
  }
  memcpy(&wide, at, sizeof wide);
  return wide;
}

void core_put(void *at, size_t size, uint64_t value) {
  cell *c = core.mode != CORE_ALONE ? cell_at(at) : NULL;
  uint32_t narrow = (uint32_t)value;
  if (c != NULL) save(c, (uintptr_t)at & ~(uintptr_t)(GRAIN - 1));
  if (size == sizeof narrow)
    memcpy(at, &narrow, size);
  else
    memcpy(at, &value, sizeof value);
}

/* ---- which atomic cell lies where ---- */

static unsigned half_of(const void *at) { return (uintptr_t)at % GRAIN != 0; }

void core_set_place(const void *at, unsigned place) {
  cell *c = cell_at(at);
  if (c == NULL) race_fail("an atomic cell where nobody watches");
  c->places[half_of(at)] = (uint16_t)place;
}

unsigned core_place_at(const void *at) {
  const cell *c = cell_at(at);
  return c != NULL ? c->places[half_of(at)] : 0;
}

/* ---- races ---- */

static bool is_write(unsigned access) {
  return access == CORE_PLAIN_WRITE || access == CORE_ATOMIC_WRITE;
}
static bool is_atomic(unsigned access) {
  return access == CORE_ATOMIC_READ || access == CORE_ATOMIC_WRITE;
}

static bool clash(const record *r, unsigned access, unsigned bytes) {
  if ((r->bytes & bytes) == 0 || r->thread == core.current) return false;
  if (!is_write(r->access) && !is_write(access)) return false;
  if (is_atomic(r->access) && is_atomic(access)) return false;
  return core_self()->view.clock[r->thread] < r->clock;
}

static void remember(cell *c, unsigned access, unsigned bytes) {
  record *r = NULL;
  for (size_t i = 0; r == NULL && i < c->count; i++) {
    record *old = &c->records[i];
    if (old->thread == core.current && old->access == access && (old->bytes & ~bytes) == 0) r = old;
  }
  if (r == NULL) {
    if (c->count == RECORDS) race_fail("model too large: accesses to one word");
    r = &c->records[c->count++];
  }
  *r = (record){.thread = (uint8_t)core.current,
                .access = (uint8_t)access,
                .bytes = (uint8_t)bytes,
                .clock = core_self()->view.clock[core.current]};
}

static void touch_grain(uintptr_t grain, unsigned bytes, core_access access) {
  cell *c = cell_at((const void *)grain);
  if (c == NULL) return;
  if (access == CORE_PLAIN_WRITE) save(c, grain);
  if (core.mode != CORE_RUNNING) return;
  for (size_t i = 0; i < c->count; i++) {
    if (!clash(&c->records[i], access, bytes)) continue;
    core_trace("", (const void *)grain, c->records[i].thread, "data race with thread");
    race_fail("data race");
  }
  remember(c, access, bytes);
  if (access != CORE_PLAIN_WRITE) return;
  for (size_t i = 0; i < 2; i++)
    if (c->places[i] != 0) core_drop_place(c->places[i]);
}

void core_touch(const void *start, size_t size, core_access access) {
  if (core.mode == CORE_ALONE) return;
  if (++core.accesses > ACCESSES) race_fail("a thread goes on for ever");
  uintptr_t at = (uintptr_t)start, end = at + size;
  while (at < end) {
    uintptr_t grain = at & ~(uintptr_t)(GRAIN - 1);
    uintptr_t stop = grain + GRAIN < end ? grain + GRAIN : end;
    unsigned bytes = ((1u << (stop - at)) - 1) << (at - grain);
    touch_grain(grain, bytes, access);
    at = stop;
  }
}

void race_read(const void *start, size_t size) { core_touch(start, size, CORE_PLAIN_READ); }
void race_write(const void *start, size_t size) { core_touch(start, size, CORE_PLAIN_WRITE); }

void *race_memset(void *to, int c, size_t size) {
  race_write(to, size);
  return memset(to, c, size);
}
void *race_memcpy(void *to, const void *from, size_t size) {
  race_read(from, size);
  race_write(to, size);
  return memcpy(to, from, size);
}
void *race_memmove(void *to, const void *from, size_t size) {
  race_read(from, size);
  race_write(to, size);
  return memmove(to, from, size);
}

/* ---- what the compiler calls before each plain access ---- */

#define HOOKS(size)                                                           \
  void __tsan_read##size(void *);                                             \
  void __tsan_write##size(void *);                                            \
  void __tsan_read##size(void *at) { core_touch(at, size, CORE_PLAIN_READ); } \
  void __tsan_write##size(void *at) { core_touch(at, size, CORE_PLAIN_WRITE); }
#define UNALIGNED_HOOKS(size)                                                           \
  void __tsan_unaligned_read##size(void *);                                             \
  void __tsan_unaligned_write##size(void *);                                            \
  void __tsan_unaligned_read##size(void *at) { core_touch(at, size, CORE_PLAIN_READ); } \
  void __tsan_unaligned_write##size(void *at) { core_touch(at, size, CORE_PLAIN_WRITE); }

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
UNALIGNED_HOOKS(2)
UNALIGNED_HOOKS(4)
UNALIGNED_HOOKS(8)
UNALIGNED_HOOKS(16)

void __tsan_read_range(void *, size_t);
void __tsan_write_range(void *, size_t);
void *__tsan_memset(void *, int, size_t);
void *__tsan_memcpy(void *, const void *, size_t);
void *__tsan_memmove(void *, const void *, size_t);
void __tsan_init(void);
void __tsan_func_entry(void *);
void __tsan_func_exit(void);

void __tsan_read_range(void *at, size_t size) { race_read(at, size); }
void __tsan_write_range(void *at, size_t size) { race_write(at, size); }
void *__tsan_memset(void *to, int c, size_t size) { return race_memset(to, c, size); }
void *__tsan_memcpy(void *to, const void *from, size_t size) { return race_memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size) {
  return race_memmove(to, from, size);
}
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void) {}
