/* library.c -- a library whose constructor registers fork handlers that do what libraries do
 * there: they allocate and free memory of all sizes, take locks that other threads hold while
 * they allocate, and start threads.
 *
 * With -DPRIVATE it uses mialloc's own names.  Without -DFIRST other handlers, which take the
 * library's locks, may have been registered before; then these handlers must not wait for
 * anything that waits for the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fork.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef PRIVATE
#include <mialloc.h>
#define malloc mia_malloc
#define free mia_free
#endif

enum { SIZES = 26, EACH = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct fork_counts fork_counts;

static void count(unsigned *n) { (void)__atomic_add_fetch(n, 1, __ATOMIC_RELAXED); }

void fork_allocate(void) {
  for (int i = 3; i <= SIZES; i++) {
    char *volatile p[EACH];
    size_t size = (size_t)1 << i;
    int each = i < 16 ? EACH : 1;
    for (int j = 0; j < each; j++) {
      p[j] = malloc(size + (size_t)j);
      if (p[j] == NULL) abort();
      p[j][0] = p[j][size / 2] = 1;
    }
    for (int j = 0; j < each; j++) free(p[j]);
  }
}

void fork_allocate_locked(void) {
  pthread_mutex_lock(&lock);
  fork_allocate();
  pthread_mutex_unlock(&lock);
}

static void *work(void *unused) {
  fork_allocate();
  count(&fork_counts.threads);
  return unused;
}

static void start_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  (void)pthread_detach(thread);
}

static void prepare(void) {
#ifdef FIRST
  pthread_mutex_lock(&lock);
#endif
  fork_allocate();
  start_thread();
  count(&fork_counts.prepared);
}

static void finish(unsigned *n) {
  fork_allocate();
#ifdef FIRST
  pthread_mutex_unlock(&lock);
#endif
  start_thread();
  count(n);
}

static void in_parent(void) { finish(&fork_counts.in_parent); }
static void in_child(void) {
  fork_counts.threads = 0;
  finish(&fork_counts.in_child);
}

void fork_register(void) {
  if (pthread_atfork(prepare, in_parent, in_child) != 0) abort();
}

#ifdef BY_CONSTRUCTOR
__attribute__((constructor)) static void begin(void) { fork_register(); }
#endif
