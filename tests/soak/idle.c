/* idle.c -- MIALLOC_BACKGROUND_PURGE: a process that makes no calls gives back its memory, is
 * not woken needlessly, and ends when its last own thread ends; prints TAP.
 *
 *   idle [MIB]
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <dirent.h>

enum { THREADS = 4, MIB_DEFAULT = 128, PART = 20, SIZE = 8000, WAIT_MS = 10000, ALARM_S = 30 };

static const char variable[] = "MIALLOC_BACKGROUND_PURGE";

static size_t bytes; /* for one thread to fill */
static soak_gate gate = SOAK_GATE;
static size_t base;

typedef struct chain {
  struct chain *next;
} chain;

static void *fill_and_free(void *unused) {
  chain *list = NULL;
  soak_await(&gate, 1);
  for (size_t i = 0; i * SIZE < bytes; i++) {
    chain *block = soak_block(SIZE);
    block->next = list;
    list = block;
  }
  soak_await(&gate, 2);
  while (list != NULL) {
    chain *block = list;
    list = list->next;
    FREE(block);
  }
  soak_await(&gate, 3);
  return unused;
}

static size_t memory_above_base(void) { return soak_above(soak_rss(), base); }

/* All threads sleep, this one included. */
static void memory_of_sleeping_threads(const char *where) {
  base = soak_rss();
  for (int i = 0; i < THREADS; i++) (void)soak_thread(fill_and_free, NULL);
  soak_await_threads(&gate, THREADS);
  soak_open(&gate, 1);
  soak_await_threads(&gate, THREADS);
  size_t most = memory_above_base();
  unsigned long start = soak_ms(), passed = 0;
  soak_open(&gate, 2);
  soak_await_threads(&gate, THREADS);
  size_t before = memory_above_base();
  while (!soak_within(memory_above_base(), most / PART) && passed < WAIT_MS) {
    soak_sleep(50);
    passed = soak_ms() - start;
  }
  tap_ok(soak_within(memory_above_base(), most / PART),
         "nothing done %s: %zu MiB, %zu KiB, %zu KiB in %lu ms", where, most / MIB, before / KIB,
         memory_above_base() / KIB, passed);
}

static void check_in_child(void *unused) {
  (void)unused;
  memory_of_sleeping_threads("in the process");
}

/* Returns the number of voluntary context switches of all threads but this one. */
static unsigned long voluntary_switches(unsigned *threads) {
  unsigned long sum = 0;
  *threads = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *e; tasks != NULL && (e = readdir(tasks)) != NULL;) {
    char name[300], line[200];
    snprintf(name, sizeof name, "/proc/self/task/%s/status", e->d_name);
    if (e->d_name[0] == '.' || strtol(e->d_name, NULL, 10) == getpid()) continue;
    FILE *f = fopen(name, "r");
    unsigned long n;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
      if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1) sum += n;
    if (f != NULL) fclose(f);
    *threads += f != NULL;
  }
  if (tasks != NULL) closedir(tasks);
  return sum;
}

static void check_not_woken(void *unused) {
  (void)unused;
  enum { SETTLE_MS = 3000, MEASURED_MS = 1000 };
  unsigned threads;
  FREE(soak_block(SIZE));
  soak_sleep(SETTLE_MS); /* by now all free memory was given back */
  unsigned long before = voluntary_switches(&threads);
  soak_sleep(MEASURED_MS);
  unsigned long after = voluntary_switches(&threads);
  /* Sanitizers start a thread too. */
  tap_ok((threads == 1 && after == before) || !SOAK_RSS_TELLS,
         "one thread more, which was woken %lu times in a second", after - before);
}

/* A thread outlives the main thread; the process ends with this thread. */
static void *outlive(void *unused) {
  soak_sleep(100);
  FREE(soak_block(SIZE));
  return unused;
}

static int end_main_thread_first(void) {
  alarm(ALARM_S);
  FREE(soak_block(SIZE));
  (void)soak_thread(outlive, NULL);
  pthread_exit(NULL);
}

static const char by_threads[] = "by-threads";

/* In an executed program, because with musl 1.2.3 the main thread of a forked process cannot
 * end before other threads, with any allocator. */
static void check_process_ends(void *unused) {
  (void)unused;
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "idle", by_threads, (char *)NULL);
    _exit(EXIT_FAILURE);
  }
  waitpid(child, &status, 0);
  tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
         "the process ends with the last thread of the program");
}

int main(int argc, char **argv) {
  if (getenv(variable) == NULL) {
    setenv(variable, "1", 1);
    execv("/proc/self/exe", argv);
    puts("Bail out! cannot be run again");
    return EXIT_FAILURE;
  }
  if (argc > 1 && strcmp(argv[1], by_threads) == 0) return end_main_thread_first();
  bytes = soak_scale(argc, argv, MIB_DEFAULT) * MIB / THREADS;
  alarm(10 * ALARM_S);
  soak_apart(check_in_child, NULL);
  soak_apart(check_not_woken, NULL);
  soak_apart(check_process_ends, NULL);
  memory_of_sleeping_threads("in the parent");
  return tap_end();
}
