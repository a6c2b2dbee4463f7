/* idle.c -- MIALLOC_BACKGROUND_PURGE: memory comes back in a process that does
 * nothing at all, nor is the process kept or woken for it; prints TAP.
 *
 *   idle [MIB]
 *
 * SPDX-License-Identifier: MIT
 */
#include "soak.h"

#include <dirent.h>

enum { THREADS = 4, MIB_DEFAULT = 128, PART = 20, SIZE = 8000, PATIENCE_MS = 10000, ALARM_S = 30 };

static const char variable[] = "MIALLOC_BACKGROUND_PURGE";

static size_t bytes; /* that one thread fills */
static soak_gate gate = SOAK_GATE;
static size_t base;

typedef struct chain {
  struct chain *next;
} chain;

static void *work(void *unused) {
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

static size_t kept(void) { return soak_above(soak_rss(), base); }

/* All threads, this one too, sleep. */
static void sleepers(const char *where) {
  base = soak_rss();
  for (int i = 0; i < THREADS; i++) (void)soak_thread(work, NULL);
  soak_gather(&gate, THREADS);
  soak_open(&gate, 1);
  soak_gather(&gate, THREADS);
  size_t most = kept();
  unsigned long start = soak_ms(), passed = 0;
  soak_open(&gate, 2);
  soak_gather(&gate, THREADS);
  size_t before = kept();
  while (!soak_within(kept(), most / PART) && passed < PATIENCE_MS) {
    soak_sleep(50);
    passed = soak_ms() - start;
  }
  soak_case(soak_within(kept(), most / PART),
            "nothing done %s: %zu MiB, %zu KiB, %zu KiB in %lu ms", where, most / MIB, before / KIB,
            kept() / KIB, passed);
}

static void in_process(void *unused) {
  (void)unused;
  sleepers("in the process");
}

/* How often threads other than this one have gone to sleep. */
static unsigned long sleeps(unsigned *threads) {
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

static void not_woken(void *unused) {
  (void)unused;
  enum { CALM_MS = 3000, LOOK_MS = 1000 };
  unsigned threads;
  FREE(soak_block(SIZE));
  soak_sleep(CALM_MS); /* all that there was has gone back */
  unsigned long before = sleeps(&threads);
  soak_sleep(LOOK_MS);
  unsigned long after = sleeps(&threads);
  /* A sanitizer has a thread of its own. */
  soak_case((threads == 1 && after == before) || !SOAK_RSS_TELLS,
            "one thread more, which was woken %lu times in a second", after - before);
}

/* A thread that is not the first outlives it; the process ends with that one. */
static void *outlive(void *unused) {
  soak_sleep(100);
  FREE(soak_block(SIZE));
  return unused;
}

static int end_by_threads(void) {
  alarm(ALARM_S);
  FREE(soak_block(SIZE));
  (void)soak_thread(outlive, NULL);
  pthread_exit(NULL);
}

static const char by_threads[] = "by-threads";

/* Executed: musl 1.2.3 does not let the first thread of a forked process end
 * before others, whatever the library. */
static void not_kept(void *unused) {
  (void)unused;
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "idle", by_threads, (char *)NULL);
    _exit(EXIT_FAILURE);
  }
  waitpid(child, &status, 0);
  soak_case(WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "the process ends with the last thread of the program");
}

int main(int argc, char **argv) {
  if (getenv(variable) == NULL) {
    setenv(variable, "1", 1);
    execv("/proc/self/exe", argv);
    puts("Bail out! cannot be run again");
    return EXIT_FAILURE;
  }
  if (argc > 1 && strcmp(argv[1], by_threads) == 0) return end_by_threads();
  bytes = soak_scale(argc, argv, MIB_DEFAULT) * MIB / THREADS;
  alarm(10 * ALARM_S);
  soak_apart(in_process, NULL);
  soak_apart(not_woken, NULL);
  soak_apart(not_kept, NULL);
  sleepers("in the parent");
  return soak_end();
}
