/* SPDX-License-Identifier: MIT */
/* os.c -- the platform layer for models: memory comes from a range that the checker watches,
 * locks and yielding are the checker's, and failures end the model. */
#include "base/prelude.h"

#include "base/bits.h"
#include "base/fail.h"
#include "engine.h"
#include "os/lock.h"
#include "os/os.h"
#include "os/tags.h"
#include "os/worker.h"
#include "stage.h"

#include <sys/mman.h>

enum { OS_PAGE = 4096 };

#define ALONE_SIZE (160 * MIA_MIB)
#define THREAD_SIZE (160 * MIA_MIB)

/* Addresses must not depend on which thread reserves first, so each thread has its own range. */
static struct {
  char *start;
  char *at[RACE_THREADS + 1]; /* the last one is for the time before the threads start */
} memory;

extern char etext[], end[];

stage_fork_hooks stage_forks;
mia_time_ms stage_tick;
const char *const *stage_environment;

void stage_begin(void) {
  size_t size = ALONE_SIZE + RACE_THREADS * THREAD_SIZE;
  /* At a multiple of the largest alignment: where spans are aligned is the same in every run. */
  const size_t align = MIA_SPAN_MAX_SLICES << MIA_SLICE_SHIFT;
  char *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) race_fail("no memory for models");
  memory.start = p + (-(uintptr_t)p & (align - 1));
  race_watch(etext, (size_t)(end - etext));
  race_watch(memory.start, size);
  for (unsigned i = 0; i < RACE_THREADS; i++)
    memory.at[i] = memory.start + ALONE_SIZE + i * THREAD_SIZE;
  memory.at[RACE_THREADS] = memory.start;
}

/* The kernel supplies the zeroes, but a thread that hands such memory on must do so as if it had
 * written them.  The first word of each slice stands for all of it. */
static void zero(char *start, size_t size) {
  for (size_t i = 0; i < size; i += MIA_SLICE_SIZE) race_memset(start + i, 0, sizeof(uint64_t));
}

void *mia_os_reserve(size_t size, bool live) {
  (void)live;
  char **at = &memory.at[race_self()];
  char *p = *at;
  *at += mia_align_up(size, MIA_SLICE_SIZE);
  zero(p, size);
  return p;
}

void *mia_os_reserve_at(void *place, size_t size, bool live) {
  (void)place;
  return mia_os_reserve(size, live);
}

void *mia_os_reserve_aligned(size_t size, size_t align) {
  (void)align;
  return mia_os_reserve(size, true);
}

/* Released memory counts as written: other threads may get it. */
bool mia_os_release(void *start, size_t size) {
  zero(start, size);
  return true;
}

bool mia_os_commit(void *start, size_t size) { return start != NULL && size > 0; }

bool mia_os_protect(void *start, size_t size) { return start != NULL && size > 0; }

bool mia_os_begin_tags(void) { return false; }

bool mia_os_allow_tags(void *start, size_t size) { return start != NULL && size > 0; }

bool mia_os_purge(void *start, size_t size) {
  zero(start, size);
  return true;
}

bool mia_os_locks(void) { return false; }
bool mia_os_is_locked(void *start) {
  (void)start;
  return false;
}

size_t mia_os_page_size(void) { return OS_PAGE; }
void mia_os_small_pages(void *start, size_t size) { (void)start, (void)size; }
void mia_os_split_large_page(void *start) { (void)start; }
void mia_os_large_pages(void *start, size_t size) { (void)start, (void)size; }
bool mia_os_resize(void *start, size_t size, size_t wanted) {
  (void)start, (void)size, (void)wanted;
  return false;
}
void *mia_os_move(void *start, size_t size, size_t wanted) {
  (void)start, (void)size, (void)wanted;
  return NULL;
}
bool mia_os_can_detach(void) { return false; }
void *mia_os_detach(void *start, size_t size) {
  (void)start, (void)size;
  return NULL;
}
void *mia_os_reserve_huge(void *place, size_t size, size_t os_page, int node) {
  (void)place, (void)size, (void)os_page, (void)node;
  return NULL;
}
int mia_os_node(void) { return -1; }
void mia_os_yield(void) { race_yield(); }
/* Each thread has a clock of its own, which only its reads advance. */
mia_time_ms mia_os_now(void) {
  static mia_time_ms now[RACE_THREADS + 1];
  if (stage_tick == 0) return 1;
  return now[race_self()] += stage_tick;
}
bool mia_os_privileged(void) { return false; }
long mia_os_process(void) { return 1; }
void mia_os_random(void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) ((unsigned char *)bytes)[i] = 0x5a;
}
const char *const *mia_os_environment(void) { return stage_environment; }
int mia_os_copy_stderr(void) { return -1; }
int mia_os_disable_cancel(void) { return 0; }
void mia_os_restore_cancel(int before) { (void)before; }
void mia_os_write(int fd, const char *text, size_t size) { (void)fd, (void)text, (void)size; }
mia_os_usage mia_os_measure(void) { return (mia_os_usage){0}; }
size_t mia_os_resident(void) { return 0; }

/* A model itself calls what the end of a thread would call. */
bool mia_os_at_thread_exit(void (*hook)(void *), void *value) {
  (void)hook, (void)value;
  return true;
}

bool mia_os_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  stage_forks = (stage_fork_hooks){prepare, parent, child};
  return true;
}

/* ---- locks ---- */

void mia_os_lock(mia_lock *lock) { race_lock(lock); }
bool mia_os_try_lock(mia_lock *lock) { return race_try_lock(lock); }
void mia_os_unlock(mia_lock *lock) { race_unlock(lock); }

mia_time_ms mia_os_begin_fork(void) { return 1; }
bool mia_os_end_fork(void) { return true; }
void mia_os_lock_for_fork(mia_lock *lock, mia_time_ms until) {
  (void)until;
  race_lock(lock);
}
void mia_os_unlock_after_fork(mia_lock *lock, bool child) {
  (void)child;
  race_unlock(lock);
}

/* ---- the background thread ---- */

/* A bell is a lock that is held until it rings: ringing twice for one waiting thread is a failure.
 * Making a bell writes its memory. */
void mia_os_make_semaphore(mia_semaphore *bell) {
  race_write(bell, sizeof *bell);
  (void)race_try_lock(bell);
}
void mia_os_post_semaphore(mia_semaphore *bell) {
  race_read(bell, sizeof *bell);
  race_unlock(bell);
}
void mia_os_wait_semaphore(mia_semaphore *bell) {
  race_read(bell, sizeof *bell);
  race_lock(bell);
}
void mia_os_sleep(size_t ms) { (void)ms; }

static mia_aword started;

bool mia_os_start_thread(void *(*run)(void *)) {
  mia_aword_set_rel(&started, (uintptr_t)run);
  return true;
}

void stage_run_started(void) {
  uintptr_t run;
  while ((run = mia_aword_get_acq(&started)) == 0) race_yield();
  (void)((void *(*)(void *))run)(NULL);
}

/* ---- failures ---- */

mia_base_world mia_base_all;

_Noreturn void mia_base_fail(const char *what, const char *file, int line) {
  (void)file, (void)line;
  race_fail(what);
}

_Noreturn void mia_base_misuse(const char *what, const void *address) {
  (void)address;
  race_fail(what);
}

_Noreturn void mia_base_misuse_of(const mia_misuse *misuse) { race_fail(misuse->what); }

void mia_base_misuse_in_call(const mia_misuse *misuse) { race_fail(misuse->what); }
