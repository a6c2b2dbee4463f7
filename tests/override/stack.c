/* stack.c -- every function with the smallest stack, and in a cancelled thread; prints TAP.
 *
 * Each row runs in a thread with a painted stack; afterwards the paint shows how deep it
 * went, including what the C library does for it.  Then all rows run in a thread with the
 * smallest stack, and in a signal handler with a stack as small.  Last, each row runs in a
 * cancelled thread, which must not end before the row does, so that what is written is
 * complete.  Linked with libmialloc; needs no framework.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <mialloc/heap.h>
#include <mialloc/stats.h>

#if MIA_HAVE_MALLOC_H
#include <malloc.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../tap.h"

enum {
  PAINT = 0xb6,
  PAINTED = 256 * 1024,
  STACK_MOST = 6 * 1024,       /* the most that a row may use */
  LIBC_STACK_MOST = 64 * 1024, /* rows in which the C library does much: file names, locales */
  SMALL = 100,
  LARGE = 200000,
  HUGE_BLOCK = 40 << 20
};
#define TOO_MUCH ((size_t)PTRDIFF_MAX - 100000)

static volatile size_t none; /* 0, but the compiler does not know that */
static void *kept;           /* nor how a block is used */

static void *use(void *p) {
  __atomic_store_n(&kept, p, __ATOMIC_RELAXED);
  return __atomic_load_n(&kept, __ATOMIC_RELAXED);
}
static void drop(void *p) { mia_free(use(p)); }

/* ---- rows; is_complete() looks for the names in this file ---- */

static void nothing(void) {}

static void standard(void) {
  drop(mia_malloc(SMALL));
  drop(mia_malloc(LARGE));
  drop(mia_malloc(HUGE_BLOCK));
  drop(mia_calloc(1, SMALL));
  drop(mia_zalloc(LARGE));
  drop(mia_mallocn(3, SMALL));
  drop(mia_realloc(use(mia_realloc(use(mia_malloc(SMALL)), LARGE)), HUGE_BLOCK));
  drop(mia_realloc(use(mia_malloc(HUGE_BLOCK)), SMALL));
  drop(mia_reallocarray(NULL, 3, SMALL));
  drop(mia_reallocf(use(mia_malloc(SMALL)), LARGE));
  void *p = use(mia_malloc(SMALL));
  (void)!mia_reallocarr(&p, 3, LARGE);
  drop(p);
  mia_free_sized(use(mia_malloc(SMALL)), SMALL);
  mia_free_aligned_sized(use(mia_malloc_aligned(SMALL, 64)), 64, SMALL);
  (void)mia_usable_size(NULL);
  (void)mia_good_size(SMALL);
  (void)mia_good_size_aligned(SMALL, 64);
  (void)mia_memalignment(&p);
  (void)mia_version();
  (void)mia_version_string();
  (void)mia_is_overriding();
}

static void aligned(void) {
  void *p = NULL;
  drop(mia_malloc_aligned(LARGE, 4096));
  drop(mia_zalloc_aligned(SMALL, 4096));
  drop(mia_calloc_aligned(2, SMALL, 128));
  drop(mia_realloc_aligned(use(mia_malloc(SMALL)), LARGE, 256));
  drop(mia_realloc_exact(use(mia_malloc(SMALL)), LARGE, 256));
  drop(mia_malloc_aligned_at(SMALL, 64, 8));
  drop(mia_zalloc_aligned_at(SMALL, 64, 8));
  drop(mia_calloc_aligned_at(2, SMALL, 64, 8));
  drop(mia_realloc_aligned_at(use(mia_malloc(SMALL)), LARGE, 64, 8));
  drop(mia_aligned_alloc(64, SMALL));
  if (mia_posix_memalign(&p, 1 << 20, LARGE) == 0) drop(p);
  drop(mia_memalign(48, SMALL));
  drop(mia_valloc(SMALL));
  drop(mia_pvalloc(SMALL));
}

static void extended(void) {
  size_t before, after;
  void *p = use(mia_malloc(LARGE));
  (void)!mia_expand(p, LARGE + LARGE / 2);
  drop(mia_rezalloc(p, HUGE_BLOCK));
  drop(mia_recalloc(NULL, 3, SMALL));
  drop(mia_rezalloc_aligned(NULL, SMALL, 64));
  drop(mia_recalloc_aligned(NULL, 3, SMALL, 64));
  drop(mia_rezalloc_aligned_at(NULL, SMALL, 64, 8));
  drop(mia_recalloc_aligned_at(NULL, 3, SMALL, 64, 8));
  drop(mia_malloc_at_least(SMALL, &after));
  drop(mia_zalloc_at_least(SMALL, &after));
  drop(mia_calloc_at_least(2, SMALL, &after));
  drop(mia_malloc_aligned_at_least(SMALL, 64, &after));
  drop(mia_zalloc_aligned_at_least(SMALL, 64, &after));
  mia_free_usable(use(mia_realloc_at_least(use(mia_malloc(SMALL)), LARGE, &before, &after)),
                  &before);
}

static void cxx(void) {
  drop(mia_new(SMALL));
  drop(mia_new_n(2, SMALL));
  drop(mia_new_aligned(SMALL, 64));
  drop(mia_new_nothrow(TOO_MUCH + none));
  drop(mia_new_aligned_nothrow(TOO_MUCH + none, 64));
  drop(mia_new_realloc(use(mia_malloc(SMALL)), LARGE));
  drop(mia_new_reallocn(NULL, 3, SMALL));
  drop(mia_heap_alloc_new(mia_heap_main(), SMALL));
  drop(mia_heap_alloc_new_n(mia_heap_main(), 3, SMALL));
}

static void failing(void) {
  (void)mia_option_set(MIA_OPTION_SHOW_ERRORS, 1);
  (void)mia_option_set(MIA_OPTION_MAX_WARNINGS, 1000000);
  drop(mia_malloc(TOO_MUCH + none));
  drop(mia_calloc(TOO_MUCH + none, 8));
  drop(mia_malloc_aligned(TOO_MUCH + none, 64));
  void *p = use(mia_malloc(SMALL));
  void *q = mia_realloc(p, TOO_MUCH + none);
  drop(q == NULL ? p : q);
  (void)mia_option_set_text("no such option", "1");
}

static void strings(void) {
  drop(mia_strdup("text"));
  drop(mia_strndup("text", 2));
  drop(mia_wcsdup(L"text"));
  drop(mia_mbsdup((const unsigned char *)"text"));
  drop(mia_heap_strdup(mia_heap_main(), "text"));
  drop(mia_heap_strndup(mia_heap_main(), "text", 2));
}

static void libc_strings(void) {
  char *copy;
  wchar_t *wide;
  size_t size;
  drop(mia_realpath("/dev/../dev/null", NULL));
  drop(mia_heap_realpath(mia_heap_main(), "/dev/null", NULL));
  if (mia_dupenv_s(&copy, &size, "PATH") == 0) drop(copy);
  if (mia_wdupenv_s(&wide, &size, L"PATH") == 0) drop(wide);
}

static bool visit_block(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                        void *arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  return true;
}
static bool visit_heap(mia_heap *heap, void *arg) {
  (void)heap, (void)arg;
  return true;
}

static void heaps(void) {
  mia_heap *heap = mia_heap_new();
  drop(mia_heap_malloc(heap, SMALL));
  drop(mia_heap_zalloc(heap, LARGE));
  drop(mia_heap_calloc(heap, 2, SMALL));
  drop(mia_heap_mallocn(heap, 2, SMALL));
  drop(mia_heap_malloc_aligned(heap, SMALL, 64));
  drop(mia_heap_malloc_aligned_at(heap, SMALL, 64, 8));
  drop(mia_heap_zalloc_aligned(heap, SMALL, 64));
  drop(mia_heap_zalloc_aligned_at(heap, SMALL, 64, 8));
  drop(mia_heap_calloc_aligned(heap, 2, SMALL, 64));
  drop(mia_heap_calloc_aligned_at(heap, 2, SMALL, 64, 8));
  drop(mia_heap_realloc(heap, NULL, SMALL));
  drop(mia_heap_reallocarray(heap, NULL, 2, SMALL));
  drop(mia_heap_reallocf(heap, NULL, SMALL));
  drop(mia_heap_realloc_aligned(heap, NULL, SMALL, 64));
  drop(mia_heap_realloc_aligned_at(heap, NULL, SMALL, 64, 8));
  drop(mia_heap_rezalloc(heap, NULL, SMALL));
  drop(mia_heap_rezalloc_aligned(heap, NULL, SMALL, 64));
  drop(mia_heap_rezalloc_aligned_at(heap, NULL, SMALL, 64, 8));
  drop(mia_heap_recalloc(heap, NULL, 2, SMALL));
  drop(mia_heap_recalloc_aligned(heap, NULL, 2, SMALL, 64));
  drop(mia_heap_recalloc_aligned_at(heap, NULL, 2, SMALL, 64, 8));
  void *p = use(mia_heap_malloc(heap, SMALL));
  (void)mia_heap_contains(heap, p);
  (void)mia_heap_of(p);
  (void)mia_any_heap_contains(p);
  (void)mia_is_in_heap_region(p);
  (void)mia_heap_page_is_under_utilized(heap, p, 50);
  (void)mia_heap_set_default(heap);
  (void)mia_heap_get_default();
  (void)mia_heap_set_default(NULL);
  (void)mia_heap_visit_blocks(heap, true, visit_block, NULL);
  (void)mia_heap_visit_abandoned_blocks(heap, true, visit_block, NULL);
  mia_heap_collect(heap, true);
  mia_heap_delete(heap);
  drop(p);
  mia_heap_destroy(mia_heap_new());
}

static void subprocs(void) {
  mia_subproc *subproc = mia_subproc_new();
  mia_subproc_add_current_thread(subproc);
  drop(mia_malloc(SMALL));
  (void)mia_subproc_visit_heaps(mia_subproc_current(), visit_heap, NULL);
  mia_subproc_add_current_thread(mia_subproc_main());
  mia_subproc_destroy(subproc);
}

static void arenas(void) {
  mia_arena *arena = NULL;
  size_t size;
  if (mia_reserve_memory(8 << 20, MIA_ARENA_IS_EXCLUSIVE, &arena) == 0) {
    mia_heap *heap = mia_heap_new_in_arena(arena);
    (void)mia_arena_contains(arena, use(mia_heap_malloc(heap, SMALL)));
    mia_heap_destroy(heap);
    (void)mia_arena_area(arena, &size);
    mia_arenas_print(NULL, NULL);
    (void)mia_arena_unload(arena);
  }
  (void)mia_arena_min_alignment();
  (void)mia_arena_min_size();
  (void)mia_manage_memory(&size, 0,
                          MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_PINNED | MIA_ARENA_IS_EXCLUSIVE,
                          NULL, NULL, &arena);
  (void)mia_reserve_huge_pages(0, -1, 0, MIA_ARENA_IS_EXCLUSIVE, &arena);
  (void)mia_reserve_huge_pages_interleave(0, 0, 0);
}

static void options(void) {
  mia_options_print();
  mia_options_print_out(NULL, NULL);
  (void)mia_option_describe(mia_option_find("MIALLOC_LIMIT"));
  (void)mia_option_is_set(MIA_OPTION_LIMIT);
  (void)mia_option_set_default(MIA_OPTION_LIMIT, mia_option_get(MIA_OPTION_LIMIT));
  (void)mia_option_set_text("stats_json", "off");
}

static void hear(const char *text, void *arg) { (void)text, (void)arg; }
static void be_told(int error, void *arg) { (void)error, (void)arg; }
static void free_more(bool force, unsigned long long heartbeat, void *arg) {
  (void)force, (void)heartbeat, (void)arg;
}

static void hooks(void) {
  mia_register_output(hear, NULL);
  mia_register_error(be_told, NULL);
  mia_register_deferred_free(free_more, NULL);
  mia_stats_print();
  failing();
  mia_register_output(NULL, NULL);
  mia_register_error(NULL, NULL);
  mia_register_deferred_free(NULL, NULL);
}

static void statistics(void) {
  static mia_stats stats; /* static, because it must not count as stack */
  static char json[20000];
  stats.size = sizeof stats;
  (void)mia_heap_stats_get(mia_heap_main(), &stats);
  (void)mia_thread_stats_get(&stats);
  (void)mia_subproc_stats_get(mia_subproc_main(), &stats);
  stats.size = sizeof stats - 100;
  (void)mia_stats_get(&stats);
  mia_stats_print_as(&stats, NULL, NULL);
  drop(mia_stats_as_json(&stats, 0, NULL));
  (void)mia_stats_as_json(&stats, sizeof json, json);
  mia_stats_print_out(NULL, NULL);
  mia_process_print_out(NULL, NULL);
  mia_stats_print();
  (void)mia_option_set(MIA_OPTION_STATS_JSON, 1);
  mia_stats_print();
  (void)mia_option_set(MIA_OPTION_STATS_JSON, 0);
}

static void giving_back(void) {
  mia_collect(false);
  mia_collect(true);
  (void)mia_purge();
  mia_thread_done();
  mia_thread_init();
}

/* The names of the C library, where it has them. */
static void libc_names(void) {
  void *p;
  free(use(malloc(SMALL)));
  free(use(calloc(2, LARGE)));
  free(use(realloc(use(malloc(SMALL)), HUGE_BLOCK)));
  free(use(aligned_alloc(64, SMALL)));
  if (posix_memalign(&p, 64, SMALL) == 0) free(p);
#if MIA_HAVE_MALLOC_TRIM
  (void)malloc_trim(0);
#endif
#if MIA_HAVE_MALLOC_STATS
  malloc_stats();
#endif
#if MIA_HAVE_MALLINFO2
  (void)mallinfo2();
#endif
}

#if MIA_HAVE_MALLOC_INFO
static FILE *unbuffered;
static void information(void) { (void)malloc_info(0, unbuffered); }
#endif

static const struct row {
  const char *name;
  void (*run)(void);
  size_t most;
} rows[] = {
    {"nothing", nothing, STACK_MOST},
    {"the standard's functions", standard, STACK_MOST},
    {"aligned ones", aligned, STACK_MOST},
    {"extended ones", extended, STACK_MOST},
    {"C++'s", cxx, STACK_MOST},
    {"requests that fail", failing, STACK_MOST},
    {"strings", strings, STACK_MOST},
    {"strings of the C library", libc_strings, LIBC_STACK_MOST},
    {"heaps", heaps, STACK_MOST},
    {"sub-processes", subprocs, STACK_MOST},
    {"arenas", arenas, STACK_MOST},
    {"options", options, STACK_MOST},
    {"hooks", hooks, STACK_MOST},
    {"statistics", statistics, STACK_MOST},
    {"giving back", giving_back, STACK_MOST},
    {"the C library's names", libc_names, STACK_MOST},
#if MIA_HAVE_MALLOC_INFO
    {"malloc_info", information, STACK_MOST},
#endif
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- running the rows ---- */

static void *run_row(void *row) {
  ((const struct row *)row)->run();
  return NULL;
}

static bool run_thread(const pthread_attr_t *attributes, void *(*run)(void *), const void *arg) {
  pthread_t thread;
  return pthread_create(&thread, attributes, run, (void *)(uintptr_t)arg) == 0 &&
         pthread_join(thread, NULL) == 0;
}

/* Returns how much more stack a row used than a thread that does nothing. */
static size_t depth_of(const struct row *row) {
  static _Alignas(65536) unsigned char stack[PAINTED];
  static size_t idle;
  pthread_attr_t attributes;
  size_t untouched = 0;
  memset(stack, PAINT, sizeof stack);
  pthread_attr_init(&attributes);
  if (pthread_attr_setstack(&attributes, stack, sizeof stack) != 0 ||
      !run_thread(&attributes, run_row, row))
    return SIZE_MAX;
  pthread_attr_destroy(&attributes);
  while (untouched < sizeof stack && stack[untouched] == PAINT) untouched++;
  size_t used = sizeof stack - untouched;
  if (row == rows) idle = used;
  return used > idle ? used - idle : 0;
}

/* Runs all rows that do not depend on the C library. */
static void *run_all(void *unused) {
  for (int i = 0; i < ROWS; i++)
    if (rows[i].most == STACK_MOST) rows[i].run();
  return unused;
}

static bool on_the_smallest_stack(void) {
  long least = sysconf(_SC_THREAD_STACK_MIN);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  return pthread_attr_setstacksize(&attributes, least > 16384 ? (size_t)least : 16384) == 0 &&
         run_thread(&attributes, run_all, NULL);
}

static void handle(int signal) {
  (void)signal;
  (void)run_all(NULL);
}

/* The handler's stack is as large as the kernel needs plus what a row may use; below it there
 * is a guard. */
static bool on_a_signal_stack(void) {
#ifdef _SC_MINSIGSTKSZ
  long kernels = sysconf(_SC_MINSIGSTKSZ);
#else
  long kernels = MINSIGSTKSZ;
#endif
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t size = ((size_t)kernels + STACK_MOST + page - 1) / page * page;
  char *p = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) != 0) return false;
  stack_t stack = {.ss_sp = p + page, .ss_size = size};
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
  return sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0 &&
         raise(SIGUSR1) == 0;
}

static const struct row *volatile finished;

static void *run_cancelled(void *row) {
  pthread_cancel(pthread_self());
  run_row(row);
  finished = row;
  pthread_testcancel();
  return row;
}

static bool is_not_cancelled(const struct row *row) {
  return run_thread(NULL, run_cancelled, row) && finished == row;
}

/* Checks that this file calls every name in src/mialloc.map. */
static bool is_complete(const char *root) {
  static char source[100000], map[20000], path[PATH_MAX], call[200];
  const char *const names[] = {"tests/override/stack.c", "src/mialloc.map"};
  char *const texts[] = {source, map};
  const size_t sizes[] = {sizeof source, sizeof map};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", root, names[i]);
    FILE *f = fopen(path, "r");
    if (f == NULL || fread(texts[i], 1, sizes[i] - 1, f) == 0) return false;
    fclose(f);
  }
  size_t count = 0, missing = 0;
  for (char *name = map; (name = strstr(name, "mia_")) != NULL; name += strlen("mia_")) {
    snprintf(call, sizeof call, "%.*s(", (int)strcspn(name, ";, \n*"), name);
    count++;
    if (strstr(source, call) != NULL) continue;
    missing++;
    printf("# not called: %s\n", call);
  }
  printf("# %zu names\n", count);
  return count > 0 && missing == 0;
}

int main(int argc, char **argv) {
  (void)argc;
  /* Binds all names at the start, because lazy binding uses more stack than mialloc. */
  if (getenv("LD_BIND_NOW") == NULL) {
    setenv("LD_BIND_NOW", "1", 1);
    execv("/proc/self/exe", argv);
  }
  if (dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) < 0) return EXIT_FAILURE;
#if MIA_HAVE_MALLOC_INFO
  unbuffered = fopen("/dev/null", "w");
  setvbuf(unbuffered, NULL, _IONBF, 0);
#endif
  const char *root = getenv("top_srcdir");
  printf("1..%d\n", 2 * ROWS + 2 + (root != NULL));
  for (int i = 0; i < ROWS; i++) {
    size_t depth = depth_of(&rows[i]);
    tap_ok(depth <= rows[i].most, "%s: a small stack is enough", rows[i].name);
    printf("# %zu bytes\n", depth);
  }
  for (int i = 0; i < ROWS; i++)
    tap_ok(rows[i].most == LIBC_STACK_MOST || is_not_cancelled(&rows[i]),
           "%s: not ended by cancellation", rows[i].name);
  tap_ok(on_the_smallest_stack(), "all in a thread with the smallest stack");
  tap_ok(on_a_signal_stack(), "all in a handler with its own stack");
  if (root != NULL) tap_ok(is_complete(root), "every function of the library is called");
  return tap_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
