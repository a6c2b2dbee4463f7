/* refuse.c -- a library to be preloaded: memory calls to the kernel fail at random.
 *
 * REFUSE_PERCENT of the calls made by the library and the program fail with ENOMEM, chosen by
 * REFUSE_SEED; mappings of files never fail.  At exit a line with the numbers of all calls and
 * of refused ones is appended to REFUSE_LOG.  A crash is logged there too: as "ours" if the
 * innermost frames are in libmialloc, otherwise as "theirs" (few programs check every
 * result).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for dladdr, mremap */
#endif

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 5, LINE = 160, STACK = 1 << 16 };

static atomic_ulong called, refused;
static atomic_int percent = -1;
static atomic_ulong random_state;
static int log_file = -1;

static unsigned long number(const char *name) {
  const char *text = getenv(name);
  return text != NULL ? strtoul(text, NULL, 10) : 0;
}

/* The first call may happen before any constructor. */
static int refusal_percent(void) {
  int p = atomic_load(&percent);
  if (p >= 0) return p;
  p = (int)number("REFUSE_PERCENT");
  atomic_store(&random_state, number("REFUSE_SEED") * 7919 + 1);
  atomic_store(&percent, p);
  return p;
}

static int refuse(void) {
  int p = refusal_percent();
  atomic_fetch_add(&called, 1);
  uint64_t z = atomic_fetch_add(&random_state, 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  if ((int)((z >> 33) % 100) >= p) return 0;
  atomic_fetch_add(&refused, 1);
  errno = ENOMEM;
  return 1;
}

static long call(long id, ...) {
  long a[6];
  va_list args;
  va_start(args, id);
  for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
  va_end(args);
  return syscall(id, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset) {
  if (fd == -1 && refuse()) return MAP_FAILED;
  return (void *)call(SYS_mmap, start, size, (long)protection, (long)flags, (long)fd, offset);
}
int munmap(void *start, size_t size) {
  return refuse() ? -1 : (int)call(SYS_munmap, start, size, 0l, 0l, 0l, 0l);
}
int mprotect(void *start, size_t size, int protection) {
  return refuse() ? -1 : (int)call(SYS_mprotect, start, size, (long)protection, 0l, 0l, 0l);
}
int madvise(void *start, size_t size, int advice) {
  return refuse() ? -1 : (int)call(SYS_madvise, start, size, (long)advice, 0l, 0l, 0l);
}
void *mremap(void *start, size_t size, size_t wanted, int flags, ...) {
  va_list args;
  va_start(args, flags);
  void *to = (flags & MREMAP_FIXED) != 0 ? va_arg(args, void *) : NULL;
  va_end(args);
  if (refuse()) return MAP_FAILED;
  return (void *)call(SYS_mremap, start, size, wanted, (long)flags, to, 0l);
}

/* ---- the log ---- */

static void log_line(const char *what, unsigned long a, unsigned long b) {
  char line[LINE];
  int n = snprintf(line, sizeof line, "%s %lu %lu\n", what, a, b);
  if (n > 0 && write(log_file, line, (size_t)n) != n) _exit(99);
}

static int is_ours(const void *frame) {
  Dl_info info;
  return dladdr(frame, &info) != 0 && info.dli_fname != NULL &&
         strstr(info.dli_fname, "libmialloc") != NULL;
}

/* Skips the first frames, which are this function's and the kernel's. */
static void crash(int signo) {
  void *frames[FRAMES];
  int ours = 0;
  int count = backtrace(frames, FRAMES);
  for (int i = 2; i < count; i++) ours |= is_ours(frames[i]);
  log_line(ours ? "ours" : "theirs", (unsigned long)signo, 0);
  _exit(99);
}

__attribute__((constructor)) static void begin(void) {
  static char stack[STACK];
  void *frame[1];
  const char *name = getenv("REFUSE_LOG");
  if (name == NULL) return;
  log_file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  (void)backtrace(frame, 1); /* loads libgcc now */
  stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  (void)sigaltstack(&other, NULL);
  struct sigaction action = {.sa_handler = crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    (void)sigaction(signals[i], &action, NULL);
}

__attribute__((destructor)) static void end(void) {
  if (log_file >= 0) log_line("calls", atomic_load(&called), atomic_load(&refused));
}
