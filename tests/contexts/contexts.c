/* contexts.c -- which functions may be called in which context: tries each cell of the table
 * that says yes, in its own process; prints TAP.  `contexts.tap --doc' prints doc/contexts.md,
 * and a test compares it.  Linked with libmialloc; needs no framework.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <mialloc.h>
#include <mialloc/heap.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../documented.h"
#include "../tap.h"

enum { SECONDS = 30, NAME_SIZE = 16, KINDS = 7, MIB = 1 << 20, ARENA = 64 * MIB };

static void require(bool good) {
  if (!good) abort();
}

/* ---- columns: what is called ---- */

static const size_t sizes[KINDS] = {1, 100, 3000, 40000, 300000, 5 * MIB, 40 * MIB};
static char *given[KINDS]; /* blocks allocated in another context */

static void take_blocks(char *blocks[KINDS]) {
  for (int i = 0; i < KINDS; i++) {
    blocks[i] = malloc(sizes[i]);
    require(blocks[i] != NULL);
    blocks[i][0] = blocks[i][sizes[i] - 1] = 7;
  }
}

static void allocate(void) {
  char *blocks[KINDS];
  take_blocks(blocks);
  for (int i = 0; i < KINDS; i++) {
    char *zero = calloc(1, sizes[i]);
    require(zero != NULL && zero[0] == 0 && zero[sizes[i] - 1] == 0);
    blocks[i] = realloc(blocks[i], sizes[i] + 50);
    require(blocks[i] != NULL && blocks[i][0] == 7 && blocks[i][sizes[i] - 1] == 7);
  }
}

/* Frees blocks of another context, or its own if there are none. */
static void give_back(void) {
  if (given[0] == NULL) take_blocks(given);
  for (int i = 0; i < KINDS; i++) free(given[i]);
  memset(given, 0, sizeof given);
}

static void use_heaps(void) {
  mia_heap *heap = mia_heap_new(), *other = mia_heap_new();
  require(heap != NULL && other != NULL);
  char *kept = mia_heap_malloc(heap, 100);
  require(kept != NULL && mia_heap_malloc(other, 3000) != NULL);
  *kept = 7;
  require(mia_heap_of(kept) == heap);
  mia_heap_delete(heap);
  mia_heap_destroy(other);
  require(*kept == 7);
  mia_free(kept);
}

static void ignore_text(const char *text, void *arg) {
  (void)arg;
  require(text != NULL);
}

static void query(void) {
  mia_stats stats = {.size = sizeof stats};
  long delay = mia_option_get(MIA_OPTION_PURGE_DELAY);
  require(mia_option_set(MIA_OPTION_PURGE_DELAY, delay + 1));
  require(mia_option_get(MIA_OPTION_PURGE_DELAY) == delay + 1);
  require(mia_option_set(MIA_OPTION_PURGE_DELAY, delay));
  mia_options_print_out(ignore_text, NULL);
  require(mia_stats_get(&stats));
  mia_stats_print_out(ignore_text, NULL);
}

static void purge(void) {
  mia_collect(true);
  (void)mia_purge();
}

static void require_success(pid_t child) {
  int status = -1;
  require(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static bool child_allocates; /* whether the child may allocate in this context */
static void fork_there(void) {
  pid_t child = fork();
  if (child == 0) {
    (void)alarm(SECONDS);
    if (child_allocates) allocate();
    _exit(EXIT_SUCCESS);
  }
  require_success(child);
}

enum { COLUMNS = 6 };
static const struct {
  const char *name;
  void (*action)(void);
} columns[COLUMNS] = {{"allocate", allocate},         {"free", give_back}, {"heaps", use_heaps},
                      {"options, statistics", query}, {"purge", purge},    {"fork", fork_there}};

/* ---- rows: the contexts ---- */

static void (*action)(void);
static unsigned times; /* that the context was entered */

static void run_action(void) {
  times++;
  action();
}

static void fork_with(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  require(pthread_atfork(prepare, parent, child) == 0);
  pid_t pid = fork();
  if (pid == 0) _exit(child == NULL || times == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
  require_success(pid);
  if (child != NULL) times++;
}

static void in_prepare(void) { fork_with(run_action, NULL, NULL); }
static void in_parent(void) { fork_with(NULL, run_action, NULL); }
static void in_child_handler(void) { fork_with(NULL, NULL, run_action); }

static void handle(int signo) {
  (void)signo;
  run_action();
}
static void in_signal_handler(void) {
  (void)signal(SIGUSR1, handle);
  (void)raise(SIGUSR1);
}

/* Acts once when memory is committed, and once when it is given back. */
static bool commits[2];
static bool commit(bool commits_now, void *start, size_t size, bool *is_zero, void *arg) {
  (void)start, (void)size, (void)arg;
  *is_zero = false;
  if (!commits[commits_now]) run_action();
  commits[commits_now] = true;
  return true;
}
static void in_commit(void) {
  mia_arena *arena = NULL;
  void *start = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(start != MAP_FAILED &&
          mia_manage_memory(start, ARENA, MIA_ARENA_IS_EXCLUSIVE, commit, NULL, &arena) == 0);
  commits[true] = false; /* committed for the arena's own head */
  mia_heap *heap = mia_heap_new_in_arena(arena);
  require(heap != NULL && mia_heap_malloc(heap, 5 * MIB) != NULL);
  mia_heap_destroy(heap);
  mia_collect(true);
  require(commits[true] && commits[false]);
}

static bool hook_ran;
static void run_once(void) {
  if (hook_ran) return;
  hook_ran = true;
  run_action();
}
static void act_on_output(const char *text, void *arg) {
  (void)text, (void)arg;
  run_once();
}
static void in_output(void) {
  mia_register_output(act_on_output, NULL);
  mia_options_print();
}
static void act_on_error(int error, void *arg) {
  (void)error, (void)arg;
  run_once();
}
static void in_error(void) {
  static volatile size_t too_much = SIZE_MAX / 2;
  mia_register_error(act_on_error, NULL);
  require(mia_malloc(too_much) == NULL);
}
static void act_on_deferred_free(bool force, unsigned long long heartbeat, void *arg) {
  (void)force, (void)heartbeat, (void)arg;
  run_once();
}
static void in_deferred_free(void) {
  mia_register_deferred_free(act_on_deferred_free, NULL);
  for (int i = 0; i < 10000 && !hook_ran; i++) require(mia_malloc(500) != NULL);
}

static bool visit_block(const mia_heap *heap, const mia_heap_area *area, void *block, size_t size,
                        void *arg) {
  (void)heap, (void)area, (void)size, (void)arg;
  if (block == NULL) return true;
  run_action();
  return false;
}
static void in_block_visitor(void) {
  mia_heap *heap = mia_heap_new();
  require(heap != NULL && mia_heap_malloc(heap, 100) != NULL);
  require(!mia_heap_visit_blocks(heap, true, visit_block, NULL));
}
static bool visit_heap(mia_heap *heap, void *arg) {
  (void)heap, (void)arg;
  run_action();
  return false;
}
static void in_heap_visitor(void) {
  require(!mia_subproc_visit_heaps(mia_subproc_main(), visit_heap, NULL));
}

/* Before the library's own destructor and after it: a key that is set again gets another
 * round. */
static pthread_key_t key;
static void destruct(void *turn) {
  run_action();
  if (turn == &key) require(pthread_setspecific(key, &times) == 0);
}
static void *end_with_key(void *unused) {
  char *blocks[KINDS];
  take_blocks(blocks);
  require(pthread_setspecific(key, &key) == 0);
  return unused;
}
static void *finish_thread(void *unused) {
  char *blocks[KINDS];
  take_blocks(blocks);
  mia_thread_done();
  run_action();
  mia_thread_done();
  mia_thread_done();
  return unused;
}
static void in_thread(void *(*run)(void *)) {
  pthread_t thread;
  require(pthread_create(&thread, NULL, run, NULL) == 0 && pthread_join(thread, NULL) == 0);
}
static void in_key_destructor(void) {
  require(pthread_key_create(&key, destruct) == 0);
  in_thread(end_with_key);
  require(times == 2);
}
static void after_thread_done(void) { in_thread(finish_thread); }

static void in_child(void) {
  pid_t child = fork();
  if (child == 0) {
    run_action();
    _exit(EXIT_SUCCESS);
  }
  times++;
  require_success(child);
}
static void in_vfork_child(void) {
  pid_t child = vfork();
  if (child == 0) {
    run_action();
    _exit(EXIT_SUCCESS);
  }
  require_success(child);
}

/* ---- before and after main: runs this program again, controlled by a variable ---- */

static const char variable[] = "MIALLOC_TEST_CONTEXT";

static void exec_in(const char *where) {
  char name[NAME_SIZE];
  for (int i = 0; i < COLUMNS; i++)
    if (columns[i].action == action) (void)snprintf(name, sizeof name, "%s%d", where, i);
  require(setenv(variable, name, 1) == 0);
  (void)execl("/proc/self/exe", "contexts", (char *)NULL);
  abort();
}
static void before_constructors(void) { exec_in("p"); }
static void in_constructor(void) { exec_in("c"); }
static void in_atexit(void) { exec_in("a"); }
static void in_destructor(void) { exec_in("d"); }

/* Acts if the program was executed to act here; the exit status shows that it did. */
static void run_action_if(char where, const char *name) {
  if (name == NULL || name[0] != where) return;
  child_allocates = true;
  columns[name[1] - '0'].action();
  _exit(EXIT_SUCCESS);
}

static void run_action_in(char where) { run_action_if(where, getenv(variable)); }

#ifdef __GLIBC__
/* At this point getenv finds nothing. */
static void preinit(int argc, char **argv, char **environment) {
  const size_t length = sizeof variable - 1;
  (void)argc, (void)argv;
  for (; *environment != NULL; environment++)
    if (strncmp(*environment, variable, length) == 0 && (*environment)[length] == '=')
      run_action_if('p', *environment + length + 1);
}
__attribute__((used, section(".preinit_array"))) static void (*const first)(int, char **,
                                                                            char **) = preinit;
#else
__attribute__((constructor(101))) static void preinit(void) { run_action_in('p'); }
#endif
__attribute__((constructor)) static void construct(void) { run_action_in('c'); }
static void at_exit(void) { run_action_in('a'); }
__attribute__((destructor(101))) static void destruct_last(void) { run_action_in('d'); }

/* ---- the table ---- */

/* A cell is yes or no, and may refer to a note. */
typedef struct row {
  const char *name;
  void (*enter)(void);
  const char *cells[COLUMNS];
} row;

#define ALL "yes", "yes", "yes", "yes", "yes", "yes"

static const row rows[] = {
    {"prepare handler of fork", in_prepare, {"yes", "yes", "yes", "yes", "yes", "no 1"}},
    {"parent's handler of fork", in_parent, {"yes", "yes", "yes", "yes", "yes", "no 1"}},
    {"child's handler of fork", in_child_handler, {"yes", "yes", "yes", "yes", "yes", "no 1"}},
    {"signal handler", in_signal_handler, {"no 2", "no 2", "no 2", "no 2", "no 2", "yes 3"}},
    {"commit function of mia_manage_memory",
     in_commit,
     {"no 4", "no 4", "no 4", "no 4", "no 4", "yes 3"}},
    {"output function", in_output, {ALL}},
    {"error function", in_error, {ALL}},
    {"deferred-free function", in_deferred_free, {ALL}},
    {"visitor of blocks", in_block_visitor, {"yes 5", "yes 5", "yes 5", "yes", "no 5", "yes"}},
    {"visitor of heaps", in_heap_visitor, {ALL}},
    {"IFUNC resolver", NULL, {"no 6", "no 6", "no 6", "no 6", "no 6", "no 6"}},
    {"before constructors", before_constructors, {ALL}},
    {"constructor", in_constructor, {ALL}},
    {"atexit function", in_atexit, {ALL}},
    {"destructor", in_destructor, {ALL}},
    {"destructor of a thread's key", in_key_destructor, {ALL}},
    {"thread that has called mia_thread_done", after_thread_done, {ALL}},
    {"child of fork", in_child, {ALL}},
    {"child of vfork", in_vfork_child, {"yes 7", "yes 7", "yes 7", "yes 7", "yes 7", "no 7"}},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static bool is_yes(const char *cell) { return strncmp(cell, "yes", 3) == 0; }

static const char before_table[] =
    "# What may be called from where\n"
    "\n"
    "Each cell says whether a function may be called from there; a number refers to a note\n"
    "below. A call where the table says no may never return, or may damage the heap; nothing\n"
    "detects it.\n"
    "\n"
    "*Allocate* is malloc, calloc, realloc and similar functions, under any name. *Heaps* are\n"
    "made, allocated from, deleted and destroyed. *Purge* is mia_purge or mia_collect.\n"
    "\n";

static const char notes[] =
    "\n"
    "1. The handlers would run within themselves, and the C library may hold a lock of its\n"
    "   own. (mialloc itself is ready for it.)\n"
    "2. The handler may have interrupted malloc or free in the same thread. C and POSIX allow\n"
    "   none of these calls with any allocator. mia_option_get only reads, and may be called.\n"
    "3. Only to call what POSIX allows there, and to exec or _exit. Locks of the library that\n"
    "   the interrupted code holds are not waited for. Locks of other threads are waited for\n"
    "   up to a tenth of a second; what such a thread was changing is then lost to the child.\n"
    "4. The function runs within an allocation or a purge, which hold locks. It makes the\n"
    "   requested memory accessible, or returns it, by system calls. mia_option_get may be\n"
    "   called.\n"
    "5. From heaps other than the one that is visited. A purge is one of all heaps.\n"
    "6. The program is not yet linked: neither its malloc nor the address of the library's\n"
    "   own variables is known.\n"
    "7. The memory is the parent's, and so is everything that is allocated, freed or set\n"
    "   there; what the child does not free stays allocated. POSIX allows only exec and\n"
    "   _exit.\n"
    "\n"
    "## Fork handlers of other libraries\n"
    "\n"
    "mialloc's fork handlers are the first to be registered in a program that has libmialloc\n"
    "preloaded or linked; on musl, if it is the shared library. Handlers of others may then\n"
    "use the library as at any other time. They may wait for a thread that allocates, or\n"
    "start a thread and wait for it.\n"
    "\n"
    "Otherwise (libmialloc-api, a library that is loaded late) a handler that was registered\n"
    "before mialloc's runs while the forking thread holds the library's locks. It may call\n"
    "everything in the table. But other threads wait until the fork is over, so the handler\n"
    "must not wait for them.\n"
    "\n"
    "In the build folder, `tests/contexts/contexts.tap --doc` prints this document from the\n"
    "table that the test uses. The test tries each cell that says yes, in a process of its\n"
    "own.\n";

static void put_doc(FILE *out) {
  fputs(before_table, out);
  fputs("| from |", out);
  for (int i = 0; i < COLUMNS; i++) fprintf(out, " %s |", columns[i].name);
  fputs("\n|---|", out);
  for (int i = 0; i < COLUMNS; i++) fputs("---|", out);
  for (int i = 0; i < ROWS; i++) {
    fprintf(out, "\n| %s |", rows[i].name);
    for (int j = 0; j < COLUMNS; j++) {
      const char *note = strchr(rows[i].cells[j], ' ');
      fprintf(out, " %s", is_yes(rows[i].cells[j]) ? "yes" : "no");
      if (note != NULL) fprintf(out, " (%s)", note + 1);
      fputs(" |", out);
    }
  }
  fputs("\n", out);
  fputs(notes, out);
}

/* ---- running ---- */

static bool try_cell(const row *r, int column) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    (void)alarm(SECONDS);
    action = columns[column].action;
    child_allocates = is_yes(r->cells[0]);
    if (is_yes(r->cells[1])) take_blocks(given);
    r->enter();
    _exit(times > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv) {
  if (getenv(variable) != NULL) {
    (void)atexit(at_exit);
    return EXIT_FAILURE; /* not reached if the program was executed to act */
  }
  if (argc > 1 && strcmp(argv[1], "--doc") == 0) {
    put_doc(stdout);
    return EXIT_SUCCESS;
  }
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < COLUMNS; j++)
      if (is_yes(rows[i].cells[j]))
        tap_ok(try_cell(&rows[i], j), "%s: %s", rows[i].name, columns[j].name);
  const char *root = getenv("top_srcdir");
  if (root != NULL)
    tap_ok(is_documented(root, "doc/contexts.md", put_doc, true),
           "doc/contexts.md: has this table");
  return tap_end();
}
