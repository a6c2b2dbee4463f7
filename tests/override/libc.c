/* libc.c -- mialloc serves the libc's own names; prints TAP.
 *
 * Linked with libmialloc, shared or static.  A block is recognised as mialloc's by its usable
 * size, which must be the good size of the request; a foreign block would have another size
 * or end the program as misuse.  Needs no framework.  The plan is printed last, by an atexit
 * handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for asprintf and what only glibc has */
#endif
#define _FILE_OFFSET_BITS 64 /* for readdir on 32-bit hosts, whatever the file system */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <locale.h>
#include <malloc.h>
#include <mialloc.h>
#include <netdb.h>
#include <pthread.h>
#include <regex.h>
#include <search.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "../api/pattern.h"
#include "../resident.h"
#include "../tap.h"

/* Not declared by every libc. */
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);
size_t memalignment(const void *p);
/* No longer declared, but old programs still call it. */
extern void cfree(void *p) __attribute__((weak));

/* Calls go through volatile pointers: the compiler knows these names, removes pairs of calls,
 * and makes assumptions about the results. */
static void *(*volatile call_malloc)(size_t) = malloc;
static void *(*volatile call_calloc)(size_t, size_t) = calloc;
static void *(*volatile call_realloc)(void *, size_t) = realloc;
static void *(*volatile call_reallocarray)(void *, size_t, size_t) = reallocarray;
static void (*volatile call_free)(void *) = free;
static void *(*volatile call_aligned_alloc)(size_t, size_t) = aligned_alloc;
static int (*volatile call_posix_memalign)(void **, size_t, size_t) = posix_memalign;
static void *(*volatile call_memalign)(size_t, size_t) = memalign;
static void *(*volatile call_valloc)(size_t) = valloc;
static size_t (*volatile call_usable)(void *) = malloc_usable_size;

#define ERRNO_MARK 12345

static const size_t sizes[] = {0,    1,     8,      9,       24,      25,      100,     500,
                               1000, 10000, 100000, 1 << 20, 3000000, 9 << 20, 40 << 20};
#define SIZES (sizeof sizes / sizeof sizes[0])

static const char *self;
/* The command that runs this program, set by tests/matrix; the libraries and locales may then
 * be those of another host. */
static const char *emulator;

/* Returns true if `p' is a block of mialloc with at least `size' bytes, for blocks whose
 * exact size only the libc knows. */
static bool is_ours_of_unknown_size(const void *p, size_t size) {
  size_t usable = mia_usable_size(p);
  return p != NULL && usable >= size && mia_good_size(usable) == usable;
}

/* Returns true if `p' is a block of mialloc that was requested with `size' bytes: it may be borrowed
 * from the class of the next power of two. */
static bool is_ours(const void *p, size_t size) {
  size_t good = mia_good_size(size);
  return is_ours_of_unknown_size(p, size) && mia_usable_size(p) < 2 * good + (good == 0);
}

/* ---- the names ------------------------------------------------------------------ */

static void standard_four(void) {
  bool m = true, c = true, r = true, u = true;
  for (size_t i = 0; i < SIZES; i++) {
    size_t size = sizes[i];
    void *p = call_malloc(size);
    m = m && is_ours(p, size) && is_aligned(p, size <= 8 ? 8 : 16);
    u = u && call_usable(p) == mia_usable_size(p);
    void *q = call_realloc(p, size + 1000);
    r = r && q != NULL && mia_usable_size(q) >= size + 1000;
    call_free(q);
    q = call_realloc(NULL, size);
    r = r && is_ours(q, size);
    call_free(q);
    p = call_calloc(size, 2);
    c = c && is_ours(p, 2 * size) && all_zero(p, 2 * size);
    mia_free(p); /* both sets of names use one heap */
    p = mia_malloc(size);
    call_free(p);
  }
  call_free(NULL);
  tap_ok(m, "malloc and free");
  tap_ok(c, "calloc");
  tap_ok(r, "realloc");
  tap_ok(u && call_usable(NULL) == 0, "malloc_usable_size");
}

static void newer_names(void) {
  bool array = true, sized = true, aligned = true;
  for (size_t i = 0; i < SIZES; i++) {
    void *p = call_reallocarray(NULL, sizes[i] + 1, 3);
    array = array && is_ours(p, 3 * (sizes[i] + 1));
    free_sized(p, 3 * (sizes[i] + 1));
    p = call_malloc(sizes[i]);
    sized = sized && is_ours(p, sizes[i]);
    free_sized(p, sizes[i]);
    p = call_aligned_alloc(opaque(64), sizes[i]);
    aligned = aligned && is_ours_of_unknown_size(p, sizes[i]) && is_aligned(p, 64) &&
              memalignment(p) >= 64;
    free_aligned_sized(p, 64, sizes[i]);
  }
  free_sized(NULL, 5);
  free_aligned_sized(NULL, 8, 5);
  tap_ok(array, "reallocarray");
  tap_ok(sized, "free_sized");
  tap_ok(aligned, "aligned_alloc and free_aligned_sized");
  tap_ok(memalignment(NULL) == 0 && memalignment((void *)(uintptr_t)48) == 16, "memalignment");
  if (cfree != NULL) cfree(call_malloc(100));
  tap_ok(true, "%s", cfree != NULL ? "cfree" : "cfree: this libc has none");
}

static void aligned_names(void) {
  bool a = true, p = true, m = true, v = true;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t alignment = sizeof(void *); alignment <= 4 * MIB; alignment *= 2) {
    for (size_t size = 0; size < 100000; size = size * 7 + 3) {
      void *block = call_aligned_alloc(alignment, size);
      a = a && is_ours_of_unknown_size(block, size) && is_aligned(block, alignment);
      call_free(block);
      p = p && call_posix_memalign(&block, alignment, size) == 0;
      block = launder(block);
      p = p && is_ours_of_unknown_size(block, size) && is_aligned(block, alignment);
      call_free(block);
      block = call_memalign(alignment, size);
      m = m && is_ours_of_unknown_size(block, size) && is_aligned(block, alignment);
      call_free(block);
    }
  }
  for (size_t size = 0; size < 100000; size = size * 7 + 3) {
    void *block = call_valloc(size);
    v = v && is_ours_of_unknown_size(block, size) && is_aligned(block, page);
    call_free(block);
#if defined(__GLIBC__)
    block = launder(pvalloc(size));
    v = v && is_ours_of_unknown_size(block, (size + page - 1) / page * page) &&
        is_aligned(block, page);
    call_free(block);
#endif
  }
  tap_ok(a, "aligned_alloc of every alignment");
  tap_ok(p, "posix_memalign of every alignment");
  tap_ok(m, "memalign of every alignment");
  tap_ok(v, "valloc and pvalloc");
}

static void errno_rules(void) {
  size_t half = (size_t)1 << (sizeof(size_t) * 4);
  bool enomem = true, einval = true, kept = true;
  void *none = NULL;
#define fails(call, code) (errno = ERRNO_MARK, launder(call) == NULL && errno == (code))
  enomem = enomem && fails(call_malloc(SIZE_MAX), ENOMEM);
  enomem = enomem && fails(call_malloc((size_t)PTRDIFF_MAX + 1), ENOMEM);
  enomem = enomem && fails(call_calloc(half, half), ENOMEM);
  enomem = enomem && fails(call_realloc(NULL, SIZE_MAX), ENOMEM);
  enomem = enomem && fails(call_reallocarray(NULL, half, half), ENOMEM);
  enomem = enomem && fails(call_aligned_alloc(64, SIZE_MAX), ENOMEM);
  enomem = enomem && fails(call_memalign(64, SIZE_MAX), ENOMEM);
  enomem = enomem && fails(call_valloc(SIZE_MAX), ENOMEM);
  enomem = enomem && call_posix_memalign(&none, 64, SIZE_MAX) == ENOMEM && none == NULL;
  einval = einval && fails(call_aligned_alloc(3, 64), EINVAL);
  einval = einval && fails(call_aligned_alloc(0, 64), EINVAL);
  einval = einval && call_posix_memalign(&none, sizeof(void *) / 2, 64) == EINVAL;
  einval = einval && call_posix_memalign(&none, 3 * sizeof(void *), 64) == EINVAL && none == NULL;
#undef fails
  for (size_t i = 0; i < SIZES; i++) {
    errno = ERRNO_MARK;
    void *p = call_malloc(sizes[i]);
    p = call_realloc(p, sizes[i] + 1);
    kept = kept && errno == ERRNO_MARK;
    call_free(p);
    kept = kept && errno == ERRNO_MARK;
  }
  tap_ok(enomem, "errno is ENOMEM for sizes that are too large");
  tap_ok(einval, "EINVAL for a bad alignment");
  tap_ok(kept, "errno is kept by success and by free");
}

/* The standards leave realloc(p, 0) open; programs expect what their libc does. */
static void realloc_to_nothing(void) {
  enum { TIMES = 2000 };
  const size_t size = 64 * KIB; /* 125 MiB if none were freed */
  const size_t growth_allowed = 32 * MIB;
  bool as_libc = true;
  size_t before = resident_bytes();
  for (int i = 0; i < TIMES; i++) {
    void *p = call_malloc(size);
    if (p != NULL) memset(p, 1, size);
    errno = ERRNO_MARK;
    void *q = i % 2 == 0 ? call_realloc(p, 0) : call_reallocarray(p, 0, 8);
    as_libc = as_libc && errno == ERRNO_MARK;
#if defined(__GLIBC__)
    as_libc = as_libc && q == NULL;
#else
    as_libc = as_libc && q != NULL;
    call_free(q);
#endif
  }
  void *p = call_realloc(NULL, 0);
  tap_ok(as_libc && is_ours(p, 0), "realloc(p, 0) does what this libc's does");
  tap_ok(resident_bytes() <= before + growth_allowed, "realloc(p, 0) frees the block");
  call_free(p);
}

#if defined(__GLIBC__)
/* ---- malloc_trim while the threads that freed sleep ---- */

enum { FREERS = 4, FREED = 4096, FREED_SIZE = 4000, TRIM_PART = 20 };

static void *to_free[FREERS][FREED];
static pthread_barrier_t stages; /* passed after filling, after freeing, and before the end */

static void *fill_and_free(void *number) {
  size_t i = (size_t)(uintptr_t)number;
  for (int k = 0; k < FREED; k++)
    if ((to_free[i][k] = call_malloc(FREED_SIZE)) != NULL) memset(to_free[i][k], 1, FREED_SIZE);
  pthread_barrier_wait(&stages);
  pthread_barrier_wait(&stages);
  /* Two threads free their own blocks, two each other's. */
  size_t whose = i < FREERS / 2 ? i : FREERS + FREERS / 2 - 1 - i;
  for (int k = 0; k < FREED; k++) call_free(to_free[whose][k]);
  pthread_barrier_wait(&stages);
  pthread_barrier_wait(&stages);
  return NULL;
}

static void *trim(void *result) {
  *(int *)result = malloc_trim(0);
  return NULL;
}

static bool run_trim(int *result) {
  pthread_t thread;
  return pthread_create(&thread, NULL, trim, result) == 0 && pthread_join(thread, NULL) == 0;
}

/* malloc_trim gives memory back at once, also when called by a thread that did not free it. */
static void trim_of_others(void) {
  pthread_t threads[FREERS];
  int freed = 0;
  pthread_barrier_init(&stages, NULL, FREERS + 1);
  bool run = run_trim(&freed); /* what was free before, and the stack of a thread */
  size_t before = resident_bytes();
  for (size_t i = 0; i < FREERS; i++)
    run = pthread_create(&threads[i], NULL, fill_and_free, (void *)(uintptr_t)i) == 0 && run;
  if (!run) abort();
  pthread_barrier_wait(&stages);
  size_t most = resident_bytes() - before;
  pthread_barrier_wait(&stages);
  pthread_barrier_wait(&stages);
  run = run_trim(&freed);
  size_t after = resident_bytes();
  size_t rest = after > before ? after - before : 0;
  printf("# %zu KiB, of %zu KiB\n", rest / KIB, most / KIB);
  tap_ok(run && freed == 1, "malloc_trim returns 1 after giving memory back");
  /* an emulator keeps much memory for each thread */
  tap_ok(emulator != NULL || rest <= most / TRIM_PART,
         "malloc_trim gives back what sleeping threads freed");
  pthread_barrier_wait(&stages);
  for (size_t i = 0; i < FREERS; i++) pthread_join(threads[i], NULL);
}

#if __GLIBC_PREREQ(2, 33)
static void *allocate_and_end(void *unused) {
  for (size_t size = 16; size < 40000; size *= 2) call_free(call_malloc(size));
  return unused;
}

/* Checks the fields as mialloc(7) describes them. */
static void ended_threads(void) {
  enum { SHORT = 20, KEPT = 4 * 65536 };
  pthread_t threads[SHORT];
  (void)malloc_trim(0);
  struct mallinfo2 before = mallinfo2();
  bool run = true;
  for (size_t i = 0; i < SHORT; i++)
    run = pthread_create(&threads[i], NULL, allocate_and_end, NULL) == 0 && run;
  for (size_t i = 0; run && i < SHORT; i++) pthread_join(threads[i], NULL);
  struct mallinfo2 after = mallinfo2();
  tap_ok(run && after.uordblks <= before.uordblks + KEPT, "ended threads have nothing in use");
  tap_ok(after.arena == after.uordblks + after.fordblks && after.keepcost == after.fordblks &&
             after.usmblks >= after.uordblks,
         "mallinfo2's sums");
  (void)malloc_trim(0);
  after = mallinfo2();
  tap_ok(after.fordblks == 0 && after.arena <= before.arena + KEPT,
         "malloc_trim gives back the rest");
}
#endif

static void glibc_names(void) {
  enum { COUNT = 2000, SIZE = 1000 };
  static void *blocks[COUNT];
  for (int i = 0; i < COUNT; i++) blocks[i] = call_malloc(SIZE);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
#if __GLIBC_PREREQ(2, 33)
  struct mallinfo2 info = mallinfo2();
  tap_ok(info.arena + info.hblkhd >= (size_t)COUNT * SIZE && info.uordblks + info.hblkhd > 0,
         "mallinfo2 knows of the memory in use");
#endif
  tap_ok((size_t)old.arena + (size_t)old.hblkhd >= (size_t)COUNT * SIZE, "mallinfo");
  for (int i = 0; i < COUNT; i++) call_free(blocks[i]);
  int trimmed = malloc_trim(0);
  tap_ok(trimmed == 0 || trimmed == 1, "malloc_trim");
  int set = mallopt(M_TRIM_THRESHOLD, 1 << 20);
  tap_ok(set == 0 || set == 1, "mallopt");
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  bool info_ok = stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0;
  info_ok = info_ok && length > 0 && strncmp(text, "<malloc", strlen("<malloc")) == 0;
  errno = 0;
  tap_ok(info_ok && malloc_info(1, stdout) == -1 && errno == EINVAL, "malloc_info");
  call_free(text);
#if __GLIBC_PREREQ(2, 33)
  ended_threads();
#endif
}
#endif

/* ---- functions of the libc that allocate ----------------------------------------------- */

static int compare_ints(const void *a, const void *b) {
  int x = *(const int *)a;
  int y = *(const int *)b;
  return (x > y) - (x < y);
}

static void strings(void) {
  char *copy = strdup("thirteen long");
  tap_ok(is_ours(copy, 14) && strcmp(copy, "thirteen long") == 0, "strdup");
  call_free(copy);
  copy = strndup("thirteen long", 8);
  tap_ok(is_ours(copy, 9) && strcmp(copy, "thirteen") == 0, "strndup");
  call_free(copy);
  wchar_t *wide = wcsdup(L"wide");
  tap_ok(is_ours(wide, 5 * sizeof(wchar_t)) && wcscmp(wide, L"wide") == 0, "wcsdup");
  call_free(wide);
  copy = NULL;
  int length = asprintf(&copy, "%0500d", 7);
  tap_ok(length == 500 && is_ours_of_unknown_size(copy, 501) && copy[499] == '7', "asprintf");
  call_free(copy);
}

static void streams(void) {
  const char *folder = getenv("TMPDIR");
  char name[4096];
  snprintf(name, sizeof name, "%s/mialloc-test-XXXXXX", folder != NULL ? folder : "/tmp");
  int fd = mkstemp(name);
  FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
  tap_ok(file != NULL, "mkstemp and fdopen");
  if (file == NULL) return;
  for (int i = 0; i < 3000; i++) fputs("0123456789", file);
  fputs("\nshort\n", file);
  fclose(file);
  file = fopen(name, "r");
  char *line = NULL;
  size_t room = 0;
  bool read = file != NULL && getline(&line, &room, file) == 30001;
  read = read && is_ours_of_unknown_size(line, 30002) && room <= mia_usable_size(line);
  read = read && getline(&line, &room, file) == 6 && strcmp(line, "short\n") == 0;
  tap_ok(read, "fopen and getline");
  call_free(line);
  if (file != NULL) fclose(file);
  unlink(name);

  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  for (int i = 0; stream != NULL && i < 5000; i++) fprintf(stream, "%04d,", i);
  bool written = stream != NULL && fclose(stream) == 0;
  tap_ok(written && length == 25000 && is_ours_of_unknown_size(text, 25001), "open_memstream");
  call_free(text);
}

static void directories(void) {
  DIR *directory = opendir("/");
  int entries = 0;
  while (directory != NULL && readdir(directory) != NULL) entries++;
  tap_ok(directory != NULL && closedir(directory) == 0 && entries > 2, "opendir and readdir");
  struct dirent **list = NULL;
  int count = scandir("/", &list, NULL, alphasort);
  bool all = count > 2 && is_ours_of_unknown_size(list, (size_t)count * sizeof *list);
  for (int i = 0; i < count; i++) {
    all = all && is_ours_of_unknown_size(list[i], 1);
    call_free(list[i]);
  }
  call_free(list);
  tap_ok(all, "scandir");
  char *here = getcwd(NULL, 0);
  char *root = realpath("/..", NULL);
  tap_ok(is_ours_of_unknown_size(here, 2) && is_ours_of_unknown_size(root, 2) &&
             strcmp(root, "/") == 0,
         "getcwd and realpath");
  call_free(here);
  call_free(root);
  glob_t found;
  bool globbed = glob("/*", 0, NULL, &found) == 0 && found.gl_pathc > 0;
  globbed = globbed && is_ours_of_unknown_size(found.gl_pathv, found.gl_pathc * sizeof(char *));
  globfree(&found);
  tap_ok(globbed, "glob");
}

static void others(void) {
  enum { COUNT = 200000 };
  int *numbers = call_malloc(COUNT * sizeof *numbers);
  uint64_t random = random_seed();
  for (int i = 0; i < COUNT; i++) numbers[i] = (int)random_below(&random, COUNT);
  qsort(numbers, COUNT, sizeof *numbers, compare_ints);
  bool sorted = true;
  for (int i = 1; i < COUNT; i++) sorted = sorted && numbers[i - 1] <= numbers[i];
  call_free(numbers);
  tap_ok(sorted, "qsort of a large array");

  const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
  struct addrinfo *address = NULL;
  bool resolved = getaddrinfo("127.0.0.1", "80", &hints, &address) == 0;
  resolved = resolved && is_ours_of_unknown_size(address, sizeof *address);
  if (resolved) freeaddrinfo(address);
  tap_ok(resolved, "getaddrinfo of a number");

  tap_ok((setlocale(LC_ALL, "C.UTF-8") != NULL || emulator != NULL) &&
             setlocale(LC_ALL, "C") != NULL,
         "setlocale");

  regex_t regex;
  bool matched = regcomp(&regex, "^(a|b)*c{2,5}[[:digit:]]+$", REG_EXTENDED) == 0;
  matched = matched && regexec(&regex, "abbaccc2026", 0, NULL, 0) == 0;
  matched = matched && regexec(&regex, "abbac2026", 0, NULL, 0) == REG_NOMATCH;
  regfree(&regex);
  tap_ok(matched, "regcomp");

  void *root = NULL;
  static int keys[1000];
  bool found = true;
  for (int i = 0; i < 1000; i++) {
    keys[i] = (i * 7919) % 1000;
    found = found && tsearch(&keys[i], &root, compare_ints) != NULL;
  }
  for (int i = 0; i < 1000; i++) found = found && tdelete(&keys[i], &root, compare_ints) != NULL;
  tap_ok(found && root == NULL, "tsearch");

  bool set = true;
  for (int i = 0; i < 200; i++) {
    char name[32];
    snprintf(name, sizeof name, "MIALLOC_TEST_%d", i);
    set = set && setenv(name, "value", 1) == 0;
  }
  tap_ok(set && getenv("MIALLOC_TEST_199") != NULL, "setenv");
}

/* dlopen allocates the text that explains a failure. */
static void dynamic_loading(void) {
  void *nothing = dlopen("/nonexistent/library.so", RTLD_NOW);
  const char *why = dlerror();
  bool good = nothing == NULL && why != NULL && *why != '\0';
#if defined(__GLIBC__)
  void *math = dlopen("libm.so.6", RTLD_NOW);
  union {
    void *object;
    double (*function)(double);
  } absolute = {.object = math != NULL ? dlsym(math, "fabs") : NULL};
  if (math != NULL || emulator == NULL) {
    good = good && absolute.object != NULL && absolute.function(-1.0) > 0.99;
    good = good && math != NULL && dlclose(math) == 0;
  }
#endif
  tap_ok(good, "dlopen and dlerror");
}

/* ---- threads and fork --------------------------------------------------------------- */

enum { THREADS = 4, MAILBOX = 256, STEPS = 30000 };
static _Atomic(void *) mailbox[MAILBOX];
static atomic_uint faults;
static atomic_bool stop;

static void churn(uint64_t random, int steps) {
  for (int i = 0; i < steps && !atomic_load(&stop); i++) {
    size_t size = sizeof size + random_size(&random, 11);
    char *p = call_malloc(size);
    if (p == NULL) {
      atomic_fetch_add(&faults, 1);
      continue;
    }
    memcpy(p, &size, sizeof size);
    pattern_fill(p + sizeof size, size - sizeof size, size);
    p = atomic_exchange(&mailbox[random_below(&random, MAILBOX)], p);
    if (p == NULL) continue;
    memcpy(&size, p, sizeof size);
    if (!pattern_holds(p + sizeof size, size - sizeof size, size)) atomic_fetch_add(&faults, 1);
    call_free(p);
  }
}

static void *churn_thread(void *arg) {
  churn((uint64_t)(uintptr_t)arg, STEPS);
  return NULL;
}

static void *churn_until_stopped(void *arg) {
  while (!atomic_load(&stop)) churn((uint64_t)(uintptr_t)arg, STEPS);
  return NULL;
}

static bool start_all(pthread_t *threads, void *(*run)(void *)) {
  bool started = true;
  for (uintptr_t i = 0; i < THREADS; i++) {
    started = started && pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0;
  }
  return started;
}

static void join_all(const pthread_t *threads) {
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void with_threads(void) {
  pthread_t threads[THREADS];
  bool started = start_all(threads, churn_thread);
  if (started) join_all(threads);
  tap_ok(started && atomic_load(&faults) == 0, "threads exchange blocks");
}

/* In the child: allocates, frees what the parent's threads allocated, starts a thread.  An
 * alarm ends a deadlock. */
static void run_child(void) {
  enum { SECONDS = 30, CHILD_STEPS = 3000 };
  alarm(SECONDS);
  atomic_store(&stop, false);
  churn(99, CHILD_STEPS);
  for (int i = 0; i < MAILBOX; i++) call_free(atomic_exchange(&mailbox[i], NULL));
  pthread_t thread;
  bool good = pthread_create(&thread, NULL, churn_thread, (void *)(uintptr_t)5) == 0;
  good = good && pthread_join(thread, NULL) == 0;
  void *p = call_malloc(8 * MIB);
  good = good && p != NULL;
  call_free(p);
  _exit(good && atomic_load(&faults) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void with_fork(void) {
  enum { CHILDREN = 20 };
  pthread_t threads[THREADS];
  bool good = start_all(threads, churn_until_stopped);
  if (!good) {
    tap_ok(false, "fork: no threads");
    return;
  }
  for (int i = 0; i < CHILDREN; i++) {
    pid_t child = fork();
    if (child == 0) run_child();
    int status = -1;
    good = good && child > 0 && waitpid(child, &status, 0) == child;
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  }
  atomic_store(&stop, true);
  join_all(threads);
  atomic_store(&stop, false);
  for (int i = 0; i < MAILBOX; i++) call_free(atomic_exchange(&mailbox[i], NULL));
  tap_ok(good, "a child of a process with threads may allocate and start threads");
}

/* ---- statistics on stderr -------------------------------------------------------------- */

/* Runs this program again with `how' as argument, and returns what it writes to stderr, up to
 * `room' bytes, as a string. */
static void stderr_of(const char *how, const char *variable, char *text, size_t room) {
  int ends[2];
  size_t length = 0;
  text[0] = '\0';
  if (pipe(ends) != 0) return;
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (variable != NULL) setenv(variable, "1", 1);
    if (emulator != NULL)
      execl("/bin/sh", "sh", "-c", "exec $TEST_EMULATOR \"$0\" \"$1\"", self, how, (char *)NULL);
    execl("/proc/self/exe", "libc", how, (char *)NULL);
    _exit(EXIT_FAILURE);
  }
  close(ends[1]);
  ssize_t got;
  while (length < room - 1 && (got = read(ends[0], text + length, room - 1 - length)) > 0) {
    length += (size_t)got;
  }
  text[length] = '\0';
  close(ends[0]);
  if (child > 0) waitpid(child, NULL, 0);
}

static bool begins_with_version(const char *text) {
  char expected[64];
  int length = snprintf(expected, sizeof expected, "mialloc %s: ", mia_version_string());
  return strncmp(text, expected, (size_t)length) == 0;
}

static void statistics(void) {
  enum { ROOM = 16384 };
  static char text[ROOM];
  unsetenv("MIALLOC_SHOW_STATS");
  stderr_of("quiet", NULL, text, ROOM);
  tap_ok(text[0] == '\0', "nothing is written to stderr by default");
  stderr_of("quiet", "MIALLOC_SHOW_STATS", text, ROOM);
  tap_ok(begins_with_version(text), "MIALLOC_SHOW_STATS=1 writes statistics at exit");
  stderr_of("mia_stats_print", NULL, text, ROOM);
  tap_ok(begins_with_version(text), "mia_stats_print");
#if defined(__GLIBC__)
  stderr_of("malloc_stats", NULL, text, ROOM);
  tap_ok(text[0] != '\0', "malloc_stats");
#endif
}

static void print_statistics(const char *how) {
  if (strcmp(how, "mia_stats_print") == 0) mia_stats_print();
#if defined(__GLIBC__)
  if (strcmp(how, "malloc_stats") == 0) malloc_stats();
#endif
}

/* ---- before and after main ----------------------------------------------------------- */

static char *early;

/* The first priority that programs may use; runs before the library's own constructors if
 * that is linked statically. */
__attribute__((constructor(101))) static void before_main(void) {
  early = call_malloc(100);
  if (early != NULL) pattern_fill(early, 100, 1);
}

static bool at_exit_registered;

static void at_exit(void) {
  void *p = call_malloc(1000);
  void *q = call_calloc(1, 5 * MIB);
  tap_ok(is_ours(p, 1000) && q != NULL, "an atexit handler may allocate");
  call_free(p);
  call_free(q);
  int status = tap_end();
  fflush(stdout);
  if (status != EXIT_SUCCESS) _exit(status);
}

static void nothing_at_exit(void) {}

int main(int argc, char **argv) {
  enum { MANY_HANDLERS = 100 }; /* more than fit in the libc's static table */
  self = argv[0];
  emulator = getenv("TEST_EMULATOR");
  if (argc > 1) {
    print_statistics(argv[1]);
    return EXIT_SUCCESS;
  }
  at_exit_registered = atexit(at_exit) == 0;
  for (int i = 0; i < MANY_HANDLERS; i++) {
    at_exit_registered = at_exit_registered && atexit(nothing_at_exit) == 0;
  }
  tap_ok(at_exit_registered, "atexit");
  tap_ok(early != NULL && is_ours(early, 100) && pattern_holds(early, 100, 1), "before main");
  call_free(early);
  standard_four();
  newer_names();
  aligned_names();
  errno_rules();
  realloc_to_nothing();
#if defined(__GLIBC__)
  glibc_names();
  trim_of_others();
#endif
  strings();
  streams();
  directories();
  others();
  dynamic_loading();
  with_threads();
  with_fork();
  statistics();
  return EXIT_SUCCESS; /* at_exit() decides about failure */
}
