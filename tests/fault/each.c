/* each.c -- every memory call to the kernel fails once, several times, and from then on;
 * prints TAP.
 *
 *   each [STRIDE [CALLS]]
 *
 * One scenario uses the public interface: blocks of all sizes that grow, shrink, move and are
 * freed, heaps, arenas, sub-processes, threads and statistics.  After some fixed steps come
 * CALLS random calls, checked by the shadow model (tests/fuzz/model.h).  For each STRIDE-th n
 * the scenario runs in its own process with the n-th call of a kind refused.  Every request
 * that fails must fail with NULL and ENOMEM, and nothing else may happen.
 *
 * Then the scenario runs again with nothing refused.  All requests must succeed, and after
 * everything was freed no block may be left, and no more mapped bytes than the statistics
 * account for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/prelude.h"

#include "../fuzz/model.h"
#include "../tap.h"
#include "map/pagemap.h"
#include "system.h"

#include <mialloc/stats.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  STRIDE = 12,
  CALLS = 120,
  CALLS_MAX = 100000,
  SOME = 8,         /* refusals in a row */
  MISSING_PART = 8, /* this part of the first run's calls may be missing in another run */
  SECONDS_ALLOWED = 60
};

/* A system without overcommit: the largest writable mapping that it grants, and the size of
 * requests that may fail because of that. */
#define STRICT_LIVE MIB
#define STRICT_REFUSES (8 * MIB)

static size_t calls = CALLS;

/* ---- the scenario ---- */

typedef struct scenario_state {
  model m;
  bool strict;
  mia_arena *arena;
} scenario_state;

static void *check_answer(scenario_state *s, void *p, size_t size) {
  bool may_fail = s->m.may_fail;
  s->m.may_fail |= s->strict && size >= STRICT_REFUSES;
  bool good = model_answered(&s->m, p);
  s->m.may_fail = may_fail;
  errno = MODEL_ERRNO;
  return good ? p : NULL;
}

static void grow_far(scenario_state *s, void *(*resize)(void *, size_t)) {
  model_block b = {.key = 77 * PATTERN_STEP, .align = 1};
  for (size_t size = 1000; size < 70 * MIB; size += size / 2 + size / 8) {
    unsigned char *p = check_answer(s, resize(b.p, size), size);
    if (p == NULL) break;
    size_t kept = b.size;
    b.p = p;
    model_check_content(&b, kept);
    b.size = size;
    model_fill(&b, kept);
  }
  /* To shrink needs no call to the kernel; if it fails the block is unchanged. */
  while (b.p != NULL && b.size > 100 * KIB) {
    unsigned char *p = check_answer(s, resize(b.p, b.size / 3), b.size / 3);
    if (p == NULL) break;
    b.p = p;
    b.size /= 3;
    model_check_content(&b, b.size);
  }
  if (b.p != NULL) model_check_content(&b, b.size);
  mia_free(b.p);
}

static void zero_again(scenario_state *s, size_t size) {
  for (int round = 0; round < 3; round++) {
    unsigned char *p = check_answer(s, mia_zalloc_aligned(size, 4096), size);
    if (p == NULL) continue;
    model_check_zero(p, 0, size);
    memset(p, 0xa5, size < MIB ? size : MIB);
    mia_free(p);
    if (round == 1) mia_purge();
  }
}

static void one_arena(scenario_state *s) {
  if (s->arena == NULL) {
    int error = mia_reserve_memory(4 * MIB, MIA_ARENA_IS_EXCLUSIVE, &s->arena);
    model_need(error == 0 || (error == ENOMEM && s->m.may_fail), "reserve: error", (size_t)error);
    model_need((error == 0) == (s->arena != NULL), "reserve: arena", (size_t)error);
  }
  if (s->arena == NULL) return;
  errno = MODEL_ERRNO;
  mia_heap *heap = check_answer(s, mia_heap_new_in_arena(s->arena), 0);
  if (heap == NULL) return;
  for (size_t size = 8; size < 3 * MIB; size *= 3) {
    char *p = check_answer(s, mia_heap_zalloc(heap, size), 0);
    if (p == NULL) continue;
    model_need(mia_arena_contains(s->arena, p) && p[0] == 0 && p[size - 1] == 0,
               "block of an arena", size);
    memset(p, 1, size);
  }
  mia_heap_destroy(heap);
}

static void *first_malloc(void *arg) {
  scenario_state *s = arg;
  errno = MODEL_ERRNO;
  char *p = check_answer(s, mia_malloc(100), 0);
  if (p != NULL) memset(p, 3, 100);
  return p;
}

static void some_threads(scenario_state *s) {
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    void *p;
    if (pthread_create(&thread, NULL, first_malloc, s) != 0) continue;
    pthread_join(thread, &p);
    mia_free(p);
  }
}

static bool count_heaps(mia_heap *heap, void *arg) {
  *(size_t *)arg += heap != NULL;
  return true;
}

static void the_rest(scenario_state *s) {
  size_t heaps = 0;
  char buffer[2] = {0};
  mia_thread_init();
  errno = MODEL_ERRNO;
  mia_subproc *sub = check_answer(s, mia_subproc_new(), 0);
  if (sub != NULL) {
    mia_subproc_add_current_thread(sub);
    errno = MODEL_ERRNO;
    char *copy = check_answer(s, mia_strdup("in a sub-process"), 0);
    model_need(copy == NULL || strcmp(copy, "in a sub-process") == 0, "strdup", 0);
    errno = MODEL_ERRNO;
    bool visited = mia_subproc_visit_heaps(sub, count_heaps, &heaps);
    model_need(visited ? heaps == 1 : s->m.may_fail && errno == ENOMEM, "heaps", heaps);
    mia_subproc_destroy(sub);
  }
  mia_stats stats = {.size = sizeof stats};
  model_need(mia_stats_get(&stats), "statistics", 0);
  model_need(mia_stats_as_json(&stats, sizeof buffer, buffer) == buffer, "JSON", 0);
  errno = MODEL_ERRNO;
  mia_free(check_answer(s, mia_stats_as_json(&stats, 0, NULL), 0));
  errno = MODEL_ERRNO;
  mia_free(check_answer(s, mia_realpath("/", NULL), 0));
}

static void random_calls(scenario_state *s) {
  uint64_t random = 5;
  unsigned char bytes[MODEL_CALL_BYTES];
  s->m.heaps[0] = mia_heap_main();
  s->m.threads = true;
  for (size_t i = 0; i < calls; i++) {
    for (size_t j = 0; j < sizeof bytes; j++) bytes[j] = (unsigned char)random_next(&random);
    bool may_fail = s->m.may_fail;
    s->m.may_fail |= s->strict && model_size(bytes + 2) >= STRICT_REFUSES;
    model_one(&s->m, bytes);
    s->m.may_fail = may_fail;
  }
}

static void play_scenario(scenario_state *s, bool may_fail) {
  mia_arena *arena = s->arena;
  bool strict = s->strict;
  memset(s, 0, sizeof *s);
  s->arena = arena;
  s->strict = strict;
  s->m.may_fail = may_fail;
  errno = MODEL_ERRNO;
  some_threads(s);
  errno = MODEL_ERRNO;
  grow_far(s, mia_realloc);
  zero_again(s, 200 * KIB);
  zero_again(s, 3 * MIB);
  zero_again(s, 33 * MIB);
  one_arena(s);
  the_rest(s);
  random_calls(s);
  model_end(&s->m);
}

/* ---- afterwards ---- */

static size_t leaves(void) {
  size_t count = 0;
  for (size_t i = 0; i < MIA_MAP_ROOT_ENTRIES; i++) {
    uintptr_t leaf = mia_aword_get(&mia_map_pages.root[i]);
    count += leaf != 0 && leaf != (uintptr_t)mia_map_pages.first;
  }
  return count * sizeof mia_map_pages.first;
}

/* Checks that nothing is in use and that all mapped memory is accounted for.  Memory that
 * could not be unmapped is either still counted as reserved, until the next try, or lost. */
static void check_books(bool tried_again) {
  mia_collect(true);
  mia_stats stats = {.size = sizeof stats};
  model_need(mia_stats_get(&stats), "statistics", 0);
  model_need(stats.blocks == 0, "blocks are left", stats.blocks);
  size_t known = stats.reserved + leaves();
  size_t lost = mia_system.mapped - known;
  model_need(mia_system.mapped >= known, "address space is counted twice",
             known - mia_system.mapped);
  model_need(lost <= mia_system.lost, "address space was lost", lost);
  model_need(!tried_again || lost == mia_system.lost, "not unmapped later", mia_system.lost);
}

/* Without the leaves of the page map that security tiers from 2 on need for mappings at random places. */
static size_t mapped_without_leaves(void) {
  return mia_system.mapped - (mia_option_get(MIA_OPTION_SECURE) >= 2 ? leaves() : 0);
}

static void recover(scenario_state *s) {
  check_books(false);
  play_scenario(s, false);
  check_books(true);
  size_t mapped = mapped_without_leaves();
  play_scenario(s, false);
  check_books(true);
  size_t now = mapped_without_leaves();
  model_need(now == mapped, "address space grows", now - mapped);
}

/* ---- running it ---- */

typedef struct figures {
  size_t calls[SYSTEM_KINDS];
  size_t refused;
  size_t failed; /* requests that failed */
  size_t lost;
} figures;

/* Runs the scenario with refused calls in this process. */
static void run(unsigned kinds, size_t nth, size_t count, bool strict, figures *out) {
  static scenario_state s;
  s.strict = strict;
  mia_system.live_max = strict ? STRICT_LIVE : 0;
  system_refuse(kinds, nth, count);
  play_scenario(&s, kinds != 0);
  system_allow();
  for (unsigned i = 0; i < SYSTEM_KINDS; i++) out->calls[i] = system_calls(1u << i);
  out->refused = system_refused();
  out->failed = s.m.refused;
  recover(&s);
  out->lost = mia_system.lost;
}

/* Runs it in another process.  Returns false if that process failed. */
static bool run_apart(unsigned kinds, size_t nth, size_t count, bool strict, figures *out) {
  int ends[2];
  int status = -1;
  if (pipe(ends) != 0) return false;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    (void)alarm(SECONDS_ALLOWED);
    run(kinds, nth, count, strict, out);
    _exit(write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out ? 0 : 1);
  }
  (void)close(ends[1]);
  bool received = read(ends[0], out, sizeof *out) == (ssize_t)sizeof *out;
  (void)close(ends[0]);
  if (child > 0) (void)waitpid(child, &status, 0);
  return received && status == 0;
}

static const char *const names[SYSTEM_KINDS] = {"mmap", "munmap", "mprotect", "madvise", "mremap"};

static void report(bool good, const char *what, const figures *sum, size_t runs) {
  tap_ok(good, "%s: %zu runs, %zu calls refused, %zu requests failed, %zu KiB lost", what, runs,
         sum->refused, sum->failed, sum->lost / KIB);
}

static void add(figures *sum, const figures *one) {
  sum->refused += one->refused;
  sum->failed += one->failed;
  sum->lost += one->lost;
}

/* The number of calls depends a little on how the threads interleave, because adjacent ranges
 * are given back by one call. */
static bool may_be_missing(size_t nth, size_t limit) { return nth > limit - limit / MISSING_PART; }

/* Refuses every stride-th call of the given kinds, the first and the last included. */
static void each(const char *what, unsigned kinds, size_t limit, size_t count, bool strict,
                 size_t stride) {
  figures sum = {0};
  size_t runs = 0;
  bool good = true;
  for (size_t n = 1; n <= limit; n = n < limit && n + stride > limit ? limit : n + stride) {
    figures one = {0};
    runs++;
    if (!run_apart(kinds, n, count, strict, &one)) {
      printf("# the %zuth %s\n", n, what);
      good = false;
    }
    if (one.refused == 0 && !may_be_missing(n, limit)) {
      printf("# the %zuth %s did not come\n", n, what);
      good = false;
    }
    add(&sum, &one);
  }
  report(good && sum.refused > 0, what, &sum, runs);
}

static void each_kind(bool strict, size_t stride) {
  static const size_t counts[] = {1, SOME, SYSTEM_ALWAYS};
  static const char *const how[] = {"once", "some times", "for ever"};
  char what[80];
  figures base = {0};
  bool good = run_apart(0, 1, 0, strict, &base);
  report(good, strict ? "nothing, without overcommit" : "nothing", &base, 1);
  if (!good) return;
  for (unsigned kind = 0; kind < SYSTEM_KINDS; kind++) {
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
      snprintf(what, sizeof what, "%s, %s%s", names[kind], how[i],
               strict ? ", without overcommit" : "");
      if (base.calls[kind] > 0) each(what, 1u << kind, base.calls[kind], counts[i], strict, stride);
    }
  }
  size_t all = 0;
  for (unsigned kind = 0; kind < SYSTEM_KINDS; kind++) all += base.calls[kind];
  each(strict ? "all, for ever, without overcommit" : "all, for ever", SYSTEM_ANY, all,
       SYSTEM_ALWAYS, strict, 5 * stride);
}

int main(int argc, char **argv) {
  size_t stride = argc > 1 ? strtoul(argv[1], NULL, 10) : STRIDE;
  if (argc > 2) calls = strtoul(argv[2], NULL, 10);
  if (stride == 0 || calls > CALLS_MAX) return EXIT_FAILURE;
  each_kind(false, stride);
  each_kind(true, stride);
  return tap_end();
}
