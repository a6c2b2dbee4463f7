/* SPDX-License-Identifier: MIT */
/* hardened.c -- what MIALLOC_SECURE=2 adds: run with it, by tiers.sh; prints TAP. */
#include "config.h"

#include "../tap.h"
#include "said.h"

#include <errno.h>
#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  TEXT_SIZE = 512,
  MANY = 20000,
  QUEUE = 64,
  LARGE_QUEUE = 8,
  CHILDREN = 64,
  HUGE_SIZE = 40 << 20,
  TAKEN = 16 << 20
};

/* Volatile pointers, as the compiler knows these functions, and warns of misuse. */
static void *(*volatile take)(size_t) = mia_malloc;
static void (*volatile release)(void *) = mia_free;

static const size_t sizes[] = {1, 16, 40, 100, 500, 1000, 2000, 3000, 10000, 30000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };
static const size_t large_sizes[] = {131072, 1000000, HUGE_SIZE};
enum { LARGE_SIZES = sizeof large_sizes / sizeof large_sizes[0] };

static bool is_zero(const char *p, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (((const volatile char *)p)[i] != 0) return false;
  return true;
}

/* A block beside others, so that its page stays when it is freed. */
static char *take_between(size_t size) {
  char *p = take(size);
  if (p == NULL || take(size) == NULL) exit(EXIT_FAILURE);
  memset(p, 'x', size);
  return p;
}

/* ---- in this process ---- */

static void content(size_t size) {
  char *p = take_between(size);
  release(p);
  tap_ok(is_zero(p, size), "a freed block of %zu bytes is zero", size);
}

/* At least as many other blocks are freed in between as the queue has places. */
static void quarantine(size_t size) {
  unsigned pairs = size <= 2000 ? QUEUE : LARGE_QUEUE;
  bool again = false;
  for (unsigned round = 0; round < 20; round++) {
    char *p = take_between(size);
    release(p);
    for (unsigned i = 0; i < pairs; i++) {
      void *q = take(size);
      again = again || q == p;
      release(q);
    }
  }
  tap_ok(!again, "%u blocks of %zu bytes are freed before one is used again", pairs, size);
}

/* All blocks are used again in the end, and are intact. */
static void many(size_t size) {
  enum { LIVE = 100 };
  static char *live[LIVE];
  bool intact = true;
  for (unsigned i = 0; i < LIVE; i++) live[i] = take_between(size);
  for (unsigned i = 0; i < MANY; i++) {
    char **at = &live[i * 7 % LIVE];
    for (size_t j = 0; j < size; j++) intact = intact && (*at)[j] == 'x';
    release(*at);
    *at = take(size);
    memset(*at, 'x', size);
  }
  for (unsigned i = 0; i < LIVE; i++) release(live[i]);
  tap_ok(intact, "%d blocks of %zu bytes stay as they were written", MANY, size);
}

static bool has_byte(const char *p, size_t size, char byte) {
  for (size_t i = 0; i < size; i++)
    if (p[i] == byte) return true;
  return false;
}

/* What lay behind the end of a block that shrank is in no later block. */
static void content_of_shrunk(size_t size, size_t to) {
  char *p = take_between(size), *q = mia_realloc(p, to);
  release(q);
  char *r = take(size);
  tap_ok(!has_byte(r, size, 'x'), "%zu bytes that shrank to %zu are in no later block", size, to);
  release(r);
}

static void content_of_destroyed(size_t size) {
  mia_heap *heap = mia_heap_new();
  char *p = mia_heap_malloc(heap, size);
  memset(p, 'y', size);
  mia_heap_destroy(heap);
  char *q = take(size);
  tap_ok(!has_byte(q, size, 'y'), "%zu bytes of a destroyed heap are in no later block", size);
  release(q);
}

/* ---- where blocks lie ---- */

enum { SLICE = 64 << 10, BLOCKS = 8000, SMALL = 48, SMALL_OTHER = 1000 };

static uintptr_t slice_of(const void *p) { return (uintptr_t)p / SLICE; }

static bool is_among(const uintptr_t *slices, unsigned count, uintptr_t slice) {
  for (unsigned i = 0; i < count; i++)
    if (slices[i] == slice) return true;
  return false;
}

static void fill(char **blocks, size_t size) {
  for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = take(size);
}
static void empty(char **blocks) {
  for (unsigned i = 0; i < BLOCKS; i++) release(blocks[i]);
  mia_collect(true);
}

/* A few blocks wait in the quarantine, and their pages with them. */
static void classes_lie_apart(void) {
  enum { SLICES = 64 };
  static char *blocks[BLOCKS];
  uintptr_t slices[SLICES];
  unsigned count = 0, others = 0, again = 0;
  fill(blocks, SMALL);
  for (unsigned i = 0; i < BLOCKS && count < SLICES; i++)
    if (!is_among(slices, count, slice_of(blocks[i]))) slices[count++] = slice_of(blocks[i]);
  empty(blocks);
  fill(blocks, SMALL_OTHER);
  for (unsigned i = 0; i < BLOCKS; i++) others += is_among(slices, count, slice_of(blocks[i]));
  empty(blocks);
  fill(blocks, SMALL);
  for (unsigned i = 0; i < BLOCKS; i++) again += is_among(slices, count, slice_of(blocks[i]));
  empty(blocks);
  tap_ok(count < SLICES && others == 0, "no block of %d bytes lies where %d bytes lay", SMALL_OTHER,
         SMALL);
  tap_ok(again > BLOCKS / 4 * 3, "%u of %d blocks of %d bytes lie where such blocks lay", again,
         BLOCKS, SMALL);
}

/* Asks the kernel, which reads a byte there. */
static bool can_be_read(int pipe_end, uintptr_t slice) {
  return write(pipe_end, (const char *)(slice * SLICE), 1) == 1;
}

/* Beside a tenth of the spans, or so, are guards. */
static void guards_are_among_blocks(void) {
  static char *blocks[BLOCKS];
  int ends[2];
  uintptr_t low = UINTPTR_MAX, high = 0;
  unsigned guards = 0;
  fill(blocks, SMALL_OTHER);
  for (unsigned i = 0; i < BLOCKS; i++) {
    uintptr_t slice = slice_of(blocks[i]);
    if (slice < low) low = slice;
    if (slice > high) high = slice;
  }
  if (pipe(ends) != 0) exit(EXIT_FAILURE);
  char byte;
  for (uintptr_t slice = low; slice < high && slice < low + BLOCKS; slice++) {
    bool good = can_be_read(ends[1], slice);
    guards += !good;
    if (good && read(ends[0], &byte, 1) != 1) exit(EXIT_FAILURE);
  }
  close(ends[0]);
  close(ends[1]);
  empty(blocks);
  tap_ok(guards >= 3, "%u guards lie between %d blocks", guards, BLOCKS);
}

static unsigned count_mappings(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  unsigned lines = 0;
  if (maps == NULL) exit(EXIT_FAILURE);
  for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
  (void)fclose(maps);
  return lines;
}

static void mappings_are_bounded(size_t size) {
  static char *blocks[BLOCKS];
  fill(blocks, size);
  unsigned mappings = count_mappings();
  empty(blocks);
  tap_ok(mappings < 5000, "%d blocks of %zu bytes: %u mappings", BLOCKS, size, mappings);
}

/* ---- what works as in other tiers ---- */

/* An arena that the program has reserved serves all that its heap frees again. */
static void an_arena_is_used_again(void) {
  enum { ROUNDS = 6, ARENA_SIZE = 8 << 20, IN_ARENA = 2000, OF_SIZE = 3000 };
  static void *blocks[IN_ARENA];
  mia_arena *arena;
  if (mia_reserve_memory(ARENA_SIZE, 0, &arena) != 0) exit(EXIT_FAILURE);
  mia_heap *heap = mia_heap_new_in_arena(arena);
  bool good = heap != NULL;
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (unsigned i = 0; i < IN_ARENA; i++) {
      blocks[i] = mia_heap_malloc(heap, round % 2 == 0 ? OF_SIZE : OF_SIZE / 2);
      good = good && blocks[i] != NULL;
    }
    for (unsigned i = 0; i < IN_ARENA; i++) mia_free(blocks[i]);
    mia_collect(true);
  }
  mia_heap_delete(heap);
  tap_ok(good, "an arena serves its heap in %d rounds", ROUNDS);
}

static const mia_stats *measure(void) {
  static mia_stats stats;
  stats.size = sizeof stats;
  if (!mia_stats_get(&stats)) exit(EXIT_FAILURE);
  return &stats;
}

static void address_space_is_bounded(void) {
  enum { ROUNDS = 300, ALIGN = 1 << 20, OF_SIZE = 100 << 10 };
  size_t before = measure()->reserved;
  for (unsigned i = 0; i < ROUNDS; i++) {
    void *p = mia_aligned_alloc(ALIGN, OF_SIZE), *q = take(OF_SIZE);
    release(p);
    release(q);
  }
  tap_ok(measure()->reserved < before + (128 << 20),
         "aligned blocks take no more and more address space");
}

/* The number of copies is that of addresses, as no block grows where it is.  A debug build gives no block
 * more than was asked for, and so copies each time. */
static void growth_copies_seldom(void) {
  enum { FROM = 100 << 10, TO = 4 << 20, STEP = 4096, MOST = 30 };
  unsigned moves = 0;
  char *p = take(FROM);
  for (size_t size = FROM; size < TO; size += STEP) {
    char *q = mia_realloc(p, size);
    moves += q != p;
    p = q;
  }
  release(p);
  tap_ok(MIA_DEBUG || moves <= MOST, "a block that grows to 4 MiB in steps moves %u times", moves);
}

/* In a process of its own, whose address space is then nearly used up. */
static void allocate_in_little_space(void *size) {
  struct rlimit limit = {0};
  size_t used = 0, mapped;
  FILE *statm = fopen("/proc/self/statm", "r");
  void *first = take(1000);
  if (statm == NULL || fscanf(statm, "%zu", &mapped) != 1 || first == NULL) _exit(2);
  limit.rlim_cur = limit.rlim_max = mapped * (size_t)sysconf(_SC_PAGESIZE) + (64 << 10);
  if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
  for (unsigned i = 0; i < 10; i++) used += take(*(size_t *)size) != NULL;
  _exit(used == 10 ? 0 : 1);
}
static void guards_are_no_reason_to_fail(size_t size) {
  char text[TEXT_SIZE];
  int status = run_and_read(allocate_in_little_space, &size, text, sizeof text);
  tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
         "without address space for guards, %zu bytes lie in an arena", size);
}

/* All in KiB. */
typedef struct limited_resize {
  size_t from, to;
  size_t left; /* what the limit allows beside the block */
} limited_resize;

static void resize_at_the_limit(void *arg) {
  const limited_resize *r = arg;
  char *p = take(r->from << 10);
  if (p == NULL || !mia_option_set(MIA_OPTION_LIMIT, (long)((measure()->used >> 10) + r->left)))
    _exit(2);
  memset(p, 'x', r->from << 10);
  errno = 0;
  char *q = mia_realloc(p, r->to << 10);
  size_t kept = (r->from < r->to ? r->from : r->to) << 10;
  _exit(q != NULL && errno == 0 && q[0] == 'x' && q[kept - 1] == 'x' ? 0 : 1);
}
static void resizes_at_the_limit(limited_resize r, const char *what) {
  char text[TEXT_SIZE];
  int status = run_and_read(resize_at_the_limit, &r, text, sizeof text);
  tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", what);
}

/* ---- in other processes ---- */

typedef struct sized_case {
  void (*what)(size_t);
  size_t size;
} sized_case;

static void run_sized(void *arg) {
  const sized_case *c = arg;
  c->what(c->size);
}
static int run(void (*what)(size_t), size_t size, char *text) {
  return run_and_read(run_sized, &(sized_case){what, size}, text, TEXT_SIZE);
}

/* The pages in use become full, so that what others have freed is used again. */
static void take_all(size_t size) {
  for (unsigned i = 0; i < MANY; i++) release(take(size));
  for (unsigned i = 0; i < MANY && i * size < TAKEN; i++) (void)take(size);
}

/* The last byte that was asked for: in no block it is the canary's, which is checked when it is freed. */
static void write_to_freed(size_t size) {
  char *p = take_between(size);
  release(p);
  p[size - 1] = 'x';
  take_all(size);
}
static void *run_release(void *p) {
  release(p);
  return NULL;
}
static void write_to_freed_elsewhere(size_t size) {
  char *p = take_between(size);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_release, p) != 0) return;
  pthread_join(thread, NULL);
  p[0] = 'x';
  take_all(size);
}
static void free_twice_much_later(size_t size) {
  char *p = take_between(size);
  release(p);
  for (unsigned i = 0; i < QUEUE / 2; i++) release(take(size));
  release(p);
}
static void read_huge(size_t size) {
  char *p = take_between(size);
  release(p);
  (void)*(volatile char *)p;
}

/* The canary, and in debug builds a redzone, lie between the usable bytes and the guard. */
static void write_behind_huge(size_t size) {
  char *p = take_between(size);
  p[mia_usable_size(p) + 8192] = 'x';
}
static void write_before_huge(size_t size) {
  char *p = take_between(size);
  p[-8192] = 'x';
}

static bool has_faulted(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV; }
static bool has_aborted(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }

static void told(const char *what, void (*how)(size_t), size_t size, const char *message) {
  char text[TEXT_SIZE];
  int status = run(how, size, text);
  tap_ok(has_aborted(status) && strstr(text, message) != NULL, "%s is told: %zu bytes", what, size);
  if (tap_failures > 0) printf("# status %d: %s\n", status, text);
}

/* Writes where the next blocks are. */
static void show_places(size_t size) {
  for (unsigned i = 0; i < 4; i++) fprintf(stderr, "%p ", take(size));
}

static void *run_show(void *size) {
  show_places((size_t)(uintptr_t)size);
  return NULL;
}
static void show_places_of_thread(size_t size) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_show, (void *)(uintptr_t)size) == 0)
    pthread_join(thread, NULL);
}
static mia_heap *common;
static void show_places_of_heap(size_t size) {
  for (unsigned i = 0; i < 4; i++) fprintf(stderr, "%p ", mia_heap_malloc(common, size));
}

/* Children of one process, which are the same in all else. */
static void places_differ(const char *whose, void (*show)(size_t), size_t size) {
  static char text[CHILDREN][TEXT_SIZE];
  unsigned same = 0;
  for (unsigned i = 0; i < CHILDREN; i++) {
    run(show, size, text[i]);
    for (unsigned j = 0; j < i; j++) same += strcmp(text[i], text[j]) == 0;
  }
  tap_ok(text[0][0] != 0 && same <= CHILDREN / 16,
         "in %d children four blocks%s are at other places", CHILDREN, whose);
}

/* Writes where the heap of a new process is. */
static const char *program;
static void show_heap(size_t unused) {
  (void)unused;
  execl(program, program, "--place", (char *)NULL);
}

/* A pointer of 32 bits has no room for it, and an emulator runs no other program. */
static void heaps_differ(void) {
  enum { RUNS = 16, LEAST = 12 };
  unsigned long high[RUNS], different = 0;
  if (sizeof(void *) < 8 || getenv("TEST_EMULATOR") != NULL) return;
  for (unsigned i = 0; i < RUNS; i++) {
    char text[TEXT_SIZE];
    bool is_new = true;
    run(show_heap, 0, text);
    high[i] = strtoul(text, NULL, 16) >> 28;
    for (unsigned j = 0; j < i; j++) is_new = is_new && high[i] != high[j];
    different += is_new;
  }
  tap_ok(different >= LEAST, "of %d processes, %lu have the heap at quite another place", RUNS,
         different);
}

int main(int argc, char **argv) {
  program = argv[0];
  if (argc > 1) return fprintf(stderr, "%p", take(48)) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  if (mia_option_get(MIA_OPTION_SECURE) < 2) {
    tap_ok(false, "run with MIALLOC_SECURE=2");
    return tap_end();
  }
  for (unsigned i = 0; i < SIZES; i++) {
    content(sizes[i]);
    quarantine(sizes[i]);
    many(sizes[i]);
    told("a write after free", write_to_freed, sizes[i], "written to after it was freed");
    told("a write after a free elsewhere", write_to_freed_elsewhere, sizes[i], "written to after");
    told("a free of what waits", free_twice_much_later, sizes[i], "freed twice");
  }
  content(100 << 10);
  char text[TEXT_SIZE];
  for (unsigned i = 0; i < LARGE_SIZES; i++) {
    size_t size = large_sizes[i];
    tap_ok(has_faulted(run(read_huge, size, text)), "%zu bytes that were freed are unmapped", size);
    tap_ok(has_faulted(run(write_behind_huge, size, text)), "a guard is behind %zu bytes", size);
    tap_ok(has_faulted(run(write_before_huge, size, text)), "a guard is before %zu bytes", size);
  }
  classes_lie_apart();
  guards_are_among_blocks();
  mappings_are_bounded(140000);
  an_arena_is_used_again();
  address_space_is_bounded();
  growth_copies_seldom();
  guards_are_no_reason_to_fail(200000);
  resizes_at_the_limit((limited_resize){15 << 10, 6 << 10, 1 << 10},
                       "a block shrinks where none can be made");
  resizes_at_the_limit((limited_resize){7 << 10, 7300, 7400},
                       "a block grows by what is there, without the room to grow on");
  heaps_differ();
  content_of_shrunk(130000, 70000);
  content_of_shrunk(1000000, 500001);
  content_of_destroyed(1000);
  content_of_destroyed(100000);
  places_differ("", show_places, 48);
  places_differ(" of a thread", show_places_of_thread, 48);
  common = mia_heap_new();
  if (mia_heap_malloc(common, 48) == NULL) return EXIT_FAILURE;
  places_differ(" of a heap", show_places_of_heap, 48);
  return tap_end();
}
