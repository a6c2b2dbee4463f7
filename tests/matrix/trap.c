/* SPDX-License-Identifier: MIT */
/* trap.c -- makes an x86 CPU report every misaligned access of the program that it is linked
 * with: appends a line with the instruction's address to the file that TRAP_MISALIGNED names,
 * once or a few times for each instruction.  Does nothing if that is not set.
 *
 * The flag AC makes the CPU trap such accesses.  The handler of SIGBUS reports, and
 * single-steps the instruction without the flag; then the handler of SIGTRAP sets the flag
 * again.  Threads inherit the flag, and programs that it executes inherit the variable. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* for REG_EIP */
#endif

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
enum { PC = REG_RIP };
#else
enum { PC = REG_EIP };
#endif
enum { STEP_FLAG = 0x100, ALIGN_FLAG = 0x40000 };

static const char *file;

/* Instructions that were reported; a million lines would take a minute. */
enum { REPORTED = 1024 };
static uintptr_t reported[REPORTED];

/* Returns true if the table shows that an instruction was reported; else puts it there. */
static int was_reported(uintptr_t pc) {
  uintptr_t *place = &reported[pc % REPORTED];
  return __atomic_exchange_n(place, pc, __ATOMIC_RELAXED) == pc;
}

static void report(uintptr_t pc) {
  if (was_reported(pc)) return;
  char line[] = "0x0000000000000000\n";
  for (size_t at = sizeof line - 3; pc != 0; at--, pc >>= 4) line[at] = "0123456789abcdef"[pc & 15];
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, line, sizeof line - 1) < 0) abort();
  (void)close(fd);
}

static void misaligned(int signo, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)signo;
  (void)info;
  report((uintptr_t)registers[PC]);
  registers[REG_EFL] = (registers[REG_EFL] & ~ALIGN_FLAG) | STEP_FLAG;
}

static void stepped(int signo, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)signo;
  (void)info;
  registers[REG_EFL] = (registers[REG_EFL] & ~STEP_FLAG) | ALIGN_FLAG;
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = handler;
  if (sigaction(signo, &action, NULL) != 0) abort();
}

/* One access that must be reported, so that a report without others is meaningful. */
static void prove(void) {
  static _Alignas(8) char bytes[16];
  *(volatile uint32_t *)(void *)(bytes + 1) = 1;
}

__attribute__((constructor)) static void begin(void) {
  file = getenv("TRAP_MISALIGNED");
  if (file == NULL) return;
  handle(SIGBUS, misaligned);
  handle(SIGTRAP, stepped);
#ifdef __x86_64__
  __asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" : : "i"(ALIGN_FLAG) : "memory", "cc");
#else
  __asm__ volatile("pushfl\n\torl %0, (%%esp)\n\tpopfl" : : "i"(ALIGN_FLAG) : "memory", "cc");
#endif
  prove();
}
