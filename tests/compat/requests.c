/* requests.c -- a server written for mimalloc: worker threads make, fill and destroy a heap
 * for each request; the answers outlive it.
 *
 * Uses nothing of mialloc's own interface.  Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <mimalloc-stats.h>
#include <mimalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

enum { WORKERS = 4, REQUESTS = 200, FIELDS = 60 };

/* Fields are parsed into the request's heap. */
typedef struct field {
  struct field *next;
  char *key;
  long value;
} field;

typedef struct request {
  mi_heap_t *heap;
  field *fields;
  char *scratch; /* grows with each field */
  size_t length;
} request;

/* Allocated from the server's heap, so that it outlives the request. */
typedef struct answer {
  long sum;
  char *text;
} answer;

static mi_heap_t *answers;
static answer *results[WORKERS][REQUESTS];

static bool parse(request *r, long seed) {
  for (int i = 0; i < FIELDS; i++) {
    char name[32];
    snprintf(name, sizeof name, "field-%ld-%d", seed, i);
    field *f = mi_heap_malloc_tp(field, r->heap);
    if (f == NULL) return false;
    f->key = mi_heap_strdup(r->heap, name);
    f->value = (seed + i) % 97;
    f->next = r->fields;
    r->fields = f;
    size_t more = strlen(name);
    r->scratch = (char *)mi_heap_rezalloc(r->heap, r->scratch, r->length + more + 1);
    if (f->key == NULL || r->scratch == NULL || r->scratch[r->length] != '\0') return false;
    memcpy(r->scratch + r->length, name, more);
    r->length += more;
  }
  return true;
}

static answer *reply(const request *r, long seed) {
  answer *a = mi_heap_malloc_tp(answer, answers);
  a->sum = 0;
  for (const field *f = r->fields; f != NULL; f = f->next) a->sum += f->value;
  char text[32];
  snprintf(text, sizeof text, "%ld:%ld", seed, a->sum);
  a->text = mi_heap_strdup(answers, text);
  return a;
}

static void *serve(void *arg) {
  answer **mine = (answer **)arg;
  long first = (long)(mine - results[0]);
  for (int i = 0; i < REQUESTS; i++) {
    request r = {mi_heap_new(), NULL, NULL, 0};
    if (r.heap != NULL && parse(&r, first + i)) mine[i] = reply(&r, first + i);
    mi_heap_destroy(r.heap);
  }
  return NULL;
}

typedef struct heap_totals {
  size_t blocks, bytes;
} heap_totals;

static bool count(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                  void *arg) {
  heap_totals *t = (heap_totals *)arg;
  if (block == NULL) return heap == answers && area->used > 0;
  t->blocks++;
  t->bytes += area->full_block_size;
  return size <= area->block_size && mi_heap_of(block) == answers;
}

static bool count_heap(mi_heap_t *heap, void *arg) {
  *(int *)arg += heap != mi_heap_main();
  return true;
}

static bool answers_are_right(void) {
  for (int i = 0; i < WORKERS; i++) {
    for (int j = 0; j < REQUESTS; j++) {
      const answer *a = results[i][j];
      long seed = (long)i * REQUESTS + j, sum = 0;
      if (a == NULL || a->text == NULL) return false;
      for (int k = 0; k < FIELDS; k++) sum += (seed + k) % 97;
      if (a->sum != sum || strtol(a->text, NULL, 10) != seed) return false;
    }
  }
  return true;
}

int main(void) {
  pthread_t workers[WORKERS];
  heap_totals t = {0, 0};
  int heaps = 0;
  bool started = true;
  answers = mi_heap_new();
  for (int i = 0; i < WORKERS; i++)
    started = started && pthread_create(&workers[i], NULL, serve, results[i]) == 0;
  tap_ok(started, "workers start");
  if (!started) return EXIT_FAILURE;
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
  tap_ok(answers_are_right(), "answers outlive their requests");
  bool all = mi_heap_visit_blocks(answers, true, count, &t);
  tap_ok(all && t.blocks == 2 * WORKERS * REQUESTS, "a heap's blocks are found");
  mi_stats_t_decl(stats);
  tap_ok(mi_heap_stats_get(answers, &stats) && (size_t)stats.malloc_normal.current == t.bytes,
         "and counted");
  tap_ok(mi_subproc_visit_heaps(mi_subproc_main(), count_heap, &heaps) && heaps == 1,
         "requests' heaps are gone");
  mi_heap_destroy(answers);
  heaps = 0;
  tap_ok(mi_subproc_visit_heaps(mi_subproc_main(), count_heap, &heaps) && heaps == 0,
         "the server's too");
  return tap_end();
}
