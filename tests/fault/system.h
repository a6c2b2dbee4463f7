/* system.h -- counts memory calls to the kernel, and refuses them at a test's request.
 *
 * A program that uses this is linked with -Wl,--wrap=mmap and so on: the library's calls go
 * to system.c, and from there to the libc.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_SYSTEM_H
#define MIA_TEST_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* Kinds of calls; each is a bit of a set. */
typedef enum system_call {
  SYSTEM_MMAP = 1,
  SYSTEM_MUNMAP = 2,
  SYSTEM_MPROTECT = 4,
  SYSTEM_MADVISE = 8,
  SYSTEM_MREMAP = 16,
  SYSTEM_ANY = 31
} system_call;

enum { SYSTEM_KINDS = 5 };

#define SYSTEM_ALWAYS ((size_t)-1)

typedef struct system_state {
  /* Set by a test. */
  size_t live_max; /* larger writable mappings are refused; 0: no limit */
  size_t any_max;  /* larger mappings of any kind are refused; 0: no limit */
  int error;       /* errno of a refusal; 0: ENOMEM */
  int advice_max;  /* madvise refuses a higher advice, as older kernels do; 0: no limit */
  /* Read by a test. */
  size_t mapped; /* bytes that were mapped and not unmapped */
  size_t lost;   /* mapped bytes whose unmapping failed */
} system_state;

extern system_state mia_system;

/* Refuses `count' calls of a set, from the n-th on; 1 is the next call. */
void system_refuse(unsigned calls, size_t nth, size_t count);
void system_allow(void);

/* Return the number of calls of a kind, and of refused calls of any kind, since the last
 * system_refuse. */
size_t system_calls(unsigned call);
size_t system_refused(void);

#endif
