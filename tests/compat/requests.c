/* requests.c -- a server as one writes it for mimalloc: a heap for each request,
 * made, filled and destroyed by worker threads; answers outlive their request.
 *
 * Nothing here is of mialloc's own interface.  Prints TAP; also C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <mimalloc-stats.h>
#include <mimalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, REQUESTS = 200, FIELDS = 60 };

/* What a request asks is parsed into its heap. */
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

/* A request's heap is gone; this is of the server's. */
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

typedef struct tally {
  size_t blocks, bytes;
} tally;

static bool count(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                  void *arg) {
  tally *t = (tally *)arg;
  if (block == NULL) return heap == answers && area->used > 0;
  t->blocks++;
  t->bytes += area->full_block_size;
  return size <= area->block_size && mi_heap_of(block) == answers;
}

static bool count_heap(mi_heap_t *heap, void *arg) {
  *(int *)arg += heap != mi_heap_main();
  return true;
}

static int tests, failures;

static void check(const char *what, bool good) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
  if (!good) failures++;
}

static bool is_right(void) {
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
  tally t = {0, 0};
  int heaps = 0;
  bool started = true;
  answers = mi_heap_new();
  for (int i = 0; i < WORKERS; i++)
    started = started && pthread_create(&workers[i], NULL, serve, results[i]) == 0;
  check("workers start", started);
  if (!started) return EXIT_FAILURE;
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
  check("answers outlive their requests", is_right());
  bool all = mi_heap_visit_blocks(answers, true, count, &t);
  check("a heap's blocks are found", all && t.blocks == 2 * WORKERS * REQUESTS);
  mi_stats_t_decl(stats);
  check("and counted",
        mi_heap_stats_get(answers, &stats) && (size_t)stats.malloc_normal.current == t.bytes);
  check("requests' heaps are gone",
        mi_subproc_visit_heaps(mi_subproc_main(), count_heap, &heaps) && heaps == 1);
  mi_heap_destroy(answers);
  heaps = 0;
  check("the server's too",
        mi_subproc_visit_heaps(mi_subproc_main(), count_heap, &heaps) && heaps == 0);
  printf("1..%d\n", tests);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
