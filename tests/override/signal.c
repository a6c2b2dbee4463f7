/* signal.c -- signals that arrive inside malloc and free; prints TAP.
 *
 * A timer and a thread that sends signals interrupt threads that allocate all the time.  The
 * first handler makes calls that POSIX allows there.  The second does what a profiler does: it
 * walks the stack, also through functions of the library.  Neither allocates.  Afterwards every
 * block must be unchanged and can be freed.  Linked with libmialloc; needs no framework.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <mialloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../api/pattern.h"
#include "../tap.h"

/* If glibc's backtrace for i386 stops early, as inside a memcpy, it follows the value of
 * register %ebp, and crashes if that is not the address of a frame.  Hence this replacement. */
#if defined(__GLIBC__) && defined(__i386__)
#include <unwind.h>
#define HAS_BACKTRACE 1
typedef struct frame_list {
  void **frames;
  int size, count;
} frame_list;
static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg) {
  frame_list *list = arg;
  if (list->count == list->size) return _URC_END_OF_STACK;
  list->frames[list->count++] = (void *)_Unwind_GetIP(context);
  return _URC_NO_REASON;
}
static int backtrace(void **frames, int size) {
  frame_list list = {frames, size, 0};
  (void)_Unwind_Backtrace(note_frame, &list);
  return list.count;
}
#elif defined(__GLIBC__)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#else
#define HAS_BACKTRACE 0
#endif

/* On other processors a walk may end at the handler. */
#if defined(__x86_64__) || defined(__aarch64__)
#define WALKS_MIN (SIGNALS_MIN / 2)
#else
#define WALKS_MIN 0
#endif

enum {
  THREADS = 3,
  SLOTS = 200,
  ROUNDS_MIN = 300,
  SIGNALS_MIN = 1500, /* handled before the threads stop */
  INTERVAL_US = 200,
  FRAMES = 24,
  SECONDS_ALLOWED = 100
};

static unsigned long handled,
    walks_with_callers; /* signals handled; those whose walk found callers' frames */
static unsigned long errors;
static int stop;
static int pipe_ends[2];

static unsigned long get(const unsigned long *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }
static void add(unsigned long *n) { (void)__atomic_fetch_add(n, 1, __ATOMIC_RELAXED); }

/* ---- handlers ---- */

static void make_safe_calls(int signo) {
  int error = errno;
  struct timespec now;
  struct stat about;
  sigset_t set;
  char byte = 'x';
  (void)signo;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGUSR2);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (write(pipe_ends[1], &byte, 1) == 1) (void)!read(pipe_ends[0], &byte, 1);
  (void)stat("/", &about);
  (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  (void)raise(SIGUSR2);
  errno = error;
  add(&handled);
}

static void do_nothing(int signo) { (void)signo; }

#if HAS_BACKTRACE
static void walk_the_stack(int signo) {
  int error = errno;
  void *frames[FRAMES];
  (void)signo;
  /* Frames: this one, the kernel's, the interrupted function, the thread's function. */
  if (backtrace(frames, FRAMES) > 3) add(&walks_with_callers);
  errno = error;
  add(&handled);
}
#endif

/* If `alone', neither signal interrupts the handler: a static program's unwinder (libgcc 12)
 * holds a lock, so a walk within a walk would deadlock. */
static void handle(int signo, void (*handler)(int), bool alone) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  (void)sigemptyset(&action.sa_mask);
  if (alone) {
    (void)sigaddset(&action.sa_mask, SIGUSR1);
    (void)sigaddset(&action.sa_mask, SIGALRM);
  }
  (void)sigaction(signo, &action, NULL);
}

/* ---- threads ---- */

typedef struct slot {
  void *p;
  size_t size;
  uint64_t key;
} slot;

static void replace_block(slot *s, uint64_t *random) {
  size_t size = random_size(random, random_below(random, 40) == 0 ? 22 : 13);
  if (s->p != NULL && !pattern_holds(s->p, s->size, s->key)) add(&errors);
  errno = 7;
  void *p = s->p != NULL && size % 3 == 0 ? realloc(s->p, size) : NULL;
  if (p == NULL) {
    free(s->p);
    p = size % 2 == 0 ? malloc(size) : calloc(1, size);
    if (p != NULL && size % 2 != 0 && !all_zero(p, size)) add(&errors);
  } else if (!pattern_holds(p, size < s->size ? size : s->size, s->key)) {
    add(&errors);
  }
  if (p == NULL || errno != 7 || mia_usable_size(p) < size) add(&errors);
  *s = (slot){p, p != NULL ? size : 0, random_next(random)};
  if (p != NULL) pattern_fill(p, size, s->key);
}

static void *work(void *arg) {
  slot *slots = arg;
  uint64_t random = (uint64_t)(uintptr_t)arg;
  for (int round = 0; round < ROUNDS_MIN || !__atomic_load_n(&stop, __ATOMIC_RELAXED); round++)
    for (int i = 0; i < 20; i++) replace_block(&slots[random_below(&random, SLOTS)], &random);
  if (random % 2 == 0) (void)mia_purge();
  return NULL;
}

static void interrupt_all(void (*handler)(int), bool alone) {
  static slot slots[THREADS][SLOTS];
  pthread_t threads[THREADS];
  const struct itimerval on = {{0, INTERVAL_US}, {0, INTERVAL_US}}, off = {{0, 0}, {0, 0}};
  handled = walks_with_callers = 0;
  stop = 0;
  handle(SIGUSR2, do_nothing, false);
  handle(SIGUSR1, handler, alone);
  handle(SIGALRM, handler, alone);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, slots[i]) != 0) exit(EXIT_FAILURE);
  (void)setitimer(ITIMER_REAL, &on, NULL);
  for (unsigned i = 0; get(&handled) < SIGNALS_MIN; i++) {
    (void)pthread_kill(threads[i % THREADS], SIGUSR1);
    (void)nanosleep(&(struct timespec){.tv_nsec = INTERVAL_US * 1000}, NULL);
  }
  (void)setitimer(ITIMER_REAL, &off, NULL);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  for (int i = 0; i < THREADS; i++) {
    for (int j = 0; j < SLOTS; j++) {
      slot *s = &slots[i][j];
      if (s->p != NULL && !pattern_holds(s->p, s->size, s->key)) add(&errors);
      free(s->p);
      *s = (slot){0};
    }
  }
}

int main(void) {
  if (pipe(pipe_ends) != 0) return EXIT_FAILURE;
  /* The timer uses SIGALRM, so another clock ends a hang. */
  const struct itimerval limit = {.it_value = {.tv_sec = SECONDS_ALLOWED}};
  (void)setitimer(ITIMER_VIRTUAL, &limit, NULL);
  interrupt_all(make_safe_calls, false);
  tap_ok(errors == 0 && handled >= SIGNALS_MIN, "handlers with safe calls (%lu)", handled);
#if HAS_BACKTRACE
  void *primed[FRAMES];
  (void)backtrace(primed, FRAMES); /* loads libgcc, and allocates */
  interrupt_all(walk_the_stack, true);
  tap_ok(errors == 0 && walks_with_callers + 1 > WALKS_MIN, "handlers that walk the stack (%lu)",
         walks_with_callers);
#endif
  tap_ok(errors == 0, "no block was touched (%lu)", errors);
  return tap_end();
}
