/* system.c -- counts and refuses memory calls to the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for mremap */
#endif

#include "system.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

system_state mia_system;

enum { LOST_MAX = 256 };

typedef struct range {
  char *start;
  size_t size;
} range;

static struct {
  pthread_mutex_t mutex;
  size_t calls[SYSTEM_KINDS];
  unsigned refuse;
  size_t skip; /* calls to let pass before the first one is refused */
  size_t left; /* calls to refuse */
  size_t refused;
  range lost[LOST_MAX];
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void lock(void) { (void)pthread_mutex_lock(&state.mutex); }
static void unlock(void) { (void)pthread_mutex_unlock(&state.mutex); }

void system_refuse(unsigned calls, size_t nth, size_t count_mapped) {
  lock();
  memset(state.calls, 0, sizeof state.calls);
  state.refused = 0;
  state.refuse = calls;
  state.skip = nth - 1;
  state.left = count_mapped;
  unlock();
}

void system_allow(void) { state.refuse = 0; }
size_t system_calls(unsigned call) { return state.calls[__builtin_ctz(call)]; }
size_t system_refused(void) { return state.refused; }

/* Counts a call.  Returns true, with errno set, if it is to be refused. */
static bool refused(system_call call) {
  lock();
  state.calls[__builtin_ctz(call)]++;
  bool refuse = (state.refuse & call) != 0;
  if (refuse && state.skip > 0) {
    state.skip--;
    refuse = false;
  }
  refuse = refuse && state.left > 0;
  if (refuse && state.left != SYSTEM_ALWAYS) state.left--;
  if (refuse) state.refused++;
  unlock();
  if (refuse) errno = mia_system.error != 0 ? mia_system.error : ENOMEM;
  return refuse;
}

/* ---- mapped memory ---- */

static size_t round_to_pages(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (size + page - 1) / page * page;
}

static void count_mapped(size_t more, size_t less) {
  lock();
  mia_system.mapped += more - less;
  unlock();
}

static void add_lost(char *start, size_t size) {
  lock();
  mia_system.lost += size;
  for (size_t i = 0; i < LOST_MAX; i++) {
    if (state.lost[i].size != 0) continue;
    state.lost[i] = (range){start, size};
    break;
  }
  unlock();
}

/* Removes ranges from the lost ones that were unmapped later. */
static void find_lost(const char *start, size_t size) {
  lock();
  for (size_t i = 0; i < LOST_MAX; i++) {
    range *r = &state.lost[i];
    if (r->size == 0 || r->start < start || r->start + r->size > start + size) continue;
    mia_system.lost -= r->size;
    r->size = 0;
  }
  unlock();
}

/* ---- the calls ---- */

typedef void *map_function(void *, size_t, int, int, int, off_t);

static bool too_large(size_t size, int protection) {
  size_t most = (protection & PROT_WRITE) != 0 ? mia_system.live_max : 0;
  if (most == 0 || (mia_system.any_max != 0 && mia_system.any_max < most))
    most = mia_system.any_max;
  if (most == 0 || size <= most) return false;
  errno = ENOMEM;
  return true;
}

static void *map(map_function *real, void *start, size_t size, int protection, int flags, int fd,
                 off_t offset) {
  if (too_large(size, protection) || refused(SYSTEM_MMAP)) return MAP_FAILED;
  void *p = real(start, size, protection, flags, fd, offset);
  if (p != MAP_FAILED) count_mapped(round_to_pages(size), 0);
  return p;
}

/* Where the width of off_t is a choice, the library may call mmap by either name. */
map_function __wrap_mmap, __wrap_mmap64, __real_mmap;
extern map_function __real_mmap64 __attribute__((weak));

void *__wrap_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset) {
  return map(__real_mmap, start, size, protection, flags, fd, offset);
}
void *__wrap_mmap64(void *start, size_t size, int protection, int flags, int fd, off_t offset) {
  return map(__real_mmap64, start, size, protection, flags, fd, offset);
}

int __wrap_munmap(void *start, size_t size);
int __real_munmap(void *start, size_t size);

int __wrap_munmap(void *start, size_t size) {
  if (refused(SYSTEM_MUNMAP)) {
    add_lost(start, round_to_pages(size));
    return -1;
  }
  int result = __real_munmap(start, size);
  if (result == 0) {
    count_mapped(0, round_to_pages(size));
    find_lost(start, round_to_pages(size));
  }
  return result;
}

int __wrap_mprotect(void *start, size_t size, int protection);
int __real_mprotect(void *start, size_t size, int protection);

int __wrap_mprotect(void *start, size_t size, int protection) {
  return refused(SYSTEM_MPROTECT) ? -1 : __real_mprotect(start, size, protection);
}

int __wrap_madvise(void *start, size_t size, int advice);
int __real_madvise(void *start, size_t size, int advice);

int __wrap_madvise(void *start, size_t size, int advice) {
  if (mia_system.advice_max != 0 && advice > mia_system.advice_max) {
    errno = EINVAL;
    return -1;
  }
  return refused(SYSTEM_MADVISE) ? -1 : __real_madvise(start, size, advice);
}

void *__wrap_mremap(void *start, size_t size, size_t wanted, int flags, ...);
void *__real_mremap(void *start, size_t size, size_t wanted, int flags, ...);

enum { DONT_UNMAP = 4 /* MREMAP_DONTUNMAP */ };

/* The range that a move replaces was mapped before; the range that it leaves may stay mapped. */
void *__wrap_mremap(void *start, size_t size, size_t wanted, int flags, ...) {
  void *to = NULL;
  bool fixed = (flags & MREMAP_FIXED) != 0;
  if (fixed) {
    va_list args;
    va_start(args, flags);
    to = va_arg(args, void *);
    va_end(args);
  }
  if (refused(SYSTEM_MREMAP)) return MAP_FAILED;
  void *p = fixed ? __real_mremap(start, size, wanted, flags, to)
                  : __real_mremap(start, size, wanted, flags);
  bool stays = (flags & DONT_UNMAP) != 0;
  if (p != MAP_FAILED)
    count_mapped(fixed ? 0 : round_to_pages(wanted), stays ? 0 : round_to_pages(size));
  if (p != MAP_FAILED && !stays) find_lost(start, round_to_pages(size));
  return p;
}
